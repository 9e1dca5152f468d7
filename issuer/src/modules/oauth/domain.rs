//! A host name for which a token can be asked.

use std::net::IpAddr;

/// Longest host name (RFC 1035 §2.3.4), and longest label.
const NAME_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;

/// Names that only mean something inside somebody's network: a token for one of them would be for whoever answers there.
const PRIVATE: [&str; 8] = ["localhost", "local", "internal", "intranet", "corp", "home", "lan", "arpa"];

/// A host: a name in lower case, or an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Domain(String);

impl Domain {
    /// Reads a host. No scheme, no port, no path: who sends one should learn that it does not count.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        let address = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(&text);
        if address.parse::<IpAddr>().is_ok() {
            return Some(Self(text));
        }
        let name = text.strip_suffix('.').unwrap_or(&text);
        let fits = (1..=NAME_BYTES_MAX).contains(&name.len()) && name.split('.').all(is_label);
        fits.then(|| Self(name.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether anybody on the internet could mean it: a name with a dot that is neither an address nor private.
    pub(crate) fn is_public(&self) -> bool {
        let last = self.0.rsplit('.').next().unwrap_or_default();
        // A numeric last label is an address in disguise to many resolvers (WHATWG URL §3.5): 127.1, 0x7f.1.
        let numeric = last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x");
        let address = self.0.contains(':') || numeric;
        self.0.contains('.') && !address && !PRIVATE.contains(&last)
    }
}

impl From<Domain> for String {
    fn from(domain: Domain) -> Self {
        domain.0
    }
}

fn is_label(label: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..=LABEL_BYTES_MAX).contains(&label.len())
        && label.bytes().all(inner)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_is_a_bare_host_in_lower_case() {
        for (text, expected) in [
            ("Shop.Example.com", Some("shop.example.com")),
            ("shop.example.com.", Some("shop.example.com")),
            (" shop.example.com ", Some("shop.example.com")),
            ("127.0.0.1", Some("127.0.0.1")),
            ("[::1]", Some("[::1]")),
            ("localhost", Some("localhost")),
            ("shop.example.com:8080", None),
            ("https://shop.example.com", None),
            ("shop.example.com/x", None),
            ("user@shop.example.com", None),
            ("-shop.example", None),
            ("shop..example", None),
            ("b\u{fc}cher.example", None),
            ("", None),
        ] {
            assert_eq!(Domain::parse(text).as_ref().map(Domain::as_str), expected, "{text}");
        }
    }

    #[test]
    fn only_names_of_the_internet_are_public() {
        for (text, public) in [
            ("shop.example.com", true),
            ("mcp.test", true),
            ("localhost", false),
            ("a.localhost", false),
            ("printer.local", false),
            ("metadata.google.internal", false),
            ("127.0.0.1", false),
            ("127.1", false),
            ("0x7f.0x1", false),
            ("[::1]", false),
            ("single", false),
        ] {
            assert_eq!(Domain::parse(text).is_some_and(|domain| domain.is_public()), public, "{text}");
        }
    }
}
