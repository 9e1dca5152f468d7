use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// Everything that is wrong with a configuration, found in one pass. Shown as one line each, in the order of the file:
/// ``lime.toml:7:1: unknown key `orgin` in [[site]]: did you mean `origin`?``
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    problems: Vec<(Arc<Path>, Problem)>,
}

impl ConfigError {
    /// `problems` is not empty.
    pub(crate) fn new(file: &Arc<Path>, mut problems: Vec<Problem>) -> Self {
        problems.sort_by(|a, b| a.at.cmp(&b.at));
        Self { problems: problems.into_iter().map(|problem| (Arc::clone(file), problem)).collect() }
    }

    /// One problem with a whole file.
    pub(crate) fn whole_file(file: &Path, text: impl Into<String>) -> Self {
        Self::new(&file.into(), vec![Problem { at: At::WholeFile, text: text.into() }])
    }

    /// All of them as one; `None` when there is none.
    pub(crate) fn all(errors: Vec<Self>) -> Option<Self> {
        let problems: Vec<_> = errors.into_iter().flat_map(|error| error.problems).collect();
        if problems.is_empty() { None } else { Some(Self { problems }) }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (file, problem)) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            match &problem.at {
                At::WholeFile => write!(f, "{}: ", file.display())?,
                At::Text { line, column } => write!(f, "{}:{line}:{column}: ", file.display())?,
                At::Variable(name) => write!(f, "{name}: ")?,
            }
            f.write_str(&problem.text)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) at: At,
    pub(crate) text: String,
}

/// Where a value was written. Ordered as problems are shown.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum At {
    WholeFile,
    /// Both counted from 1, the column in characters.
    Text {
        line: usize,
        column: usize,
    },
    /// An environment variable.
    Variable(String),
}

impl At {
    /// The line, where there is one.
    pub(crate) const fn line(&self) -> Option<usize> {
        match self {
            Self::Text { line, .. } => Some(*line),
            Self::WholeFile | Self::Variable(_) => None,
        }
    }
}

/// For a message that is shown beside another place of the same file.
impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WholeFile => f.write_str("the file"),
            Self::Text { line, .. } => write!(f, "line {line}"),
            Self::Variable(name) => f.write_str(name),
        }
    }
}
