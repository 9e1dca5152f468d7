//! Which characters change how the text around them is read without being seen themselves.

/// Controls, marks that turn the direction of text (UAX #9), and letters of no width that make two names look alike: of
/// Unicode's "Format" and "Default ignorable" those that no script needs. U+200C and U+200D stay: scripts and emoji need
/// them. White space is the caller's to judge.
pub(crate) fn is_unseen(letter: char) -> bool {
    (letter.is_control() && !letter.is_ascii_whitespace())
        || matches!(u32::from(letter),
            0xAD | 0x34F | 0x61C | 0x115F..=0x1160 | 0x17B4..=0x17B5 | 0x180B..=0x180F | 0x200B | 0x200E..=0x200F
            | 0x202A..=0x202E | 0x2060..=0x206F | 0x2800 | 0x3164 | 0xE000..=0xF8FF | 0xFE00..=0xFE0F | 0xFEFF | 0xFFA0
            | 0xFFF0..=0xFFFD | 0x1BCA0..=0x1BCA3 | 0x1D173..=0x1D17A | 0xE0000..=0xE0FFF | 0xF_0000..)
}
