use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use crate::reader::{Key, Reported};
use crate::value::Value;

const FILE: Key = Key::new("file", r#""/etc/lime/shop.token""#);
const ENV: Key = Key::new("env", r#""SHOP_TOKEN""#);

/// Largest secret that is read, in bytes. Keys and tokens have a few hundred; more is the wrong file.
const SECRET_BYTES_MAX: u64 = 64 * 1024;

/// Where a secret lies. The configuration knows the place, never the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// `{ file = "/etc/lime/shop.token" }`
    File(PathBuf),
    /// `{ env = "SHOP_TOKEN" }`: the name of an environment variable.
    Env(String),
}

impl SecretSource {
    /// Reads the secret and drops one final line break, which editors and `echo` leave behind.
    ///
    /// # Errors
    /// [`SecretError`] when it is absent, empty, not text or larger than a secret is.
    pub fn read(&self) -> Result<SecretString, SecretError> {
        let text = match self {
            Self::File(path) => read_file(path).map_err(|cause| SecretError::File(path.clone(), cause))?,
            Self::Env(name) => std::env::var(name).map_err(|_| SecretError::Env(name.clone()))?,
        };
        let secret = text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
        if secret.is_empty() { Err(SecretError::Empty(self.clone())) } else { Ok(SecretString::from(secret)) }
    }
}

impl SecretSource {
    /// Reads `{ file = ".." }` or `{ env = ".." }`. A secret written in place is refused and not repeated.
    pub(crate) fn of(value: Value<'_>) -> Result<Self, Reported> {
        if !value.is_table() {
            let problem = "a secret is not written here but where only Lime reads it: \
                write `{ file = \"PATH\" }` or `{ env = \"NAME\" }`";
            return Err(value.report(problem));
        }
        value.into_table("in a secret")?.read_all(|table| {
            let file = table.optional(FILE, Value::path);
            let env = table.optional(ENV, |value| value.parsed_by(variable_name));
            match (file?, env?) {
                (Some(path), None) => Ok(Self::File(path)),
                (None, Some(name)) => Ok(Self::Env(name)),
                (Some(_), Some(_)) => Err(table.report(ENV, "a secret lies in one place: keep `file` or `env`")),
                (None, None) => {
                    Err(table.report(FILE, "where does it lie? write `{ file = \"PATH\" }` or `{ env = \"NAME\" }`"))
                }
            }
        })
    }
}

/// A name that a variable can have; anything else may be the secret itself and is not repeated.
fn variable_name(text: &str) -> Result<String, &'static str> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let is_name = text.bytes().all(allowed) && !text.starts_with(|c: char| c.is_ascii_digit());
    if is_name {
        Ok(text.to_owned())
    } else {
        Err("is no name of a variable: write it like `{ env = \"SHOP_TOKEN\" }`")
    }
}

fn read_file(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let bytes = File::open(path)?.take(SECRET_BYTES_MAX + 1).read_to_string(&mut text)?;
    if u64::try_from(bytes).is_ok_and(|bytes| bytes <= SECRET_BYTES_MAX) {
        Ok(text)
    } else {
        Err(io::Error::new(io::ErrorKind::FileTooLarge, "larger than 64 KiB"))
    }
}

/// The place, as the configuration would write it.
impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Env(name) => write!(f, "environment variable {name}"),
        }
    }
}

/// Why a secret could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file could not be read; the cause tells an absent one apart.
    #[error("cannot read the secret in {}: check that the file is there and that this user may read it", .0.display())]
    File(PathBuf, #[source] io::Error),
    /// The variable is not set, or not text. No cause: the standard library's repeats the value.
    #[error("cannot read the secret in environment variable {0}: set it before the start")]
    Env(String),
    /// There is nothing in it.
    #[error("the secret in {0} is empty: put the key or token there")]
    Empty(SecretSource),
}

#[cfg(test)]
mod tests;
