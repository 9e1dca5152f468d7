//! The gateway's cookies: their names, and how they are taken out of a line without touching the others.

use std::time::Duration;

use config::{Scheme, Site};
use http::HeaderValue;

use crate::challenge::{CHALLENGE_PREFIX, CLEARANCE_PREFIX};
use crate::session::SESSION_PREFIX;

/// What the gateway keeps in a browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// The session of an agent.
    Session,
    /// What a solved challenge bought.
    Clearance,
    /// The challenge of one who waits, because he cannot work.
    Ticket,
}

/// The names of the gateway's cookies at a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Names {
    /// `__Host-` makes browsers keep them to this host over TLS.
    Host,
    /// On loopback http, where browsers would not store those.
    Plain,
}

/// What an issuer keeps in the browser of an owner. Cookies know no ports: where both have one host, as on a desk, a site
/// is sent those too, and they are not for it.
const OF_ISSUERS: [&str; 4] = ["__Host-lime-owner", "lime-owner", "__Host-lime-issuer-form", "lime-issuer-form"];

impl Kept {
    const ALL: [Self; 3] = [Self::Session, Self::Clearance, Self::Ticket];

    /// What its values begin with.
    const fn prefix(self) -> &'static str {
        match self {
            Self::Session => SESSION_PREFIX,
            Self::Clearance => CLEARANCE_PREFIX,
            Self::Ticket => CHALLENGE_PREFIX,
        }
    }
}

impl Names {
    /// Those at a site.
    pub(crate) fn at(site: &Site) -> Self {
        if site.url.scheme() == Scheme::Http && site.url.is_loopback() { Self::Plain } else { Self::Host }
    }

    const fn of(self, kept: Kept) -> &'static str {
        match (self, kept) {
            (Self::Host, Kept::Session) => "__Host-lime",
            (Self::Host, Kept::Clearance) => "__Host-lime-clearance",
            (Self::Host, Kept::Ticket) => "__Host-lime-ticket",
            (Self::Plain, Kept::Session) => "lime",
            (Self::Plain, Kept::Clearance) => "lime-clearance",
            (Self::Plain, Kept::Ticket) => "lime-ticket",
        }
    }

    /// `Set-Cookie` that keeps a value for so long. `None` when it is no cookie value; every one of ours is.
    pub(crate) fn set(self, kept: Kept, value: &str, lives: Duration) -> Option<HeaderValue> {
        let (name, age, secure) = (self.of(kept), lives.as_secs(), if self == Self::Plain { "" } else { "; Secure" });
        let line = format!("{name}={value}; Path=/; Max-Age={age}; HttpOnly; SameSite=Lax{secure}");
        HeaderValue::from_str(&line).ok()
    }

    /// The values of all cookies of a kind in a `Cookie` line (RFC 6265 §4.2.1).
    pub(crate) fn values(self, kept: Kept, line: &[u8]) -> impl Iterator<Item = &[u8]> {
        line.split(|byte| *byte == b';').filter_map(move |pair| self.value(kept, pair))
    }

    /// Whether any of ours is in a `Cookie` line.
    pub(crate) fn are_in(self, line: &[u8]) -> bool {
        line.split(|byte| *byte == b';').any(|pair| self.is_ours(pair))
    }

    fn is_ours(self, pair: &[u8]) -> bool {
        Kept::ALL.into_iter().any(|kept| self.value(kept, pair).is_some())
            || OF_ISSUERS.into_iter().any(|name| value(pair, name).is_some())
    }

    /// The line without the gateway's cookies and those of an issuer, the rest byte for byte; `None` when nothing is left.
    pub(crate) fn without_ours(self, line: &[u8]) -> Option<Vec<u8>> {
        let mut rest = Vec::with_capacity(line.len());
        for pair in line.split(|byte| *byte == b';').filter(|pair| !self.is_ours(pair)) {
            if rest.is_empty() {
                rest.extend_from_slice(pair.trim_ascii_start());
            } else {
                rest.push(b';');
                rest.extend_from_slice(pair);
            }
        }
        if rest.trim_ascii().is_empty() { None } else { Some(rest) }
    }

    /// Whether a `Set-Cookie` line sets a cookie of ours.
    pub(crate) fn are_set_by(self, line: &[u8]) -> bool {
        // A browser sends a cookie without a name as its value alone, so `=name=value` comes back as ours.
        let mut pair = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        while let Some(rest) = pair.strip_prefix(b"=") {
            pair = rest.trim_ascii();
        }
        Kept::ALL.into_iter().any(|kept| value(pair, self.of(kept)).is_some())
    }

    /// A plain name may be that of a cookie of the site's: there, what is not ours by its form is not ours.
    fn value(self, kept: Kept, pair: &[u8]) -> Option<&[u8]> {
        value(pair, self.of(kept)).filter(|value| self == Self::Host || value.starts_with(kept.prefix().as_bytes()))
    }
}

/// The name of the session cookie at a site.
#[must_use]
pub fn cookie_name(site: &Site) -> &'static str {
    Names::at(site).of(Kept::Session)
}

/// `Set-Cookie` that gives a session to a browser-like client for as long as it lives. `None` when `session` is no
/// cookie value; every sealed one is.
#[must_use]
pub fn set_cookie(site: &Site, session: &str, lives: Duration) -> Option<HeaderValue> {
    Names::at(site).set(Kept::Session, session, lives)
}

/// `Set-Cookie` that takes the session away again.
pub(crate) fn clear_cookie(site: &Site) -> Option<HeaderValue> {
    Names::at(site).set(Kept::Session, "", Duration::ZERO)
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
        let rest = Names::Host.without_ours(line.as_bytes());
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
        check_without("__Host-lime-clearance=lc1.x; a=1; __Host-lime-ticket=y; __Host-lime=z", Some("a=1"));
    }

    #[test]
    fn what_an_issuer_on_the_same_host_keeps_is_not_for_the_site() {
        let line = b"a=1; lime-owner=os_x; lime-issuer-form=y; lime-owners=2; __Host-lime-owner=os_z";
        for names in [Names::Plain, Names::Host] {
            assert!(names.are_in(line));
            assert_eq!(names.without_ours(line).unwrap(), b"a=1; lime-owners=2");
        }
    }

    #[test]
    fn a_cookie_is_found_wherever_it_stands() {
        let found: Vec<_> = Names::Plain.values(Kept::Session, b"lime=ls1.1; a=2;  lime = ls1.3 ;lime").collect();
        assert_eq!(found, [&b"ls1.1"[..], b"ls1.3"]);
        assert_eq!(Names::Plain.values(Kept::Session, b"xlime=ls1.1; lime2=ls1.2; LIME=ls1.3").count(), 0);
        assert_eq!(Names::Host.values(Kept::Session, b"__Host-lime=1").count(), 1);
    }

    #[test]
    fn under_the_plain_name_what_is_no_session_is_the_sites() {
        let line = b"lime=green; a=1; lime=ls1.a; lime=LS1.b; lime=";
        assert_eq!(Names::Plain.values(Kept::Session, line).collect::<Vec<_>>(), [b"ls1.a"]);
        assert_eq!(Names::Plain.without_ours(line).unwrap(), b"lime=green; a=1; lime=LS1.b; lime=");
    }

    #[test]
    fn a_set_cookie_of_our_name_is_seen_in_every_spelling() {
        for line in ["lime=x", " lime = x; Path=/", "lime=", "=lime=x", " = lime=x", "lime\t=x;Secure"] {
            assert!(Names::Plain.are_set_by(line.as_bytes()), "{line}");
        }
        for line in ["sublime=x", "a=lime=x", "lime", "Lime=x", "", "a=1; lime=2"] {
            assert!(!Names::Plain.are_set_by(line.as_bytes()), "{line}");
        }
    }
}
