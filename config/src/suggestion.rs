//! What was probably meant by a word that is not known.

use crate::error::{At, Problem};

/// How alike two words must be, 0 to 1: one slip in three letters, two in five.
const LIKENESS_MIN: f64 = 0.6;

/// What the top level is called in messages.
pub(crate) const TOP_LEVEL: &str = "at the top level";

/// Of `known`, the word most like `word`, if one is like it at all.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let likeness = |known: &'a str| (strsim::normalized_damerau_levenshtein(word, known), known);
    let alike = known.into_iter().map(likeness).filter(|(likeness, _)| *likeness >= LIKENESS_MIN);
    alike.max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, known)| known)
}

/// `` `a`, `b`, `c` ``
pub(crate) fn list<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// The keys that nobody asked for. Judged when all tables were read, since a key may only stand in the wrong one.
#[derive(Default)]
pub(crate) struct Unknown {
    /// The keys of each kind of table.
    tables: Vec<(&'static str, Vec<&'static str>)>,
    keys: Vec<UnknownKey>,
}

struct UnknownKey {
    table: &'static str,
    key: String,
    at: At,
}

impl Unknown {
    /// Takes in a table: what it may hold, and what else was in it.
    pub(crate) fn add<'a>(
        &mut self,
        table: &'static str,
        known: impl Iterator<Item = &'static str>,
        left: impl Iterator<Item = (&'a str, At)>,
    ) {
        if !self.tables.iter().any(|(name, _)| *name == table) {
            self.tables.push((table, known.collect()));
        }
        self.keys.extend(left.map(|(key, at)| UnknownKey { table, key: key.escape_debug().to_string(), at }));
    }

    pub(crate) fn into_problems(self) -> Vec<Problem> {
        let problem = |unknown: &UnknownKey| {
            let UnknownKey { table, key, at } = unknown;
            Problem { at: at.clone(), text: format!("unknown key `{key}` {table}: {}", self.advice(table, key)) }
        };
        self.keys.iter().map(problem).collect()
    }

    fn advice(&self, table: &str, key: &str) -> String {
        let elsewhere = self.tables.iter().filter(|(_, known)| known.contains(&key)).map(|(name, _)| match *name {
            // TOML has no way back to the top level once a table has begun.
            TOP_LEVEL => "at the top of the file, before the first [table]",
            name => name,
        });
        let elsewhere = elsewhere.collect::<Vec<_>>().join(" or ");
        if !elsewhere.is_empty() {
            return format!("it belongs {elsewhere}");
        }
        let here = self.tables.iter().filter(|(name, _)| *name == table).flat_map(|(_, known)| known.iter().copied());
        match nearest(key, here.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("remove it, or write one of {}", list(here)),
        }
    }
}
