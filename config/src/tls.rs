//! HTTPS: `[server.tls]`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use crate::Place;
use crate::reader::{Key, Reported, Table};
use crate::value::Value;

const LISTEN: Key = Key::new("listen", r#""127.0.0.1:8443""#);
const CERTIFICATE: Key = Key::new("certificate", r#""/etc/lime/tls.crt""#);
const KEY: Key = Key::new("key", r#""/etc/lime/tls.key""#);

/// `[server.tls]`
#[derive(Clone, Debug)]
pub struct Tls {
    /// Where HTTPS is taken. Default: [`Tls::LISTEN`].
    pub listen: Vec<SocketAddr>,
    /// At least one. A client is shown the one for the name it asks for (SNI), else the first.
    pub certificates: Vec<Certificate>,
}

/// A certificate and its key, both PEM. The names it is for are read from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The chain, the certificate itself first.
    pub chain: PathBuf,
    /// The private key.
    pub key: PathBuf,
    /// Where it is written.
    pub defined_at: Place,
}

impl Tls {
    /// Loopback, as for plain HTTP.
    pub const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8443);

    pub(crate) fn read(table: &mut Table<'_>) -> Result<Self, Reported> {
        let listen = table.optional(LISTEN, Value::addresses);
        let chains = table.required(CERTIFICATE, |value| value.each(Value::path));
        let keys = table.required(KEY, |value| value.each(Value::path));
        let (chains, keys) = (chains?, keys?);
        if chains.len() != keys.len() || chains.is_empty() {
            let text = format!(
                "{} certificates and {} keys: write one key for each certificate, in the same order",
                chains.len(),
                keys.len()
            );
            return Err(table.report(KEY, &text));
        }
        let defined_at = table.place(CERTIFICATE);
        let pair = |(chain, key)| Certificate { chain, key, defined_at: defined_at.clone() };
        Ok(Self {
            listen: listen?.unwrap_or_else(|| vec![Self::LISTEN]),
            certificates: chains.into_iter().zip(keys).map(pair).collect(),
        })
    }
}
