//! Where a client document, or a key set that one names, is.

use std::net::IpAddr;

use url::{Host, Position, Url};

use super::refusal::DocumentRefusal;

/// Longest URL, in bytes: it is a `client_id`, and stands in every request.
const BYTES_MAX: usize = 2048;

/// An `https` URL of which there is one spelling: the `client_id` is compared byte for byte, so nobody should be able to
/// write the same place in two ways.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Location {
    text: String,
    url: Url,
    host: String,
    port: u16,
}

impl Location {
    pub(super) fn parse(text: &str) -> Result<Self, DocumentRefusal> {
        if text.len() > BYTES_MAX {
            return Err(DocumentRefusal::TooLong);
        }
        let rest = text.strip_prefix("https://").ok_or(DocumentRefusal::NotHttps)?;
        if rest.contains('#') {
            return Err(DocumentRefusal::Fragment);
        }
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        if authority.contains('@') {
            return Err(DocumentRefusal::Userinfo);
        }
        let url = Url::parse(text).map_err(|_| DocumentRefusal::NotUrl)?;
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return Err(DocumentRefusal::NotUrl);
        };
        let host = host.to_owned();
        if url.path() == "/" {
            return Err(DocumentRefusal::NoPath);
        }
        // `Url` resolves dots and foreign letters, and leaves out the port of the scheme, which may be written.
        let with_port = format!("https://{host}:{port}{}", &url[Position::BeforePath..]);
        if url.as_str() != text && with_port != text {
            return Err(DocumentRefusal::Spelling(url.into()));
        }
        Ok(Self { text: text.to_owned(), url, host, port })
    }

    /// The URL, byte for byte.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) const fn url(&self) -> &Url {
        &self.url
    }

    /// A name, an IPv4 address, or an IPv6 address in brackets.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) const fn port(&self) -> u16 {
        self.port
    }

    /// The address, where the host is one.
    pub(super) fn address(&self) -> Option<IpAddr> {
        match self.url.host()? {
            Host::Domain(_) => None,
            Host::Ipv4(address) => Some(address.into()),
            Host::Ipv6(address) => Some(address.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_at_an_https_url_with_a_path() {
        for (text, host, port) in [
            ("https://app.example/client.json", "app.example", 443),
            ("https://app.example:443/client.json", "app.example", 443),
            ("https://app.example:8443/oauth/client?v=1", "app.example", 8443),
            ("https://app.example/a//b%20c/", "app.example", 443),
            ("https://127.0.0.1/c", "127.0.0.1", 443),
            ("https://[::1]:8443/c", "[::1]", 8443),
            ("https://xn--bcher-kva.example/c", "xn--bcher-kva.example", 443),
        ] {
            let location = Location::parse(text).unwrap_or_else(|refusal| panic!("{text}: {refusal}"));
            assert_eq!((location.as_str(), location.host(), location.port()), (text, host, port));
        }
    }

    #[test]
    fn every_other_url_has_its_refusal() {
        let spelling = |text: &str| DocumentRefusal::Spelling(text.to_owned());
        for (text, refusal) in [
            ("http://app.example/c", DocumentRefusal::NotHttps),
            ("HTTPS://app.example/c", DocumentRefusal::NotHttps),
            ("ftp://app.example/c", DocumentRefusal::NotHttps),
            ("https:/app.example/c", DocumentRefusal::NotHttps),
            ("https://app.example", DocumentRefusal::NoPath),
            ("https://app.example/", DocumentRefusal::NoPath),
            ("https://app.example?x", DocumentRefusal::NoPath),
            ("https://app.example/c#", DocumentRefusal::Fragment),
            ("https://app.example/c#x", DocumentRefusal::Fragment),
            ("https://user:pass@app.example/c", DocumentRefusal::Userinfo),
            ("https://@app.example/c", DocumentRefusal::Userinfo),
            ("https://app.example/a/../c", spelling("https://app.example/c")),
            ("https://app.example/./c", spelling("https://app.example/c")),
            ("https://app.example/a/%2e%2E/c", spelling("https://app.example/c")),
            ("https://App.Example/c", spelling("https://app.example/c")),
            ("https://app.example\\c", spelling("https://app.example/c")),
            ("https://app.example/c\n", spelling("https://app.example/c")),
            ("https://b\u{fc}cher.example/c", spelling("https://xn--bcher-kva.example/c")),
            ("https://0x7f.1/c", spelling("https://127.0.0.1/c")),
            ("https://2130706433/c", spelling("https://127.0.0.1/c")),
            ("https://[::ffff:127.0.0.1]/c", spelling("https://[::ffff:7f00:1]/c")),
            ("https://app.example:0443/c", spelling("https://app.example/c")),
            ("https:///app.example/c", spelling("https://app.example/c")),
            ("https://app.example:70000/c", DocumentRefusal::NotUrl),
            ("https://", DocumentRefusal::NotUrl),
        ] {
            assert_eq!(Location::parse(text), Err(refusal), "{text}");
        }
        let long = format!("https://app.example/{}", "x".repeat(2048));
        assert_eq!(Location::parse(&long), Err(DocumentRefusal::TooLong));
    }
}
