use std::fmt;
use std::str::FromStr;

use crate::{BadUrl, WebOrigin};

/// Which hosts a site is served under beside the one of its `url`: `shop.example.com`, or `*.example.com` for all names
/// below `example.com`, at any depth.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPattern(Shape);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Shape {
    Exact(Box<str>),
    /// With the dot in front.
    Below(Box<str>),
}

/// Why a text is no [`HostPattern`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadHostPattern {
    /// A scheme, a port or a path.
    #[error("`{0}`: a host is written alone, without scheme, port and path: write it like \"www.example.com\"")]
    NotAlone(String),
    /// A `*` elsewhere than as the first label.
    #[error("`*` stands only for what comes first: write \"*.example.com\"")]
    Star,
    /// A whole top-level domain.
    #[error("`{0}` is more than one site can be: write at least two labels behind `*.`")]
    TooWide(String),
    /// Not a host.
    #[error(transparent)]
    Host(#[from] BadUrl),
}

impl HostPattern {
    /// Whether a host, in lower case without port and final dot, is meant.
    #[must_use]
    pub fn matches(&self, host: &str) -> bool {
        match &self.0 {
            Shape::Exact(name) => **name == *host,
            Shape::Below(suffix) => host.len() > suffix.len() && host.ends_with(&**suffix),
        }
    }

    /// The host, where it is one.
    #[must_use]
    pub const fn exact(&self) -> Option<&str> {
        match &self.0 {
            Shape::Exact(name) => Some(name),
            Shape::Below(_) => None,
        }
    }

    /// `example.com` of `*.example.com`.
    #[must_use]
    pub fn parent(&self) -> Option<&str> {
        match &self.0 {
            Shape::Exact(_) => None,
            Shape::Below(suffix) => suffix.strip_prefix('.'),
        }
    }
}

impl FromStr for HostPattern {
    type Err = BadHostPattern;

    fn from_str(text: &str) -> Result<Self, BadHostPattern> {
        let is_ipv6 = text.starts_with('[') && text.ends_with(']');
        if text.contains('/') || (text.contains(':') && !is_ipv6) {
            return Err(BadHostPattern::NotAlone(text.to_owned()));
        }
        let (name, is_wildcard) = text.strip_prefix("*.").map_or((text, false), |rest| (rest, true));
        if name.contains('*') {
            return Err(BadHostPattern::Star);
        }
        // What is a host in a URL is one here.
        let origin: WebOrigin = format!("https://{name}").parse()?;
        let host = origin.host();
        let is_name = !is_ipv6 && host.parse::<std::net::Ipv4Addr>().is_err();
        if is_wildcard && !(is_name && host.contains('.')) {
            return Err(BadHostPattern::TooWide(text.to_owned()));
        }
        Ok(Self(if is_wildcard { Shape::Below(format!(".{host}").into()) } else { Shape::Exact(host.into()) }))
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Shape::Exact(name) => f.write_str(name),
            Shape::Below(suffix) => write!(f, "*{suffix}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, meant: &[&str], not: &[&str]) {
        let found: HostPattern = pattern.parse().unwrap();
        assert!(meant.iter().all(|host| found.matches(host)), "{pattern}");
        assert!(!not.iter().any(|host| found.matches(host)), "{pattern}");
    }

    #[test]
    fn a_star_stands_for_all_names_below() {
        check("shop.example", &["shop.example"], &["www.shop.example", "shop.example.org", ""]);
        check(
            "*.shop.example",
            &["www.shop.example", "a.b.shop.example"],
            &["shop.example", ".shop.example", "xshop.example"],
        );
        check("WWW.Shop.EXAMPLE", &["www.shop.example"], &[]);
        check("bücher.example", &["xn--bcher-kva.example"], &[]);
        check("[::1]", &["[::1]"], &[]);
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for text in [
            "",
            "*",
            "*.com",
            "*.127.0.0.1",
            "a.*.example",
            "**.example",
            "https://a.example",
            "a.example:80",
            "a.example/b",
            "a b",
        ] {
            assert!(text.parse::<HostPattern>().is_err(), "{text}");
        }
    }
}
