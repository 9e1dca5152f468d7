//! Durations as an operator writes them: a whole number and its unit.

use std::time::Duration;

/// Units with their length in milliseconds, the longest first.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Why a text is no duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a duration: write a whole number and its unit, like \"250ms\", \"30s\", \"5m\", \"24h\" or \"7d\"")]
pub struct BadDuration;

/// Reads a duration as it is written in a file: `250ms`, `30s`, `5m`, `24h`, `7d`.
///
/// # Errors
/// [`BadDuration`].
pub fn parse(text: &str) -> Result<Duration, BadDuration> {
    let end = text.find(|c: char| !c.is_ascii_digit()).ok_or(BadDuration)?;
    let (number, unit) = text.split_at(end);
    let number: u64 = number.parse().map_err(|_| BadDuration)?;
    let (_, millis) = UNITS.into_iter().find(|(name, _)| *name == unit).ok_or(BadDuration)?;
    number.checked_mul(millis).map(Duration::from_millis).ok_or(BadDuration)
}

/// The shortest text that [`parse`] reads as `duration`, which is whole milliseconds.
pub(crate) fn text(duration: Duration) -> String {
    let millis = duration.as_millis();
    if millis == 0 {
        return "0s".to_owned();
    }
    let fits = |(unit, length): (&str, u64)| {
        let length = u128::from(length);
        millis.is_multiple_of(length).then(|| format!("{}{unit}", millis / length))
    };
    UNITS.into_iter().find_map(fits).unwrap_or_else(|| format!("{millis}ms"))
}

#[cfg(test)]
mod tests;
