//! Verification of an access token: ours, the library alone, and refusals.

#![expect(clippy::unwrap_used, reason = "a bench that cannot set up should stop there")]

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use lime_benches::inputs::{Bare, Decoded, SITE_HOST, claims, forged, key_set};
use lime_benches::stage::{ISSUER, NOW, PROTECTED_PATH, Stage, goes_on, headers};
use passport::{AccessToken, Expected, SigningKey};

fn verify(criterion: &mut Criterion) {
    let key = SigningKey::generate().unwrap();
    let token = key.sign(&claims(ISSUER, 1, NOW)).unwrap();
    let keys = key_set(&key);
    let expected = Expected { issuer: ISSUER, recipient: SITE_HOST, leeway: Duration::from_secs(120) };
    let ours = |token: &str| passport::verify::<AccessToken>(token, &keys, &expected, NOW);

    let mut group = criterion.benchmark_group("verify");
    group.bench_function("uncached", |bencher| bencher.iter(|| ours(black_box(&token)).unwrap()));

    let (bare, decoded) = (Bare::new(&key), Decoded::new(&token));
    group.bench_function("bare aws-lc-rs", |bencher| bencher.iter(|| bare.verify(black_box(&decoded))));

    let stage = Stage::new(&key);
    let shown = headers(Some(&token));
    assert!(goes_on(&stage.play(PROTECTED_PATH, &shown)));
    group.bench_function("cached, in the chain", |bencher| {
        bencher.iter(|| stage.play(PROTECTED_PATH, black_box(&shown)))
    });

    let forged = forged(&token);
    group.bench_function("refused: signature", |bencher| bencher.iter(|| ours(black_box(&forged)).unwrap_err()));

    let foreign = SigningKey::generate().unwrap().sign(&claims(ISSUER, 1, NOW)).unwrap();
    group.bench_function("refused: unknown key", |bencher| bencher.iter(|| ours(black_box(&foreign)).unwrap_err()));
    group.finish();
}

criterion_group!(benches, verify);
criterion_main!(benches);
