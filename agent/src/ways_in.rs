//! What a gateway's refusal offers, and which of it an agent may take up.

use pow::Puzzles;
use reqwest::Url;
use serde::Deserialize;

use crate::{ApiBase, Error};

/// The problem document of a refusal (RFC 9457), as far as an agent reads it.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Problem {
    pub(crate) reason: Option<String>,
    #[serde(default)]
    ways_in: Vec<Offer>,
}

#[derive(Debug, Deserialize)]
struct Offer {
    way: String,
    at: Option<String>,
    challenge: Option<String>,
    bits: Option<u64>,
    puzzles: Option<u8>,
}

/// A way that is open to this agent and safe to go.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum WayIn {
    /// Ask our issuer for a token for the host being fetched.
    Token,
    /// Open a login at the gateway and approve it.
    Login(Url),
    /// Do some work.
    Work(Work),
}

/// Work that a gateway asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Work {
    pub(crate) challenge: String,
    pub(crate) bits: u64,
    pub(crate) puzzles: Puzzles,
}

impl Problem {
    /// The first way this agent can go: a token costs one request, a login several, work some seconds. Without an issuer
    /// of one's own there is only the last.
    pub(crate) fn way_in(&self, status: u16, fetched: &Url, ours: Option<&ApiBase>) -> Result<WayIn, Error> {
        let mut other_issuer = None;
        for offer in self.offers("token") {
            if ours.is_some_and(|ours| ours.is_origin_of(&offer)) {
                return Ok(WayIn::Token);
            }
            other_issuer.get_or_insert(offer);
        }
        // A login is opened where the page lies or nowhere.
        let login = self.offers("login").find(|at| at.origin() == fetched.origin());
        if let Some(at) = login.filter(|_| ours.is_some()) {
            return Ok(WayIn::Login(at));
        }
        if let Some(work) = self.work() {
            return Ok(WayIn::Work(work));
        }
        match (other_issuer, ours) {
            (Some(found), Some(ours)) => {
                let found = found.origin().ascii_serialization();
                Err(Error::OtherIssuer { ours: ours.origin(), found })
            }
            (_, _) => Err(Error::NoWayIn { status, reason: self.reason.clone() }),
        }
    }

    fn work(&self) -> Option<Work> {
        let offer = self.ways_in.iter().find(|offer| offer.way == "proof_of_work")?;
        let puzzles = Puzzles::new(offer.puzzles?)?;
        // It goes into a header, between quotes.
        let challenge =
            offer.challenge.clone().filter(|text| text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"'))?;
        Some(Work { challenge, bits: offer.bits?, puzzles })
    }

    fn offers(&self, way: &str) -> impl Iterator<Item = Url> {
        let offers = self.ways_in.iter().filter(move |offer| offer.way == way);
        offers.filter_map(|offer| offer.at.as_deref().and_then(|at| Url::parse(at).ok()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "https://id.example.net/api/v1";
    const FETCHED: &str = "https://shop.example.com/agents/list";

    #[track_caller]
    fn check(ways_in: &str, expected: Result<WayIn, &str>) {
        let problem = format!(r#"{{"reason":"passport_required","ways_in":{ways_in}}}"#);
        let problem: Problem = serde_json::from_str(&problem).unwrap();
        let fetched = Url::parse(FETCHED).unwrap();
        let way = problem.way_in(401, &fetched, Some(&ApiBase::parse(OURS).unwrap()));
        match (way, expected) {
            (Ok(way), Ok(expected)) => assert_eq!(way, expected),
            (Err(refusal), Err(expected)) => assert!(refusal.to_string().contains(expected), "{refusal}"),
            (way, expected) => panic!("{way:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn a_token_of_our_own_issuer_is_the_first_choice() {
        check(
            r#"[{"way":"login","at":"https://shop.example.com/.lime/login"},
                {"way":"token","at":"https://id.example.net/api/v1/modules/oauth/token"}]"#,
            Ok(WayIn::Token),
        );
    }

    #[test]
    fn a_login_is_taken_up_where_the_page_lies() {
        let at = Url::parse("https://shop.example.com/.lime/login").unwrap();
        check(r#"[{"way":"login","at":"https://shop.example.com/.lime/login"}]"#, Ok(WayIn::Login(at)));
    }

    #[test]
    fn a_login_anywhere_else_is_no_way_in() {
        check(r#"[{"way":"login","at":"https://evil.example/.lime/login"}]"#, Err("status 401"));
        check(r#"[{"way":"login","at":"http://shop.example.com/.lime/login"}]"#, Err("status 401"));
        check(r#"[{"way":"login","at":"/.lime/login"}]"#, Err("status 401"));
    }

    #[test]
    fn a_site_that_trusts_another_issuer_gets_nothing_of_ours() {
        check(r#"[{"way":"token","at":"https://id.evil.example/token"}]"#, Err("is not sent elsewhere"));
    }

    #[test]
    fn work_is_done_where_nobody_is_asked_for() {
        let work = r#"{"way":"proof_of_work","challenge":"lime-gw1.x","bits":15,"puzzles":16,"expires_in":120}"#;
        let expected = Work { challenge: "lime-gw1.x".into(), bits: 15, puzzles: Puzzles::Sixteen };
        check(&format!("[{work}]"), Ok(WayIn::Work(expected)));
        let token = r#"{"way":"token","at":"https://id.example.net/api/v1/modules/oauth/token"}"#;
        check(&format!("[{work},{token}]"), Ok(WayIn::Token));
        for work in [
            work.replace("lime-gw1.x", "a\\\"b"),
            work.replace("lime-gw1.x", "a b"),
            work.replace(":16,", ":7,"),
            work.replace(":15,", ":-1,"),
        ] {
            let problem = serde_json::from_str::<Problem>(&format!(r#"{{"ways_in":[{work}]}}"#)).unwrap_or_default();
            assert!(problem.way_in(401, &Url::parse(FETCHED).unwrap(), None).is_err(), "{work}");
        }
    }

    #[test]
    fn an_offer_nobody_knows_is_passed_over() {
        check(r#"[{"way":"pay","at":"https://shop.example.com/pay"},{"way":"token"}]"#, Err("passport_required"));
    }
}
