//! What ours costs beside what it stands on, from one interleaved run. Under `cargo test` a glance only.

#![expect(clippy::unwrap_used, reason = "a bench that cannot set up should stop there")]
#![expect(clippy::print_stdout, reason = "what is measured is printed")]

use std::hint::black_box;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use lime_benches::inputs::{Bare, Decoded, SITE_HOST, claims, key_set, tokens};
use lime_benches::interleaved::{Effort, medians, ratio};
use lime_benches::stage::{ISSUER, NOW, OPEN_PATH, PROTECTED_PATH, Rules, Stage, goes_on, headers};
use passport::{AccessToken, Expected, SigningKey};

fn main() {
    let rounds = if is_for_real() { 401 } else { 1 };
    let key = SigningKey::generate().unwrap();
    let token = key.sign(&claims(ISSUER, 1, NOW)).unwrap();
    println!("medians of {rounds} interleaved batches; a token of {} bytes", token.len());
    verify(rounds, &key, &token);
    chain(rounds, &key, &token);
    rules(rounds, &key, &token);
    first_seen(rounds, &key, &token);
    sign(rounds.div_ceil(8), &key, &token);
}

/// As criterion decides it.
fn is_for_real() -> bool {
    let is_given = |flag: &str| std::env::args().any(|argument| argument == flag);
    is_given("--bench") && !is_given("--test")
}

fn verify(rounds: usize, key: &SigningKey, token: &str) {
    let keys = key_set(key);
    let expected = Expected { issuer: ISSUER, recipient: SITE_HOST, leeway: Duration::from_secs(120) };
    let (bare, decoded) = (Bare::new(key), Decoded::new(token));
    let [ours, floor] = medians(
        Effort { rounds, calls: 200 },
        [&mut || drop(passport::verify::<AccessToken>(black_box(token), &keys, &expected, NOW).unwrap()), &mut || {
            bare.verify(black_box(&decoded))
        }],
    );
    println!("verify: ours {ours:.1?}, bare {floor:.1?}: ratio {:.3} (goal <= 1.15)", ratio(ours, floor));
}

fn chain(rounds: usize, key: &SigningKey, token: &str) {
    let stage = Stage::new(key);
    let (with_token, without) = (headers(Some(token)), headers(None));
    assert!(goes_on(&stage.play(PROTECTED_PATH, &with_token)), "the token counts");
    let [cached, open, hash] = medians(
        Effort { rounds, calls: 5_000 },
        [
            &mut || drop(black_box(stage.play(PROTECTED_PATH, black_box(&with_token)))),
            &mut || drop(black_box(stage.play(OPEN_PATH, black_box(&without)))),
            &mut || _ = black_box(digest(&SHA256, black_box(token.as_bytes()))),
        ],
    );
    println!("chain: cached verdict {cached:?} (goal <= 600ns), of that the SHA-256 {hash:?}; an open path {open:?}");
}

/// What an operator writes should not be felt.
fn rules(rounds: usize, key: &SigningKey, token: &str) {
    let [simple, many, limited] = [Rules::Simple, Rules::Many, Rules::Limited].map(|rules| Stage::under(rules, key));
    let headers = headers(Some(token));
    let play = |stage: &Stage| assert!(goes_on(&stage.play(PROTECTED_PATH, black_box(&headers))));
    let [simple, many, limited] =
        medians(Effort { rounds, calls: 5_000 }, [&mut || play(&simple), &mut || play(&many), &mut || play(&limited)]);
    let more = many.saturating_sub(simple);
    println!("policy: {many:?} with 65 routes and every demand, {simple:?} with one: {more:?} more (goal <= 1us)");
    println!("limit: {limited:?}, {:?} more", limited.saturating_sub(many));
}

fn first_seen(rounds: usize, key: &SigningKey, token: &str) {
    let (bare, decoded) = (Bare::new(key), Decoded::new(token));
    let stage = Stage::new(key);
    let calls = 10;
    let tokens = tokens(key, 0..rounds * 10, |number| claims(ISSUER, number, NOW));
    let shown: Vec<_> = tokens.iter().map(|token| headers(Some(token))).collect();
    let mut next = shown.iter();
    let [ours, floor] = medians(
        Effort { rounds, calls },
        [&mut || assert!(goes_on(&stage.play(PROTECTED_PATH, next.next().unwrap()))), &mut || {
            bare.verify(black_box(&decoded))
        }],
    );
    println!("chain: first-seen token {ours:.1?}, bare {floor:.1?}: ratio {:.3}", ratio(ours, floor));
}

fn sign(rounds: usize, key: &SigningKey, token: &str) {
    let (bare, decoded) = (Bare::new(key), Decoded::new(token));
    let claims = claims(ISSUER, 1, NOW);
    let mut signature = vec![0; bare.signature_bytes()];
    let [ours, floor] = medians(
        Effort { rounds, calls: 10 },
        [&mut || drop(key.sign(black_box(&claims)).unwrap()), &mut || bare.sign(black_box(&decoded), &mut signature)],
    );
    println!("sign: ours {ours:.1?} (goal <= 1ms), bare {floor:.1?}: ratio {:.3}", ratio(ours, floor));
}
