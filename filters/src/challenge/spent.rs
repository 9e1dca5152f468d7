use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use passport::UnixTime;

use super::layout::Salt;

/// Each is a lock of its own.
const SHARDS: usize = 64;

/// Challenges of a shard that may be spent at a time: a million in all, some 40 MB. At 120 s of life, and a minute of which
/// a bucket is late, that is 5,800 solutions a second, without end.
const SPENT_MAX: usize = 16_384;

/// Those that end in the same minute are forgotten together.
const BUCKET_SECONDS: u64 = 60;

/// The challenges that were spent and could be shown again. Nothing that could is ever forgotten to make room.
pub(super) struct Spent {
    shards: Box<[Mutex<Shard>]>,
    count: AtomicUsize,
}

/// What came of spending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spending {
    /// It is spent now, by this call and no other.
    First,
    /// It was, or may have been.
    Again,
    /// There is no room to remember it.
    Full,
}

#[derive(Default)]
struct Shard {
    /// By the minute they end in.
    buckets: VecDeque<(u64, HashSet<Salt>)>,
    /// What ended in this minute or before was forgotten; it stays so, also when the clock is set back.
    forgotten: u64,
}

impl Spent {
    pub(super) fn new() -> Self {
        Self { shards: std::iter::repeat_with(Mutex::default).take(SHARDS).collect(), count: AtomicUsize::new(0) }
    }

    /// Whether a challenge was spent: cheap, and no promise.
    pub(super) fn has(&self, salt: &Salt, ends_at: UnixTime) -> bool {
        let shard = self.shard(salt).lock().unwrap_or_else(PoisonError::into_inner);
        let minute = ends_at.as_secs() / BUCKET_SECONDS;
        minute <= shard.forgotten || shard.buckets.iter().any(|(of, salts)| *of == minute && salts.contains(salt))
    }

    /// Spends a challenge. Of any number of calls for one, one gets [`Spending::First`].
    pub(super) fn spend(&self, salt: &Salt, ends_at: UnixTime, now: UnixTime) -> Spending {
        // A thread that came to grief left nothing half done: an insert is the last step.
        let mut shard = self.shard(salt).lock().unwrap_or_else(PoisonError::into_inner);
        let freed = shard.forget_before(now.as_secs() / BUCKET_SECONDS);
        self.count.fetch_sub(freed, Ordering::Relaxed);
        let minute = ends_at.as_secs() / BUCKET_SECONDS;
        if minute <= shard.forgotten {
            return Spending::Again;
        }
        let spending = shard.spend(*salt, minute);
        if spending == Spending::First {
            self.count.fetch_add(1, Ordering::Relaxed);
        }
        spending
    }

    /// How full it is, in hundredths.
    pub(super) fn fullness(&self) -> usize {
        self.count.load(Ordering::Relaxed) * 100 / (SHARDS * SPENT_MAX)
    }

    #[expect(clippy::indexing_slicing, reason = "there are 64 shards, and a remainder of 64 is one of them")]
    fn shard(&self, salt: &Salt) -> &Mutex<Shard> {
        &self.shards[usize::from(salt[15]) % SHARDS]
    }
}

impl Shard {
    fn forget_before(&mut self, minute: u64) -> usize {
        let mut freed = 0;
        self.forgotten = self.forgotten.max(minute.saturating_sub(1));
        let forgotten = self.forgotten;
        self.buckets.retain(|(of, salts)| {
            let stays = *of > forgotten;
            freed += if stays { 0 } else { salts.len() };
            stays
        });
        freed
    }

    fn spend(&mut self, salt: Salt, minute: u64) -> Spending {
        let kept: usize = self.buckets.iter().map(|(_, salts)| salts.len()).sum();
        match self.buckets.iter_mut().find(|(of, _)| *of == minute) {
            Some((_, salts)) if salts.contains(&salt) => return Spending::Again,
            Some(_) | None if kept >= SPENT_MAX => return Spending::Full,
            Some((_, salts)) => drop(salts.insert(salt)),
            None => self.buckets.push_back((minute, HashSet::from([salt]))),
        }
        Spending::First
    }
}

impl fmt::Debug for Spent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spent").field("count", &self.count).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_remembered_is_not_spent_and_nothing_is_forgotten_for_it() {
        let (spent, now, ends_at) = (Spent::new(), UnixTime::from_secs(1_000), UnixTime::from_secs(1_120));
        // All of one shard.
        let salt = |number: u64| {
            let mut salt = [0; 16];
            salt.iter_mut().zip(number.to_be_bytes()).for_each(|(place, byte)| *place = byte);
            salt
        };
        for number in 0..SPENT_MAX as u64 {
            assert_eq!(spent.spend(&salt(number), ends_at, now), Spending::First);
        }
        assert_eq!(spent.spend(&salt(SPENT_MAX as u64), ends_at, now), Spending::Full);
        assert_eq!(spent.spend(&salt(0), ends_at, now), Spending::Again);
        // Once the minute is over in which they ended, there is room.
        let later = UnixTime::from_secs(1_200);
        assert_eq!(spent.spend(&salt(SPENT_MAX as u64), UnixTime::from_secs(1_300), later), Spending::First);
        assert_eq!(spent.spend(&salt(0), ends_at, later), Spending::Again, "what has ended stays so");
    }
}
