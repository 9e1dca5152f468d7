use std::path::Path;

use http::{HeaderMap, HeaderValue};

use super::*;
use crate::{ConfigError, Gateway, Weighed};

fn parse(challenge: &str) -> Result<Gateway, ConfigError> {
    let text = format!(
        "[policy.p]\nrequire = 'cleared'\n{challenge}\n[[site]]\nurl = 'https://a.example'\n\
         origin = 'http://127.0.0.1:3000'\nmode = 'enforce'\npolicy = 'p'\n"
    );
    Gateway::parse(&text, Path::new("lime.toml"), &|_| None)
}

#[track_caller]
fn challenge(text: &str) -> Challenge {
    parse(text).unwrap_or_else(|error| panic!("{error}")).sites[0].policy.challenge.clone()
}

#[track_caller]
fn refuse(text: &str, problem: &str) {
    assert_eq!(parse(text).unwrap_err().to_string(), problem);
}

#[test]
fn a_policy_that_says_nothing_of_it_asks_for_what_is_usual() {
    assert_eq!(challenge(""), Challenge::default());
}

#[test]
fn a_challenge_may_say_all_there_is() {
    let found = challenge(
        "challenge = { bits = 20, requests = 50, lifetime = '10m', wait = 'off', crawlers = 'challenge', \
         open_under = 4, refuse_over = 30 }",
    );
    let expected = Challenge {
        bits: 20,
        requests: 50,
        lifetime: Duration::from_mins(10),
        wait: None,
        crawlers: Crawlers::Challenge,
        weights: Weights::default(),
        open_under: 4,
        refuse_over: Some(30),
    };
    assert_eq!(found, expected);
}

#[test]
fn a_request_weighs_what_all_weights_it_fits_say() {
    let weights = challenge(
        "[[policy.p.challenge.weight]]\nuser_agent = ['*python*', 'curl/*']\nmore = 3\n\
         [[policy.p.challenge.weight]]\nwithout_header = 'accept-language'\nmore = 2\n\
         [[policy.p.challenge.weight]]\nnetwork = '192.0.2.0/24'\npath = '/search/*'\nless = 4\n",
    )
    .weights;
    let check = |headers: &[(&'static str, &str)], path: &str, client: &str, expected: i32| {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_str(value).unwrap()))
            .collect();
        let request = Weighed { path: path.as_bytes(), headers: &headers, client: client.parse().ok() };
        assert_eq!(weights.of(&request), expected, "{headers:?} {path} {client}");
    };
    let language = ("accept-language", "en");
    check(&[language], "/", "198.51.100.1", 0);
    check(&[], "/", "198.51.100.1", 2);
    check(&[("user-agent", "Python-urllib/3.11")], "/", "", 5);
    check(&[("user-agent", "curl/8"), language], "/search/x", "192.0.2.9", -1);
    check(&[language], "/search/x", "::ffff:192.0.2.9", -4);
    check(&[language], "/search/x", "", 0);
}

#[test]
fn what_makes_no_challenge_is_refused_with_a_remedy() {
    refuse("challenge = { bits = 23 }", "lime.toml:3:22: `bits`: 23 does not fit: write 1 to 22");
    refuse(
        "challenge = { bit = 15 }",
        "lime.toml:3:15: unknown key `bit` in [policy.NAME.challenge]: did you mean `bits`?",
    );
    refuse("challenge = { wait = '2m' }", "lime.toml:3:22: `wait`: 2m does not fit: write \"1s\" to \"1m\"");
    refuse(
        "challenge = { weight = [{ more = 1 }] }",
        "lime.toml:3:34: a weight of every request is not one: write `bits` of the challenge, or what it is for, like \
         `user_agent = \"*python*\"`",
    );
    refuse(
        "challenge = { weight = [{ path = '/a', more = 1, less = 2 }] }",
        "lime.toml:3:57: `more` and `less` beside each other: keep one",
    );
    refuse(
        "challenge = { weight = [{ path = '/a' }] }",
        "lime.toml:3:25: a weight without bits: write `more = 3`, or `less = 3`",
    );
}

#[test]
fn only_strangers_are_asked_for_work() {
    let text = "[policy.p]\nrequire = 'none'\nchallenge = { bits = 3 }\n";
    let error = Gateway::parse(text, Path::new("lime.toml"), &|_| None).unwrap_err().to_string();
    let said = "lime.toml:3:13: `challenge` is for strangers: write `require = \"cleared\"` beside it";
    assert!(error.contains(said), "{error}");
}
