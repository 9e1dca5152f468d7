//! JSON as security needs it: a member named twice is an error at any depth, so that no two readers of one token can
//! see two values (RFC 8725 §2.4 names the attack, RFC 7515 §4 allows the refusal).

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, DeserializeOwned, Deserializer, MapAccess, SeqAccess, Visitor};

/// Reads one JSON object of type `T`. Unknown members are allowed; one that is named twice, at any depth, is not, so that no
/// two readers of one text can see two values.
///
/// # Errors
/// What is wrong with the text, and where.
pub fn object<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, serde_json::Error> {
    serde_json::from_slice::<Unique>(bytes)?;
    serde_json::from_slice(bytes)
}

/// Some JSON in which no object names a member twice. Keeps nothing of it.
struct Unique;

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Walk)
    }
}

/// A member's name, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// Members of an object that are compared one by one: a token has a dozen, and a scan beats a set there.
const FEW: usize = 16;

/// The names of an object so far. Of more than a few a set is made: key sets and client documents are anybody's, and no
/// text is to cost more than it is long.
#[derive(Default)]
struct Names<'a> {
    few: Vec<Cow<'a, str>>,
    many: HashSet<Cow<'a, str>>,
}

impl<'a> Names<'a> {
    /// Whether it is a new one.
    fn insert(&mut self, name: Cow<'a, str>) -> bool {
        if self.many.is_empty() && self.few.len() < FEW {
            let is_new = !self.few.contains(&name);
            self.few.push(name);
            return is_new;
        }
        self.many.extend(self.few.drain(..));
        self.many.insert(name)
    }
}

struct Walk;

impl<'de> Visitor<'de> for Walk {
    type Value = Unique;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without duplicate members")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Unique, A::Error> {
        let mut seen = Names::default();
        while let Some(Name(name)) = map.next_key::<Name<'de>>()? {
            if !seen.insert(name) {
                return Err(de::Error::custom("a member is named twice"));
            }
            map.next_value::<Unique>()?;
        }
        Ok(Unique)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Unique, A::Error> {
        while seq.next_element::<Unique>()?.is_some() {}
        Ok(Unique)
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Unique, E> {
        Ok(Unique)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_twice_in_objects_of_any_length() {
        for members in [1, 2, FEW - 1, FEW, FEW + 1, 2 * FEW, 10_000] {
            let names: Vec<_> = (0..members).map(|n| format!("\"m{n}\":{n}")).collect();
            let once = format!("{{{}}}", names.join(","));
            assert!(object::<serde_json::Value>(once.as_bytes()).is_ok(), "{members}");
            for again in [0, members / 2, members - 1] {
                // The second one is written with an escape, and is the same name.
                let twice = format!("{{{},\"\\u006d{again}\":0}}", names.join(","));
                assert!(object::<serde_json::Value>(twice.as_bytes()).is_err(), "{again} of {members}");
            }
        }
    }
}
