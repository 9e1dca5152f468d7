//! The gateway's secret: what sessions are sealed and state files are checked with.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use aws_lc_rs::{digest, rand};
use config::{SecretError, SecretSource};
use secrecy::{ExposeSecret as _, SecretString};

use crate::state::{StateError, read_own, sync_folder, to_hex};

/// The file in the state folder when the configuration names no other.
const FILE: &str = "gateway.secret";

/// Shortest line that is taken for a secret, in bytes: 32 random bytes are 43 characters in base64, 64 in hex.
const LINE_BYTES_MIN: usize = 32;

/// Why there is no secret to work with.
#[derive(Debug, thiserror::Error)]
pub enum GatewaySecretError {
    /// The place the configuration names.
    #[error(transparent)]
    Source(#[from] SecretError),
    /// The file in the state folder.
    #[error(transparent)]
    State(#[from] StateError),
    /// The file in the state folder could not be made.
    #[error("cannot make {}: give the state folder to this user", .0.display())]
    Make(PathBuf, #[source] io::Error),
    /// Not one or two lines of 32 characters or more.
    #[error(
        "the gateway secret in {0} is not one or two lines (current, previous) of at least 32 characters: \
             make one with `openssl rand -hex 32`"
    )]
    Form(String),
}

/// Two 32-byte keys: what is sealed now, and what was before the last change.
pub(crate) struct Secret {
    current: [u8; 32],
    previous: Option<[u8; 32]>,
}

impl Secret {
    /// Reads the secret from where the configuration says, else from the state folder, where a first start makes it.
    pub(crate) fn open(source: Option<&SecretSource>, folder: &Path) -> Result<Self, GatewaySecretError> {
        if let Some(source) = source {
            let form = || GatewaySecretError::Form(source.to_string());
            return Self::parse(&source.read()?).ok_or_else(form);
        }
        let path = folder.join(FILE);
        let text = match read_own(&path)? {
            Some(text) => text,
            None => {
                make(&path).map_err(|cause| GatewaySecretError::Make(path.clone(), cause))?;
                read_own(&path)?.unwrap_or_default()
            }
        };
        Self::parse(&SecretString::from(text)).ok_or_else(|| GatewaySecretError::Form(path.display().to_string()))
    }

    /// The secret there is, if it can be read. Nothing is made.
    pub(crate) fn read(source: Option<&SecretSource>, folder: &Path) -> Option<Self> {
        let text = match source {
            Some(source) => source.read().ok()?,
            None => SecretString::from(read_own(&folder.join(FILE)).ok()??),
        };
        Self::parse(&text)
    }

    /// A secret that seals nothing anybody has.
    pub(crate) const fn of_nobody() -> Self {
        Self { current: [0; 32], previous: None }
    }

    fn parse(text: &SecretString) -> Option<Self> {
        let mut lines = text.expose_secret().lines().map(str::trim).filter(|line| !line.is_empty());
        let current = key(lines.next()?)?;
        let previous = match lines.next() {
            Some(line) => Some(key(line)?),
            None => None,
        };
        if lines.next().is_some() { None } else { Some(Self { current, previous }) }
    }

    pub(crate) const fn current(&self) -> &[u8; 32] {
        &self.current
    }

    pub(crate) const fn previous(&self) -> Option<&[u8; 32]> {
        self.previous.as_ref()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// The line as it stands, hashed, so that hex, base64 and passphrases all do.
fn key(line: &str) -> Option<[u8; 32]> {
    if line.len() < LINE_BYTES_MIN {
        return None;
    }
    digest::digest(&digest::SHA256, line.as_bytes()).as_ref().try_into().ok()
}

/// Written beside its place and linked into it: a crash leaves no half a secret, and of two first starts one wins.
fn make(path: &Path) -> io::Result<()> {
    let mut secret = [0; 32];
    rand::fill(&mut secret).map_err(|_| io::Error::other("no randomness"))?;
    let draft = path.with_extension(format!("new-{}", std::process::id()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    writeln!(file, "{}", to_hex(&secret))?;
    file.sync_all()?;
    let linked = match fs::hard_link(&draft, path) {
        Err(cause) if cause.kind() != io::ErrorKind::AlreadyExists => Err(cause),
        Ok(()) | Err(_) => Ok(()),
    };
    fs::remove_file(&draft)?;
    linked?;
    sync_folder(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_first_start_makes_a_secret_and_the_next_ones_find_it() {
        let folder = tempfile::tempdir().unwrap();
        let made = Secret::open(None, folder.path()).unwrap();
        let found = Secret::open(None, folder.path()).unwrap();
        assert_eq!(made.current(), found.current());
        assert!(found.previous().is_none());
        let file = folder.path().join(FILE);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left behind");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(Secret::open(None, folder.path()).is_err(), "a secret others may read is refused");
    }

    #[track_caller]
    fn check(text: &str, expected: Option<bool>) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        fs::write(&file, text).unwrap();
        let opened = Secret::open(Some(&SecretSource::File(file)), folder.path());
        assert_eq!(opened.ok().map(|secret| secret.previous().is_some()), expected, "{text:?}");
    }

    #[test]
    fn a_secret_is_one_or_two_long_lines() {
        let line = "0123456789abcdef0123456789abcdef";
        check(line, Some(false));
        check(&format!("{line}\n"), Some(false));
        check(&format!("{line}\n{line}x\n"), Some(true));
        check("short", None);
        check("", None);
        check(&format!("{line}\nshort"), None);
        check(&format!("{line}\n{line}\n{line}"), None);
    }
}
