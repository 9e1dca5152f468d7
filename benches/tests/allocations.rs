//! What is allocated on the way of a request that may pass.

#![expect(clippy::unwrap_used, reason = "a test that cannot set up should stop there")]

use allocation_counter::measure;
use lime_benches::inputs::claims;
use lime_benches::stage::{ISSUER, NOW, PROTECTED_PATH, Rules, Stage, goes_on, headers};
use passport::SigningKey;

/// For one request whose token was seen before, averaged over as many that now and then tidies something up.
fn allocated(rules: Rules) -> u64 {
    const REQUESTS: u64 = 1_000;
    let key = SigningKey::generate().unwrap();
    let stage = Stage::under(rules, &key);
    let headers = headers(Some(&key.sign(&claims(ISSUER, 1, NOW)).unwrap()));
    assert!(goes_on(&stage.play(PROTECTED_PATH, &headers)), "the token counts");
    let measured = measure(|| (0..REQUESTS).for_each(|_| assert!(goes_on(&stage.play(PROTECTED_PATH, &headers)))));
    measured.count_total / REQUESTS
}

#[test]
fn an_admitted_request_allocates_nothing_whatever_the_rules() {
    assert_eq!((allocated(Rules::Simple), allocated(Rules::Many)), (0, 0));
}

#[test]
fn a_limit_allocates_what_it_says_and_no_more() {
    assert_eq!(allocated(Rules::Limited), 1, "the value of `RateLimit`");
}
