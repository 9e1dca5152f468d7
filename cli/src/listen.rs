//! Listeners are bound here, before anything is served, so that a port in use ends the command at once.

use std::io;
use std::net::{SocketAddr, TcpListener};

use crate::failure::Failure;

/// Binds every address.
pub(crate) fn bind(addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, Failure> {
    addresses.iter().map(|address| bind_one(*address)).collect()
}

/// Binds one address.
pub(crate) fn bind_one(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).map_err(|error| {
        let hint = if error.kind() == io::ErrorKind::AddrInUse {
            ": is something else running there?"
        } else if error.kind() == io::ErrorKind::PermissionDenied {
            ": ports below 1024 need CAP_NET_BIND_SERVICE"
        } else {
            ""
        };
        Failure::bind(format!("cannot listen on {address}: {error}{hint}"))
    })
}

/// The address a listener got; port 0 has become a real one.
pub(crate) fn address(listener: &TcpListener) -> Result<SocketAddr, Failure> {
    listener.local_addr().map_err(Failure::from_error)
}

/// How a client on this machine reaches an address: an unspecified one by loopback.
pub(crate) fn url(address: SocketAddr) -> String {
    let port = address.port();
    match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => format!("http://127.0.0.1:{port}"),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => format!("http://[::1]:{port}"),
        SocketAddr::V4(_) | SocketAddr::V6(_) => format!("http://{address}"),
    }
}
