//! Step 4, `GET /modules/agent-login/events`: the stream on which a site receives passports.
//!
//! A new stream first gets the backlog of its sites, then hints. Each event is signed as it is written; the login counts
//! as DELIVERED once a connection has taken the event whole. Whatever goes wrong ends the stream: the next one reads the
//! table again, and duplicates carry the same `jti`.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use passport::{LoginRequestId, SiteId};
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, timeout};

use crate::ephemeral::streams::{Hint, Subscription};
use crate::ephemeral::written::Connection;
use crate::foundation::sites::SiteCaller;
use crate::reply::{Refusal, unavailable};
use crate::service::Service;
use crate::store::{PAGE_ROWS, Page, Revocation};
use crate::time::UnixMillis;

/// Far below the 310 s after which a site's client gives a silent stream up.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// A reader that takes nothing for so long is gone.
const STALLED: Duration = Duration::from_secs(30);

/// Frames between the stream's task and its connection.
const FRAMES_MAX: usize = 16;

/// Requests whose event this stream already had, so that backlog and hint do not both bring it.
const RECENT_MAX: usize = 4096;

/// What a stream carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Logins, in the words the site SDK knows.
    Site,
    /// Logins with their site, and the revocation log.
    Gateway,
}

pub(crate) async fn events(
    State(service): State<Arc<Service>>,
    Extension(connection): Extension<Connection>,
    caller: SiteCaller,
) -> Result<Response, Refusal> {
    stream(service, &connection, caller, Lane::Site).await
}

/// Opens a stream of everything `caller` serves.
pub(crate) async fn stream(
    service: Arc<Service>,
    connection: &Connection,
    caller: SiteCaller,
    lane: Lane,
) -> Result<Response, Refusal> {
    let served = service.store.sites_of(&caller.caller).await.map_err(unavailable(Refusal::SiteAuthUnavailable))?;
    let sites = ids(served);
    // First the place, then the table: what is approved in between comes by both ways, never by none.
    let subscription = service.streams.subscribe(caller.key(), sites.clone()).ok_or(Refusal::TooMany)?;
    let (sender, frames) = mpsc::channel(FRAMES_MAX);
    let (body, written) = connection.carry(frames);
    let feed = Feed {
        service,
        caller,
        lane,
        sites: sites.clone(),
        frames: sender,
        sent: 0,
        written,
        unconfirmed: VecDeque::new(),
        recent: VecDeque::new(),
        had: HashSet::new(),
        position: 0,
    };
    tokio::spawn(feed.run(sites, subscription));
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        // nginx would collect the stream before it passes anything on.
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, Body::from_stream(body)).into_response())
}

struct Feed {
    service: Arc<Service>,
    caller: SiteCaller,
    lane: Lane,
    sites: Vec<SiteId>,
    frames: mpsc::Sender<Bytes>,
    sent: u64,
    written: watch::Receiver<u64>,
    unconfirmed: VecDeque<(u64, LoginRequestId)>,
    recent: VecDeque<LoginRequestId>,
    had: HashSet<LoginRequestId>,
    /// The newest row of the revocation log this stream has told of.
    position: i64,
}

/// The stream is over; the client comes again.
struct Ended;

impl Feed {
    async fn run(mut self, sites: Vec<SiteId>, subscription: Subscription) {
        let mut shutdown = self.service.shutdown.clone();
        tokio::select! {
            _ended = self.serve(sites, subscription) => {}
            // Not a branch of the loop: it must also end a stream that waits for its reader.
            _stop = shutdown.wait_for(|stop| *stop) => {}
        }
        self.confirm().await;
    }

    async fn serve(&mut self, sites: Vec<SiteId>, mut subscription: Subscription) -> Result<(), Ended> {
        self.greet().await?;
        for site in sites {
            self.backlog(&site).await?;
        }
        let mut keepalive = keepalive();
        let mut written_before = 0;
        loop {
            tokio::select! {
                hint = subscription.hints.recv() => self.hint(hint.ok_or(Ended)?).await?,
                row = subscription.revocations.recv(), if self.lane == Lane::Gateway => {
                    self.revocation(&*row.map_err(|_| Ended)?).await?;
                }
                changed = subscription.credentials.changed() => {
                    changed.map_err(|_| Ended)?;
                    let checked = self.recheck().await;
                    // What ends this stream may be a row that waits in it, and a next stream may be refused for it.
                    self.pending_revocations(&mut subscription).await?;
                    checked?;
                }
                changed = self.written.changed() => {
                    changed.map_err(|_| Ended)?;
                    self.confirm().await;
                }
                _tick = keepalive.tick() => {
                    let written = *self.written.borrow();
                    if written == written_before && written < self.sent {
                        return Err(Ended);
                    }
                    written_before = written;
                    self.keepalive().await?;
                }
                () = self.frames.closed() => return Err(Ended),
            }
        }
    }

    async fn greet(&mut self) -> Result<(), Ended> {
        match self.lane {
            Lane::Site => self.send(&json!({ "type": "keepalive" })).await,
            Lane::Gateway => {
                self.position = self.service.store.generations().await.map_err(|_| Ended)?.revocations;
                self.send(&json!({ "type": "position", "seq": self.position })).await
            }
        }
    }

    async fn keepalive(&mut self) -> Result<(), Ended> {
        match self.lane {
            Lane::Site => self.send(&json!({ "type": "keepalive" })).await,
            Lane::Gateway => {
                let seq = self.position.max(self.service.streams.position());
                self.send(&json!({ "type": "keepalive", "seq": seq })).await
            }
        }
    }

    async fn backlog(&mut self, site: &SiteId) -> Result<(), Ended> {
        let mut page = Page::default();
        loop {
            let rows = self.service.store.backlog(site, &page, UnixMillis::now()).await.map_err(|_| Ended)?;
            let last = rows.len() < PAGE_ROWS;
            for (id, approved_at) in rows {
                self.deliver(id.clone()).await?;
                page.after = Some((approved_at, id));
            }
            if last {
                return Ok(());
            }
        }
    }

    async fn hint(&mut self, hint: Hint) -> Result<(), Ended> {
        match hint {
            Hint::Approved(id) => self.deliver(id).await,
            Hint::Expired(site, id) => {
                let mut event = json!({ "type": "expired", "login_request_id": id });
                self.add_site(&mut event, &site);
                self.send(&event).await
            }
        }
    }

    /// Signs and writes one event, if the login still stands: everybody's state is looked at again, here.
    async fn deliver(&mut self, id: LoginRequestId) -> Result<(), Ended> {
        if !self.had.insert(id.clone()) {
            return Ok(());
        }
        self.recent.push_back(id.clone());
        if self.recent.len() > RECENT_MAX
            && let Some(oldest) = self.recent.pop_front()
        {
            self.had.remove(&oldest);
        }
        let now = UnixMillis::now();
        let Some(login) = self.service.store.mintable(&id, now).await.map_err(|_| Ended)? else { return Ok(()) };
        if !login.active || login.approved_at <= login.not_before {
            tracing::info!(request = %id, agent = %login.agent, "an approved login is not delivered: suspended since");
            return Ok(());
        }
        let key = Arc::clone(&self.service.keys.load().active);
        let passport = self.service.signer.login(key, &login, now).await.map_err(|_| Ended)?;
        let mut event = json!({ "type": "approved", "login_request_id": id, "agent_passport_jwt": passport });
        self.add_site(&mut event, &login.site);
        self.send(&event).await?;
        self.unconfirmed.push_back((self.sent, id));
        Ok(())
    }

    async fn revocation(&mut self, row: &Revocation) -> Result<(), Ended> {
        if row.seq <= self.position {
            return Ok(());
        }
        self.position = row.seq;
        let mut event = crate::modules::gateway::revocations::row(row);
        if let Some(event) = event.as_object_mut() {
            event.insert("type".to_owned(), json!("revocation"));
        }
        self.send(&event).await
    }

    /// Tells of the rows that came while something else was looked at.
    async fn pending_revocations(&mut self, subscription: &mut Subscription) -> Result<(), Ended> {
        while self.lane == Lane::Gateway
            && let Ok(row) = subscription.revocations.try_recv()
        {
            self.revocation(&row).await?;
        }
        Ok(())
    }

    /// A credential that is no longer good ends its streams. A store that cannot say so does not.
    async fn recheck(&self) -> Result<(), Ended> {
        let judged = self.caller.recheck(&self.service.store).await;
        if let Err(Refusal::SiteTokenInvalid | Refusal::SiteSuspended) = judged {
            return Err(Ended);
        }
        // A site that was suspended or resumed: the next stream carries the others, or it again.
        let served = self.service.store.sites_of(&self.caller.caller).await.map(ids);
        if served.is_ok_and(|sites| sites != self.sites) { Err(Ended) } else { Ok(()) }
    }

    /// Notes what the connection has taken whole.
    async fn confirm(&mut self) {
        let written = *self.written.borrow_and_update();
        let mut delivered = Vec::new();
        while let Some((frame, _)) = self.unconfirmed.front()
            && *frame <= written
        {
            delivered.extend(self.unconfirmed.pop_front().map(|(_, id)| id));
        }
        if delivered.is_empty() {
            return;
        }
        // On failure they stay APPROVED and come again, with the same jti.
        if let Err(error) = self.service.store.mark_delivered(delivered, UnixMillis::now()).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "a delivery was not noted");
        }
    }

    fn add_site(&self, event: &mut Value, site: &SiteId) {
        if let (Lane::Gateway, Some(event)) = (self.lane, event.as_object_mut()) {
            event.insert("site_id".to_owned(), json!(site));
        }
    }

    async fn send(&mut self, event: &Value) -> Result<(), Ended> {
        let frame = Bytes::from(format!("data: {event}\n\n"));
        timeout(STALLED, self.frames.send(frame)).await.map_err(|_| Ended)?.map_err(|_| Ended)?;
        self.sent += 1;
        Ok(())
    }
}

fn ids(served: Vec<(String, String, String)>) -> Vec<SiteId> {
    served.into_iter().filter_map(|(id, _, _)| id.try_into().ok()).collect()
}

fn keepalive() -> Interval {
    let mut ticks = interval_at(Instant::now() + KEEPALIVE, KEEPALIVE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
