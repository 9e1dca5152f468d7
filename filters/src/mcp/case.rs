//! Names that only the case of a letter tells apart.

/// Whether parsers that do not mind the case of letters (Go's, for one) would take one name for another: besides ASCII,
/// they fold the long s and the Kelvin sign.
pub(super) fn looks_like(name: &str, known: &str) -> bool {
    let folded = |letter: char| match letter {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        other => other.to_ascii_lowercase(),
    };
    name.chars().map(folded).eq(known.chars().map(folded))
}
