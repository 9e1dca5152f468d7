//! Login at the edge: the gateway opens a login in the name of a site that knows nothing of it.
//!
//! An agent opens one here, approves it at the issuer, and asks here for the outcome with the secret it was given. The
//! passport comes on the issuer's event stream, to every node; the secret can be checked on every node; the session that
//! is handed out is valid on every node. So any of them can answer, and none has to ask another.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::rand;
use config::Site;
use filters::{LoginSecret, Reason, Session, SessionKeys};
use http::StatusCode;
use parking_lot::Mutex;
use passport::{LoginPassport, LoginRequestId, SiteId, UnixTime, Verified};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::clock::now;
use crate::forwarded::Source;
use crate::issuer_api::{ApiError, Authorized};
use crate::state::to_hex;

mod rfc3339;
mod table;

use table::{Found, Network, Table};

/// How long a poll is held for a passport that is just on its way, before it is told to come again.
const HELD_FOR: Duration = Duration::from_secs(1);

/// No login request waits longer, whatever an issuer says.
const LIVES_AT_MOST: Duration = Duration::from_hours(1);

/// The login of one site.
pub(crate) struct EdgeLogin {
    site: Arc<Site>,
    keys: Arc<SessionKeys>,
    api: Authorized,
    table: Mutex<Table>,
    /// A passport came, or a login ended.
    moved: Notify,
}

/// A login that was opened.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) request: LoginRequestId,
    pub(crate) api_base: String,
    /// As the issuer wrote it.
    pub(crate) expires_at: String,
    pub(crate) secret: String,
}

/// The outcome of a login, so far.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Nobody approved it yet.
    Pending,
    /// The session. The same for a minute, so that an answer that was lost can be asked for again.
    Session { text: String, expires_at: UnixTime },
}

impl EdgeLogin {
    pub(crate) fn new(site: Arc<Site>, keys: Arc<SessionKeys>, api: Authorized) -> Self {
        Self { site, keys, api, table: Mutex::default(), moved: Notify::new() }
    }

    /// Opens a login request at the issuer, if there is room for one more.
    pub(crate) async fn open(&self, site_id: Option<&SiteId>, source: &Source) -> Result<Opened, Reason> {
        // The issuer would open it for another site of the credential, or in the name of none.
        let Some(site_id) = site_id else {
            tracing::warn!(site = %self.site.url, "no login was opened: the issuer was not heard to know this site");
            return Err(Reason::LoginRefused);
        };
        let network = (!source.may_be_a_crowd()).then(|| Network::of(source.client));
        let slot = Slot::take(&self.table, network)?;
        let opened = self.api.open_login(site_id.as_str()).await.map_err(|cause| self.not_opened(&cause))?;
        let request: Option<LoginRequestId> = opened.login_request_id.parse().ok();
        let expires_at = rfc3339::parse(&opened.expires_at);
        let (Some(request), Some(expires_at)) = (request, expires_at) else {
            tracing::warn!(site = %self.site.url, "the issuer opened a login in words we do not understand");
            return Err(Reason::LoginRefused);
        };
        let expires_at = expires_at.min(now().plus(LIVES_AT_MOST));
        slot.opened(request.clone(), expires_at);
        Ok(Opened {
            secret: self.keys.login_secret(&self.site, &request, expires_at),
            api_base: self.api.api_base().to_owned(),
            expires_at: opened.expires_at,
            request,
        })
    }

    fn not_opened(&self, cause: &ApiError) -> Reason {
        tracing::warn!(site = %self.site.url, error = cause as &dyn std::error::Error, "no login was opened");
        match cause.status() {
            Some(StatusCode::TOO_MANY_REQUESTS) => Reason::LoginLimited,
            Some(_) | None if cause.is_a_no() => Reason::LoginRefused,
            Some(_) | None => Reason::IssuerUnavailable,
        }
    }

    /// The outcome of a login, for whoever has its secret.
    pub(crate) async fn outcome(&self, request: &LoginRequestId, secret: &str) -> Result<Outcome, Reason> {
        let waited = timeout(HELD_FOR, async {
            loop {
                let moved = self.moved.notified();
                match self.outcome_now(request, secret) {
                    Ok(Outcome::Pending) => moved.await,
                    other => return other,
                }
            }
        });
        waited.await.unwrap_or(Ok(Outcome::Pending))
    }

    fn outcome_now(&self, request: &LoginRequestId, secret: &str) -> Result<Outcome, Reason> {
        let now = now();
        let standing = self.keys.check_login_secret(&self.site, request, secret, now);
        if standing == LoginSecret::Forged {
            return Err(Reason::LoginSecretInvalid);
        }
        match self.table.lock().find(request, now, |passport| self.begin(passport)) {
            Found::Session { text, expires_at } => Ok(Outcome::Session { text, expires_at }),
            Found::Over => Err(Reason::LoginExpired),
            Found::Nothing if standing == LoginSecret::Ended => Err(Reason::LoginExpired),
            Found::Nothing => Ok(Outcome::Pending),
            Found::Failed => Err(Reason::Internal),
        }
    }

    fn begin(&self, passport: &Verified<LoginPassport>) -> Option<(String, UnixTime)> {
        let (mut sid, mut nonce) = ([0; 16], [0; 12]);
        rand::fill(&mut sid).ok()?;
        rand::fill(&mut nonce).ok()?;
        let session = Session::begin(to_hex(&sid), passport, &self.site);
        Some((self.keys.seal(&self.site, &session, nonce)?, session.expires_at))
    }

    /// An agent approved a login of this site. Whoever opened it, on whatever node, may come for it.
    pub(crate) fn approved(&self, passport: Verified<LoginPassport>, now: UnixTime) {
        self.table.lock().approved(passport, now);
        self.moved.notify_waiters();
    }

    /// Nobody did in time.
    pub(crate) fn expired(&self, request: &LoginRequestId, now: UnixTime) {
        self.table.lock().expired(request, now);
        self.moved.notify_waiters();
    }
}

impl fmt::Debug for EdgeLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EdgeLogin").field("site", &self.site.url).finish_non_exhaustive()
    }
}

/// Room for a login that is being opened; given back unless it was.
struct Slot<'a> {
    table: &'a Mutex<Table>,
    network: Option<Network>,
    is_used: bool,
}

impl<'a> Slot<'a> {
    fn take(table: &'a Mutex<Table>, network: Option<Network>) -> Result<Self, Reason> {
        if table.lock().reserve(network, now()) {
            Ok(Self { table, network, is_used: false })
        } else {
            Err(Reason::LoginLimited)
        }
    }

    fn opened(mut self, request: LoginRequestId, expires_at: UnixTime) {
        self.is_used = true;
        self.table.lock().opened(request, self.network, expires_at);
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        if !self.is_used {
            self.table.lock().release(self.network);
        }
    }
}
