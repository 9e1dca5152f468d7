//! What is known of an issuer: its keys, whose credentials it took back, and whether it can be reached.
//!
//! Written by `key_refresh` and `issuer_link`, read by every request as an [`IssuerView`] that is swapped whole. What
//! was known last lies in the state folder too, so that neither an outage nor a restart makes strangers of agents.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use config::{IssuerUrl, TrustedIssuer, WebOrigin};
use filters::{Contact, IssuerView, RevocationRow, Revocations, SubjectKind};
use parking_lot::Mutex;
use passport::{KeyId, KeySet, SiteId, UnixTime};
use tokio::sync::{Notify, watch};

use crate::metrics::IssuerMetrics;
use crate::state::StateFiles;

mod stored;

use stored::{FileNames, StoredKeys, StoredRevocations, Unsaved, load};

/// No credential lives longer, so that a change which is older than this concerns none.
const ROWS_KEPT_FOR: Duration = Duration::from_hours(25);

/// How far ahead of the clock a stored time may lie; one that lies further tells nothing.
const CLOCK_LEEWAY: Duration = Duration::from_secs(120);

/// An issuer, as this process knows it.
#[derive(Debug)]
pub(crate) struct Issuer {
    pub(crate) config: Arc<TrustedIssuer>,
    view: ArcSwap<IssuerView>,
    known: Mutex<Known>,
    files: Arc<StateFiles>,
    names: FileNames,
    pub(crate) metrics: IssuerMetrics,
    /// Somebody showed a token of a key that is not known.
    pub(crate) keys_wanted: Notify,
    /// Moves on with every other key set.
    pub(crate) generations: watch::Sender<u64>,
    /// Credentials with which its events are to be followed, and those with which they are.
    links: AtomicUsize,
    following: AtomicUsize,
    /// There is something to be written.
    unsaved: Notify,
    /// Wakes everything that runs in the name of an agent.
    reconsider: Arc<Notify>,
}

#[derive(Debug)]
struct Known {
    /// As it was fetched.
    published: KeySet,
    /// Without the keys that were revoked.
    believed: KeySet,
    revoked: BTreeSet<KeyId>,
    document: Option<StoredKeys>,
    revocations: StoredRevocations,
    table: Arc<Revocations>,
    generation: u64,
    contact: Contact,
    last_contact: Option<UnixTime>,
    /// Whether the revocation log is followed: then contact is what that says, not that keys can be fetched.
    follows_log: bool,
    /// Whether the revocation file was there and was not believed.
    revocations_lost: bool,
    keys_unsaved: Unsaved,
    revocations_unsaved: Unsaved,
}

/// How the rows of an answer stand to those that were known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rows {
    /// They follow them.
    Further,
    /// They replace them, if those are still the ones up to position `known`: another link may have been quicker.
    All { known: Option<u64> },
}

impl Issuer {
    /// What the state folder knows of an issuer. A key-set file that is not believed is as good as none.
    pub(crate) fn open(
        config: Arc<TrustedIssuer>,
        files: Arc<StateFiles>,
        metrics: IssuerMetrics,
        reconsider: Arc<Notify>,
        now: UnixTime,
    ) -> Self {
        let names = FileNames::of(&config.url);
        let document = load::<StoredKeys>(&files, &names.keys).ok().flatten();
        let document = document.filter(|stored| stored.issuer == config.url.as_str());
        // Before the document is judged by its age: keys are revoked for ever.
        let mut revoked = document.as_ref().map(|stored| stored.revoked.clone()).unwrap_or_default();
        let document =
            document.filter(|at| is_past(at.fetched_at, now) && now.since(at.fetched_at) <= config.jwks.max_stale);
        let keys =
            document.as_ref().and_then(|stored| KeySet::from_jwks_of(stored.jwks.as_bytes(), &config.algorithms).ok());
        let stored = load::<StoredRevocations>(&files, &names.revocations);
        let revocations_lost = stored.is_err();
        let stored = stored.ok().flatten().filter(|stored| stored.issuer == config.url.as_str());
        let mut stored = stored.unwrap_or_default();
        stored.heard_at = stored.heard_at.filter(|at| is_past(*at, now));
        config.url.as_str().clone_into(&mut stored.issuer);
        let mut rows = std::mem::take(&mut stored.rows);
        revoked.extend(revoked_keys(&rows));
        rows.retain(|row| still_matters(row, now));
        let last_contact = stored.heard_at.or(document.as_ref().map(|stored| stored.fetched_at));
        let published = keys.unwrap_or_default();
        let known = Known {
            believed: published.without(&revoked),
            published,
            revoked,
            document,
            revocations: stored,
            table: Arc::new(Revocations::from_rows(rows)),
            generation: 1,
            contact: Contact::Lost,
            last_contact,
            follows_log: false,
            revocations_lost,
            keys_unsaved: Unsaved::default(),
            revocations_unsaved: Unsaved::default(),
        };
        Self {
            config,
            view: ArcSwap::from_pointee(known.view()),
            known: Mutex::new(known),
            files,
            names,
            metrics,
            keys_wanted: Notify::new(),
            generations: watch::Sender::new(1),
            links: AtomicUsize::new(0),
            following: AtomicUsize::new(0),
            unsaved: Notify::new(),
            reconsider,
        }
    }

    /// Its `iss`.
    pub(crate) fn url(&self) -> &IssuerUrl {
        &self.config.url
    }

    /// What a request is judged by.
    pub(crate) fn view(&self) -> Guard<Arc<IssuerView>> {
        self.view.load()
    }

    /// The revocation log will be followed, with one more credential, for as long as the answer lives. Meanwhile, keys that
    /// were fetched are no sign that nothing of it was missed; and what was known of it and got lost has to be read first.
    pub(crate) fn follow_log(self: &Arc<Self>) -> LogFollowed {
        self.links.fetch_add(1, Ordering::AcqRel);
        let mut known = self.known.lock();
        if !known.follows_log {
            known.follows_log = true;
            known.last_contact = known.revocations.heard_at;
        }
        if known.revocations_lost && known.revocations.seq.is_none() {
            known.table = Arc::new(Revocations::lost());
        }
        self.publish(&known);
        LogFollowed(Arc::clone(self))
    }

    /// A stream of events is read, for as long as the answer lives.
    pub(crate) fn following(&self) -> Following<'_> {
        self.following.fetch_add(1, Ordering::AcqRel);
        Following(&self.following)
    }

    /// Whether a stream of events is missing.
    pub(crate) fn misses_events(&self) -> bool {
        self.following.load(Ordering::Acquire) < self.links.load(Ordering::Acquire)
    }

    /// The position in the log up to which rows are known.
    pub(crate) fn position(&self) -> Option<u64> {
        self.known.lock().revocations.seq
    }

    /// The id of a site of ours, as it was last told.
    pub(crate) fn site_id(&self, url: &WebOrigin) -> Option<SiteId> {
        self.known.lock().revocations.sites.get(url.as_str()).cloned()
    }

    /// Takes over a key set that was fetched.
    pub(crate) fn took_keys(&self, keys: KeySet, jwks: &str, now: UnixTime) {
        let mut known = self.known.lock();
        let is_new = known.document.as_ref().is_none_or(|stored| stored.jwks != jwks) || known.published.is_empty();
        if is_new {
            known.published = keys;
            known.keys_changed();
        }
        let revoked = known.revoked.clone();
        let issuer = self.url().as_str().to_owned();
        known.document = Some(StoredKeys { issuer, fetched_at: now, jwks: jwks.to_owned(), revoked });
        known.keys_unsaved.differs |= is_new || known.keys_unsaved.is_due(now);
        known.contact = Contact::Kept;
        if !known.follows_log {
            known.last_contact = Some(now);
        }
        self.metrics.last_success.set(i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
        self.publish(&known);
    }

    /// An attempt to reach the issuer failed. Keys that nobody confirmed for too long are given up.
    pub(crate) fn lost(&self, now: UnixTime) {
        let mut known = self.known.lock();
        known.contact = Contact::Lost;
        let stale =
            known.document.as_ref().is_none_or(|stored| now.since(stored.fetched_at) > self.config.jwks.max_stale);
        if stale && !known.published.is_empty() {
            tracing::warn!(issuer = %self.url(), "the key set could not be fetched for `max_stale` and is no longer believed");
            known.published = KeySet::default();
            known.keys_changed();
        }
        self.publish(&known);
    }

    /// The issuer was heard, and up to now no row of its log is missing.
    pub(crate) fn heard(&self, now: UnixTime) {
        let mut known = self.known.lock();
        known.contact = Contact::Kept;
        known.last_contact = Some(now);
        known.revocations.heard_at = Some(now);
        known.revocations_unsaved.differs |= known.revocations_unsaved.is_due(now);
        self.publish(&known);
    }

    /// Takes over rows of the log up to position `seq`, and closes what runs in the name of those they concern.
    pub(crate) fn took_rows(&self, rows: Vec<RevocationRow>, seq: u64, which: Rows) {
        let mut known = self.known.lock();
        let position = known.revocations.seq;
        let is_late = match which {
            Rows::Further => position.is_some_and(|position| seq <= position),
            Rows::All { known } => position != known,
        };
        if is_late {
            return;
        }
        known.revoke_keys(revoked_keys(&rows));
        let changes = which != Rows::Further || !rows.is_empty();
        known.table = Arc::new(match which {
            Rows::Further => known.table.with_all(rows),
            Rows::All { .. } => Revocations::from_rows(rows),
        });
        known.revocations.seq = Some(seq);
        known.revocations_unsaved.differs = true;
        self.publish(&known);
        if changes {
            self.reconsider.notify_waiters();
        }
    }

    /// Takes over the ids of our sites.
    pub(crate) fn took_site_ids(&self, ids: impl IntoIterator<Item = (String, SiteId)>) {
        let mut known = self.known.lock();
        for (url, id) in ids {
            if known.revocations.sites.get(&url) != Some(&id) {
                known.revocations.sites.insert(url, id);
                known.revocations_unsaved.differs = true;
            }
        }
        self.publish(&known);
    }

    fn publish(&self, known: &Known) {
        let view = known.view();
        self.metrics.keys.set(i64::try_from(view.keys.len()).unwrap_or(i64::MAX));
        self.metrics.contact.set(i64::from(known.contact == Contact::Kept));
        self.view.store(Arc::new(view));
        self.generations.send_if_modified(|generation| {
            let moved = *generation != known.generation;
            *generation = known.generation;
            moved
        });
        if known.keys_unsaved.differs || known.revocations_unsaved.differs {
            self.unsaved.notify_one();
        }
    }

    /// Writes what changed to the state folder, for as long as it is polled. Changes that come while the disk is busy go
    /// with the next write.
    pub(crate) async fn save_changes(self: Arc<Self>) {
        loop {
            self.unsaved.notified().await;
            let issuer = Arc::clone(&self);
            if let Err(cause) = tokio::task::spawn_blocking(move || issuer.save()).await {
                tracing::error!(issuer = %self.url(), error = &cause as &dyn std::error::Error, "saving failed");
            }
        }
    }

    /// Writes what changed since the last time. Blocks for as long as the disk takes.
    pub(crate) fn save(&self) {
        let now = crate::clock::now();
        let (keys, revocations) = {
            let mut known = self.known.lock();
            let keys = known.document.clone().filter(|_| known.keys_unsaved.take(now));
            // A file that is not believed stays until there is a better one, or the next start would know of no loss.
            let is_due = !known.table.is_lost() && known.revocations_unsaved.take(now);
            let revocations = is_due.then(|| {
                let rows = known.table.rows().filter(|row| still_matters(row, now)).collect();
                StoredRevocations { rows, ..known.revocations.clone() }
            });
            (keys, revocations)
        };
        // Said, and tried again with the next change: serving does not depend on it.
        let said = |stored: Result<(), crate::state::StateError>| {
            if let Err(cause) = stored {
                tracing::error!(error = &cause as &dyn std::error::Error, "state was not saved");
            }
        };
        if let Some(keys) = keys {
            said(self.files.store(&self.names.keys, &keys));
        }
        if let Some(revocations) = revocations {
            said(self.files.store(&self.names.revocations, &revocations));
        }
    }
}

/// A revocation log that is followed.
#[derive(Debug)]
pub(crate) struct LogFollowed(Arc<Issuer>);

impl Drop for LogFollowed {
    fn drop(&mut self) {
        let mut known = self.0.known.lock();
        if self.0.links.fetch_sub(1, Ordering::AcqRel) == 1 {
            known.follows_log = false;
        }
    }
}

/// A stream of events that is read.
#[derive(Debug)]
pub(crate) struct Following<'a>(&'a AtomicUsize);

impl Drop for Following<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Known {
    fn view(&self) -> IssuerView {
        IssuerView {
            keys: self.believed.clone(),
            generation: self.generation,
            revocations: Arc::clone(&self.table),
            contact: self.contact,
            last_contact: self.last_contact,
        }
    }

    fn revoke_keys(&mut self, kids: Vec<KeyId>) {
        let before = self.revoked.len();
        self.revoked.extend(kids);
        if self.revoked.len() == before {
            return;
        }
        if let Some(stored) = &mut self.document {
            stored.revoked.clone_from(&self.revoked);
            self.keys_unsaved.differs = true;
        }
        self.keys_changed();
    }

    fn keys_changed(&mut self) {
        self.believed = self.published.without(&self.revoked);
        self.generation += 1;
    }
}

fn revoked_keys(rows: &[RevocationRow]) -> Vec<KeyId> {
    let keys = rows.iter().filter(|row| row.kind == SubjectKind::Key);
    keys.filter_map(|row| row.id.parse().ok()).collect()
}

fn still_matters(row: &RevocationRow, now: UnixTime) -> bool {
    row.suspended || now.since(row.not_before) <= ROWS_KEPT_FOR
}

/// Whether a stored time can be one: a clock that was wrong then, or is now, makes it tell nothing.
fn is_past(stored: UnixTime, now: UnixTime) -> bool {
    stored.since(now) <= CLOCK_LEEWAY
}

#[cfg(test)]
mod tests;
