//! The proof of work: one check, and how fast attempts go by on one thread.

#![expect(clippy::unwrap_used, reason = "a bench that cannot set up should stop there")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use pow::Difficulty;

/// As long as the issuer's.
const CHALLENGE: &str = "Zm9yIHRoZSBiZW5jaCBvbmx5LCB3aXRoIHRoaXJ0eS10d28gYnl0ZXM";

/// Attempts at one go: some hundred microseconds.
const ATTEMPTS: u64 = 2_000;

fn proof_of_work(criterion: &mut Criterion) {
    let easy = Difficulty::new(8).unwrap();
    let nonce = pow::solve(CHALLENGE, easy, 0, u64::MAX).unwrap().to_string();
    let mut group = criterion.benchmark_group("pow");
    group.bench_function("check", |bencher| {
        bencher.iter(|| pow::check(black_box(CHALLENGE), black_box(&nonce), easy).unwrap());
    });

    // Nobody finds 64 bits, so that every attempt is made.
    group.throughput(Throughput::Elements(ATTEMPTS));
    group.bench_function("solve, attempts", |bencher| {
        bencher.iter(|| pow::solve(black_box(CHALLENGE), Difficulty::MAX, 0, ATTEMPTS));
    });
    group.finish();
}

criterion_group!(benches, proof_of_work);
criterion_main!(benches);
