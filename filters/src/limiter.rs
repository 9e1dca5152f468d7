//! How often something was asked for, counted in memory of a fixed size.

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use config::Limit;

/// Each is a lock of its own.
const SHARDS: usize = 64;

/// Places in a shard.
const PLACES: usize = 4096;

/// Places that one key has.
const PLACES_OF_A_KEY: usize = 4;

/// Counts requests by the generic cell rate algorithm (GCRA): for each key, the moment until which it has used up what it
/// may have.
///
/// Memory is 2 MiB whatever is asked. A key has four places of 262,144, and what it has used is the least that any of them
/// says: a key is never let through more often than its limit says, and two keys are one only if they share all four. With
/// 10,000 keys at once that happens to about one in 2,500, with 50,000 to one in 13; those are limited earlier than they should
/// be. Where a key's places are, nobody outside knows. Nothing is ever thrown out to make room, so that no stranger can make
/// another's debt be forgotten.
pub struct Limiter {
    shards: Box<[Mutex<Box<[u64]>>]>,
    secret: RandomState,
}

/// What came of asking for one more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Allowance {
    /// Whether there was one left.
    pub(crate) granted: Granted,
    /// How many are left.
    pub(crate) left: u32,
    /// After how long there are as many as can be again.
    pub(crate) full_after: Duration,
}

/// Whether a request is within a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Granted {
    /// It is, and was counted.
    Yes,
    /// It is not, and was not counted.
    No {
        /// When one will be.
        retry_after: Duration,
    },
}

impl Limiter {
    /// A limiter that has counted nothing.
    #[must_use]
    pub fn new() -> Self {
        let shard = || Mutex::new(vec![0; PLACES].into_boxed_slice());
        Self { shards: std::iter::repeat_with(shard).take(SHARDS).collect(), secret: RandomState::new() }
    }

    /// Counts a request of `subject` against a limit at a moment, which is told by a clock that only goes forward. `scope`
    /// tells this limit from others.
    pub(crate) fn take(&self, scope: u64, subject: &[u8], limit: &Limit, now: Duration) -> Allowance {
        let hash = self.secret.hash_one((scope, subject));
        let places = places(hash);
        let shard = usize::try_from(hash % 64).ok().and_then(|shard| self.shards.get(shard));
        // 64 shards: there is always one.
        let Some(shard) = shard else { return refused(Duration::from_secs(1), Duration::from_secs(1)) };
        // A count is a count, also when another thread came to grief.
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        let step = nanos(limit.rate.period) / u64::from(limit.rate.count);
        let now = nanos(now);
        let used_until = places.iter().filter_map(|place| shard.get(*place)).min().copied().unwrap_or(u64::MAX);
        let full = step.saturating_mul(u64::from(limit.burst));
        let next = used_until.max(now).saturating_add(step);
        if next - now > full {
            return refused(Duration::from_nanos(next - now - full), Duration::from_nanos(next - now - step));
        }
        for place in places {
            if let Some(place) = shard.get_mut(place) {
                *place = next.max(*place);
            }
        }
        let left = (full - (next - now)) / step.max(1);
        Allowance {
            granted: Granted::Yes,
            left: u32::try_from(left).unwrap_or(u32::MAX),
            full_after: Duration::from_nanos(next - now),
        }
    }
}

const fn refused(retry_after: Duration, full_after: Duration) -> Allowance {
    Allowance { granted: Granted::No { retry_after }, left: 0, full_after }
}

/// Four places in a shard: 12 bits of the hash each, from above those that chose the shard.
fn places(hash: u64) -> [usize; PLACES_OF_A_KEY] {
    [8, 20, 32, 44].map(|shift| usize::try_from(hash >> shift & 0xfff).unwrap_or_default())
}

/// Five centuries fit.
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl Default for Limiter {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Limiter(..)")
    }
}

#[cfg(test)]
mod tests;
