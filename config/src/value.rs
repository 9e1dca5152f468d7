//! One value of the document, on its way to a type.

use std::fmt;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use toml::de::DeValue;

use crate::error::At;
use crate::reader::{Document, Key, Reported, Table};
use crate::{Place, duration, listen_address, suggestion};

/// A value as it was written, with its place: in the file, or in the variable that overrides the file.
pub(crate) struct Value<'d> {
    document: &'d Document<'d>,
    key: Key,
    at: At,
    content: DeValue<'d>,
}

impl<'d> Value<'d> {
    pub(crate) const fn new(document: &'d Document<'d>, key: Key, at: At, content: DeValue<'d>) -> Self {
        Self { document, key, at, content }
    }

    /// Records that the value is not what it should be. `problem` ends in what to write.
    pub(crate) fn report(&self, problem: impl fmt::Display) -> Reported {
        self.document.report(&self.at, format!("`{}`: {problem}", self.key.name))
    }

    /// Where it was written.
    pub(crate) fn place(&self) -> Place {
        self.document.place(&self.at)
    }

    /// A string that is not empty.
    pub(crate) fn string(&self) -> Result<&str, Reported> {
        let DeValue::String(text) = &self.content else { return Err(self.is_not("a string")) };
        let Key { name, example } = self.key;
        if text.is_empty() { Err(self.report(format!("is empty: write `{name} = {example}`"))) } else { Ok(text) }
    }

    /// A string that `parse` understands.
    pub(crate) fn parsed_by<T, E: fmt::Display>(
        &self,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, Reported> {
        parse(self.string()?).map_err(|problem| self.report(problem))
    }

    /// A string that is a `T`.
    pub(crate) fn parsed<T: FromStr<Err: fmt::Display>>(self) -> Result<T, Reported> {
        self.parsed_by(T::from_str)
    }

    /// One of `words`.
    pub(crate) fn word<T: Copy>(&self, words: &[(&str, T)]) -> Result<T, Reported> {
        self.parsed_by(|text| {
            let found = words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning);
            let known = || words.iter().map(|(word, _)| *word);
            found.ok_or_else(|| match suggestion::nearest(text, known()) {
                Some(near) => format!("`{text}` is not known: did you mean \"{near}\"?"),
                None => format!("`{text}` is not known: write one of {}", suggestion::list(known())),
            })
        })
    }

    /// `true` or `false`.
    pub(crate) fn boolean(self) -> Result<bool, Reported> {
        if let DeValue::Boolean(value) = self.content { Ok(value) } else { Err(self.is_not("true or false")) }
    }

    /// `true` or `false`, where something else may stand too.
    pub(crate) const fn as_boolean(&self) -> Option<bool> {
        if let DeValue::Boolean(value) = &self.content { Some(*value) } else { None }
    }

    /// The digits of a whole number, where something else may stand too.
    pub(crate) fn as_integer(&self) -> Option<&str> {
        let DeValue::Integer(number) = &self.content else { return None };
        (number.radix() == 10).then_some(number.as_str())
    }

    /// A whole number within `range`.
    pub(crate) fn integer(&self, range: RangeInclusive<u32>) -> Result<u32, Reported> {
        let (digits, radix) = match (&self.content, &self.at) {
            (DeValue::Integer(number), _) => (number.as_str(), number.radix()),
            // A variable has no types.
            (DeValue::String(text), At::Variable(_)) => (text.as_ref(), 10),
            _ => return Err(self.is_not("a whole number")),
        };
        match u32::from_str_radix(digits, radix) {
            Ok(number) if range.contains(&number) => Ok(number),
            Ok(_) | Err(_) => {
                Err(self.report(format!("{digits} does not fit: write {} to {}", range.start(), range.end())))
            }
        }
    }

    /// A duration within `range`.
    pub(crate) fn duration(&self, range: RangeInclusive<Duration>) -> Result<Duration, Reported> {
        let value = self.parsed_by(duration::parse)?;
        if range.contains(&value) {
            return Ok(value);
        }
        let (value, least, most) =
            (duration::text(value), duration::text(*range.start()), duration::text(*range.end()));
        Err(self.report(format!("{value} does not fit: write \"{least}\" to \"{most}\"")))
    }

    /// A path. One in the file is relative to the file's folder, one in a variable to the working folder.
    pub(crate) fn path(self) -> Result<PathBuf, Reported> {
        self.string().map(|text| self.resolved(text))
    }

    /// `text`, a part of this value, as a path.
    pub(crate) fn resolved(&self, text: &str) -> PathBuf {
        match self.at {
            At::Text { .. } | At::WholeFile => self.document.folder().join(text),
            At::Variable(_) => text.into(),
        }
    }

    /// Addresses to listen on.
    pub(crate) fn addresses(self) -> Result<Vec<SocketAddr>, Reported> {
        self.each(|value| value.parsed_by(listen_address))
    }

    /// A list of what `read` reads. A single string is a list of one; in a variable, commas part the items.
    pub(crate) fn each<T>(self, read: impl Fn(Self) -> Result<T, Reported>) -> Result<Vec<T>, Reported> {
        let Self { document, key, at, content } = self;
        let items: Vec<Self> = match (content, &at) {
            (DeValue::Array(items), _) => {
                let item = |item: toml::Spanned<DeValue<'d>>| {
                    Self::new(document, key, document.at(item.span().start), item.into_inner())
                };
                items.into_iter().map(item).collect()
            }
            (DeValue::String(text), At::Variable(_)) => {
                let item =
                    |item: &str| Self::new(document, key, at.clone(), DeValue::String(item.trim().to_owned().into()));
                text.split(',').map(item).collect()
            }
            (single, _) => vec![Self::new(document, key, at, single)],
        };
        // All are read before the first failure ends it, so that each is reported.
        items.into_iter().map(read).collect::<Vec<_>>().into_iter().collect()
    }

    /// The same, and then `judge` looks at all of them.
    pub(crate) fn each_and_all<T>(
        self,
        read: impl Fn(Self) -> Result<T, Reported>,
        judge: impl FnOnce(&[T]) -> Result<(), String>,
    ) -> Result<Vec<T>, Reported> {
        let (document, key, at) = (self.document, self.key, self.at.clone());
        let items = self.each(read)?;
        match judge(&items) {
            Ok(()) => Ok(items),
            Err(problem) => Err(document.report(&at, format!("`{}`: {problem}", key.name))),
        }
    }

    /// `[[key]]`, each with its place.
    pub(crate) fn sections(self) -> Result<Vec<Self>, Reported> {
        if let DeValue::Array(_) = self.content {
            return self.each(Ok);
        }
        let key = self.key.name;
        Err(self.report(format!("there may be many: write [[{key}]], with two brackets, and its keys below")))
    }

    /// A table, named `name` in messages.
    pub(crate) fn into_table(self, name: &'static str) -> Result<Table<'d>, Reported> {
        let DeValue::Table(entries) = self.content else { return Err(self.is_not("a table")) };
        Ok(Table::nested(self.document, name, self.at, entries))
    }

    /// `[key.NAME]`: the tables in it, each with its name and its place.
    pub(crate) fn named(self) -> Result<Vec<(String, Self)>, Reported> {
        let (document, key) = (self.document, self.key);
        let Self { content: DeValue::Table(entries), .. } = self else {
            let Key { name, example } = key;
            return Err(self.report(format!("each has a name: write [{name}.NAME] and its keys below, like {example}")));
        };
        let entry = |(name, value): (toml::Spanned<toml::de::DeString<'d>>, toml::Spanned<DeValue<'d>>)| {
            let at = document.at(name.span().start);
            (name.into_inner().into_owned(), Self::new(document, key, at, value.into_inner()))
        };
        Ok(entries.into_iter().map(entry).collect())
    }

    /// Whether it was written as a table rather than in one piece.
    pub(crate) const fn is_table(&self) -> bool {
        matches!(self.content, DeValue::Table(_))
    }

    fn is_not(&self, wanted: &str) -> Reported {
        let found = match &self.content {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "an integer",
            DeValue::Float(_) => "a float",
            DeValue::Boolean(_) => "a boolean",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        let Key { name, example } = self.key;
        self.report(format!("takes {wanted}, not {found}: write `{name} = {example}`"))
    }
}
