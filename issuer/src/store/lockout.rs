//! How wrong passwords lock a name: the same for one that somebody signs in by and for one that nobody does.

use std::time::Duration;

use crate::time::UnixMillis;

/// Wrong passwords that are let pass.
const FREE: i64 = 4;

/// The first lock; each further wrong password locks for twice as long.
const FIRST_LOCK: Duration = Duration::from_secs(60);

/// The longest lock: a guesser has two dozen guesses a day, and whoever is locked out by one waits no longer.
const LOCK_MAX: Duration = Duration::from_secs(3600);

/// After so long without a failure those before are forgotten: else one guess an hour would lock a name for ever.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(24 * 3600);

/// The wrong passwords that were shown under one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failures {
    pub(crate) count: i64,
    pub(crate) last_at: UnixMillis,
    /// Before this no password is looked at.
    pub(crate) locked_until: UnixMillis,
}

impl Failures {
    pub(crate) const NONE: Self = Self { count: 0, last_at: UnixMillis::new(0), locked_until: UnixMillis::new(0) };

    /// These and one more.
    pub(crate) fn and_one(self, now: UnixMillis) -> Self {
        let before = if self.are_forgotten(now) { 0 } else { self.count };
        let count = before.saturating_add(1);
        let locked_until = lock(count).map_or(self.locked_until, |long| now.plus(long));
        Self { count, last_at: now, locked_until }
    }

    /// Whether they count no more.
    pub(crate) fn are_forgotten(self, now: UnixMillis) -> bool {
        self.last_at.plus(FORGOTTEN_AFTER) <= now
    }
}

fn lock(failures: i64) -> Option<Duration> {
    let doublings = u32::try_from(failures.checked_sub(FREE + 1)?).ok()?;
    Some(2_u32.checked_pow(doublings).map_or(LOCK_MAX, |times| FIRST_LOCK.saturating_mul(times).min(LOCK_MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis::new(1_800_000_000_000);

    fn after(failures: usize, now: UnixMillis) -> Failures {
        (0..failures).fold(Failures::NONE, |failures, _| failures.and_one(now))
    }

    #[test]
    fn the_fifth_failure_locks_and_each_further_one_for_longer() {
        for (failures, minutes) in
            [(1, None), (4, None), (5, Some(1)), (6, Some(2)), (10, Some(32)), (11, Some(60)), (100, Some(60))]
        {
            let until = minutes.map_or(UnixMillis::new(0), |minutes| NOW.plus(Duration::from_mins(minutes)));
            assert_eq!(after(failures, NOW).locked_until, until, "{failures}");
        }
    }

    #[test]
    fn a_day_without_one_forgets_the_failures_before() {
        let failures = after(20, NOW);
        let day = Duration::from_hours(24);
        assert_eq!(failures.and_one(NOW.plus(day - Duration::from_millis(1))).count, 21);
        let later = failures.and_one(NOW.plus(day));
        assert_eq!((later.count, later.locked_until), (1, failures.locked_until), "of yesterday");
    }
}
