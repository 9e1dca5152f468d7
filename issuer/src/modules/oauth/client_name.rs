//! What a client calls itself, on its way to a page for people.

use std::fmt;

/// Longest name that is shown, in characters.
const CHARS_MAX: usize = 100;

/// A name that shows as what it is: one line, nothing invisible, nothing that turns the text around it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ClientName(Box<str>);

impl ClientName {
    /// `text` without what does not show, cut to 100 characters; `None` when nothing is left.
    pub(crate) fn of(text: &str) -> Option<Self> {
        let shown: String = text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).filter(is_shown).collect();
        let words: Vec<&str> = shown.split(' ').filter(|word| !word.is_empty()).collect();
        let name: String = words.join(" ").chars().take(CHARS_MAX).collect();
        let name = name.trim_end();
        (!name.is_empty()).then(|| Self(name.into()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ClientName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientName({:?})", self.0)
    }
}

/// Not the control characters, nor those of Unicode's "Format" and "Default ignorable" that could hide or reorder text.
fn is_shown(c: &char) -> bool {
    let hides = matches!(u32::from(*c),
        0xAD | 0x34F | 0x61C | 0x115F..=0x1160 | 0x17B4..=0x17B5 | 0x180B..=0x180F | 0x200B..=0x200F | 0x2028..=0x202E
        | 0x2060..=0x206F | 0x2800 | 0x3164 | 0xFE00..=0xFE0F | 0xFEFF | 0xFFA0 | 0xFFF0..=0xFFFD
        | 0x1BCA0..=0x1BCA3 | 0x1D173..=0x1D17A | 0xE0000..=0xE0FFF | 0xE000..=0xF8FF | 0xF_0000..);
    !c.is_control() && !hides
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_line_of_what_shows() {
        for (text, expected) in [
            ("Notes", Some("Notes")),
            ("  Notes \t of\r\nmine ", Some("Notes of mine")),
            ("B\u{fc}cher \u{65e5}\u{672c}", Some("B\u{fc}cher \u{65e5}\u{672c}")),
            ("Evil\u{202e}kooL", Some("EvilkooL")),
            ("A\u{200b}\u{2066}\u{feff}\u{ad}B", Some("AB")),
            ("A\u{0}\u{1b}[31m\u{7f}\u{9b}B", Some("A[31mB")),
            ("\u{e0041}\u{3164}", None),
            ("", None),
            (" \n", None),
        ] {
            assert_eq!(ClientName::of(text).as_ref().map(ClientName::as_str), expected, "{text:?}");
        }
        let long = ClientName::of(&"\u{fc}".repeat(101)).unwrap();
        assert_eq!(long.as_str().chars().count(), 100);
    }
}
