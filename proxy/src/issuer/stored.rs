//! What of an issuer lies in the state folder.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_lc_rs::digest;
use config::IssuerUrl;
use filters::RevocationRow;
use passport::{KeyId, SiteId, UnixTime};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::state::{StateFiles, to_hex};

/// The files also say when the issuer was last heard; once a minute is often enough for that alone.
const TOUCHED_EVERY: Duration = Duration::from_secs(60);

/// The names of an issuer's files.
#[derive(Debug)]
pub(super) struct FileNames {
    pub(super) keys: String,
    pub(super) revocations: String,
}

impl FileNames {
    pub(super) fn of(issuer: &IssuerUrl) -> Self {
        let name = to_hex(digest::digest(&digest::SHA256, issuer.as_str().as_bytes()).as_ref());
        let name = name.get(..16).unwrap_or_default();
        Self { keys: format!("keys-{name}.json"), revocations: format!("revocations-{name}.json") }
    }
}

/// The key-set file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct StoredKeys {
    pub(super) issuer: String,
    pub(super) fetched_at: UnixTime,
    pub(super) jwks: String,
    /// A key is revoked for ever: its name stays here, whatever becomes of the log.
    pub(super) revoked: BTreeSet<KeyId>,
}

/// The revocation file. `rows` is filled only as it is written.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct StoredRevocations {
    pub(super) issuer: String,
    /// The position in the log up to which rows are in the table; `None` before the first answer.
    pub(super) seq: Option<u64>,
    pub(super) heard_at: Option<UnixTime>,
    pub(super) rows: Vec<RevocationRow>,
    /// The ids of our sites there, by URL.
    pub(super) sites: BTreeMap<String, SiteId>,
}

/// Whether what is known differs from the file, and when that was last written.
#[derive(Debug, Default)]
pub(super) struct Unsaved {
    pub(super) differs: bool,
    pub(super) saved_at: Option<UnixTime>,
}

impl Unsaved {
    pub(super) fn is_due(&self, now: UnixTime) -> bool {
        self.saved_at.is_none_or(|saved| now.since(saved) >= TOUCHED_EVERY)
    }

    pub(super) fn take(&mut self, now: UnixTime) -> bool {
        let differs = std::mem::take(&mut self.differs);
        if differs {
            self.saved_at = Some(now);
        }
        differs
    }
}

/// There is a file, and it is not believed.
#[derive(Clone, Copy, Debug)]
pub(super) struct NotBelieved;

/// What was stored, if anything was. A file that is not believed is said so aloud.
pub(super) fn load<T: DeserializeOwned>(files: &StateFiles, name: &str) -> Result<Option<T>, NotBelieved> {
    files.load(name).map_err(|cause| {
        tracing::warn!(error = &cause as &dyn std::error::Error, "a state file is not believed and left aside");
        NotBelieved
    })
}
