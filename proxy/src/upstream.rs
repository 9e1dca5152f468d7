//! Where a site itself listens: its targets, which take turns, and which of them are left out.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use config::{Origin, WebOrigin};
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

mod health;
mod peers;
mod standing;
mod target;

use health::Checks;
use peers::Peers;
use standing::Standing;
pub(crate) use target::Target;

use crate::metrics::Metrics;

/// A connection that takes longer is none.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// In a tunnel, between two pieces of the client's. Longer than any keepalive of a stream (the site SDK of the issuer allows
/// 310 s), so that only what is dead is cut.
pub(crate) const STREAM_SILENCE_MAX: Duration = Duration::from_secs(310);

/// Why an origin cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OriginError {
    /// The certificates of `ca`.
    #[error("the certificates of {} cannot be used", .0.display())]
    Authorities(PathBuf, #[source] Box<dyn std::error::Error + Send + Sync>),
    /// The client that asks about health.
    #[error("no client for health checks can be made")]
    Client(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Where a site itself listens.
#[derive(Debug)]
pub(crate) struct Upstream {
    targets: Vec<Arc<Target>>,
    /// Whose turn it is.
    next: AtomicUsize,
    retries: usize,
    checks: Vec<AbortHandle>,
}

/// The targets that a request has tried, by their places: at most 64.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tried(u64);

impl Tried {
    const fn has(self, place: usize) -> bool {
        self.0 >> place & 1 == 1
    }

    const fn with(self, place: usize) -> Self {
        Self(self.0 | 1 << place)
    }

    const fn count(self) -> usize {
        self.0.count_ones() as usize
    }
}

/// A target whose turn it is.
#[derive(Clone, Debug)]
pub(crate) struct Turn {
    pub(crate) target: Arc<Target>,
    place: usize,
}

impl Upstream {
    /// The upstream of a site. Health checks begin, where a runtime is there to carry them.
    pub(crate) fn new(origin: &Origin, site: &WebOrigin, metrics: &Metrics) -> Result<Self, OriginError> {
        let mut targets = Vec::with_capacity(origin.targets.len());
        for target in &origin.targets {
            // A target that is alone and never checked is given every request.
            let may_be_left_out = origin.targets.len() > 1 || origin.health.is_some();
            let gauge = may_be_left_out.then(|| metrics.upstream_healthy(site.as_str(), &target.to_string()));
            let peers = Peers::new(origin, target)?;
            targets.push(Arc::new(Target::new(target, peers, Standing::new(origin.ejection, gauge))));
        }
        let mut checks = Vec::new();
        if let (Some(health), Ok(runtime)) = (&origin.health, Handle::try_current()) {
            let host = site.as_str().split_once("://").map_or(site.host(), |(_, authority)| authority);
            for (target, config) in std::iter::zip(&targets, &origin.targets) {
                let of_target = Checks::new(origin, config, health, host)?;
                checks.push(runtime.spawn(of_target.follow(Arc::clone(target))).abort_handle());
            }
        }
        let retries = usize::try_from(origin.retries).unwrap_or_default();
        Ok(Self { targets, next: AtomicUsize::new(0), retries, checks })
    }

    /// The next target that was not tried: a good one, or any where none is. `None` when enough were tried.
    pub(crate) fn turn(&self, tried: Tried) -> Option<Turn> {
        if tried.count() > self.retries {
            return None;
        }
        let count = self.targets.len();
        let first = if count > 1 { self.next.fetch_add(1, Ordering::Relaxed) } else { 0 };
        let now = Instant::now();
        let places = || (0..count).map(|step| first.wrapping_add(step) % count).filter(|place| !tried.has(*place));
        let at = |place: usize| self.targets.get(place).map(|target| Turn { target: Arc::clone(target), place });
        let is_good = |turn: &Turn| turn.target.standing.is_good(now);
        places().filter_map(at).find(is_good).or_else(|| places().find_map(at))
    }

    /// A target took no connection, at any of its addresses. Whether another may be tried.
    pub(crate) fn failed(&self, turn: &Turn, tried: &mut Tried) -> bool {
        turn.target.standing.failed(Instant::now());
        *tried = tried.with(turn.place);
        tried.count() <= self.retries && (0..self.targets.len()).any(|place| !tried.has(place))
    }

    /// All of them, for a message to the operator.
    pub(crate) fn text(&self) -> String {
        self.targets.iter().map(|target| &*target.text).collect::<Vec<_>>().join(", ")
    }
}

impl Turn {
    /// Its target took a connection, at the address of this attempt.
    pub(crate) fn connected(&self, attempt: usize) {
        self.target.connected(attempt);
        self.target.standing.succeeded();
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.checks.iter().for_each(AbortHandle::abort);
    }
}

#[cfg(test)]
mod tests;
