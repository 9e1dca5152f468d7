//! Addresses to listen on.

use std::net::{Ipv4Addr, SocketAddr};

/// Why a text is no address to listen on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadListen {
    /// A port and nothing else, or a colon in front of it.
    #[error("no address in front of the port: write 127.0.0.1:{0} for this machine alone, 0.0.0.0:{0} for everybody")]
    PortAlone(u16),
    /// Anything else.
    #[error("`{0}` is no IP:port: write it like 127.0.0.1:8080 or [::1]:8080; port 0 takes a free one")]
    Address(String),
}

/// Reads `IP:port` of a `listen` key or flag. `localhost:8080` is `127.0.0.1:8080`; port 0 takes a free one.
///
/// # Errors
/// [`BadListen`], which says what to write.
pub fn listen_address(text: &str) -> Result<SocketAddr, BadListen> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    if let Ok(port) = text.strip_prefix(':').unwrap_or(text).parse() {
        return Err(BadListen::PortAlone(port));
    }
    // Other names may mean several addresses, or another one tomorrow.
    let port = text.strip_prefix("localhost:").and_then(|port| port.parse().ok());
    let port: u16 = port.ok_or_else(|| BadListen::Address(text.into()))?;
    Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
}

#[cfg(test)]
mod tests;
