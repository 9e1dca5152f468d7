//! From when on a log counts.

use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use super::entry::rfc3339;

/// Seconds since 1970 of the first moment that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Since(i64);

impl Since {
    /// Whether a line of this time counts. One that does not say when it was does not.
    pub(super) fn covers(self, at: Option<i64>) -> bool {
        at.is_some_and(|at| at >= self.0)
    }
}

impl FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong =
            || format!("`{text}` is no time: write 2026-11-25, 2026-11-25T08:00:00Z, or 7d for the last 7 days");
        if let Ok(ago) = config::duration(text) {
            let since = SystemTime::now().checked_sub(ago).and_then(|since| since.duration_since(UNIX_EPOCH).ok());
            return since.and_then(|since| i64::try_from(since.as_secs()).ok()).map(Self).ok_or_else(wrong);
        }
        let whole = if text.contains('T') { text.to_owned() } else { format!("{text}T00:00:00Z") };
        // Another zone than UTC would be read as UTC.
        let is_utc = whole.ends_with('Z') && (whole.len() == 20 || whole.as_bytes().get(19) == Some(&b'.'));
        rfc3339(&whole).filter(|_| is_utc).map(Self).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_day_a_moment_or_so_long_ago() {
        let read = |text: &str| text.parse::<Since>();
        assert_eq!(read("2026-11-25").unwrap(), Since(1_795_564_800));
        assert_eq!(read("2026-11-25T09:00:01Z").unwrap(), Since(1_795_597_201));
        assert_eq!(read("2026-11-25T09:00:01.250Z").unwrap(), Since(1_795_597_201));
        let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap();
        let Since(day_ago) = read("1d").unwrap();
        assert!((now - 86_400 - day_ago).abs() <= 1);
        for wrong in [
            "",
            "yesterday",
            "2026-13-01",
            "2026-11-32",
            "2026-11-25T25:00:00Z",
            "2026-11-25T09:00:01+01:00",
            "25.11.2026",
        ] {
            assert!(read(wrong).unwrap_err().contains("is no time"), "{wrong}");
        }
    }

    #[test]
    fn what_came_before_or_nobody_knows_when_does_not_count() {
        let since = Since(100);
        assert_eq!([Some(99), Some(100), None].map(|at| since.covers(at)), [false, true, false]);
    }
}
