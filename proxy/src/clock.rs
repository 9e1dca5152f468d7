//! The one place of this crate that reads the system's clock, and how a time is written.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use passport::UnixTime;

/// Milliseconds since 1970. A clock before that reads as 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Timestamp(u64);

impl Timestamp {
    pub(crate) fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    pub(crate) const fn as_millis(self) -> u64 {
        self.0
    }

    /// Whole seconds, cut.
    pub(crate) const fn secs(self) -> UnixTime {
        UnixTime::from_secs(self.0 / 1000)
    }
}

/// Whole seconds, cut.
pub(crate) fn now() -> UnixTime {
    Timestamp::now().secs()
}

impl From<UnixTime> for Timestamp {
    fn from(time: UnixTime) -> Self {
        Self(time.as_secs().saturating_mul(1000))
    }
}

/// RFC 3339 in UTC with three digits of fraction.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (secs, millis) = (self.0 / 1000, self.0 % 1000);
        let (days, second) = (secs / 86_400, secs % 86_400);
        let (year, month, day) = civil(days);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
    }
}

/// Days since 1970 as a date, counted in years that begin in March so that a leap day is a year's last.
const fn civil(days: u64) -> (u64, u64, u64) {
    let since_year_0 = days + 719_468;
    let (era, day_of_era) = (since_year_0 / 146_097, since_year_0 % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let (month, carry) = if month_from_march < 10 { (month_from_march + 3, 0) } else { (month_from_march - 9, 1) };
    (year_of_era + era * 400 + carry, month, day)
}

/// A part of `period` less, so that many gateways that started together do not stay together: 90 to 100 %.
pub(crate) fn jittered(period: Duration) -> Duration {
    let mut random = [0; 2];
    // Without randomness the period stays whole, which is only less polite.
    if aws_lc_rs::rand::fill(&mut random).is_err() {
        return period;
    }
    let share = f64::from(u16::from_le_bytes(random)) / f64::from(u16::MAX);
    period.mul_f64(0.1f64.mul_add(-share, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_rfc_3339_with_three_digits() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_795_532_400_001, "2026-11-24T15:00:00.001Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(Timestamp(millis).to_string(), text);
        }
    }

    #[test]
    fn a_jittered_period_is_at_most_a_tenth_shorter() {
        for _ in 0..100 {
            let jittered = jittered(Duration::from_secs(10));
            assert!((9..=10).contains(&jittered.as_secs()), "{jittered:?}");
        }
    }
}
