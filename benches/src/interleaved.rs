//! Functions that take turns, so that whatever slows the machine down slows all of them.

use std::time::{Duration, Instant};

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// How often all take their turn.
    pub rounds: usize,
    /// How often each is called in a turn. One turn should take milliseconds.
    pub calls: u32,
}

/// The median time of one call of each of `subjects`, in their order.
pub fn medians<const N: usize>(effort: Effort, mut subjects: [&mut dyn FnMut(); N]) -> [Duration; N] {
    let mut turns = [const { Vec::new() }; N];
    for _ in 0..effort.rounds {
        for (subject, turns) in subjects.iter_mut().zip(&mut turns) {
            let started = Instant::now();
            for _ in 0..effort.calls {
                subject();
            }
            turns.push(started.elapsed() / effort.calls);
        }
    }
    turns.map(|mut turns| {
        turns.sort_unstable();
        turns.get(turns.len() / 2).copied().unwrap_or_default()
    })
}

/// `one` as a multiple of `other`.
#[must_use]
pub fn ratio(one: Duration, other: Duration) -> f64 {
    one.as_secs_f64() / other.as_secs_f64()
}
