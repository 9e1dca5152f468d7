//! How the page looks that strangers work at: `page = { name = "…", logo = "/…", color = "#…" }`.

use std::fmt;
use std::str::FromStr;

use crate::PathPattern;
use crate::reader::{Key, Reported, Table};
use crate::value::Value;

const NAME: Key = Key::new("name", r#""Lime Shop""#);
const LOGO: Key = Key::new("logo", r#""/static/logo.svg""#);
const COLOR: Key = Key::new("color", r##""#4d7c0f""##);

/// What of a site is shown there. Its `contact` is shown as well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// What it is called. Default: its host.
    pub name: Option<String>,
    /// A picture of the site, which is served without a challenge. Default: a slice of lime.
    pub logo: Option<String>,
    /// Its colour. Default: green.
    pub color: Option<Color>,
}

/// A colour as `#rrggbb`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Color([u8; 3]);

impl Page {
    pub(crate) fn read(table: &mut Table<'_>) -> Result<Self, Reported> {
        let name = table.optional(NAME, |value| value.string().map(str::to_owned));
        let logo = table.optional(LOGO, |value| value.parsed_by(logo));
        let color = table.optional(COLOR, Value::parsed);
        Ok(Self { name: name?, logo: logo?, color: color? })
    }
}

/// A path, and nothing that could be another origin.
fn logo(text: &str) -> Result<String, String> {
    let is_path = text.parse::<PathPattern>().is_ok() && !text.contains('*');
    if is_path { Ok(text.to_owned()) } else { Err("write a path of the site, like \"/static/logo.svg\"".to_owned()) }
}

/// Why a text is no [`Color`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a colour: write it like \"#4d7c0f\"")]
pub struct BadColor;

impl FromStr for Color {
    type Err = BadColor;

    fn from_str(text: &str) -> Result<Self, BadColor> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6).ok_or(BadColor)?;
        let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = u32::from_str_radix(digits, 16).ok().filter(|_| is_hex).ok_or(BadColor)?;
        let [_, red, green, blue] = number.to_be_bytes();
        Ok(Self([red, green, blue]))
    }
}

impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colour_is_six_hexadecimal_digits() {
        assert_eq!("#4D7c0f".parse::<Color>().unwrap().to_string(), "#4d7c0f");
        for text in ["", "#fff", "4d7c0f", "#4d7c0g", "#+d7c0f", "red", "#4d7c0f;"] {
            assert!(text.parse::<Color>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_logo_is_a_path_of_the_site() {
        assert!(logo("/logo.svg").is_ok());
        for text in ["logo.svg", "//evil.example/x", "https://evil.example/x", "/a/*", "data:,x", "/\\evil"] {
            assert!(logo(text).is_err(), "{text}");
        }
    }
}
