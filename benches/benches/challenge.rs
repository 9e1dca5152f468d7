//! What a gateway's challenges cost: one that is made, one puzzle that is checked and spent, sixteen of them.

#![expect(clippy::unwrap_used, reason = "a bench that cannot set up should stop there")]

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use config::{Policy, Require};
use criterion::{Criterion, criterion_group, criterion_main};
use filters::{Bound, ChallengeKeys, Challenger, Fleet, Made, Proof, Stranger};
use passport::UnixTime;
use pow::{Difficulty, Puzzles};

const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

const STRANGER: Stranger<'static> = Stranger {
    host: "shop.example.com",
    client: Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))),
    now: NOW,
    elapsed: Duration::from_secs(1_000),
};

/// Challenges of one process.
const BATCH: u64 = 10_000;

fn solved(made: &Made) -> String {
    let bits = Difficulty::new(made.bits).unwrap();
    let nonce = |index| pow::solve_puzzle(&made.text, (made.puzzles, index), bits, 0, u64::MAX).unwrap().to_string();
    (0..made.puzzles.count()).map(nonce).collect::<Vec<_>>().join(",")
}

fn challenges(criterion: &mut Criterion) {
    let policy = Policy::new("people", Require::Cleared);
    let challenger =
        || Challenger::new(ChallengeKeys::new(&[7; 32], None), [9; 8], UnixTime::from_secs(0), Fleet::Alone);
    let ours = challenger();
    let make =
        |challenger: &Challenger, puzzles| challenger.set_work(&STRANGER, &policy, (4, 4), puzzles, Bound::Network);
    let mut group = criterion.benchmark_group("challenge");
    group.bench_function("make", |bencher| bencher.iter(|| make(black_box(&ours), Puzzles::Sixteen)));
    for (name, puzzles) in [("check and spend, one", Puzzles::One), ("check and spend, sixteen", Puzzles::Sixteen)] {
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|rounds| {
                let mut took = Duration::ZERO;
                let mut left = rounds;
                while left > 0 {
                    // None is ever full, and none was used before.
                    let ours = challenger();
                    let batch = left.min(BATCH);
                    left -= batch;
                    let mades: Vec<Made> = (0..batch).map(|_| make(&ours, puzzles)).collect();
                    let solved: Vec<(Made, String)> =
                        mades.into_iter().map(|made| (made.clone(), solved(&made))).collect();
                    let started = Instant::now();
                    for (made, nonces) in &solved {
                        let proof = Proof { challenge: &made.text, nonces };
                        black_box(ours.redeem(&proof, &STRANGER, [&policy].into_iter(), 0)).unwrap();
                    }
                    took += started.elapsed();
                }
                took
            });
        });
    }
    group.finish();
}

criterion_group!(benches, challenges);
criterion_main!(benches);
