//! The run: everything started, warmed up, and then turn by turn.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use passport::{SigningKey, UnixTime, jwks_document};
use tokio::time::{sleep, timeout};

use super::client::{Work, request, wait_until_ready};
use super::gateway::{Gateway, protected_site};
use super::report::Report;
use super::subject::{ORIGIN_THREAD, Subject, What};
use super::{responder, usage};
use crate::inputs::{SITE_HOST, claims, tokens};

/// How much is measured.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The program whose gateway is measured.
    pub lime: PathBuf,
    /// How often each takes its turn.
    pub rounds: usize,
    /// Requests in a turn.
    pub requests: usize,
    /// Tokens that were all seen before.
    pub seen_tokens: usize,
    /// Tokens of a turn that were never seen before; each is one request.
    pub fresh_tokens: usize,
    /// Connections that each client keeps busy.
    pub connections: usize,
    /// How long a gateway is left alone before its memory is read.
    pub idle: Duration,
    /// The end, whatever was reached by then.
    pub time_max: Duration,
}

/// Runs the whole comparison.
///
/// # Errors
/// When a gateway does not start, a request is not answered with 200, or [`Plan::time_max`] is over.
pub async fn compare(plan: &Plan) -> io::Result<Report> {
    timeout(plan.time_max, run(plan)).await.map_err(|_| io::Error::other("not done in the time that was given"))?
}

async fn run(plan: &Plan) -> io::Result<Report> {
    let key = SigningKey::generate().map_err(io::Error::other)?;
    let origin = responder::start(ORIGIN_THREAD, "text/html", &"<p>In stock.</p>\n".repeat(60))?;
    let issuer = responder::start("issuer", "application/json", &jwks_document([key.jwk()]))?;
    let home = tempfile::tempdir()?;
    let start = |name: &str, site: &str| Gateway::start(&plan.lime, &home.path().join(name), site);
    let off = start("off", &switched_off(origin))?;
    let (repeated, seen) = (start("repeated", &enforcing(origin, issuer))?, start("seen", &enforcing(origin, issuer))?);
    let fresh = start("fresh", &enforcing(origin, issuer))?;
    sleep(plan.idle).await;
    let idle_bytes = usage::resident_bytes(repeated.pid())?;
    let supply = Supply::sign(plan, &key, &format!("http://{issuer}"))?;
    for gateway in [&repeated, &seen, &fresh] {
        let admitted = supply.one.first().ok_or(io::ErrorKind::InvalidInput)?;
        wait_until_ready(gateway.address, admitted, &request(SITE_HOST, None)).await?;
    }

    let through = |gateway: &Gateway| (gateway.address, Some(gateway.pid()));
    let mut subjects = [
        Subject::new(What::Origin, (origin, None), plan.connections).await?,
        Subject::new(What::EmptyChain, through(&off), plan.connections).await?,
        Subject::new(What::Repeated, through(&repeated), plan.connections).await?,
        Subject::new(What::Seen, through(&seen), plan.connections).await?,
        Subject::new(What::Fresh, through(&fresh), plan.connections).await?,
    ];
    for (subject, work) in subjects.iter_mut().zip(supply.warm_up(plan)) {
        subject.warm_up(&work).await?;
    }
    for round in 0..plan.rounds {
        for (subject, work) in subjects.iter_mut().zip(supply.round(plan, round)) {
            subject.take_turn(&work).await?;
        }
    }
    let loaded_bytes = usage::resident_bytes(seen.pid())?;
    Ok(Report { subjects: subjects.map(Subject::into_turns).into(), idle_bytes, loaded_bytes })
}

/// An empty chain: no credential is read.
fn switched_off(origin: SocketAddr) -> String {
    format!("[[site]]\nurl = \"https://{SITE_HOST}\"\norigin = \"http://{origin}\"\nmode = \"off\"\n")
}

fn enforcing(origin: SocketAddr, issuer: SocketAddr) -> String {
    protected_site(SITE_HOST, origin, issuer)
}

/// All requests of a run, by what their tokens are.
struct Supply {
    one: Arc<[Box<[u8]>]>,
    seen: Arc<[Box<[u8]>]>,
    /// For each round, and one more for the warm-up.
    fresh: Vec<Arc<[Box<[u8]>]>>,
}

impl Supply {
    fn sign(plan: &Plan, key: &SigningKey, issuer: &str) -> io::Result<Self> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(io::Error::other)?.as_secs();
        let now = UnixTime::from_secs(now);
        let sign = |numbers| -> Vec<Box<[u8]>> {
            let tokens = tokens(key, numbers, |number| claims(issuer, number, now));
            tokens.iter().map(|token| request(SITE_HOST, Some(token))).collect()
        };
        let fresh = sign(plan.seen_tokens + 1..plan.seen_tokens + 1 + plan.fresh_tokens * (plan.rounds + 1));
        Ok(Self {
            one: sign(0..1).into(),
            seen: sign(1..plan.seen_tokens + 1).into(),
            fresh: fresh.chunks(plan.fresh_tokens).map(Arc::from).collect(),
        })
    }

    /// What each subject is given before it counts, in their order.
    fn warm_up(&self, plan: &Plan) -> [Work; 5] {
        let [origin, off, repeated, mut seen, fresh] = self.round(plan, plan.rounds);
        // Every token once at least.
        seen.requests = seen.requests.max(plan.seen_tokens);
        [origin, off, repeated, seen, fresh]
    }

    /// What each subject is given in a round, in their order. The first two are sent a token as well, so that all are
    /// asked the same; the tokens seen before go on where the last round ended.
    fn round(&self, plan: &Plan, round: usize) -> [Work; 5] {
        let one = Work { of: Arc::clone(&self.one), first: 0, requests: plan.requests };
        let seen = Work { of: Arc::clone(&self.seen), first: round * plan.requests, requests: plan.requests };
        let fresh = self.fresh.get(round).map_or_else(|| Arc::from([]), Arc::clone);
        let fresh = Work { requests: fresh.len(), of: fresh, first: 0 };
        [one.clone(), one.clone(), one, seen, fresh]
    }
}
