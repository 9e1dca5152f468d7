use std::fmt;
use std::str::FromStr;

use crate::authority::Authority;
use crate::{BadUrl, Scheme};

/// The origin of a site as the world sees it (RFC 6454 §4): `scheme://host[:port]`, no path, no final slash. The host
/// is lower case with IDNA applied, the default port is left out, so two texts of one origin are equal.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct WebOrigin {
    text: Box<str>,
    authority: Authority,
}

impl WebOrigin {
    /// The origin as it stands in an absolute URL, in `iss` and `aud`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// `http` or `https`.
    #[must_use]
    pub const fn scheme(&self) -> Scheme {
        self.authority.scheme
    }

    /// The host as it stands in a URL: a name, an IPv4 address, or an IPv6 address in brackets.
    #[must_use]
    pub const fn host(&self) -> &str {
        &self.authority.host
    }

    /// The port, written or meant.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.authority.port
    }

    /// Whether the host is `localhost`, `127.0.0.0/8` or `[::1]`. All of these are one site.
    #[must_use]
    pub const fn is_loopback(&self) -> bool {
        self.authority.is_loopback
    }

    /// Whether what travels there can be read on the way: `http`, and not to this machine itself.
    pub(crate) fn is_exposed(&self) -> bool {
        self.scheme() == Scheme::Http && !self.is_loopback()
    }
}

impl FromStr for WebOrigin {
    type Err = BadUrl;

    fn from_str(text: &str) -> Result<Self, BadUrl> {
        let authority = Authority::parse(text)?;
        Ok(Self { text: authority.to_string().into(), authority })
    }
}

impl fmt::Display for WebOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for WebOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebOrigin({})", self.text)
    }
}

#[cfg(test)]
mod tests;
