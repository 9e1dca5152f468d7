//! Reads a time as issuers write it.

use passport::UnixTime;

/// A time of RFC 3339, `2026-11-24T15:00:00.001Z` or with an offset, cut to whole seconds.
pub(super) fn parse(text: &str) -> Option<UnixTime> {
    let (date, rest) = text.split_once(['T', 't'])?;
    let (clock, offset) = rest.split_at_checked(8)?;
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = numbers(clock, ':', [2, 2, 2])?;
    let fits = (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second <= 60;
    let local = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    let utc = local - seconds_east(without_fraction(offset)?)?;
    u64::try_from(utc).ok().filter(|_| fits).map(UnixTime::from_secs)
}

fn numbers(text: &str, separator: char, digits: [usize; 3]) -> Option<[i64; 3]> {
    let mut parts = text.split(separator);
    let mut numbers = [0; 3];
    for (number, digits) in numbers.iter_mut().zip(digits) {
        let part =
            parts.next().filter(|part| part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit()))?;
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(numbers)
}

fn without_fraction(text: &str) -> Option<&str> {
    let Some(fraction) = text.strip_prefix('.') else { return Some(text) };
    let rest = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
    (rest.len() < fraction.len()).then_some(rest)
}

fn seconds_east(offset: &str) -> Option<i64> {
    let (sign, rest) = match offset {
        "Z" | "z" => return Some(0),
        _ => (if offset.starts_with('-') { -1 } else { 1 }, offset.strip_prefix(['+', '-'])?),
    };
    let [hour, minute, _] = numbers(&format!("{rest}:00"), ':', [2, 2, 2])?;
    (hour < 24 && minute < 60).then_some(sign * (hour * 3600 + minute * 60))
}

/// Days since 1970 of a date, counted in years that begin in March so that a leap day is a year's last.
const fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month_from_march) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<u64>) {
        assert_eq!(parse(text).map(UnixTime::as_secs), expected, "{text}");
    }

    #[test]
    fn times_are_read_as_they_are_written() {
        check("1970-01-01T00:00:00Z", Some(0));
        check("2000-02-29T00:00:00.000Z", Some(951_782_400));
        check("2026-11-24T15:00:00.001Z", Some(1_795_532_400));
        check("2026-11-24T15:00:00.123456+00:00", Some(1_795_532_400));
        check("2026-11-24T16:30:00+01:30", Some(1_795_532_400));
        check("2026-11-24T14:00:00-01:00", Some(1_795_532_400));
        check("2100-03-01T00:00:00Z", Some(4_107_542_400));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for bad in [
            "",
            "2026-11-24",
            "2026-11-24T15:00:00",
            "2026-11-24T15:00Z",
            "2026-13-24T15:00:00Z",
            "2026-11-24T25:00:00Z",
            "2026-11-24T15:00:00.Z",
            "2026-11-24 15:00:00Z",
            "26-11-24T15:00:00Z",
            "2026-11-24T15:00:00+1:00",
            "1969-12-31T23:59:59Z",
            "2026-11-24T15:00:00Zx",
            "+026-11-24T15:00:00Z",
            "2026-11-24T1é:00:00Z",
        ] {
            check(bad, None);
        }
    }
}
