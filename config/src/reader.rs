//! A TOML document read key by key. Whoever reads a key makes it known; what nobody read is unknown. Problems are
//! collected with their place, so that one pass finds them all.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use crate::error::{At, Problem};
use crate::suggestion::{TOP_LEVEL, Unknown};
use crate::value::Value;
use crate::{ConfigError, Place};

/// What every variable that overrides a key starts with.
const VARIABLE_PREFIX: &str = "LIME__";

/// How the parser's messages begin where text was meant and quotes were forgotten.
const UNQUOTED: [&str; 4] = ["string values must be quoted", "invalid float", "invalid date", "invalid time"];

/// Proof that a problem was recorded: whoever is handed one need say no more. Only the document makes them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reported(());

/// A key, and a value that would be right: each message about the key ends in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) example: &'static str,
}

impl Key {
    pub(crate) const fn new(name: &'static str, example: &'static str) -> Self {
        Self { name, example }
    }
}

/// The file that is being read, and what was found wrong with it so far.
pub(crate) struct Document<'d> {
    text: &'d str,
    file: Arc<Path>,
    /// Byte offset of the first character of each line.
    line_starts: Vec<usize>,
    env: &'d dyn Fn(&str) -> Option<String>,
    problems: RefCell<Vec<Problem>>,
    unknown: RefCell<Unknown>,
}

/// Reads `text` with `read`, which is given the top level. A value comes of it only if no problem was recorded
/// anywhere, so a rule may record its problem and go on.
pub(crate) fn read<T>(
    text: &str,
    path: &Path,
    env: &dyn Fn(&str) -> Option<String>,
    read: impl FnOnce(&mut Table<'_>) -> Result<T, Reported>,
) -> Result<T, ConfigError> {
    let document = Document {
        text,
        file: path.into(),
        line_starts: std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect(),
        env,
        problems: RefCell::default(),
        unknown: RefCell::default(),
    };
    let (root, faults) = DeTable::parse_recoverable(text);
    // What TOML itself cannot read is guessed at by the parser: judging that would only add riddles.
    if !faults.is_empty() {
        return Err(ConfigError::new(&document.file, document.not_toml(&faults)));
    }
    let top = Table {
        document: &document,
        name: TOP_LEVEL,
        at: At::WholeFile,
        variables: Some(VARIABLE_PREFIX.into()),
        entries: root.into_inner(),
        known: Vec::new(),
    };
    let result = top.read_all(read);
    let Document { file, problems, unknown, .. } = document;
    let mut problems = problems.into_inner();
    problems.extend(unknown.into_inner().into_problems());
    match result {
        Ok(value) if problems.is_empty() => Ok(value),
        Ok(_) | Err(Reported(())) => Err(ConfigError::new(&file, problems)),
    }
}

impl Document<'_> {
    pub(crate) fn report(&self, at: &At, text: String) -> Reported {
        self.problems.borrow_mut().push(Problem { at: at.clone(), text });
        Reported(())
    }

    /// Where the character at byte `offset` stands.
    pub(crate) fn at(&self, offset: usize) -> At {
        let line = self.line_starts.partition_point(|start| *start <= offset);
        let start = line.checked_sub(1).and_then(|index| self.line_starts.get(index)).copied().unwrap_or_default();
        let column = self.text.get(start..offset).map_or(1, |before| before.chars().count() + 1);
        At::Text { line, column }
    }

    pub(crate) fn place(&self, at: &At) -> Place {
        Place { file: Arc::clone(&self.file), line: at.line().unwrap_or(1) }
    }

    /// The folder that relative paths of the file start from.
    pub(crate) fn folder(&self) -> PathBuf {
        self.file.parent().map(PathBuf::from).unwrap_or_default()
    }

    /// One problem a line: the parser's next ones there are mostly echoes of the first.
    fn not_toml(&self, faults: &[toml::de::Error]) -> Vec<Problem> {
        let problem = |fault: &toml::de::Error| {
            let span = fault.span().unwrap_or_default();
            let at = self.at(span.start);
            let text = match (fault.message(), self.text.get(span)) {
                ("duplicate key", Some(key)) => format!("`{key}` stands twice: keep one"),
                (message, _) if UNQUOTED.iter().any(|start| message.starts_with(start)) => {
                    "neither a number nor a date nor true or false: write text in quotes, like `key = \"text\"`".into()
                }
                (message, _) => format!("not TOML: {message}: mend this first, the rest was not judged"),
            };
            Problem { at, text }
        };
        let mut problems: Vec<Problem> = faults.iter().map(problem).collect();
        problems.sort_by(|a, b| a.at.cmp(&b.at));
        problems.dedup_by_key(|problem| problem.at.line());
        problems
    }
}

/// A table of the document, or the environment in its place.
pub(crate) struct Table<'d> {
    document: &'d Document<'d>,
    /// As it follows a key in a message: `in [server]`.
    name: &'static str,
    at: At,
    /// What the variables that override its keys start with, if any do.
    variables: Option<String>,
    entries: DeTable<'d>,
    /// Every key that was asked for, and where it was found.
    known: Vec<(&'static str, Option<At>)>,
}

impl<'d> Table<'d> {
    /// A table inside another one, which the environment does not reach.
    pub(crate) fn nested(document: &'d Document<'d>, name: &'static str, at: At, entries: DeTable<'d>) -> Self {
        Self { document, name, at, variables: None, entries, known: Vec::new() }
    }

    /// Reads the table; what `read` did not ask for is unknown.
    pub(crate) fn read_all<T>(mut self, read: impl FnOnce(&mut Self) -> Result<T, Reported>) -> Result<T, Reported> {
        let result = read(&mut self);
        let left = self.entries.iter().map(|(key, _)| (key.get_ref().as_ref(), self.document.at(key.span().start)));
        let known = self.known.iter().map(|(key, _)| *key);
        self.document.unknown.borrow_mut().add(self.name, known, left);
        result
    }

    /// The value of `key`, read by `read`; `None` when it is not there.
    pub(crate) fn optional<T>(
        &mut self,
        key: Key,
        read: impl FnOnce(Value<'d>) -> Result<T, Reported>,
    ) -> Result<Option<T>, Reported> {
        self.take(key).map(read).transpose()
    }

    /// The value of `key`, whose absence is a problem.
    pub(crate) fn required<T>(
        &mut self,
        key: Key,
        read: impl FnOnce(Value<'d>) -> Result<T, Reported>,
    ) -> Result<T, Reported> {
        match self.take(key) {
            Some(value) => read(value),
            None => {
                let Key { name, example } = key;
                Err(self.report(key, &format!("no `{name}` {}: write `{name} = {example}`", self.name)))
            }
        }
    }

    /// The table `[key]`, empty when it is not there. The environment reaches into it.
    pub(crate) fn section<T>(
        &mut self,
        key: Key,
        name: &'static str,
        read: impl FnOnce(&mut Self) -> Result<T, Reported>,
    ) -> Result<T, Reported> {
        let mut table = match self.take(key) {
            Some(value) => value.into_table(name)?,
            None => Table::nested(self.document, name, At::WholeFile, DeTable::default()),
        };
        table.variables = self.variable(key).map(|variable| variable + "__");
        table.read_all(read)
    }

    /// The tables `[[key]]`, in their order.
    pub(crate) fn sections<T>(
        &mut self,
        key: Key,
        name: &'static str,
        mut read: impl FnMut(&mut Self) -> Result<T, Reported>,
    ) -> Result<Vec<T>, Reported> {
        let Some(value) = self.take(key) else { return Ok(Vec::new()) };
        let mut read_one = |value: Value<'d>| value.into_table(name)?.read_all(&mut read);
        value.sections()?.into_iter().map(&mut read_one).collect::<Vec<_>>().into_iter().collect()
    }

    /// The tables `[key.NAME]`, each read with its name.
    pub(crate) fn named<T>(
        &mut self,
        key: Key,
        name: &'static str,
        mut read: impl FnMut(&mut Self, &str) -> Result<T, Reported>,
    ) -> Result<Vec<T>, Reported> {
        let Some(value) = self.take(key) else { return Ok(Vec::new()) };
        let tables = value.named()?.into_iter();
        let read_one = |(own, value): (String, Value<'d>)| value.into_table(name)?.read_all(|table| read(table, &own));
        tables.map(read_one).collect::<Vec<_>>().into_iter().collect()
    }

    /// Where `key` was written, if it was. Only for keys that were read.
    pub(crate) fn written(&self, key: Key) -> Option<&At> {
        self.known.iter().find(|(name, _)| *name == key.name).and_then(|(_, at)| at.as_ref())
    }

    /// Takes a value that stood at `at` for the one of `key`, so that problems with it are shown there.
    pub(crate) fn adopt(&mut self, key: Key, at: At) {
        self.known.retain(|(name, _)| *name != key.name);
        self.known.push((key.name, Some(at)));
    }

    /// The line of `key`, else of the table.
    pub(crate) fn place(&self, key: Key) -> Place {
        self.document.place(self.written(key).unwrap_or(&self.at))
    }

    /// Records a problem with the value of `key`, or with its absence.
    pub(crate) fn report(&self, key: Key, text: &str) -> Reported {
        self.document.report(self.written(key).unwrap_or(&self.at), text.to_owned())
    }

    /// Records a problem with what was written at `place`.
    pub(crate) fn report_at(&self, place: &Place, text: &str) -> Reported {
        self.document.report(&At::Text { line: place.line, column: 1 }, text.to_owned())
    }

    /// A variable of the environment that is not named after a key.
    pub(crate) fn environment(&self, name: &str) -> Option<String> {
        (self.document.env)(name)
    }

    fn variable(&self, key: Key) -> Option<String> {
        self.variables.as_ref().map(|prefix| prefix.clone() + &key.name.to_ascii_uppercase())
    }

    fn take(&mut self, key: Key) -> Option<Value<'d>> {
        let written = self.entries.remove(key.name);
        let overriding = self.variable(key).and_then(|name| self.environment(&name).map(|text| (name, text)));
        let found = match (overriding, written) {
            (Some((name, text)), _) => Some((At::Variable(name), DeValue::String(text.into()))),
            (None, Some(value)) => Some((self.document.at(value.span().start), value.into_inner())),
            (None, None) => None,
        };
        self.known.push((key.name, found.as_ref().map(|(at, _)| at.clone())));
        let (at, content) = found?;
        Some(Value::new(self.document, key, at, content))
    }
}

#[cfg(test)]
mod tests;
