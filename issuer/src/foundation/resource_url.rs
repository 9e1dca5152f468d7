//! What a token can be for: the URL of a resource (RFC 8707 §2).

use std::fmt;
use std::str::FromStr;

use config::{Scheme, WebOrigin};

/// Longest URL of a resource, in bytes: it stands in every token for it.
const URL_BYTES_MAX: usize = 512;

/// An absolute `https` URL (`http` on this machine), without user, query and fragment. Its origin is in the form of
/// [`WebOrigin`], its path as it was written, `/` alone left out: two texts are one resource only if they are equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceUrl {
    text: String,
    origin_bytes: usize,
}

/// Why a text is not the URL of a resource.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadResourceUrl {
    /// Scheme, host or port are not those of a site.
    #[error("{0}")]
    Origin(#[from] config::BadUrl),
    /// Tokens for it could be read on the way.
    #[error("the URL of a resource is https, or http on this machine: pass an https URL")]
    Exposed,
    /// It has a query or a fragment.
    #[error("the URL of a resource has no ? and no #: leave them out")]
    Query,
    /// Its path would be read in more than one way.
    #[error("the path of a resource has no . or .. segments and only characters of a URL: write it plainly")]
    Path,
    /// It is too long to stand in every token.
    #[error("the URL of a resource is 512 bytes at most: choose a shorter one")]
    TooLong,
}

impl ResourceUrl {
    /// The URL as it stands in `resource` and `aud`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The origin it lies under.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.text.get(..self.origin_bytes).unwrap_or_default()
    }
}

impl FromStr for ResourceUrl {
    type Err = BadResourceUrl;

    fn from_str(text: &str) -> Result<Self, BadResourceUrl> {
        if text.len() > URL_BYTES_MAX {
            return Err(BadResourceUrl::TooLong);
        }
        if text.contains(['?', '#']) {
            return Err(BadResourceUrl::Query);
        }
        let authority = text.find("://").map_or(0, |at| at.saturating_add(3));
        let path = text.get(authority..).and_then(|rest| rest.find('/')).map_or(text.len(), |at| authority + at);
        let (origin, path) = text.split_at_checked(path).unwrap_or((text, ""));
        let origin: WebOrigin = origin.parse()?;
        if origin.scheme() == Scheme::Http && !origin.is_loopback() {
            return Err(BadResourceUrl::Exposed);
        }
        if !path.split('/').all(is_segment) {
            return Err(BadResourceUrl::Path);
        }
        let path = if path == "/" { "" } else { path };
        Ok(Self { text: format!("{origin}{path}"), origin_bytes: origin.as_str().len() })
    }
}

impl fmt::Display for ResourceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A segment of a path (RFC 3986 §3.3) that every reader leaves where it stands.
fn is_segment(segment: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte);
    let mut parts = segment.split('%');
    let first = parts.next().unwrap_or_default();
    // Behind each `%` stand two digits, then what stands anywhere.
    let fits = first.bytes().all(plain)
        && parts.all(|part| {
            let mut bytes = part.bytes();
            let digits = bytes.by_ref().take(2).filter(u8::is_ascii_hexdigit).count();
            digits == 2 && bytes.all(plain)
        });
    let dots = segment.to_ascii_lowercase().replace("%2e", ".");
    fits && dots != "." && dots != ".."
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<(&str, &str)>) {
        let url = text.parse::<ResourceUrl>();
        assert_eq!(url.as_ref().ok().map(|url| (url.as_str(), url.origin())), expected, "{text}: {url:?}");
    }

    #[test]
    fn a_resource_is_named_in_one_form() {
        let notes = "https://notes.example.com";
        check("https://notes.example.com/mcp", Some(("https://notes.example.com/mcp", notes)));
        check("HTTPS://Notes.Example.com:443/Mcp", Some(("https://notes.example.com/Mcp", notes)));
        check("https://notes.example.com/", Some((notes, notes)));
        check("https://notes.example.com", Some((notes, notes)));
        check("https://notes.example.com/a%20b/", Some(("https://notes.example.com/a%20b/", notes)));
        check("http://127.0.0.1:9000/mcp", Some(("http://127.0.0.1:9000/mcp", "http://127.0.0.1:9000")));
        check("http://[::1]:9000/mcp", Some(("http://[::1]:9000/mcp", "http://[::1]:9000")));
    }

    #[test]
    fn what_could_be_read_in_two_ways_names_none() {
        for text in [
            "",
            "notes.example.com/mcp",
            "/mcp",
            "ftp://notes.example.com/mcp",
            "http://notes.example.com/mcp",
            "https://ada@notes.example.com/mcp",
            "https://ada:pw@notes.example.com/mcp",
            "https://notes.example.com/mcp?x",
            "https://notes.example.com/mcp#x",
            "https://notes.example.com/a/../mcp",
            "https://notes.example.com/%2e%2E/mcp",
            "https://notes.example.com/./mcp",
            "https://notes.example.com/a b",
            "https://notes.example.com/a\\b",
            "https://notes.example.com/%zz",
            "https://notes.example.com/%2",
            "https://notes.example.com/\u{e4}",
        ] {
            check(text, None);
        }
        check(&format!("https://notes.example.com/{}", "a".repeat(512)), None);
    }
}
