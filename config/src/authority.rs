//! `scheme://host[:port]`, what a [`WebOrigin`](crate::WebOrigin) and an [`Upstream`](crate::Upstream) have in common.

use std::fmt;

use url::{Host, Url};

/// Longest host name in characters, and longest label of one (RFC 1035 §2.3.4).
const HOST_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;

/// How bytes travel to a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// In the clear.
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    /// The word before `://`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port that is meant when none is written.
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Http, Self::Https].into_iter().find(|scheme| text.eq_ignore_ascii_case(scheme.as_str()))
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a text is no `scheme://host[:port]`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadUrl {
    /// No `://` in it.
    #[error("no scheme in front: write http://{0} or https://{0}")]
    NoScheme(String),
    /// Neither http nor https.
    #[error("scheme `{0}` is not served: write http:// or https://")]
    Scheme(String),
    /// A user name or password before the host. Neither is repeated: it may be a secret.
    #[error("a user name or password has no place here: write the host alone after ://")]
    Credentials,
    /// A path, a final slash, a query or a fragment.
    #[error("nothing may follow the host and port, not even a slash: write {0}")]
    Path(String),
    /// `*` in the host.
    #[error("`*` stands for no host: write the full name, and one [[site]] for each")]
    Wildcard,
    /// Not a name, an IPv4 address or a bracketed IPv6 address, or a port that is none.
    #[error("`{0}` is no host: write a name like shop.example.com or an address like 127.0.0.1:3000 or [::1]:3000")]
    Host(String),
    /// Port 0 cannot be reached.
    #[error("port 0 cannot be reached: write the port that is listened on")]
    Port,
}

/// A scheme, a host and a port, each as a URL would spell it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Authority {
    pub(crate) scheme: Scheme,
    /// Lower case, IDNA applied, IPv6 in brackets.
    pub(crate) host: Box<str>,
    pub(crate) port: u16,
    pub(crate) is_loopback: bool,
}

impl Authority {
    pub(crate) fn parse(text: &str) -> Result<Self, BadUrl> {
        let Some((scheme, rest)) = text.split_once("://") else { return Err(BadUrl::NoScheme(text.into())) };
        let scheme = Scheme::parse(scheme).ok_or_else(|| BadUrl::Scheme(scheme.into()))?;
        let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
        let (authority, behind) = rest.split_at(end);
        if authority.contains('@') {
            return Err(BadUrl::Credentials);
        }
        let authority = Self::of(scheme, authority)?;
        if behind.is_empty() { Ok(authority) } else { Err(BadUrl::Path(authority.to_string())) }
    }

    fn of(scheme: Scheme, text: &str) -> Result<Self, BadUrl> {
        let bad = || BadUrl::Host(text.into());
        if text.contains('*') {
            return Err(BadUrl::Wildcard);
        }
        // `Url` would drop tabs and decode `%`: two spellings of one host that nobody means.
        if text.chars().any(|c| c == '%' || c.is_whitespace() || c.is_control()) {
            return Err(bad());
        }
        let url = Url::parse(&format!("{scheme}://{text}")).map_err(|_| bad())?;
        let host = url.host().ok_or_else(bad)?;
        let port = url.port_or_known_default().ok_or_else(bad)?;
        if port == 0 {
            return Err(BadUrl::Port);
        }
        let is_loopback = match &host {
            Host::Domain(name) if is_dns_name(name) => *name == "localhost",
            Host::Domain(_) => return Err(bad()),
            Host::Ipv4(address) => address.is_loopback(),
            Host::Ipv6(address) => address.to_canonical().is_loopback(),
        };
        Ok(Self { scheme, host: host.to_string().into(), port, is_loopback })
    }

    /// `host:port`, the port always written.
    pub(crate) fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

/// As a URL is written: the port left out where it is the scheme's own.
impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host)?;
        if self.port == self.scheme.default_port() { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

/// What `Url` lets pass is wider than DNS. `_` is no host name by the letter, but such hosts are served.
fn is_dns_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let is_label = |label: &str| (1..=LABEL_BYTES_MAX).contains(&label.len()) && label.bytes().all(allowed);
    name.len() <= HOST_BYTES_MAX && name.split('.').all(is_label)
}
