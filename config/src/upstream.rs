use std::fmt;
use std::str::FromStr;

use crate::authority::Authority;
use crate::{BadUrl, Scheme};

/// Where the site behind the gateway listens: `http://host:port` or `https://host:port`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Upstream(Authority);

impl Upstream {
    /// Whether the site is reached over TLS.
    #[must_use]
    pub const fn scheme(&self) -> Scheme {
        self.0.scheme
    }

    /// The host as it stands in a URL: a name, an IPv4 address, or an IPv6 address in brackets.
    #[must_use]
    pub const fn host(&self) -> &str {
        &self.0.host
    }

    /// The port, written or meant.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.0.port
    }

    /// `host:port`, as a resolver and a log line want it.
    #[must_use]
    pub fn address(&self) -> String {
        self.0.address()
    }
}

impl FromStr for Upstream {
    type Err = BadUrl;

    fn from_str(text: &str) -> Result<Self, BadUrl> {
        Authority::parse(text).map(Self)
    }
}

/// With its port, also where that is the scheme's own.
impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.0.scheme, self.0.address())
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Upstream({self})")
    }
}
