use std::fmt;
use std::str::FromStr;

/// Which paths a rule is for. `/a` is that path, also with one final slash, which most servers
/// take for the same; `/a/*` is `/a/`, all below it and `/a` itself; `/*` is every path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PathPattern(Shape);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Shape {
    All,
    Exact(Box<str>),
    /// Without the final `/*`.
    Below(Box<str>),
}

/// Why a text is no [`PathPattern`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPathPattern {
    /// It does not start at the root.
    #[error("a path starts with a slash: write it like \"/agents/*\"")]
    NoLeadingSlash,
    /// A `*` that is not the whole last segment.
    #[error("`*` may only stand alone at the end: write \"/agents/*\" for a folder and all below it")]
    Star,
    /// A query or fragment.
    #[error("a path is matched without its query: leave out `?` and `#` and what follows")]
    Query,
    /// A byte that a path on the wire does not carry as it is, or that is read in two ways.
    #[error("`{0}` is read differently by different servers: protect the folder above it, like \"/agents/*\"")]
    Character(char),
    /// `.` or `..` as a segment.
    #[error("`.` and `..` are resolved before a path is matched: write the path they lead to")]
    DotSegment,
    /// Two slashes in a row.
    #[error("`//` is resolved before a path is matched: write a single slash")]
    DoubleSlash,
}

impl PathPattern {
    /// Smaller for what is meant more narrowly: a single path, then folders from the longest to the shortest.
    pub(crate) fn specificity(&self) -> (bool, std::cmp::Reverse<usize>) {
        match &self.0 {
            Shape::Exact(path) => (false, std::cmp::Reverse(path.len())),
            Shape::Below(folder) => (true, std::cmp::Reverse(folder.len())),
            Shape::All => (true, std::cmp::Reverse(0)),
        }
    }

    /// The path, or the folder without its final slash.
    pub(crate) fn text(&self) -> &str {
        match &self.0 {
            Shape::All => "",
            Shape::Exact(path) | Shape::Below(path) => path,
        }
    }

    /// A path that is meant: the narrowest of a folder.
    pub(crate) fn sample(&self) -> String {
        match &self.0 {
            Shape::All => "/".to_owned(),
            Shape::Exact(path) => path.to_string(),
            Shape::Below(folder) => format!("{folder}/"),
        }
    }

    /// Whether `path` (no query) is meant. Bytes are compared as they are: resolving them is the caller's part.
    #[must_use]
    pub fn matches(&self, path: &[u8]) -> bool {
        match &self.0 {
            Shape::All => true,
            Shape::Exact(text) => path.strip_prefix(text.as_bytes()).is_some_and(|rest| matches!(rest, [] | [b'/'])),
            Shape::Below(folder) => {
                path.strip_prefix(folder.as_bytes()).is_some_and(|rest| matches!(rest, [] | [b'/', ..]))
            }
        }
    }
}

impl FromStr for PathPattern {
    type Err = BadPathPattern;

    fn from_str(text: &str) -> Result<Self, BadPathPattern> {
        if !text.starts_with('/') {
            return Err(BadPathPattern::NoLeadingSlash);
        }
        let (path, is_folder) = text.strip_suffix("/*").map_or((text, false), |folder| (folder, true));
        is_plain(path)?;
        if is_folder && path.ends_with('/') {
            return Err(BadPathPattern::DoubleSlash);
        }
        Ok(Self(match (path, is_folder) {
            ("", true) => Shape::All,
            (_, true) => Shape::Below(path.into()),
            (_, false) => Shape::Exact(path.into()),
        }))
    }
}

/// Whether every reading of the path (raw, decoded, resolved) is the path itself.
fn is_plain(path: &str) -> Result<(), BadPathPattern> {
    if path.contains('*') {
        return Err(BadPathPattern::Star);
    }
    if path.contains(['?', '#']) {
        return Err(BadPathPattern::Query);
    }
    if let Some(odd) = path.chars().find(|c| !c.is_ascii_graphic() || matches!(c, '%' | '\\' | ';')) {
        return Err(BadPathPattern::Character(odd));
    }
    if path.contains("//") {
        return Err(BadPathPattern::DoubleSlash);
    }
    if path.split('/').any(|segment| matches!(segment, "." | "..")) {
        return Err(BadPathPattern::DotSegment);
    }
    Ok(())
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Shape::All => f.write_str("/*"),
            Shape::Exact(path) => f.write_str(path),
            Shape::Below(folder) => write!(f, "{folder}/*"),
        }
    }
}

#[cfg(test)]
mod tests;
