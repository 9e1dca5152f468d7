//! Signing an access token: ours, and the library alone.

#![expect(clippy::unwrap_used, reason = "a bench that cannot set up should stop there")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use lime_benches::inputs::{Bare, Decoded, claims};
use lime_benches::stage::{ISSUER, NOW};
use passport::SigningKey;

fn sign(criterion: &mut Criterion) {
    let key = SigningKey::generate().unwrap();
    let claims = claims(ISSUER, 1, NOW);
    let mut group = criterion.benchmark_group("sign");
    group.bench_function("token", |bencher| bencher.iter(|| key.sign(black_box(&claims)).unwrap()));

    let token = key.sign(&claims).unwrap();
    let (bare, decoded) = (Bare::new(&key), Decoded::new(&token));
    let mut signature = vec![0; bare.signature_bytes()];
    group.bench_function("bare aws-lc-rs", |bencher| {
        bencher.iter(|| bare.sign(black_box(&decoded), &mut signature));
    });
    group.finish();
}

criterion_group!(benches, sign);
criterion_main!(benches);
