//! What the chain costs a request.

#![expect(clippy::unwrap_used, reason = "a bench that cannot set up should stop there")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use filters::Reason;
use lime_benches::inputs::{claims, forged};
use lime_benches::stage::{ISSUER, NOW, OPEN_PATH, PROTECTED_PATH, Stage, headers};
use passport::SigningKey;

fn chain(criterion: &mut Criterion) {
    let key = SigningKey::generate().unwrap();
    let stage = Stage::new(&key);
    let token = key.sign(&claims(ISSUER, 1, NOW)).unwrap();
    let mut group = criterion.benchmark_group("chain");
    let mut subject = |name: &str, path: &str, token: Option<&str>, expected: Option<Reason>| {
        let headers = headers(token);
        assert_eq!(stage.play(path, &headers).decision.reason, expected, "{name}");
        group.bench_function(name, |bencher| bencher.iter(|| stage.play(path, black_box(&headers))));
    };
    subject("open, no credential", OPEN_PATH, None, None);
    subject("open, token seen before", OPEN_PATH, Some(&token), None);
    subject("protected, token seen before", PROTECTED_PATH, Some(&token), None);
    subject("refused: no credential", PROTECTED_PATH, None, Some(Reason::PassportRequired));
    subject("refused: forged token", PROTECTED_PATH, Some(&forged(&token)), Some(Reason::InvalidToken));
    group.finish();
}

criterion_group!(benches, chain);
criterion_main!(benches);
