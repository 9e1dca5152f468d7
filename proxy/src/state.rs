//! `[server] state`: the folder of what must outlive a restart.
//!
//! The secret, and files under a MAC of it. A file that somebody else owns, may write or has edited is worth nothing:
//! it is refused aloud and treated as if it were not there, so that no key comes from it.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::hmac;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::unistd::Uid;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::secret::Secret;

/// Largest state file that is read, in bytes: a revocation table of 100,000 subjects is a tenth of it.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// What stands before the MAC in a file's last line.
const MAC_PREFIX: &str = "hmac-sha256 ";

/// Why something in the state folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The folder cannot be made or looked at.
    #[error("cannot use the state folder {}: make it and give it to this user", .0.display())]
    Folder(PathBuf, #[source] io::Error),
    /// Others could put files there.
    #[error("the state folder {} belongs to another user or can be written by others: chown it, chmod 700", .0.display())]
    FolderShared(PathBuf),
    /// A file could not be read or written.
    #[error("cannot read or write {}", .0.display())]
    File(PathBuf, #[source] io::Error),
    /// A file that others could have written, or no plain file.
    #[error("{} is not a file of this user alone (mode 600): it is not believed, remove it", .0.display())]
    NotOurs(PathBuf),
    /// The MAC is not that of the content: edited, cut short, or of another secret.
    #[error("{} was edited, or written under another secret: it is not believed, remove it", .0.display())]
    Edited(PathBuf),
    /// No gateway of this version writes that.
    #[error("{} is not what a gateway writes: it is not believed, remove it", .0.display())]
    Malformed(PathBuf, #[source] serde_json::Error),
}

/// The folder, and the keys its files are checked with.
#[derive(Debug)]
pub(crate) struct StateFiles {
    folder: PathBuf,
    current: hmac::Key,
    previous: Option<hmac::Key>,
}

/// Makes the folder if it is not there (0700), and refuses one in which others could put files.
pub(crate) fn open_folder(folder: &Path) -> Result<(), StateError> {
    let failed = |cause| StateError::Folder(folder.to_owned(), cause);
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    let found = fs::metadata(folder).map_err(failed)?;
    if found.uid() != Uid::effective().as_raw() || found.mode() & 0o022 != 0 {
        return Err(StateError::FolderShared(folder.to_owned()));
    }
    Ok(())
}

impl StateFiles {
    pub(crate) fn new(folder: PathBuf, secret: &Secret) -> Self {
        let key = |key: &[u8; 32]| {
            let label = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), b"lime gateway state files v1");
            hmac::Key::new(hmac::HMAC_SHA256, label.as_ref())
        };
        Self { folder, current: key(secret.current()), previous: secret.previous().map(key) }
    }

    /// What was last stored under `name`; `None` when nothing was.
    pub(crate) fn load<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, StateError> {
        let path = self.folder.join(name);
        let Some(text) = read_own(&path)? else { return Ok(None) };
        let edited = || StateError::Edited(path.clone());
        let (content, last) = text.trim_end_matches('\n').rsplit_once('\n').ok_or_else(edited)?;
        let tag = last.strip_prefix(MAC_PREFIX).and_then(from_hex).ok_or_else(edited)?;
        let message = message(name, content);
        let keys = [Some(&self.current), self.previous.as_ref()];
        if !keys.into_iter().flatten().any(|key| hmac::verify(key, &message, &tag).is_ok()) {
            return Err(edited());
        }
        serde_json::from_str(content).map(Some).map_err(|cause| StateError::Malformed(path, cause))
    }

    /// Stores `content` under `name`, whole or not at all. Blocks for as long as the disk takes.
    pub(crate) fn store<T: Serialize>(&self, name: &str, content: &T) -> Result<(), StateError> {
        let path = self.folder.join(name);
        let content = serde_json::to_string(content).map_err(|cause| StateError::Malformed(path.clone(), cause))?;
        let tag = hmac::sign(&self.current, &message(name, &content));
        let text = format!("{content}\n{MAC_PREFIX}{}\n", to_hex(tag.as_ref()));
        replace(&path, text.as_bytes()).map_err(|cause| StateError::File(path, cause))
    }
}

/// The name is under the MAC too, so that no file can take another's place.
fn message(name: &str, content: &str) -> Vec<u8> {
    [name.as_bytes(), b"\n", content.as_bytes()].concat()
}

/// Reads a file that is ours alone. A link is not followed: what it names may belong to anybody.
pub(crate) fn read_own(path: &Path) -> Result<Option<String>, StateError> {
    let failed = |cause| StateError::File(path.to_owned(), cause);
    let file = match OpenOptions::new().read(true).custom_flags(OFlag::O_NOFOLLOW.bits()).open(path) {
        Ok(file) => file,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(cause) if cause.raw_os_error().map(Errno::from_raw) == Some(Errno::ELOOP) => {
            return Err(StateError::NotOurs(path.to_owned()));
        }
        Err(cause) => return Err(failed(cause)),
    };
    let found = file.metadata().map_err(failed)?;
    let ours = found.is_file() && found.uid() == Uid::effective().as_raw() && found.mode() & 0o077 == 0;
    if !ours || found.len() > FILE_BYTES_MAX {
        return Err(StateError::NotOurs(path.to_owned()));
    }
    let mut text = String::new();
    file.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(failed)?;
    Ok(Some(text))
}

/// Written beside its place and renamed into it, so that a crash leaves the old file or the new one.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = path.with_extension("new");
    match fs::remove_file(&draft) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(cause),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    sync_folder(path)
}

/// A new name lasts once its folder is on the disk.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

pub(crate) fn to_hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| Some(digit(high)? << 4 | digit(low)?));
    if rest.is_empty() { bytes.collect() } else { None }
}

#[cfg(test)]
mod tests;
