//! What a client calls itself, on its way to a page for people.

use std::fmt;

use crate::foundation::unseen::is_unseen;

/// Longest name that is shown, in characters.
const CHARS_MAX: usize = 100;

/// A name that shows as what it is: one line, nothing invisible, nothing that turns the text around it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ClientName(Box<str>);

impl ClientName {
    /// `text` without what does not show, cut to 100 characters; `None` when nothing is left.
    pub(crate) fn of(text: &str) -> Option<Self> {
        let shown: String =
            text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).filter(|c| !is_unseen(*c)).collect();
        let words: Vec<&str> = shown.split(' ').filter(|word| !word.is_empty()).collect();
        let name: String = words.join(" ").chars().take(CHARS_MAX).collect();
        let name = name.trim_end();
        name.chars().any(|c| !is_joiner(c) && c != ' ').then(|| Self(name.into()))
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

/// What joins or parts the letters beside it, and shows nothing where there are none.
const fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
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
            ("\u{6cc}\u{627}\u{62f}\u{200c}\u{647}\u{627}", Some("\u{6cc}\u{627}\u{62f}\u{200c}\u{647}\u{627}")),
            ("\u{1f469}\u{200d}\u{1f4bb} dev", Some("\u{1f469}\u{200d}\u{1f4bb} dev")),
            ("A\u{200b}\u{2066}\u{feff}\u{ad}B", Some("AB")),
            ("A\u{0}\u{1b}[31m\u{7f}\u{9b}B", Some("A[31mB")),
            ("\u{e0041}\u{3164}", None),
            ("\u{200d} \u{200c}", None),
            ("", None),
            (" \n", None),
        ] {
            assert_eq!(ClientName::of(text).as_ref().map(ClientName::as_str), expected, "{text:?}");
        }
        let long = ClientName::of(&"\u{fc}".repeat(101)).unwrap();
        assert_eq!(long.as_str().chars().count(), 100);
    }
}
