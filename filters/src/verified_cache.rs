//! Credentials that were verified a moment ago, so that a repeated one costs a hash instead of a signature check.

use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::digest;
use config::Site;
use moka::Expiry;
use moka::sync::Cache;

use crate::Identity;
use crate::session::KeyTag;

/// Verdicts on credentials, shared by all sites of a process.
///
/// Kept under the SHA-256 of the credential, so that the cache holds nothing that could be replayed. An entry is only a
/// claim that the bytes were verified: whether they still count is asked on every use.
pub struct VerifiedCache {
    entries: Cache<CredentialDigest, Arc<Entry>, AsItIs>,
}

impl VerifiedCache {
    /// 100,000: some 50 MB when full, and far more agents than one process serves in the minutes a token lives.
    pub const ENTRIES_MAX: u64 = 100_000;

    /// A cache of at most so many entries; the least used go first, each ends with its credential.
    #[must_use]
    pub fn new(entries_max: u64) -> Self {
        let entries = Cache::builder().max_capacity(entries_max).expire_after(UntilTheCredentialEnds);
        let entries = entries.build_with_hasher(AsItIs);
        Self { entries }
    }

    /// How many entries there are, nearly.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.entries.entry_count()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn find(&self, digest: &CredentialDigest, judged_for: &JudgedFor) -> Option<Arc<Entry>> {
        self.entries.get(digest).filter(|entry| entry.judged_for == *judged_for)
    }

    pub(crate) fn keep(&self, digest: CredentialDigest, entry: Entry) {
        self.entries.insert(digest, Arc::new(entry));
    }
}

impl Default for VerifiedCache {
    fn default() -> Self {
        Self::new(Self::ENTRIES_MAX)
    }
}

impl fmt::Debug for VerifiedCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedCache").field("entries", &self.len()).finish_non_exhaustive()
    }
}

/// The SHA-256 of a credential's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CredentialDigest([u8; digest::SHA256_OUTPUT_LEN]);

/// Eight bytes of a digest are as good a hash as any, and nobody chooses them.
impl Hash for CredentialDigest {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.first_chunk().map_or(0, |chunk| u64::from_le_bytes(*chunk)));
    }
}

/// Hashes a digest to itself.
#[derive(Clone, Copy, Debug, Default)]
struct AsItIs;

impl BuildHasher for AsItIs {
    type Hasher = FirstBytes;

    fn build_hasher(&self) -> FirstBytes {
        FirstBytes(0)
    }
}

/// The hasher of [`AsItIs`].
#[derive(Debug)]
struct FirstBytes(u64);

impl Hasher for FirstBytes {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, bytes: u64) {
        self.0 = bytes;
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }
}

impl CredentialDigest {
    pub(crate) fn of(credential: &str) -> Self {
        let mut bytes = [0; digest::SHA256_OUTPUT_LEN];
        bytes.copy_from_slice(digest::digest(&digest::SHA256, credential.as_bytes()).as_ref());
        Self(bytes)
    }
}

/// What of a site's configuration a verdict depends on, as a digest. A verdict for one site, or for this site as it was
/// configured before, is none for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct JudgedFor(CredentialDigest);

impl JudgedFor {
    pub(crate) fn new(site: &Site) -> Self {
        // `Debug` shows every member of what decides; where it is written in a file does not.
        let issuers = site.issuers.iter().map(|issuer| {
            let config::TrustedIssuer { name, url, kind, algorithms, typ, leeway, jwks, defined_at: _ } = &**issuer;
            (name, url, kind, algorithms, typ, leeway, jwks)
        });
        let issuers: Vec<_> = issuers.collect();
        let resources: Vec<_> = site.mcp.iter().map(|endpoint| &endpoint.resource).collect();
        let text = format!("{} {:?} {issuers:?} {:?} {resources:?}", site.url, site.also, site.session_ttl);
        Self(CredentialDigest::of(&text))
    }
}

/// A credential that was verified.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) judged_for: JudgedFor,
    pub(crate) vouched_by: VouchedBy,
    pub(crate) identity: Arc<Identity>,
    /// How long it can count at most, from when it was verified.
    pub(crate) counts_for: Duration,
}

impl Entry {
    /// Which of the site's issuers vouched for it; `None` for a session.
    pub(crate) const fn issuer(&self) -> Option<usize> {
        match self.vouched_by {
            VouchedBy::KeySet { issuer, .. } => Some(issuer),
            VouchedBy::Seal(_) => None,
        }
    }
}

/// What has to be there still for a verdict to stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VouchedBy {
    /// The issuer's key set of this generation.
    KeySet {
        /// Which of the site's issuers.
        issuer: usize,
        /// See [`IssuerView::generation`](crate::IssuerView::generation).
        generation: u64,
    },
    /// A sealing key of ours.
    Seal(KeyTag),
}

struct UntilTheCredentialEnds;

impl Expiry<CredentialDigest, Arc<Entry>> for UntilTheCredentialEnds {
    fn expire_after_create(&self, _: &CredentialDigest, entry: &Arc<Entry>, _: Instant) -> Option<Duration> {
        Some(entry.counts_for)
    }

    fn expire_after_update(
        &self,
        _: &CredentialDigest,
        entry: &Arc<Entry>,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(entry.counts_for)
    }
}
