//! Tokens in forms (CSRF): a page of ours carries what only a page made for this browser can. Nothing is kept of them.

use aws_lc_rs::hmac::{self, HMAC_SHA256};
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// What the key is used for here, so that no other use of it makes one of these.
const PURPOSE: &[u8] = b"lime issuer form v1\n";

/// 256 bits: not to be guessed.
const FRESH_BYTES: usize = 32;

/// Makes and checks the tokens of forms: HMAC-SHA256 over what the browser's cookie holds.
///
/// A token lives as long as that cookie. It is no secret from its own browser, and nothing to another.
pub(crate) struct Csrf {
    key: hmac::Key,
}

impl Csrf {
    pub(crate) fn new(key: [u8; 32]) -> Self {
        Self { key: hmac::Key::new(HMAC_SHA256, &key) }
    }

    /// The token for a form in the browser with this cookie. `about`: what the form is about, where it is about one thing.
    pub(crate) fn token(&self, session: &str, about: &str) -> String {
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.key, &authenticated(session, about)))
    }

    /// Whether `token` came in a form that was made for the browser with this cookie, about this. Takes as long for every
    /// wrong one.
    pub(crate) fn check(&self, session: &str, about: &str, token: &str) -> bool {
        let Ok(tag) = URL_SAFE_NO_PAD.decode(token) else { return false };
        // A browser without the cookie is bound to nothing.
        !session.is_empty() && hmac::verify(&self.key, &authenticated(session, about), &tag).is_ok()
    }
}

impl std::fmt::Debug for Csrf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Csrf(..)")
    }
}

/// No cookie of ours has a line end in it.
fn authenticated(session: &str, about: &str) -> Vec<u8> {
    [PURPOSE, session.as_bytes(), b"\n", about.as_bytes()].concat()
}

/// What the form to sign in is bound to, in a browser that has no session yet. `None` when the system gives no randomness.
pub(crate) fn fresh() -> Option<String> {
    let mut bytes = [0; FRESH_BYTES];
    rand::fill(&mut bytes).ok()?;
    Some(URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(csrf: &Csrf, session: &str, token: &str, expected: bool) {
        assert_eq!(csrf.check(session, "", token), expected, "{token:?} for {session:?}");
    }

    #[test]
    fn a_token_counts_for_its_own_session_alone() {
        let csrf = Csrf::new([7; 32]);
        let token = csrf.token("os_a", "");
        check(&csrf, "os_a", &token, true);
        check(&csrf, "os_b", &token, false);
        check(&csrf, "os_", &token, false);
        check(&csrf, "os_a", &csrf.token("os_a", "client-1"), false);
        assert!(!csrf.check("os_a", "client-1", &token), "nor for another form of it");
        check(&Csrf::new([8; 32]), "os_a", &token, false);
        check(&Csrf::new([7; 32]), "os_a", &token, true);
    }

    #[test]
    fn a_token_that_was_touched_is_refused() {
        let csrf = Csrf::new([7; 32]);
        let token = csrf.token("os_a", "");
        let (cut, longer) = (token.get(1..).unwrap(), format!("{token}A"));
        for wrong in ["", "x", cut, &longer, &token.to_uppercase(), &format!("{token}="), " ", "\u{e9}"] {
            check(&csrf, "os_a", wrong, false);
        }
    }

    #[test]
    fn a_browser_without_a_session_has_no_token() {
        let csrf = Csrf::new([7; 32]);
        check(&csrf, "", &csrf.token("", ""), false);
        check(&csrf, "", "", false);
    }

    #[test]
    fn two_browsers_are_bound_to_different_texts() {
        let (one, two) = (fresh().unwrap(), fresh().unwrap());
        assert_ne!(one, two);
        assert_eq!(one.len(), 43);
    }

    #[test]
    fn debug_shows_no_key() {
        assert_eq!(format!("{:?}", Csrf::new([7; 32])), "Csrf(..)");
    }
}
