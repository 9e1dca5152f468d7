//! `[cimd]` of the issuer: client documents that are fetched from elsewhere than the internet.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::authority::Authority;
use crate::reader::{Key, Reported, Table};
use crate::value::Value;
use crate::{BadUrl, Scheme};

const ALLOW: Key = Key::new("allow", r#"["clients.internal:443"]"#);
const CA: Key = Key::new("ca", r#""/etc/lime/clients-ca.pem""#);

/// Which client documents (OAuth Client ID Metadata Documents) may be fetched beyond those of the internet, for private
/// networks and tests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientDocuments {
    /// Hosts that may have any address. Everybody else's has to be one of the internet. Default: none.
    pub allow: Vec<HostPort>,
    /// Authorities (PEM) that are believed beside those of the system. Default: none.
    pub ca: Option<PathBuf>,
}

impl ClientDocuments {
    pub(crate) fn read(table: &mut Table<'_>) -> Result<Self, Reported> {
        let allow = table.optional(ALLOW, |value| value.each(Value::parsed));
        let ca = table.optional(CA, Value::path);
        Ok(Self { allow: allow?.unwrap_or_default(), ca: ca? })
    }

    pub(crate) fn warnings(&self) -> Vec<String> {
        let mut found = Vec::new();
        if !self.allow.is_empty() {
            let hosts: Vec<_> = self.allow.iter().map(HostPort::to_string).collect();
            let hosts = hosts.join(", ");
            found.push(format!(
                "`cimd.allow`: whoever asks can make the issuer send requests to {hosts}, wherever it is"
            ));
        }
        if let Some(ca) = &self.ca {
            let ca = ca.display();
            found.push(format!("`cimd.ca`: who has a key of {ca} can pass for any client that has a document"));
        }
        found
    }
}

/// `host:port`, the port always written: the host as a URL spells it, so in lower case and IPv6 in brackets.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct HostPort(Authority);

impl HostPort {
    /// A name, an IPv4 address, or an IPv6 address in brackets.
    #[must_use]
    pub const fn host(&self) -> &str {
        &self.0.host
    }

    /// The port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.0.port
    }
}

/// Why a text is no `host:port`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadHostPort {
    /// A scheme, or something behind the port.
    #[error("a host and a port and nothing else: write it like clients.internal:443")]
    More,
    /// `*` in the host.
    #[error("`*` stands for no host: write the full names, one by one")]
    Wildcard,
    /// No port.
    #[error("no port: write {0}:443 if it is the one of https")]
    NoPort(String),
    /// The host or the port is none.
    #[error(transparent)]
    Host(#[from] BadUrl),
}

impl FromStr for HostPort {
    type Err = BadHostPort;

    fn from_str(text: &str) -> Result<Self, BadHostPort> {
        if text.contains(['/', '@', '?', '#', '\\']) {
            return Err(BadHostPort::More);
        }
        if text.contains('*') {
            return Err(BadHostPort::Wildcard);
        }
        // `url` forgets a port that is the scheme's own, and this is about whether one was written.
        let is_written = text.rsplit_once(':').is_some_and(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
        let is_bare = text.ends_with([']', ':']);
        if !is_written || is_bare {
            return Err(BadHostPort::NoPort(text.trim_end_matches(':').into()));
        }
        Ok(Self(Authority::parse(&format!("{}://{text}", Scheme::Https))?))
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.address())
    }
}

impl fmt::Debug for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HostPort({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_and_its_port_are_read_as_a_url_would_spell_them() {
        for (text, expected) in [
            ("Clients.Internal:8443", "clients.internal:8443"),
            ("localhost:443", "localhost:443"),
            ("127.0.0.1:8443", "127.0.0.1:8443"),
            ("[::1]:8443", "[::1]:8443"),
            ("b\u{fc}cher.example:443", "xn--bcher-kva.example:443"),
        ] {
            assert_eq!(text.parse::<HostPort>().unwrap().to_string(), expected);
        }
    }

    #[test]
    fn what_is_no_host_and_port_is_refused() {
        for (text, expected) in [
            ("clients.internal", "no port: write clients.internal:443 if it is the one of https"),
            ("clients.internal:", "no port: write clients.internal:443 if it is the one of https"),
            ("[::1]", "no port: write [::1]:443 if it is the one of https"),
            ("https://clients.internal:443", "a host and a port and nothing else: write it like clients.internal:443"),
            ("clients.internal:443/", "a host and a port and nothing else: write it like clients.internal:443"),
            ("*.internal:443", "`*` stands for no host: write the full names, one by one"),
            ("clients.internal:0", "port 0 cannot be reached: write the port that is listened on"),
        ] {
            assert_eq!(text.parse::<HostPort>().unwrap_err().to_string(), expected, "{text}");
        }
        assert!("clients.internal:70000".parse::<HostPort>().is_err());
    }
}
