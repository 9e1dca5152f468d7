//! What the gateway serves itself: below `/.lime/`, `/.well-known/lime`, metadata of MCP endpoints, and `/auth.md` where a site has it switched on.

use bytes::Bytes;
use config::{AuthMd, Login, Require};
use filters::{
    Accepts, Reason, Reply, asset, described_at, discovery, help, is_own_path, metadata_preflight, refuse,
    resource_metadata, set_cookie,
};
use http::header::{ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use passport::{LoginRequestId, UnixTime};
use serde_json::json;

use crate::clock::{Timestamp, now};
use crate::edge_login::{EdgeLogin, Outcome};
use crate::forwarded::Source;
use crate::sites::Site;

/// A poll is held for a moment, so that coming again at once would gain nothing.
const POLL_AGAIN: HeaderValue = HeaderValue::from_static("1");

/// A request for one of our own pages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnPage<'a> {
    pub(crate) site: &'a Site,
    pub(crate) method: &'a Method,
    pub(crate) path: &'a [u8],
    pub(crate) headers: &'a HeaderMap,
    pub(crate) source: &'a Source,
    pub(crate) request_id: &'a str,
}

/// An answer, and why it is a refusal if it is one.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) reply: Reply,
    pub(crate) reason: Option<Reason>,
}

/// What is served here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Page {
    Help,
    Discovery,
    /// What the metadata of an MCP endpoint is, or whether a page may read it.
    Metadata,
    AuthMd,
    Login,
    Outcome(LoginRequestId),
    /// Where work is handed in: the chain answers.
    Work,
    /// What the page that works loads.
    Asset,
}

/// Why a request for one of our pages is turned away, and the methods that would not have been.
type TurnedAway = (Reason, Option<&'static str>);

/// Where language models look for how to get in.
const AUTH_MD: &str = "/auth.md";

/// Where work is handed in.
pub(crate) const WORK: &str = "/.lime/pow";

/// Whether a path at a site, as it stands, is answered here.
pub(crate) fn is_ours(site: &config::Site, path: &[u8]) -> bool {
    is_own_path(path)
        || (site.auth_md == AuthMd::Served && path == AUTH_MD.as_bytes())
        || described_at(site, path).is_some()
}

impl Page {
    /// The page that a request is for, if it is served at this site.
    pub(crate) fn find(site: &config::Site, method: &Method, path: &[u8]) -> Result<Self, TurnedAway> {
        let page = Self::at(site, path).map_err(|reason| (reason, None))?;
        let (is_served, methods) = match &page {
            Self::Help | Self::Discovery | Self::AuthMd | Self::Asset => {
                (*method == Method::GET || *method == Method::HEAD, "GET, HEAD")
            }
            Self::Metadata => ([Method::GET, Method::HEAD, Method::OPTIONS].contains(method), "GET, HEAD, OPTIONS"),
            Self::Login => (*method == Method::POST, "POST"),
            Self::Work => {
                (*method == Method::GET || *method == Method::HEAD || *method == Method::POST, "GET, HEAD, POST")
            }
            // Not HEAD: whoever asks so would be given a session and not read it.
            Self::Outcome(_) => (*method == Method::GET, "GET"),
        };
        if is_served { Ok(page) } else { Err((Reason::MethodNotAllowed, Some(methods))) }
    }

    fn at(site: &config::Site, path: &[u8]) -> Result<Self, Reason> {
        if described_at(site, path).is_some() {
            return Ok(Self::Metadata);
        }
        let path = std::str::from_utf8(path).map_err(|_| Reason::NotFound)?;
        let of_logins = |page| if site.login == Login::Edge { Ok(page) } else { Err(Reason::LoginOff) };
        match path {
            "/.well-known/lime" => return Ok(Self::Discovery),
            AUTH_MD => return Ok(Self::AuthMd),
            _ => {}
        }
        let asks_for_work = || site.policies().any(|policy| policy.require == Require::Cleared);
        if path == WORK && asks_for_work() {
            return Ok(Self::Work);
        }
        if asset(path).is_some() {
            return Ok(Self::Asset);
        }
        match path.strip_prefix("/.lime/") {
            Some("help") => Ok(Self::Help),
            Some("auth.md") => Ok(Self::AuthMd),
            Some("login") => of_logins(Self::Login),
            Some(rest) => match rest.strip_prefix("login/").map(str::parse) {
                Some(Ok(request)) => of_logins(Self::Outcome(request)),
                Some(Err(_)) | None => Err(Reason::NotFound),
            },
            None => Err(Reason::NotFound),
        }
    }
}

impl OwnPage<'_> {
    pub(crate) async fn answer(&self) -> Answer {
        let answered = match Page::find(&self.site.config, self.method, self.path) {
            Ok(page) => self.serve(page).await.map_err(|reason| (reason, None)),
            Err(turned_away) => Err(turned_away),
        };
        match answered {
            Ok(reply) => Answer { reply, reason: None },
            Err((reason, allow)) => {
                let accepts = Accepts::of(self.headers);
                let mut reply = refuse(Some(&self.site.config), reason, self.request_id, accepts, None);
                reply.headers.extend(allow.map(|methods| (ALLOW, HeaderValue::from_static(methods))));
                Answer { reply, reason: Some(reason) }
            }
        }
    }

    async fn serve(&self, page: Page) -> Result<Reply, Reason> {
        match page {
            Page::Help => Ok(help(Some(&self.site.config), Accepts::of(self.headers))),
            Page::Discovery => Ok(discovery(&self.site.config)),
            Page::Metadata if *self.method == Method::OPTIONS => Ok(metadata_preflight()),
            Page::Metadata => {
                let endpoint = described_at(&self.site.config, self.path).ok_or(Reason::NotFound)?;
                Ok(resource_metadata(&self.site.config, endpoint))
            }
            // Whatever it says it accepts: the name says what this is.
            Page::AuthMd => Ok(help(Some(&self.site.config), Accepts::Document)),
            Page::Login => self.open(self.login()?).await,
            Page::Asset => std::str::from_utf8(self.path).ok().and_then(asset).ok_or(Reason::NotFound),
            // The chain answers that, and nobody asks here.
            Page::Work => Err(Reason::NotFound),
            Page::Outcome(request) => self.outcome(self.login()?, &request).await,
        }
    }

    fn login(&self) -> Result<&EdgeLogin, Reason> {
        self.site.account.as_ref().and_then(|account| account.login.as_ref()).ok_or(Reason::LoginOff)
    }

    async fn open(&self, login: &EdgeLogin) -> Result<Reply, Reason> {
        let site_id = self.site.account.as_ref().and_then(|account| account.id.load_full());
        let opened = login.open(site_id.as_deref(), self.source).await?;
        let poll = format!("/.lime/login/{}", opened.request);
        let body = json!({
            "request_id": opened.request,
            "api_base": opened.api_base,
            "expires_at": opened.expires_at,
            "poll": poll,
            "secret": opened.secret,
        });
        Ok(document(StatusCode::CREATED, &body, None))
    }

    async fn outcome(&self, login: &EdgeLogin, request: &LoginRequestId) -> Result<Reply, Reason> {
        let secret = bearer(self.headers).ok_or(Reason::LoginSecretInvalid)?;
        match login.outcome(request, secret).await? {
            Outcome::Pending => {
                Ok(document(StatusCode::ACCEPTED, &json!({ "status": "pending" }), Some((RETRY_AFTER, POLL_AGAIN))))
            }
            Outcome::Session { text, expires_at } => {
                let lives = expires_at.since(now());
                let cookie = set_cookie(&self.site.config, &text, lives).map(|cookie| (SET_COOKIE, cookie));
                let body = json!({ "session": text, "expires_at": shown(expires_at) });
                Ok(document(StatusCode::OK, &body, cookie))
            }
        }
    }
}

fn shown(time: UnixTime) -> String {
    Timestamp::from(time).to_string()
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, secret) = headers.get(AUTHORIZATION)?.to_str().ok()?.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then_some(secret.trim_start())
}

fn document(status: StatusCode, body: &serde_json::Value, more: Option<(HeaderName, HeaderValue)>) -> Reply {
    let mut headers = vec![
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    headers.extend(more);
    Reply { status, headers, body: Bytes::from(body.to_string()) }
}
