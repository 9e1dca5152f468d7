//! How a command ends when it does not succeed: a message that ends in an action, and an exit code that scripts can
//! tell apart.

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use crate::terminal;

/// A command that did not do what it was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: Kind,
    message: String,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Runtime = 1,
    Usage = 2,
    Config = 3,
    Bind = 4,
}

impl Failure {
    /// Something went wrong on the way: exit code 1.
    pub(crate) fn runtime(message: impl Into<String>) -> Self {
        Self { kind: Kind::Runtime, message: message.into() }
    }

    /// An error and what caused it, as one line: exit code 1.
    pub(crate) fn from_error(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::runtime(chain(error.into().as_ref()))
    }

    /// The command line asks for something that cannot be: exit code 2.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { kind: Kind::Usage, message: message.into() }
    }

    /// The configuration is not one: exit code 3.
    pub(crate) fn config(error: &(dyn Error + 'static)) -> Self {
        Self { kind: Kind::Config, message: chain(error) }
    }

    /// The configuration does not do what was expected of it: exit code 3.
    pub(crate) fn expected(message: impl Into<String>) -> Self {
        Self { kind: Kind::Config, message: message.into() }
    }

    /// The same, with the line it is about.
    pub(crate) fn at(self, path: &Path, line: usize) -> Self {
        Self { message: format!("{}:{line}: {}", path.display(), self.message), ..self }
    }

    /// A listener could not be opened: exit code 4.
    pub(crate) fn bind(message: impl Into<String>) -> Self {
        Self { kind: Kind::Bind, message: message.into() }
    }

    /// Says it on stderr and gives the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        terminal::complain(&format!("lime: {}", self.message));
        ExitCode::from(self.kind as u8)
    }
}

fn chain(error: &(dyn Error + 'static)) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        message.push_str(": ");
        message.push_str(&error.to_string());
        cause = error.source();
    }
    message
}
