//! A text with `*` for anything: `*python*`.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

/// A pattern for what clients call themselves. `*` is any run of bytes, all else is itself, in either case of ASCII.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextPattern(Box<str>);

impl TextPattern {
    /// Whether the whole of a text is like it.
    #[must_use]
    pub fn matches(&self, text: &[u8]) -> bool {
        let mut parts = self.0.as_bytes().split(|byte| *byte == b'*');
        // `split` gives at least one part; the last one is tied to the end.
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = strip_start(text, first) else { return false };
        let Some(last) = parts.next_back() else { return rest.is_empty() };
        for part in parts {
            let found = rest.windows(part.len().max(1)).position(|window| window.eq_ignore_ascii_case(part));
            match found {
                Some(at) => rest = rest.get(at + part.len()..).unwrap_or_default(),
                None if part.is_empty() => {}
                None => return false,
            }
        }
        rest.len() >= last.len()
            && rest.get(rest.len() - last.len()..).is_some_and(|end| end.eq_ignore_ascii_case(last))
    }
}

fn strip_start<'a>(text: &'a [u8], start: &[u8]) -> Option<&'a [u8]> {
    let (head, rest) = text.split_at_checked(start.len())?;
    head.eq_ignore_ascii_case(start).then_some(rest)
}

impl FromStr for TextPattern {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.into()))
    }
}

impl fmt::Display for TextPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, text: &str, expected: bool) {
        let pattern: TextPattern = pattern.parse().unwrap();
        assert_eq!(pattern.matches(text.as_bytes()), expected, "{pattern} of {text}");
    }

    #[test]
    fn a_star_is_anything_and_all_else_itself() {
        check("curl/*", "curl/8.5.0", true);
        check("curl/*", "CURL/", true);
        check("curl/*", "libcurl/8", false);
        check("*python*", "Python-urllib/3.11", true);
        check("*python*", "perl", false);
        check("*bot", "a bot", true);
        check("*bot", "a bot.", false);
        check("a*b*c", "a__b__c", true);
        check("a*b*c", "a__c__b", false);
        check("a*a", "a", false);
        check("*", "", true);
        check("**", "x", true);
        check("exact", "Exact", true);
        check("exact", "exactly", false);
        check("", "", true);
        check("(.*", "(.x", true);
    }
}
