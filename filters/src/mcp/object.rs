//! JSON read one level at a time: members in their order, each value as it was written.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::case::looks_like;

/// Why something is not the JSON that it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It is no JSON, or no object where one is asked for.
    #[error("is no valid JSON object")]
    Syntax,
    /// Two readers of it may see two values.
    #[error("has two members of one name")]
    Twice,
    /// A member that some readers take for one that decides something.
    #[error("has a member that differs from one of the protocol only in case")]
    LookAlike,
    /// Nested deeper than anybody needs.
    #[error("is nested too deeply")]
    TooDeep,
    /// Something else where a list belongs.
    #[error("has no list where one belongs")]
    NoList,
    /// What is to be one of two things is both.
    #[error("has a result and an error")]
    TwoOutcomes,
}

/// The members of an object, in their order.
#[derive(Debug)]
pub(super) struct Object<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Object<'a> {
    /// Reads a text that is one object, in which no name stands twice.
    pub(super) fn read(text: &'a [u8]) -> Result<Self, Unreadable> {
        Self::distinct(serde_json::from_slice(text))
    }

    /// Reads a value that was read as a whole before.
    pub(super) fn of(value: &'a RawValue) -> Result<Self, Unreadable> {
        Self::distinct(serde_json::from_str(value.get()))
    }

    fn distinct(read: Result<Members<'a>, serde_json::Error>) -> Result<Self, Unreadable> {
        let Members(members) = read.map_err(|_| Unreadable::Syntax)?;
        let mut seen = HashSet::with_capacity(members.len());
        if members.iter().all(|(name, _)| seen.insert(&**name)) { Ok(Self(members)) } else { Err(Unreadable::Twice) }
    }

    pub(super) fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.0.iter().find(|(found, _)| found == name).map(|(_, value)| *value)
    }

    /// The members, in their order.
    pub(super) fn members(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.0.iter().map(|(name, value)| (&**name, *value))
    }

    /// Refuses members that a reader who does not mind the case takes for one of `names`, or for another one of these.
    pub(super) fn spells(&self, names: &[&str]) -> Result<(), Unreadable> {
        let is_misspelt = |found: &str| names.iter().any(|name| found != *name && looks_like(found, name));
        if self.0.iter().any(|(found, _)| is_misspelt(found)) { Err(Unreadable::LookAlike) } else { Ok(()) }
    }
}

/// Whether a value is an object, by how it begins.
pub(super) fn is_object(value: &RawValue) -> bool {
    value.get().starts_with('{')
}

/// The text of a string; `None` where the value is something else.
pub(super) fn text(value: &RawValue) -> Option<Cow<'_, str>> {
    serde_json::from_str::<Text<'_>>(value.get()).ok().map(|Text(text)| text)
}

/// The items of a list.
pub(super) fn items(value: &RawValue) -> Result<Vec<&RawValue>, Unreadable> {
    if value.get().starts_with('[') {
        serde_json::from_str(value.get()).map_err(|_| Unreadable::Syntax)
    } else {
        Err(Unreadable::NoList)
    }
}

/// Borrowed where it has no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Collect).map(Members)
    }
}

struct Collect;

impl<'de> Visitor<'de> for Collect {
    type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some((Text(name), value)) = map.next_entry()? {
            members.push((name, value));
        }
        Ok(members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_keeps_the_order_of_its_members_and_how_they_were_written() {
        let object = Object::read(br#" { "b" : 1.50 , "a":[ 1e400 ],"\u0063":"x" } "#).unwrap();
        let members: Vec<_> = object.members().map(|(name, value)| (name, value.get())).collect();
        assert_eq!(members, [("b", "1.50"), ("a", "[ 1e400 ]"), ("c", "\"x\"")]);
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        for (text, expected) in [
            (&br#"{"a":1,"\u0061":2}"#[..], Unreadable::Twice),
            (b"[]", Unreadable::Syntax),
            (b"{} {}", Unreadable::Syntax),
            (b"{\"a\":1,}", Unreadable::Syntax),
            (b"\xef\xbb\xbf{}", Unreadable::Syntax),
            (b"{\"a\":\"\xff\"}", Unreadable::Syntax),
            (b"", Unreadable::Syntax),
        ] {
            assert_eq!(Object::read(text).unwrap_err(), expected, "{}", String::from_utf8_lossy(text));
        }
        for name in ["Tools", "TOOLS", "tool\u{17f}"] {
            let text = format!("{{\"{name}\":[]}}");
            assert_eq!(Object::read(text.as_bytes()).unwrap().spells(&["tools"]), Err(Unreadable::LookAlike), "{name}");
        }
        assert_eq!(Object::read(br#"{"tools":[],"tool":1}"#).unwrap().spells(&["tools"]), Ok(()));
    }
}
