//! What happens beside this process: operators' commands and other issuers write to the same store, time passes. The store
//! is asked a few times a second; whoever waits here is told.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use passport::LoginRequestId;
use tokio::time::{MissedTickBehavior, interval};

use crate::Error;
use crate::core::keys::{self, Publication};
use crate::core::secret::Sealer;
use crate::ephemeral::streams::Hint;
use crate::service::Service;
use crate::store::{Generations, Revocations};
use crate::time::UnixMillis;

/// A suspension is to be seen within 200 ms.
const PERIOD: Duration = Duration::from_millis(100);

/// How often rows that nobody needs are deleted.
const SWEEP_PERIOD: Duration = Duration::from_secs(60);

/// Approvals are told again that are younger than this: their times are those of the clocks of other issuers, and commits
/// appear in another order than their times say.
const OVERLAP: Duration = Duration::from_secs(30);

/// The watcher of one process.
pub(crate) struct Watch {
    service: Arc<Service>,
    sealer: Arc<Sealer>,
    publication: Publication,
    known: Generations,
    /// Approvals that the streams were told of, within the overlap.
    told: HashSet<LoginRequestId>,
    looked_at: UnixMillis,
    swept: Instant,
}

impl Watch {
    pub(crate) fn new(
        service: Arc<Service>,
        sealer: Arc<Sealer>,
        publication: Publication,
        known: Generations,
    ) -> Self {
        let looked_at = UnixMillis::now();
        Self { service, sealer, publication, known, told: HashSet::new(), looked_at, swept: Instant::now() }
    }

    /// Watches until the process is to end.
    pub(crate) async fn run(mut self) {
        let mut shutdown = self.service.shutdown.clone();
        let mut ticks = interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut failing = false;
        loop {
            tokio::select! {
                _tick = ticks.tick() => {}
                _stop = shutdown.wait_for(|stop| *stop) => return,
            }
            // Each on its own: a key that cannot be opened must not keep a suspension from being told.
            let looks =
                [self.tell_changes().await, self.keep_keys().await, self.tell_logins().await, self.sweep().await];
            let failed = looks.into_iter().find_map(Result::err);
            // Said once, not ten times a second.
            if let Some(error) = failed.as_ref().filter(|_| !failing) {
                tracing::error!(error = error as &dyn std::error::Error, "cannot watch the store");
            }
            failing = failed.is_some();
        }
    }

    async fn tell_changes(&mut self) -> Result<(), Error> {
        let found = self.service.store.generations().await?;
        if found.revocations != self.known.revocations {
            self.tell_revocations().await?;
        }
        if found.credentials != self.known.credentials {
            self.service.streams.credentials_changed(found.credentials);
            self.known.credentials = found.credentials;
        }
        Ok(())
    }

    async fn sweep(&mut self) -> Result<(), Error> {
        if self.swept.elapsed() > SWEEP_PERIOD {
            self.swept = Instant::now();
            let now = UnixMillis::now();
            let store = &self.service.store;
            while store.forget_logins(now).await? > 0 {}
            while store.forget_grants(now).await? > 0 {}
            while store.forget_clients(now).await? > 0 {}
            while store.forget_consents(now).await? > 0 {}
            while store.forget_owner_sessions(now).await? > 0 {}
            store.forget_revocations(now).await?;
            store.forget_audit(now).await?;
        }
        Ok(())
    }

    async fn tell_revocations(&mut self) -> Result<(), Error> {
        match self.service.store.revocations_after(self.known.revocations).await? {
            Revocations::Rows { rows, seq, .. } => {
                rows.into_iter().for_each(|row| self.service.streams.revoked(row));
                self.known.revocations = seq;
            }
            // The store was put back to an earlier state under a running issuer.
            Revocations::Gone => self.known.revocations = self.service.store.generations().await?.revocations,
        }
        Ok(())
    }

    /// Loads the keys again when somebody changed them, or when time did; makes the switch that is due.
    async fn keep_keys(&mut self) -> Result<(), Error> {
        let generation = self.service.store.generations().await?.keys;
        let (now, ring) = (UnixMillis::now(), self.service.keys.load_full());
        if let Some((kid, at)) = &ring.due
            && *at <= now
        {
            let next = keys::generate(&self.sealer).await?;
            self.service.store.switch_keys(kid.clone(), next, now).await?;
        } else if generation == self.known.keys && ring.changes_at.is_none_or(|at| at > now) {
            return Ok(());
        }
        let generation = self.service.store.generations().await?.keys;
        let ring = keys::load(&self.service.store, &self.sealer, self.publication, UnixMillis::now()).await?;
        self.service.keys.store(Arc::new(ring));
        self.known.keys = generation;
        Ok(())
    }

    async fn tell_logins(&mut self) -> Result<(), Error> {
        let (since, now) = (self.looked_at, UnixMillis::now());
        if self.service.streams.is_empty() {
            self.looked_at = now;
            return Ok(());
        }
        let service = &self.service;
        let approved = service.store.approved_since(since.minus(OVERLAP)).await?;
        let mut told = HashSet::with_capacity(approved.len());
        for (site, id) in approved {
            if !self.told.contains(&id) {
                service.streams.hint(&site, &Hint::Approved(id.clone()));
            }
            told.insert(id);
        }
        self.told = told;
        for (site, id) in service.store.expired_between(since, now).await? {
            service.streams.hint(&site, &Hint::Expired(site.clone(), id));
        }
        self.looked_at = now;
        Ok(())
    }
}
