//! Open event streams by site, and the hints they get.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use passport::{LoginRequestId, SiteId};
use tokio::sync::{broadcast, mpsc, watch};

use crate::store::Revocation;

/// Streams one credential may have open: each worker process of a site has one, and a restart doubles them for a while.
const STREAMS_PER_CREDENTIAL_MAX: usize = 64;

/// Streams of this process: each is a connection, a task and a few KiB.
const STREAMS_MAX: usize = 16_384;

/// Hints a stream may be behind before it is ended; its next connection reads the table.
const HINTS_MAX: usize = 1024;

/// Rows of the revocation log a stream may be behind before it is ended.
const REVOCATIONS_MAX: usize = 1024;

/// Something happened to a login request of a site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Hint {
    Approved(LoginRequestId),
    Expired(SiteId, LoginRequestId),
}

/// The streams open at this process.
#[derive(Debug)]
pub(crate) struct Streams {
    open: Mutex<Open>,
    revocations: broadcast::Sender<Arc<Revocation>>,
    /// The log's position as last told to streams.
    position: AtomicI64,
    credentials: watch::Sender<i64>,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    streams: HashMap<u64, Stream>,
    by_site: HashMap<SiteId, HashSet<u64>>,
    by_credential: HashMap<String, usize>,
}

#[derive(Debug)]
struct Stream {
    hints: mpsc::Sender<Hint>,
    sites: Vec<SiteId>,
    credential: String,
}

impl Stream {
    /// Hands over a hint. An expiry that finds no room is left out: anybody can let logins expire, and nobody is to end a
    /// site's stream by it. An approval is never left out.
    fn is_too_far_behind_for(&self, hint: &Hint) -> bool {
        let refused = self.hints.try_send(hint.clone()).is_err();
        refused && matches!(hint, Hint::Approved(_))
    }
}

/// A stream's place; it is given up when dropped.
#[derive(Debug)]
pub(crate) struct Subscription {
    /// Ends when the stream is too far behind.
    pub(crate) hints: mpsc::Receiver<Hint>,
    /// Rows of the revocation log.
    pub(crate) revocations: broadcast::Receiver<Arc<Revocation>>,
    /// Changes when any credential did.
    pub(crate) credentials: watch::Receiver<i64>,
    id: u64,
    streams: Arc<Streams>,
}

impl Streams {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            open: Mutex::default(),
            revocations: broadcast::channel(REVOCATIONS_MAX).0,
            position: AtomicI64::new(0),
            credentials: watch::channel(0).0,
        })
    }

    /// A place for one more stream. `None`: the credential, or the process, has as many as it may.
    pub(crate) fn subscribe(self: &Arc<Self>, credential: &str, sites: Vec<SiteId>) -> Option<Subscription> {
        let (sender, hints) = mpsc::channel(HINTS_MAX);
        let mut open = self.lock();
        if open.streams.len() >= STREAMS_MAX {
            return None;
        }
        let count = open.by_credential.entry(credential.to_owned()).or_default();
        if *count >= STREAMS_PER_CREDENTIAL_MAX {
            return None;
        }
        *count += 1;
        let id = open.next;
        open.next += 1;
        for site in &sites {
            open.by_site.entry(site.clone()).or_default().insert(id);
        }
        open.streams.insert(id, Stream { hints: sender, sites, credential: credential.to_owned() });
        drop(open);
        let (revocations, credentials) = (self.revocations.subscribe(), self.credentials.subscribe());
        Some(Subscription { hints, revocations, credentials, id, streams: Arc::clone(self) })
    }

    /// Tells every open stream of a site. One that is too far behind is ended.
    pub(crate) fn hint(&self, site: &SiteId, hint: &Hint) {
        let mut open = self.lock();
        let Some(ids) = open.by_site.get(site) else { return };
        let behind: Vec<u64> = ids
            .iter()
            .filter(|id| open.streams.get(*id).is_some_and(|stream| stream.is_too_far_behind_for(hint)))
            .copied()
            .collect();
        for id in behind {
            open.remove(id);
        }
    }

    /// Tells every stream of a row of the revocation log.
    pub(crate) fn revoked(&self, row: Revocation) {
        let seq = row.seq;
        // An error only means that nobody listens.
        drop(self.revocations.send(Arc::new(row)));
        self.position.fetch_max(seq, Ordering::Relaxed);
    }

    /// The newest row told to streams.
    pub(crate) fn position(&self) -> i64 {
        self.position.load(Ordering::Relaxed)
    }

    /// Has every stream look at its credential again.
    pub(crate) fn credentials_changed(&self, generation: i64) {
        self.credentials.send_replace(generation);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lock().streams.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn remove(&mut self, id: u64) {
        let Some(stream) = self.streams.remove(&id) else { return };
        for site in &stream.sites {
            if let Some(ids) = self.by_site.get_mut(site) {
                ids.remove(&id);
                if ids.is_empty() {
                    self.by_site.remove(site);
                }
            }
        }
        if let Some(count) = self.by_credential.get_mut(&stream.credential) {
            *count -= 1;
            if *count == 0 {
                self.by_credential.remove(&stream.credential);
            }
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.streams.lock().remove(self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(name: &str) -> SiteId {
        name.parse().unwrap()
    }

    #[tokio::test]
    async fn every_stream_of_a_site_is_told_and_no_other() {
        let streams = Streams::new();
        let mut first = streams.subscribe("a", vec![site("s1")]).unwrap();
        let mut gateway = streams.subscribe("g", vec![site("s1"), site("s2")]).unwrap();
        let mut other = streams.subscribe("b", vec![site("s2")]).unwrap();
        let hint = Hint::Approved("r1".parse().unwrap());
        streams.hint(&site("s1"), &hint);
        assert_eq!(first.hints.recv().await, Some(hint.clone()));
        assert_eq!(gateway.hints.recv().await, Some(hint));
        assert!(other.hints.try_recv().is_err());
    }

    #[tokio::test]
    async fn a_stream_too_far_behind_is_ended_and_gives_up_its_place() {
        let streams = Streams::new();
        let mut slow = streams.subscribe("a", vec![site("s1")]).unwrap();
        for _ in 0..=HINTS_MAX {
            streams.hint(&site("s1"), &Hint::Approved("r1".parse().unwrap()));
        }
        assert!(streams.is_empty());
        for _ in 0..HINTS_MAX {
            assert!(slow.hints.recv().await.is_some());
        }
        assert_eq!(slow.hints.recv().await, None);
    }

    #[tokio::test]
    async fn a_flood_of_expiries_ends_no_stream() {
        let streams = Streams::new();
        let mut stream = streams.subscribe("a", vec![site("s1")]).unwrap();
        for _ in 0..=HINTS_MAX {
            streams.hint(&site("s1"), &Hint::Expired(site("s1"), "r1".parse().unwrap()));
        }
        for _ in 0..HINTS_MAX {
            assert!(stream.hints.recv().await.is_some());
        }
        let approved = Hint::Approved("r2".parse().unwrap());
        streams.hint(&site("s1"), &approved);
        assert_eq!(stream.hints.recv().await, Some(approved));
    }

    #[tokio::test]
    async fn a_credential_has_a_bounded_number_of_streams() {
        let streams = Streams::new();
        let held: Vec<_> =
            (0..STREAMS_PER_CREDENTIAL_MAX).map(|_| streams.subscribe("a", vec![site("s1")]).unwrap()).collect();
        assert!(streams.subscribe("a", vec![site("s1")]).is_none());
        assert!(streams.subscribe("b", vec![site("s1")]).is_some());
        drop(held);
        assert!(streams.subscribe("a", vec![site("s1")]).is_some());
        assert!(streams.is_empty());
    }
}
