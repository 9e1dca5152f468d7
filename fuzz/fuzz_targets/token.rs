//! No text is a token of an empty key set, and none stops the verifier.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use passport::{AccessToken, ClientAssertion, ClientKeys, Expected, KeySet, UnixTime, unverified, verify};

fuzz_target!(|token: &str| {
    let expected = Expected { issuer: "https://id.example.net", recipient: "shop.example.com", leeway: Duration::ZERO };
    assert!(verify::<AccessToken>(token, &KeySet::default(), &expected, UnixTime::from_secs(1_800_000_000)).is_err());
    let _claims = unverified(token);
    let _keys = KeySet::from_jwks(token.as_bytes());
    let _client = ClientAssertion::unverified_subject(token);
    let _keys_of_client = ClientKeys::from_jwks(token.as_bytes());
    if let Some(difficulty) = pow::Difficulty::new(4) {
        let _solved = pow::check(token, "36", difficulty);
    }
});
