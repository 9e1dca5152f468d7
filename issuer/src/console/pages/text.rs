//! Text that somebody else wrote, made fit to be shown. The templates call these; escaping is askama's.

use crate::foundation::unseen::is_unseen;

/// A longer name is cut: no page is to be pushed out of sight by one.
const NAME_CHARS_MAX: usize = 80;

/// The text, without what would change how the text around it is read.
pub(super) fn shown(text: &str) -> String {
    let kept: String = text.chars().filter(|letter| !is_unseen(*letter)).collect();
    kept.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A name: not empty, and not long.
pub(super) fn name(text: &str) -> String {
    let visible = shown(text);
    if visible.is_empty() {
        return "(no name)".to_owned();
    }
    match visible.char_indices().nth(NAME_CHARS_MAX) {
        Some((end, _)) => format!("{}…", visible.get(..end).unwrap_or_default().trim_end()),
        None => visible,
    }
}

/// Which issuer this is, shorter than its URL.
pub(super) fn host(issuer: &str) -> String {
    shown(issuer.split_once("://").map_or(issuer, |(_, host)| host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, as_text: &str, as_name: &str) {
        assert_eq!((shown(text).as_str(), name(text).as_str()), (as_text, as_name), "{text:?}");
    }

    #[test]
    fn names_of_all_scripts_stay_as_they_are() {
        for name in ["Notes Helper", "Œuvres d'Émile", "メモ帳", "یادداشت‌ها", "עוזר", "👩‍💻 dev"]
        {
            check(name, name, name);
        }
    }

    #[test]
    fn what_turns_or_hides_text_is_left_out() {
        check("\u{202e}gro.elpmaxe", "gro.elpmaxe", "gro.elpmaxe");
        check("a\u{2066}b\u{2069}\u{200f}c\u{61c}", "abc", "abc");
        check("Goo\u{200b}gle\u{feff}\u{ad}\u{e0041}", "Google", "Google");
        check("a\u{0}b\u{1b}[31mc\u{85}d", "ab[31mcd", "ab[31mcd");
        check("  one\r\n\ttwo\u{2028}three\u{a0} ", "one two three", "one two three");
    }

    #[test]
    fn a_name_is_never_empty_and_never_long() {
        check("", "", "(no name)");
        check("\u{202e}\u{3164} \u{200b}", "", "(no name)");
        let (long, cut) = ("é".repeat(81), format!("{}…", "é".repeat(80)));
        check(&long, &long, &cut);
        check(&"é".repeat(80), &"é".repeat(80), &"é".repeat(80));
    }

    #[test]
    fn an_issuer_is_called_by_its_host() {
        for (issuer, called) in [
            ("https://id.example.net", "id.example.net"),
            ("http://127.0.0.1:8081", "127.0.0.1:8081"),
            ("id.example.net", "id.example.net"),
        ] {
            assert_eq!(host(issuer), called);
        }
    }
}
