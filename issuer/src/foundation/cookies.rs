//! What the issuer keeps in an owner's browser: who is signed in, and before that, whose form it is.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header};
use config::{Scheme, WebOrigin};

/// The owner who is signed in.
const SESSION: Cookie = Cookie { host: "__Host-lime-owner", plain: "lime-owner" };

/// What the form to sign in is bound to.
const FORM: Cookie = Cookie { host: "__Host-lime-issuer-form", plain: "lime-issuer-form" };

/// Longer values are none of ours.
const VALUE_BYTES_MAX: usize = 256;

/// A cookie by its two names.
struct Cookie {
    /// `__Host-` makes browsers keep it to this host over TLS.
    host: &'static str,
    /// On loopback http, where not every browser would store the other.
    plain: &'static str,
}

impl Cookie {
    /// An issuer that cannot be read as a URL is not taken for a loopback one.
    fn name(&self, issuer: &str) -> &'static str {
        if is_plain(issuer) { self.plain } else { self.host }
    }

    /// Its value in a request, if it is there exactly once: of two, one was planted.
    fn read<'h>(&self, headers: &'h HeaderMap, issuer: &str) -> Option<&'h str> {
        let name = self.name(issuer);
        let lines = headers.get_all(header::COOKIE).iter();
        let pairs = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
        let mut values = pairs.filter_map(|pair| value(pair, name));
        let found = values.next()?;
        if values.next().is_some() {
            return None;
        }
        let text = std::str::from_utf8(found).ok()?;
        is_value(text).then_some(text)
    }

    /// `Set-Cookie`. `Lax`, since owners come from the pages of apps; what is not a value of ours is kept by nobody.
    fn line(&self, issuer: &str, value: &str, lives: Option<Duration>) -> HeaderValue {
        let name = self.name(issuer);
        let (value, lives) = if is_value(value) { (value, lives) } else { ("", Some(Duration::ZERO)) };
        let age = lives.map(|lives| format!("; Max-Age={}", lives.as_secs())).unwrap_or_default();
        let secure = if is_plain(issuer) { "" } else { "; Secure" };
        let line = format!("{name}={value}; Path=/{age}; HttpOnly; SameSite=Lax{secure}");
        HeaderValue::from_str(&line).unwrap_or(HeaderValue::from_static(""))
    }
}

/// What the browser of an owner who is signed in shows.
pub(crate) fn session<'h>(headers: &'h HeaderMap, issuer: &str) -> Option<&'h str> {
    SESSION.read(headers, issuer)
}

/// Signs an owner in for so long.
pub(crate) fn set_session(issuer: &str, session: &str, lives: Duration) -> HeaderValue {
    SESSION.line(issuer, session, Some(lives))
}

/// Signs an owner out.
pub(crate) fn clear_session(issuer: &str) -> HeaderValue {
    SESSION.line(issuer, "", Some(Duration::ZERO))
}

/// What the form to sign in was bound to in this browser.
pub(crate) fn form<'h>(headers: &'h HeaderMap, issuer: &str) -> Option<&'h str> {
    FORM.read(headers, issuer)
}

/// Binds the form to sign in to a browser, until that is closed.
pub(crate) fn set_form(issuer: &str, form: &str) -> HeaderValue {
    FORM.line(issuer, form, None)
}

fn is_plain(issuer: &str) -> bool {
    issuer.parse().is_ok_and(|url: WebOrigin| url.scheme() == Scheme::Http && url.is_loopback())
}

/// Whether it can be a value of ours: those are base64url and a prefix.
fn is_value(text: &str) -> bool {
    let is_ours = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !text.is_empty() && text.len() <= VALUE_BYTES_MAX && text.bytes().all(is_ours)
}

/// The value of a pair in a `Cookie` line, if the pair has this name (RFC 6265 §4.2.1).
fn value<'a>(pair: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let equals = pair.iter().position(|byte| *byte == b'=')?;
    let (found, value) = pair.split_at_checked(equals)?;
    (found.trim_ascii() == name.as_bytes()).then(|| value.get(1..).unwrap_or_default().trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str = "https://id.example.net";
    const LOOPBACK: &str = "http://127.0.0.1:8081";

    #[track_caller]
    fn check(lines: &[&'static str], issuer: &str, expected: Option<&str>) {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::COOKIE, HeaderValue::from_static(line));
        }
        assert_eq!(session(&headers, issuer), expected, "{lines:?} at {issuer}");
    }

    #[test]
    fn a_session_is_read_wherever_it_stands() {
        check(&["__Host-lime-owner=os_a-b"], HOST, Some("os_a-b"));
        check(&["a=1;  __Host-lime-owner = os_a ; b=2"], HOST, Some("os_a"));
        check(&["a=1", "__Host-lime-owner=os_a"], HOST, Some("os_a"));
        check(&["lime-owner=os_a"], LOOPBACK, Some("os_a"));
        check(&["lime-owner=os_a"], "http://localhost", Some("os_a"));
        check(&["lime-owner=os_a"], "http://[::1]:8081", Some("os_a"));
    }

    #[test]
    fn a_session_that_comes_twice_is_none() {
        check(&["__Host-lime-owner=a; __Host-lime-owner=b"], HOST, None);
        check(&["__Host-lime-owner=a; __Host-lime-owner=a"], HOST, None);
        check(&["__Host-lime-owner=a", "__Host-lime-owner=b"], HOST, None);
        check(&["__Host-lime-owner=a; __Host-lime-owner="], HOST, None);
    }

    #[test]
    fn another_name_is_another_cookie() {
        check(&["lime-owner=os_a"], HOST, None);
        check(&["lime-owner=os_a"], "http://id.example.net", None);
        check(&["lime-owner=os_a"], "https://127.0.0.1", None);
        check(&["lime-owner=os_a"], "not a url", None);
        check(&["__Host-lime-owner=os_a"], LOOPBACK, None);
        check(&["__host-lime-owner=a; x__Host-lime-owner=a; __Host-lime-owner2=a; __Host-lime-owner"], HOST, None);
        check(&["a=__Host-lime-owner=os_a"], HOST, None);
        check(&[], HOST, None);
    }

    #[test]
    fn a_value_that_cannot_be_ours_is_none() {
        for line in ["", "\"a\"", "a b", "a,b", "a%20", "a=b"] {
            let line = format!("__Host-lime-owner={line}");
            let headers = HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_str(&line).unwrap())]);
            assert_eq!(session(&headers, HOST), None, "{line}");
        }
        let long = format!("__Host-lime-owner={}", "a".repeat(VALUE_BYTES_MAX + 1));
        let headers = HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_str(&long).unwrap())]);
        assert_eq!(session(&headers, HOST), None);
        let bytes = HeaderValue::from_bytes(b"__Host-lime-owner=\xff").unwrap();
        assert_eq!(session(&HeaderMap::from_iter([(header::COOKIE, bytes)]), HOST), None);
    }

    #[test]
    fn cookies_are_kept_from_scripts_and_other_hosts() {
        let twelve_hours = Duration::from_hours(12);
        assert_eq!(
            set_session(HOST, "os_a", twelve_hours),
            "__Host-lime-owner=os_a; Path=/; Max-Age=43200; HttpOnly; SameSite=Lax; Secure",
        );
        assert_eq!(
            set_session(LOOPBACK, "os_a", twelve_hours),
            "lime-owner=os_a; Path=/; Max-Age=43200; HttpOnly; SameSite=Lax",
        );
        assert_eq!(clear_session(HOST), "__Host-lime-owner=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure");
        assert_eq!(set_form(HOST, "f_a"), "__Host-lime-issuer-form=f_a; Path=/; HttpOnly; SameSite=Lax; Secure");
        assert_eq!(set_form(LOOPBACK, "f_a"), "lime-issuer-form=f_a; Path=/; HttpOnly; SameSite=Lax");
    }

    #[test]
    fn what_is_no_value_of_ours_is_not_set() {
        for value in ["", "a; Domain=example.net", "a\r\nX: y", "\u{e9}"] {
            let line = set_session(HOST, value, Duration::from_hours(1));
            assert_eq!(line, "__Host-lime-owner=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure", "{value:?}");
        }
    }

    #[test]
    fn the_form_and_the_session_are_two_cookies() {
        let line = "__Host-lime-issuer-form=f_a; __Host-lime-owner=os_a";
        let headers = HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_static(line))]);
        assert_eq!((form(&headers, HOST), session(&headers, HOST)), (Some("f_a"), Some("os_a")));
    }
}
