//! Solve a challenge: an issuer's, or a gateway's.

use std::time::{Duration, Instant};

use pow::{Difficulty, Puzzles};

use crate::{Error, Progress};

/// The hardest challenge an agent solves: seconds on one core. Issuers stop at 20, gateways here.
pub const DIFFICULTY_BITS_MAX: u8 = 24;

/// Attempts between two reports of progress: a few milliseconds.
const SLICE_ATTEMPTS: u64 = 1 << 17;

/// The difficulty, if it is one that an owner would agree to.
pub(crate) fn affordable(difficulty_bits: u64) -> Result<Difficulty, Error> {
    let bits = u8::try_from(difficulty_bits).ok().filter(|bits| *bits <= DIFFICULTY_BITS_MAX);
    bits.and_then(Difficulty::new).ok_or(Error::TooHard(difficulty_bits))
}

/// The nonces of all puzzles of a challenge, in their order.
pub(crate) async fn solve(
    challenge: &str,
    puzzles: Puzzles,
    difficulty: Difficulty,
    progress: impl Fn(Progress),
) -> Result<Vec<u64>, Error> {
    let started = Instant::now();
    let mut nonces = Vec::new();
    let mut attempts = 0;
    // Past 2^(bits + 7) attempts the chance of bad luck is nil: such a challenge has no solution of ours.
    let attempts_max = 1_u64 << (puzzles.each(difficulty).bits() + 7).max(20);
    for index in 0..puzzles.count() {
        let mut start = 0;
        let nonce = loop {
            if start >= attempts_max {
                return Err(Error::TooHard(u64::from(difficulty.bits())));
            }
            let text = challenge.to_owned();
            let slice = move || pow::solve_puzzle(&text, (puzzles, index), difficulty, start, SLICE_ATTEMPTS);
            if let Ok(Some(nonce)) = tokio::task::spawn_blocking(slice).await {
                break nonce;
            }
            start += SLICE_ATTEMPTS;
            progress(Progress::Solving { attempts: attempts + start });
        };
        attempts += nonce + 1;
        nonces.push(nonce);
    }
    let took: Duration = started.elapsed();
    progress(Progress::Solved { attempts, took });
    Ok(nonces)
}
