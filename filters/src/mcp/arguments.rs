//! What an audit may say of the arguments of a call.

use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use super::case::looks_like;
use super::object::{self, Object, Unreadable};

/// What stands for a value that is not to be written.
const REDACTED: &str = "\"[redacted]\"";

/// Deepest nesting that is looked into.
const DEPTH_MAX: u8 = 64;

/// Longest arguments that are looked into, in bytes: each level of nesting is read once more.
const READ_BYTES_MAX: usize = 64 * 1024;

/// SHA-256 of arguments, in hex, over the bytes in which they were sent.
#[must_use]
pub fn arguments_digest(arguments: &str) -> String {
    Sha256::digest(arguments.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Arguments without white space and without the values of members called one of `names`, in whatever case and however
/// deep; `None` if that is longer than `bytes_max`, if they are very long, or cannot be read in one way.
#[must_use]
pub fn redacted_arguments(arguments: &str, names: &[Box<str>], bytes_max: usize) -> Option<String> {
    if arguments.len() > READ_BYTES_MAX {
        return None;
    }
    let value: &RawValue = serde_json::from_str(arguments).ok()?;
    let mut text = String::new();
    write(value, names, 0, &mut text).ok()?;
    (text.len() <= bytes_max).then_some(text)
}

fn write(value: &RawValue, names: &[Box<str>], depth: u8, text: &mut String) -> Result<(), Unreadable> {
    if depth > DEPTH_MAX {
        return Err(Unreadable::TooDeep);
    }
    match value.get().as_bytes().first() {
        Some(b'{') => {
            text.push('{');
            for (index, (name, value)) in Object::of(value)?.members().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                text.push_str(&serde_json::Value::from(name).to_string());
                text.push(':');
                if names.iter().any(|secret| looks_like(name, secret)) {
                    text.push_str(REDACTED);
                } else {
                    write(value, names, depth + 1, text)?;
                }
            }
            text.push('}');
        }
        Some(b'[') => {
            text.push('[');
            for (index, item) in object::items(value)?.into_iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write(item, names, depth + 1, text)?;
            }
            text.push(']');
        }
        // A string has no line ends of its own; its escapes stay.
        Some(_) | None => text.push_str(value.get()),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_to_be_written_is_left_out_at_any_depth() {
        let names = ["password".into(), "token".into()];
        for (arguments, expected) in [
            (r#"{"path": "/a", "password": "x"}"#, Some(r#"{"path":"/a","password":"[redacted]"}"#)),
            (r#"{"a":[{"Token":{"deep":1}},"token"]}"#, Some(r#"{"a":[{"Token":"[redacted]"},"token"]}"#)),
            (r#"{"to\u006ben":1,"n":1e400}"#, Some(r#"{"token":"[redacted]","n":1e400}"#)),
            (r#""just a text""#, Some(r#""just a text""#)),
            (r#"{"a":1,"a":2}"#, None),
            ("{", None),
        ] {
            assert_eq!(redacted_arguments(arguments, &names, 4096).as_deref(), expected, "{arguments}");
        }
    }

    #[test]
    fn long_arguments_are_not_written() {
        let arguments = format!("{{\"a\":\"{}\"}}", "x".repeat(100));
        assert_eq!(redacted_arguments(&arguments, &[], 50), None);
        let secret = format!("{{\"token\":\"{}\"}}", "x".repeat(100));
        assert!(redacted_arguments(&secret, &["token".into()], 50).is_some(), "what is left out costs nothing");
        let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
        assert_eq!(redacted_arguments(&deep, &[], 4096), None);
        let long = format!("{{\"token\":\"{}\"}}", "x".repeat(70_000));
        assert_eq!(redacted_arguments(&long, &["token".into()], 50), None);
    }

    #[test]
    fn a_digest_tells_arguments_apart() {
        assert_eq!(arguments_digest("{}"), "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
        assert_ne!(arguments_digest("{}"), arguments_digest("{ }"));
    }
}
