//! The gateway's standing connection to an issuer: one for each credential.
//!
//! It brings the revocation log, and the passports of logins that were opened at the edge. A new stream first says where
//! the log stands; what is missing up to there is asked for, and only then does the issuer count as heard.

use std::convert::Infallible;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use config::WebOrigin;
use filters::RevocationRow;
use http::StatusCode;
use passport::{SiteId, UnixTime};
use reqwest::Response;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::account::Account;
use crate::clock::{jittered, now};
use crate::issuer::{Issuer, LogFollowed, Rows};
use crate::issuer_api::{ApiError, Authorized, LogRow, RegisteredSite};

mod approvals;
mod events;

use approvals::Approvals;
use events::{Event, Lines, LinesError};

/// Between attempts; the last one again and again.
const WAITS: [Duration; 5] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
];

/// Three keepalives of the issuer. A stream that is silent for longer is dead.
const SILENCE_MAX: Duration = Duration::from_secs(45);

/// Pages of the log that one catch-up may take: 10 million rows.
const PAGES_MAX: usize = 1000;

/// One credential at one issuer, and the sites that are configured with it.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) issuer: Arc<Issuer>,
    pub(crate) api: Authorized,
    pub(crate) accounts: Vec<Arc<Account>>,
}

/// Whether a question was asked before on this stream, so that its answer need not be said aloud again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Once,
    Again,
}

/// Why a stream ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error(transparent)]
    Api(#[from] ApiError),
    #[error("the event stream broke off")]
    Broken(#[source] reqwest::Error),
    #[error("the event stream was silent for 45 s")]
    Silent,
    #[error("the issuer ended the event stream")]
    Closed,
    #[error("the event stream is not what it should be")]
    Lines(#[from] LinesError),
    #[error("the revocation log does not reach the position that the stream names")]
    Behind,
}

impl Link {
    /// Whether another one is for the same accounts.
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        let is_same = |(ours, theirs): (&Arc<Account>, &Arc<Account>)| Arc::ptr_eq(ours, theirs);
        self.accounts.len() == other.accounts.len() && std::iter::zip(&self.accounts, &other.accounts).all(is_same)
    }

    /// Follows the issuer for as long as it is polled. `first` is let go once the log was read up to its end.
    pub(crate) async fn follow(self: Arc<Self>, followed: LogFollowed, first: mpsc::Sender<Infallible>) {
        let (mut first, _followed) = (Some(first), followed);
        let mut failures: usize = 0;
        loop {
            let mut stream = match Stream::open(&self).await {
                Ok(stream) => {
                    drop(first.take());
                    failures = 0;
                    stream
                }
                Err(cause) => {
                    self.ended(&cause, failures);
                    let wait = WAITS.get(failures).or(WAITS.last()).copied().unwrap_or(SILENCE_MAX);
                    failures += 1;
                    sleep(jittered(wait)).await;
                    continue;
                }
            };
            let following = self.issuer.following();
            let cause = stream.read().await;
            drop(following);
            self.ended(&cause, failures);
            sleep(jittered(WAITS.first().copied().unwrap_or(SILENCE_MAX))).await;
        }
    }

    fn ended(&self, cause: &Ended, failures: usize) {
        // An issuer that says no was reached; its answer is about us.
        if !matches!(cause, Ended::Api(cause) if cause.is_a_no()) {
            self.issuer.lost(now());
        }
        if failures == 0 {
            tracing::warn!(issuer = %self.issuer.url(), error = cause as &dyn Error, "no event stream");
        }
    }

    /// Which of our sites are known there, and under which id.
    async fn find_sites(&self, asked: Asked) -> Result<(), ApiError> {
        let registered = self.api.sites().await?;
        let mut ids = Vec::new();
        for account in &self.accounts {
            let url = &account.url;
            let id = registered.iter().find(|found| is_at(found, url)).and_then(|found| found.site_id.parse().ok());
            if let Some(id) = id {
                ids.push((url.as_str().to_owned(), SiteId::clone(&id)));
                account.id.store(Some(Arc::new(id)));
            } else if account.id.load().is_none() && asked == Asked::Once {
                tracing::warn!(
                    site = %url,
                    issuer = %self.issuer.url(),
                    at = %account.defined_at,
                    "the credential of this site serves no site of this url at the issuer: register it there, or \
                     correct `url`"
                );
            }
            // A site that is no longer listed may be suspended, and keeps the id by which its revocation is known.
        }
        self.issuer.took_site_ids(ids);
        Ok(())
    }

    /// Asks for the log until position `seq` is reached.
    async fn catch_up(&self, seq: u64) -> Result<(), Ended> {
        for _ in 0..PAGES_MAX {
            let known = self.issuer.position();
            // A log that stands before our position was set back, as from a backup: what we know is of another one.
            let Some(position) = known.filter(|position| *position <= seq) else {
                return self.read_all(known, seq).await;
            };
            if position == seq {
                self.issuer.heard(now());
                return Ok(());
            }
            match self.api.revocations(known).await {
                Ok(page) => {
                    let is_behind = !page.more && page.seq < seq;
                    self.issuer.took_rows(rows(page.revocations), page.seq, Rows::Further);
                    if is_behind {
                        return Err(Ended::Behind);
                    }
                }
                Err(gone) if gone.status() == Some(StatusCode::GONE) => return self.read_all(known, seq).await,
                Err(cause) => return Err(cause.into()),
            }
        }
        Err(Ended::Behind)
    }

    /// Asks for the whole log, which has to reach position `seq`. It is taken over at once: half of it would admit those
    /// whom the other half is about.
    async fn read_all(&self, known: Option<u64>, seq: u64) -> Result<(), Ended> {
        let (mut all, mut position) = (Vec::new(), None);
        for _ in 0..PAGES_MAX {
            let page = self.api.revocations(position).await?;
            all.extend(rows(page.revocations));
            position = Some(page.seq);
            if page.more {
                continue;
            }
            self.issuer.took_rows(all, page.seq, Rows::All { known });
            if page.seq < seq {
                return Err(Ended::Behind);
            }
            self.issuer.heard(now());
            return Ok(());
        }
        Err(Ended::Behind)
    }
}

/// A stream that was opened and has caught up.
struct Stream<'a> {
    link: &'a Link,
    response: Response,
    lines: Lines,
    approvals: Approvals<'a>,
}

impl<'a> Stream<'a> {
    async fn open(link: &'a Link) -> Result<Self, Ended> {
        let response = link.api.events().await?;
        link.find_sites(Asked::Once).await?;
        let mut stream = Self { link, response, lines: Lines::default(), approvals: Approvals::new(link) };
        let seq = timeout(SILENCE_MAX, stream.position()).await.map_err(|_| Ended::Silent)??;
        link.catch_up(seq).await?;
        tracing::info!(issuer = %link.issuer.url(), seq, "following the issuer");
        Ok(stream)
    }

    /// The issuer says `position` first; until then the log may be anywhere.
    async fn position(&mut self) -> Result<u64, Ended> {
        loop {
            match self.next().await? {
                Event::Position { seq } => return Ok(seq),
                Event::Approved(_)
                | Event::Expired { .. }
                | Event::Revocation(_)
                | Event::Keepalive { .. }
                | Event::Unknown => {}
            }
        }
    }

    /// Takes events until the stream ends.
    async fn read(&mut self) -> Ended {
        let mut generations = self.link.issuer.generations.subscribe();
        loop {
            let taken = tokio::select! {
                event = self.next() => match event {
                    Ok(event) => self.take(event).await,
                    Err(cause) => Err(cause),
                },
                Ok(()) = generations.changed() => {
                    self.approvals.retry();
                    Ok(())
                }
            };
            if let Err(cause) = taken {
                return cause;
            }
        }
    }

    async fn take(&mut self, event: Event) -> Result<(), Ended> {
        let issuer = &self.link.issuer;
        match event {
            Event::Position { seq } => self.link.catch_up(seq).await,
            Event::Keepalive { seq } => {
                // A site may have been registered only now.
                if self.link.accounts.iter().any(|account| account.id.load().is_none()) {
                    self.link.find_sites(Asked::Again).await?;
                }
                self.link.catch_up(seq).await
            }
            Event::Revocation(found) => {
                let position = issuer.position().unwrap_or_default();
                // Rows are numbered without gaps of our concern; one ahead of the next is not taken on trust.
                if found.seq > position + 1 {
                    return self.link.catch_up(found.seq).await;
                }
                let seq = found.seq;
                issuer.took_rows(row(found).into_iter().collect(), seq, Rows::Further);
                issuer.heard(now());
                Ok(())
            }
            Event::Approved(approved) => {
                self.approvals.take(approved);
                Ok(())
            }
            Event::Expired { login_request_id, site_id } => {
                self.approvals.expired(&login_request_id, &site_id);
                Ok(())
            }
            Event::Unknown => Ok(()),
        }
    }

    /// Keeps its place when it is dropped half-way.
    async fn next(&mut self) -> Result<Event, Ended> {
        loop {
            if let Some(event) = self.lines.next_event()? {
                return Ok(event);
            }
            let chunk = timeout(SILENCE_MAX, self.response.chunk()).await.map_err(|_| Ended::Silent)?;
            let chunk = chunk.map_err(Ended::Broken)?.ok_or(Ended::Closed)?;
            self.lines.push(&chunk)?;
        }
    }
}

fn is_at(registered: &RegisteredSite, url: &WebOrigin) -> bool {
    registered.origin.parse::<WebOrigin>().is_ok_and(|origin| origin == *url)
}

fn rows(page: Vec<LogRow>) -> Vec<RevocationRow> {
    page.into_iter().filter_map(row).collect()
}

/// `None` for a kind of subject that a later issuer knows and we do not.
fn row(row: LogRow) -> Option<RevocationRow> {
    let kind = serde_json::from_value(serde_json::Value::String(row.kind)).ok()?;
    let not_before = UnixTime::from_secs(row.not_before);
    Some(RevocationRow { kind, id: row.id, not_before, suspended: row.suspended })
}
