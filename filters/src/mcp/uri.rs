//! A URI of a resource, in the ways in which servers may read it.

use url::Url;

use crate::path;

/// Longest URI that is read in several ways. Longer ones are nobody's where resources have rules.
const URI_BYTES_MAX: usize = 8 * 1024;

/// The readings of a URI beside itself: scheme and host in small letters, an odd path decoded and resolved in every order,
/// and what WHATWG's rules make of it (`file:/a`, `file://localhost/a` and `file:///b/%2e%2e/a` are `file:///a` to them).
/// `None` where there is no saying what a server reads: it is too long, or has what readers of URIs drop or turn.
pub(super) fn readings(uri: &str) -> Option<Vec<String>> {
    let is_odd = |byte: u8| byte <= b' ' || byte == 0x7f || byte == b'\\';
    if uri.len() > URI_BYTES_MAX || uri.bytes().any(is_odd) {
        return None;
    }
    let mut found = as_written(uri)?;
    if let Some(whatwg) = whatwg(uri) {
        found.extend(as_written(&whatwg)?);
    }
    Some(found)
}

fn as_written(uri: &str) -> Option<Vec<String>> {
    let end = uri.find(['?', '#']).unwrap_or(uri.len());
    let (before, query) = uri.split_at_checked(end).unwrap_or((uri, ""));
    let Some((scheme, rest)) = before.split_once("://") else {
        let (scheme, rest) = uri.split_once(':').unwrap_or(("", uri));
        let colon = if scheme.is_empty() { "" } else { ":" };
        let text = format!("{}{colon}{rest}", scheme.to_ascii_lowercase());
        let decoded = decoded(&text);
        return Some(std::iter::once(text).chain(decoded).collect());
    };
    let slash = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(slash).unwrap_or((rest, ""));
    let start = format!("{}://{}", scheme.to_ascii_lowercase(), authority.to_ascii_lowercase());
    if path::is_plain(path.as_bytes()) {
        return Some(vec![format!("{start}{path}{query}")]);
    }
    let paths = path::readings(path.as_bytes()).ok()?;
    Some(paths.into_iter().map(|path| format!("{start}{}{query}", String::from_utf8_lossy(&path))).collect())
}

/// Decoded, since what it had to encode was not encoded by who asked.
fn whatwg(uri: &str) -> Option<String> {
    let read = Url::parse(uri).ok()?.to_string();
    let read = decoded(&read).unwrap_or(read);
    // `https://a` and `https://a/` are one.
    let read = if read.strip_suffix('/') == Some(uri) { uri.to_owned() } else { read };
    (read != uri).then_some(read)
}

fn decoded(text: &str) -> Option<String> {
    path::decoded(text.as_bytes()).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(uri: &str, reading: &str) {
        let found = readings(uri);
        assert!(found.as_ref().is_some_and(|found| found.iter().any(|one| one == reading)), "{uri}: {found:?}");
    }

    #[test]
    fn what_a_server_may_take_for_another_uri_is_found() {
        for uri in [
            "file:/secret/a",
            "file:secret/a",
            "FILE://LOCALHOST/secret/a",
            "file:///b/%2e%2e/secret/a",
            "file:///b/.%2E/secret/a",
            "file://///secret/a",
            "file:///%2573ecret/a",
        ] {
            check(uri, "file:///secret/a");
        }
        check("https:example.com/a", "https://example.com/a");
        check("https://example.com:443/a", "https://example.com/a");
        check("note:%48idden", "note:Hidden");
    }

    #[test]
    fn an_honest_uri_has_one_reading() {
        for uri in ["file:///reports/a.txt", "https://example.com", "note:///é", "db://host/{id}", "x"] {
            let found = readings(uri).unwrap();
            assert!(found.iter().all(|reading| reading == uri), "{uri}: {found:?}");
        }
    }

    #[test]
    fn what_readers_drop_or_turn_has_no_reading() {
        for uri in [" file:///a", "file:///sec\tret", "file:\\\\a", "a\u{7f}", "file:///x%00/%2e%2e/secret/a"] {
            assert_eq!(readings(uri), None, "{uri:?}");
        }
        assert_eq!(readings(&format!("file:///{}", "a".repeat(9000))), None);
        assert_eq!(readings(&format!("file:///{}/../secret", "//;../".repeat(1300))), None, "more than are looked at");
    }
}
