//! The table of routes, and what every route shares: the service, the bounds on a body, the id in a path.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::Router;
use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::routing::{get, post};
use futures_util::StreamExt as _;
use passport::LoginRequestId;
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::core::keys::KeyRing;
use crate::core::passports::Signer;
use crate::core::{agents, jwks};
use crate::ephemeral::streams::Streams;
use crate::modules::agent_login::{approve, challenge, events, open, status};
use crate::modules::{gateway, oauth};
use crate::reply::Refusal;
use crate::store::Store;

/// No request to the issuer needs more.
const BODY_BYTES_MAX: usize = 16 * 1024;

/// How long a body may take to arrive.
const BODY_WAIT_MAX: Duration = Duration::from_secs(10);

/// What the operator chose, as far as a request needs it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) login_request_ttl: Duration,
    pub(crate) pow_difficulty: u8,
    /// Login requests of one site that may be pending at a time.
    pub(crate) open_logins_max: i64,
}

/// Everything a handler needs.
#[derive(Debug)]
pub(crate) struct Service {
    /// The `iss`, byte for byte.
    pub(crate) issuer: String,
    /// This process, among those that share a store.
    pub(crate) node: String,
    pub(crate) settings: Settings,
    pub(crate) store: Store,
    pub(crate) keys: ArcSwap<KeyRing>,
    pub(crate) signer: Signer,
    pub(crate) streams: Arc<Streams>,
    /// Turns true when the process is to end.
    pub(crate) shutdown: watch::Receiver<bool>,
}

/// Every URL the issuer answers.
pub(crate) fn router(service: Arc<Service>) -> Router {
    let api = Router::new()
        .route("/auth/requests/{id}", get(challenge::challenge))
        .route("/core/.well-known/jwks.json", get(jwks::jwks))
        .route("/core/agents/me/profile", get(agents::profile))
        .route("/modules/agent-login/events", get(events::events))
        .route("/modules/agent-login/requests", post(open::open))
        .route("/modules/agent-login/requests/{id}", get(status::status))
        .route("/modules/agent-login/requests/{id}/approve", post(approve::approve))
        .route("/modules/gateway/events", get(gateway::events::events))
        .route("/modules/gateway/revocations", get(gateway::revocations::revocations))
        .route("/modules/gateway/sites", get(gateway::sites::sites))
        .route("/modules/oauth/.well-known/oauth-authorization-server", get(oauth::metadata::metadata))
        .route("/modules/oauth/token", post(oauth::token::token));
    Router::new()
        .nest("/api/v1", api)
        // RFC 8414 §3: an issuer without a path publishes at its root.
        .route("/.well-known/oauth-authorization-server", get(oauth::metadata::metadata))
        .fallback(async || Refusal::NotFound)
        .method_not_allowed_fallback(async || Refusal::MethodNotAllowed)
        .with_state(service)
}

/// A header that must not come twice, nor in anything but ASCII.
pub(crate) struct Unclear;

/// The value of a header, if it is there.
pub(crate) fn one_header<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>, Unclear> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Unclear);
    }
    value.to_str().map(Some).map_err(|_| Unclear)
}

/// A body as one JSON object, of bounded size and in bounded time.
pub(crate) async fn object<T: DeserializeOwned>(body: Body) -> Result<T, Refusal> {
    let bytes = timeout(BODY_WAIT_MAX, read(body)).await.map_err(|_| Refusal::BodyTooSlow)??;
    // serde would also read a struct from an array.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(Refusal::Invalid("the body is not a JSON object"));
    }
    serde_json::from_slice(&bytes).map_err(|_| Refusal::Invalid("the body is not the JSON object asked for"))
}

async fn read(body: Body) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::new();
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Refusal::Invalid("the body broke off"))?;
        if bytes.len() + chunk.len() > BODY_BYTES_MAX {
            return Err(Refusal::BodyTooLarge);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// The id of a login request in the path, decoded once. What cannot be an id names no request.
#[derive(Debug)]
pub(crate) struct RequestId(pub(crate) LoginRequestId);

impl FromRequestParts<Arc<Service>> for RequestId {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, service: &Arc<Service>) -> Result<Self, Refusal> {
        let path = axum::extract::Path::<String>::from_request_parts(parts, service).await;
        let axum::extract::Path(text) = path.map_err(|_| Refusal::LoginNotFound)?;
        text.try_into().map(Self).map_err(|_| Refusal::LoginNotFound)
    }
}
