//! The definition of a tool in the one form in which two of them can be compared.
//!
//! Members are sorted by name at every depth, there is no white space, text has as few escapes as it can. Numbers and
//! lists stay as they were written: `1.0` is not `1` here, and `["a","b"]` not `["b","a"]`. Everything a model or a client
//! may read counts (name, title, description, both schemas, annotations, icons, and what is not known yet), but not the
//! member `_meta` of the tool itself: servers put there what changes with every list, and models are not shown it.
//!
//! What can be read in two ways has no such form, and is compared byte for byte.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use super::object::{self, Object, Unreadable};

/// Deepest nesting that is read. Schemas are seldom deeper than ten.
const DEPTH_MAX: u8 = 64;

/// Longest text that is kept to be shown, in bytes. A longer definition is told from others all the same.
pub const DEFINITION_BYTES_MAX: usize = 64 * 1024;

/// What counts in nobody's eyes.
const VOLATILE: &str = "_meta";

/// A definition: its digest, and its text unless that is too long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    hash: Box<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<Box<str>>,
}

impl Definition {
    /// Reads a definition as a server wrote it.
    #[must_use]
    pub fn read(written: &str) -> Self {
        let text = compared(written).ok();
        let hash = Sha256::digest(text.as_deref().unwrap_or(written));
        let hash = hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let text = text.filter(|text| text.len() <= DEFINITION_BYTES_MAX).map(String::into_boxed_str);
        Self { hash: hash.into(), text }
    }

    /// SHA-256 in hex: of the text, or of the bytes as they were written if they have no such form.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The text, unless there is none or it is too long to be kept.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }

    /// The same without its text.
    #[must_use]
    pub(super) fn without_text(self) -> Self {
        Self { text: None, ..self }
    }

    pub(super) fn bytes(&self) -> usize {
        self.text.as_ref().map_or(0, |text| text.len())
    }
}

/// The form in which two of them can be compared.
fn compared(written: &str) -> Result<String, Unreadable> {
    let object = Object::read(written.as_bytes())?;
    let mut text = String::with_capacity(written.len());
    write_object(object.members().filter(|(name, _)| *name != VOLATILE).collect(), 0, &mut text)?;
    Ok(text)
}

fn write_object(mut members: Vec<(&str, &RawValue)>, depth: u8, text: &mut String) -> Result<(), Unreadable> {
    members.sort_unstable_by_key(|(name, _)| *name);
    text.push('{');
    for (index, (name, value)) in members.into_iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        write_text(name, text);
        text.push(':');
        write_value(value, depth + 1, text)?;
    }
    text.push('}');
    Ok(())
}

fn write_value(value: &RawValue, depth: u8, text: &mut String) -> Result<(), Unreadable> {
    if depth > DEPTH_MAX {
        return Err(Unreadable::TooDeep);
    }
    match value.get().as_bytes().first() {
        Some(b'{') => write_object(Object::of(value)?.members().collect(), depth, text),
        Some(b'[') => {
            text.push('[');
            for (index, item) in object::items(value)?.into_iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write_value(item, depth + 1, text)?;
            }
            text.push(']');
            Ok(())
        }
        Some(b'"') => {
            write_text(&object::text(value).ok_or(Unreadable::Syntax)?, text);
            Ok(())
        }
        Some(_) | None => {
            text.push_str(value.get());
            Ok(())
        }
    }
}

fn write_text(written: &str, text: &mut String) {
    text.push_str(&serde_json::Value::from(Cow::Borrowed(written)).to_string());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn text(written: &str) -> String {
        Definition::read(written).text().unwrap().to_owned()
    }

    #[test]
    fn one_definition_has_one_form_however_it_is_written() {
        for (written, expected) in [
            (r#"{"name":"a"}"#, r#"{"name":"a"}"#),
            (
                r#" { "b" : [ 1 , {"z":null,"y":true} ] , "a" : "\u0041\/" } "#,
                r#"{"a":"A/","b":[1,{"y":true,"z":null}]}"#,
            ),
            (r#"{"n":1.0,"m":1e400,"k":-0}"#, r#"{"k":-0,"m":1e400,"n":1.0}"#),
            (r#"{"name":"a","_meta":{"now":7},"x":{"_meta":1}}"#, r#"{"name":"a","x":{"_meta":1}}"#),
            ("{\"a\":\"\u{e0041}\\n\"}", "{\"a\":\"\u{e0041}\\n\"}"),
        ] {
            assert_eq!(text(written), expected);
        }
        let hash = |written: &str| Definition::read(written).hash().to_owned();
        assert_eq!(hash(r#"{"a":1,"b":2}"#), hash(r#"{"b":2, "a":1}"#));
        assert_eq!(hash("{}"), "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
    }

    #[test]
    fn whatever_can_be_read_counts() {
        let tool = r#"{"name":"a","description":"d","inputSchema":{"required":["x","y"]}}"#;
        for (before, after) in [
            (r#""d""#, r#""d ""#),
            (r#""d""#, "\"d\u{200b}\""),
            (r#"["x","y"]"#, r#"["y","x"]"#),
            (r#""name":"a""#, r#""name":"a","annotations":{"readOnlyHint":true}"#),
        ] {
            let other = tool.replacen(before, after, 1);
            assert_ne!(Definition::read(tool).hash(), Definition::read(&other).hash(), "{other}");
        }
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_compared_byte_for_byte() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(100), "]".repeat(100));
        for written in [r#"{"a":{"b":1,"b":2}}"#, "[]", r#"{"a":"\ud800"}"#, &deep] {
            let definition = Definition::read(written);
            assert_eq!(definition.text(), None, "{written}");
            assert_eq!(definition, Definition::read(written));
            assert_ne!(definition, Definition::read(&format!("{written} ")), "{written}");
        }
    }

    #[test]
    fn a_long_definition_is_told_from_others_but_not_kept() {
        let long = |filling: &str| Definition::read(&format!("{{\"a\":\"{}\"}}", filling.repeat(70_000)));
        assert_eq!(long("x").text(), None);
        assert_ne!(long("x").hash(), long("y").hash());
    }
}
