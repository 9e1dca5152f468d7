//! The session cookie: its name, and how it is taken out of a line without touching the others.

use std::time::Duration;

use config::{Scheme, Site};
use http::HeaderValue;

use crate::session::SESSION_PREFIX;

/// The name where browsers would not store the other.
const PLAIN_NAME: &str = "lime";

/// The name of the session cookie at a site. `__Host-` makes browsers keep it to this host over TLS; on loopback http,
/// where they would not store it at all, the plain name does.
#[must_use]
pub fn cookie_name(site: &Site) -> &'static str {
    if is_plain(site) { PLAIN_NAME } else { "__Host-lime" }
}

/// `Set-Cookie` that gives a session to a browser-like client for as long as it lives. `None` when `session` is no
/// cookie value; every sealed one is.
#[must_use]
pub fn set_cookie(site: &Site, session: &str, lives: Duration) -> Option<HeaderValue> {
    let (name, secure) = (cookie_name(site), if is_plain(site) { "" } else { "; Secure" });
    let age = lives.as_secs();
    let line = format!("{name}={session}; Path=/; Max-Age={age}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::from_str(&line).ok()
}

/// `Set-Cookie` that takes the session away again.
pub(crate) fn clear_cookie(site: &Site) -> HeaderValue {
    HeaderValue::from_static(if is_plain(site) {
        "lime=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"
    } else {
        "__Host-lime=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure"
    })
}

fn is_plain(site: &Site) -> bool {
    site.url.scheme() == Scheme::Http && site.url.is_loopback()
}

/// The values of all session cookies, which have this name, in a `Cookie` line (RFC 6265 §4.2.1).
pub(crate) fn values<'a>(line: &'a [u8], name: &str) -> impl Iterator<Item = &'a [u8]> {
    line.split(|byte| *byte == b';').filter_map(move |pair| session(pair, name))
}

/// The line without the session cookies, which have this name, the rest byte for byte; `None` when nothing is left.
pub(crate) fn without(line: &[u8], name: &str) -> Option<Vec<u8>> {
    let mut rest = Vec::with_capacity(line.len());
    for pair in line.split(|byte| *byte == b';').filter(|pair| session(pair, name).is_none()) {
        if rest.is_empty() {
            rest.extend_from_slice(pair.trim_ascii_start());
        } else {
            rest.push(b';');
            rest.extend_from_slice(pair);
        }
    }
    if rest.trim_ascii().is_empty() { None } else { Some(rest) }
}

/// Whether a `Set-Cookie` line sets a cookie of this name.
pub(crate) fn sets(line: &[u8], name: &str) -> bool {
    // A browser sends a cookie without a name as its value alone, so `=name=value` comes back as ours.
    let mut pair = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    while let Some(rest) = pair.strip_prefix(b"=") {
        pair = rest.trim_ascii();
    }
    value(pair, name).is_some()
}

/// The plain name may be that of a cookie of the site's: there, what is no session by its form is not ours.
fn session<'a>(pair: &'a [u8], name: &str) -> Option<&'a [u8]> {
    value(pair, name).filter(|value| name != PLAIN_NAME || value.starts_with(SESSION_PREFIX.as_bytes()))
}

fn value<'a>(pair: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let equals = pair.iter().position(|byte| *byte == b'=')?;
    let (found, value) = pair.split_at_checked(equals)?;
    (found.trim_ascii() == name.as_bytes()).then(|| value.get(1..).unwrap_or_default().trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_without(line: &str, expected: Option<&str>) {
        let rest = without(line.as_bytes(), "__Host-lime");
        assert_eq!(rest.as_deref().map(|rest| std::str::from_utf8(rest).unwrap()), expected, "{line}");
    }

    #[test]
    fn other_cookies_stay_byte_for_byte() {
        check_without("__Host-lime=ls1.a.b", None);
        check_without(" __Host-lime = x ; ", None);
        check_without("__Host-lime=x; a=1;b=\"2; c\" ;  d=", Some("a=1;b=\"2; c\" ;  d="));
        check_without("a=1; __Host-lime=x; b=2", Some("a=1; b=2"));
        check_without("a=1;__Host-lime=x", Some("a=1"));
        check_without("__Host-lime=x; a=__Host-lime=y; __Host-lime=z", Some("a=__Host-lime=y"));
        check_without(
            "__host-lime=x; __Host-lime2=y; lime=z; __Host-lime",
            Some("__host-lime=x; __Host-lime2=y; lime=z; __Host-lime"),
        );
    }

    #[test]
    fn a_cookie_is_found_wherever_it_stands() {
        let found: Vec<_> = values(b"lime=ls1.1; a=2;  lime = ls1.3 ;lime", "lime").collect();
        assert_eq!(found, [&b"ls1.1"[..], b"ls1.3"]);
        assert_eq!(values(b"xlime=ls1.1; lime2=ls1.2; LIME=ls1.3", "lime").count(), 0);
        assert_eq!(values(b"__Host-lime=1", "__Host-lime").count(), 1);
    }

    #[test]
    fn under_the_plain_name_what_is_no_session_is_the_sites() {
        let line = b"lime=green; a=1; lime=ls1.a; lime=LS1.b; lime=";
        assert_eq!(values(line, "lime").collect::<Vec<_>>(), [b"ls1.a"]);
        assert_eq!(without(line, "lime").unwrap(), b"lime=green; a=1; lime=LS1.b; lime=");
    }

    #[test]
    fn a_set_cookie_of_our_name_is_seen_in_every_spelling() {
        for line in ["lime=x", " lime = x; Path=/", "lime=", "=lime=x", " = lime=x", "lime\t=x;Secure"] {
            assert!(sets(line.as_bytes(), "lime"), "{line}");
        }
        for line in ["sublime=x", "a=lime=x", "lime", "Lime=x", "", "a=1; lime=2"] {
            assert!(!sets(line.as_bytes(), "lime"), "{line}");
        }
    }
}
