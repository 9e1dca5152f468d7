//! One of the addresses at which a site listens, as Pingora wants to know it.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use pingora::upstreams::peer::HttpPeer;

use super::peers::Peers;
use super::standing::Standing;

/// A name is looked up again after so long, beside the requests.
const RESOLVED_FOR: Duration = Duration::from_secs(10);

/// A name that was not found is not looked up again for so long.
const UNRESOLVED_FOR: Duration = Duration::from_secs(1);

/// Most addresses of one name that are tried.
const ADDRESSES_MAX: usize = 8;

/// One target of an origin.
#[derive(Debug)]
pub(crate) struct Target {
    peers: Peers,
    /// `host:port`, for a log line.
    pub(crate) text: Box<str>,
    /// Whether it is given requests.
    pub(super) standing: Standing,
    resolved: ArcSwapOption<Resolved>,
    is_name: bool,
    is_resolving: AtomicBool,
    /// One looks up while the others wait; when the last attempt failed.
    first_lookup: tokio::sync::Mutex<Option<Instant>>,
    /// The address that took the last connection, so that one which refuses is not tried first each time.
    preferred: AtomicUsize,
}

#[derive(Debug)]
struct Resolved {
    addresses: Vec<SocketAddr>,
    at: Instant,
}

impl Target {
    pub(super) fn new(target: &config::Upstream, peers: Peers, standing: Standing) -> Self {
        let host = target.host();
        let address = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        let address = address.parse::<IpAddr>().ok().map(|address| SocketAddr::new(address, target.port()));
        let upstream = Self {
            peers,
            standing,
            text: target.address().into(),
            resolved: ArcSwapOption::empty(),
            is_name: address.is_none(),
            is_resolving: AtomicBool::new(false),
            first_lookup: tokio::sync::Mutex::default(),
            preferred: AtomicUsize::new(0),
        };
        if let Some(address) = address {
            upstream.take(vec![address]);
        }
        upstream
    }

    /// The peer of a request's `attempt`, counted from 0; `None` when all addresses were tried.
    ///
    /// # Errors
    /// When the name of the host cannot be resolved.
    pub(crate) async fn peer(self: &Arc<Self>, attempt: usize) -> io::Result<Option<Box<HttpPeer>>> {
        if self.resolved.load().is_none() {
            self.resolve_first().await?;
        } else if self.is_name {
            self.resolve_again_if_due();
        }
        let resolved = self.resolved.load();
        let addresses = resolved.as_ref().map_or(&[][..], |resolved| &resolved.addresses);
        if attempt >= addresses.len() {
            return Ok(None);
        }
        let index = (self.preferred.load(Ordering::Relaxed) + attempt) % addresses.len();
        Ok(addresses.get(index).map(|address| Box::new(self.peers.at(*address))))
    }

    /// Whether there is another address to try after so many attempts.
    pub(crate) fn has_another(&self, attempts: usize) -> bool {
        self.resolved.load().as_ref().is_some_and(|resolved| attempts < resolved.addresses.len())
    }

    /// The connection of `attempt` stands: begin there next time.
    pub(crate) fn connected(&self, attempt: usize) {
        if attempt > 0 {
            let count = self.resolved.load().as_ref().map_or(1, |resolved| resolved.addresses.len().max(1));
            let index = (self.preferred.load(Ordering::Relaxed) + attempt) % count;
            self.preferred.store(index, Ordering::Relaxed);
        }
    }

    /// Nothing is known yet: the request has to wait, but a crowd of them asks once.
    async fn resolve_first(&self) -> io::Result<()> {
        let mut failed_at = self.first_lookup.lock().await;
        if self.resolved.load().is_some() {
            return Ok(());
        }
        if failed_at.is_some_and(|failed_at| failed_at.elapsed() < UNRESOLVED_FOR) {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the last lookup failed"));
        }
        let resolved = self.resolve().await;
        *failed_at = resolved.is_err().then(Instant::now);
        resolved
    }

    fn resolve_again_if_due(self: &Arc<Self>) {
        let is_due = self.resolved.load().as_ref().is_some_and(|resolved| resolved.at.elapsed() > RESOLVED_FOR);
        if !is_due || self.is_resolving.swap(true, Ordering::AcqRel) {
            return;
        }
        let upstream = Arc::clone(self);
        // Its end is of no interest: a failure keeps the addresses that were known.
        drop(tokio::spawn(async move {
            if let Err(cause) = upstream.resolve().await {
                tracing::warn!(origin = %upstream.text, error = &cause as &dyn std::error::Error, "not resolved again");
            }
            upstream.is_resolving.store(false, Ordering::Release);
        }));
    }

    async fn resolve(&self) -> io::Result<()> {
        let found = tokio::net::lookup_host(&*self.text).await?;
        let found: Vec<SocketAddr> = found.take(ADDRESSES_MAX).collect();
        if found.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
        }
        self.take(found);
        Ok(())
    }

    fn take(&self, addresses: Vec<SocketAddr>) {
        let is_new = self.resolved.load().as_ref().is_none_or(|before| before.addresses != addresses);
        if is_new {
            self.preferred.store(0, Ordering::Relaxed);
        }
        self.resolved.store(Some(Arc::new(Resolved { addresses, at: Instant::now() })));
    }
}
