//! What is different between two definitions of a tool, member by member, for people to read.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::value::RawValue;

use super::definition::Definition;
use super::object::{self, Object, Unreadable};

/// Most differences that are listed: whoever reads more compares the texts.
const DIFFERENCES_MAX: usize = 200;

/// A member that is not what it was.
#[derive(Clone, Debug, Serialize)]
pub struct Difference {
    /// Where: `inputSchema.properties.path`.
    pub at: String,
    /// Its value before; `None` if there was none.
    pub before: Option<Box<RawValue>>,
    /// Its value now; `None` if there is none.
    pub after: Option<Box<RawValue>>,
}

/// The differences between two definitions, by place; `None` where a text is too long to be kept.
#[must_use]
pub fn differences(before: &Definition, after: &Definition) -> Option<Vec<Difference>> {
    let (before, after) = (before.text()?, after.text()?);
    let mut found = Vec::new();
    let read = |text| Object::read(str::as_bytes(text));
    compare(&read(before).ok()?, &read(after).ok()?, "", &mut found).ok()?;
    Some(found)
}

/// Both are sorted by name, as definitions are, and so is what is found.
fn compare(
    before: &Object<'_>,
    after: &Object<'_>,
    place: &str,
    found: &mut Vec<Difference>,
) -> Result<(), Unreadable> {
    let mut names: Vec<&str> = before.members().chain(after.members()).map(|(name, _)| name).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let (old, new) = (before.get(name), after.get(name));
        match (old, new) {
            (Some(old), Some(new)) if old.get() == new.get() => {}
            (Some(old), Some(new)) if object::is_object(old) && object::is_object(new) => {
                compare(&Object::of(old)?, &Object::of(new)?, &below(place, name), found)?;
            }
            (old, new) if found.len() < DIFFERENCES_MAX => found.push(Difference {
                at: below(place, name),
                before: old.map(RawValue::to_owned),
                after: new.map(RawValue::to_owned),
            }),
            (_, _) => return Ok(()),
        }
    }
    Ok(())
}

/// A member's place. A name that could be taken for several is quoted.
fn below(place: &str, name: &str) -> String {
    let is_plain =
        !name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "_-$".contains(letter));
    let name = if is_plain { name.to_owned() } else { serde_json::Value::from(name).to_string() };
    if place.is_empty() { name } else { format!("{place}.{name}") }
}

/// A text of a stranger as a terminal may have it: what is not seen, or changes how others are seen, is written as
/// `\u{..}`. Instructions for models are hidden in such characters.
#[must_use]
pub fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if is_unseen(letter) {
            // A string takes everything.
            write!(out, "\\u{{{:x}}}", u32::from(letter)).unwrap_or_default();
        } else {
            out.push(letter);
        }
    }
    out
}

/// Control characters, and those that Unicode calls ignorable by default.
fn is_unseen(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{e000}'..='\u{f8ff}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{10ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(before: &str, after: &str) -> Vec<(String, String, String)> {
        let read = Definition::read;
        let text = |value: Option<Box<RawValue>>| value.map_or("-".to_owned(), |value| value.get().to_owned());
        let differences = differences(&read(before), &read(after)).unwrap();
        differences.into_iter().map(|found| (found.at, text(found.before), text(found.after))).collect()
    }

    #[test]
    fn each_member_that_changed_is_named_with_what_it_was_and_is() {
        let before = r#"{"name":"a","description":"Reads.","inputSchema":{"properties":{"path":{"type":"string"}},"required":["path"]}}"#;
        let after = r#"{"name":"a","description":"Reads <all>.","inputSchema":{"properties":{"path":{"type":"string"},"my.key":{}},"required":["path","key"]},"title":"A"}"#;
        let expected = [
            ("description", r#""Reads.""#, r#""Reads <all>.""#),
            (r#"inputSchema.properties."my.key""#, "-", "{}"),
            ("inputSchema.required", r#"["path"]"#, r#"["path","key"]"#),
            ("title", "-", r#""A""#),
        ];
        assert_eq!(found(before, after), expected.map(|(at, old, new)| (at.into(), old.into(), new.into())));
        assert_eq!(found(after, before).len(), 4);
        assert!(found(before, before).is_empty());
    }

    #[test]
    fn there_is_no_list_without_end() {
        let many = |value: u32| {
            let members: Vec<String> = (0..1000).map(|index| format!("\"m{index}\":{value}")).collect();
            format!("{{{}}}", members.join(","))
        };
        assert_eq!(found(&many(1), &many(2)).len(), DIFFERENCES_MAX);
    }

    #[test]
    fn what_is_not_seen_is_shown() {
        for (text, expected) in [
            ("plain — ß 漢 🙂", "plain — ß 漢 🙂"),
            ("\u{1b}[2J", "\\u{1b}[2J"),
            ("a\u{202e}b\u{200b}", "a\\u{202e}b\\u{200b}"),
            ("\u{e0041}", "\\u{e0041}"),
            ("\u{9b}", "\\u{9b}"),
        ] {
            assert_eq!(shown(text), expected);
        }
    }
}
