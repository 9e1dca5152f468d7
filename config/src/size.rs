//! Sizes in bytes: `65536`, or with a unit, `"64KiB"` and `"1MiB"`.

use std::ops::RangeInclusive;

use crate::reader::Reported;
use crate::value::Value;

const UNITS: [(&str, usize); 3] = [("MiB", 1024 * 1024), ("KiB", 1024), ("B", 1)];

/// Reads a size within `range`.
pub(crate) fn read(value: &Value<'_>, range: RangeInclusive<usize>) -> Result<usize, Reported> {
    let (least, most) = (text(*range.start()), text(*range.end()));
    let size = match value.as_integer() {
        Some(digits) => digits.parse().ok(),
        None => value
            .parsed_by(|text| {
                parse(text).ok_or("is no size: write a number of bytes, or one like \"64KiB\" or \"1MiB\"")
            })?
            .into(),
    };
    size.filter(|size| range.contains(size))
        .ok_or_else(|| value.report(format!("does not fit: write \"{least}\" to \"{most}\"")))
}

fn parse(text: &str) -> Option<usize> {
    let (digits, unit) = UNITS.iter().find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?, *bytes)))?;
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse::<usize>().ok().filter(|_| is_number)?.checked_mul(unit)
}

fn text(size: usize) -> String {
    let whole = |(_, bytes): &&(&str, usize)| size.is_multiple_of(*bytes);
    UNITS.iter().find(whole).map_or_else(|| size.to_string(), |(unit, bytes)| format!("{}{unit}", size / bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_a_number_and_its_unit() {
        for (written, bytes) in [("1B", 1), ("64KiB", 65_536), ("1MiB", 1_048_576), ("0KiB", 0)] {
            assert_eq!(parse(written), Some(bytes), "{written}");
        }
        for written in ["", "1", "MiB", "1 MiB", "1mib", "1MB", "-1KiB", "+1KiB", "1.5MiB", "99999999999999999999MiB"] {
            assert_eq!(parse(written), None, "{written}");
        }
        assert_eq!((text(1024), text(16 * 1024 * 1024), text(1025)), ("1KiB".into(), "16MiB".into(), "1025B".into()));
    }
}
