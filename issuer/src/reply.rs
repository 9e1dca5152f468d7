//! The envelope: `{"ok":true,"data":{..}}` or `{"ok":false,"error":{"code","message"}}`, and every refusal that uses it.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;

use crate::store::StoreError;

/// How long a client that met a limit waits, in seconds: the time in which some open logins of a site end.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("5");

/// A success: `data` is always an object.
pub(crate) fn data(status: StatusCode, data: impl Serialize) -> Response {
    (status, [(header::CACHE_CONTROL, "no-store")], Json(json!({ "ok": true, "data": data }))).into_response()
}

/// Why a request is refused. The code is stable; the message is for people and never says which check of a credential
/// failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    AgentTokenMissing,
    AgentTokenInvalid,
    AgentSuspended,
    AgentOwnerSuspended,
    SiteTokenMissing,
    SiteTokenInvalid,
    SiteSuspended,
    /// The store cannot say whether an agent's token is good: fail closed.
    AgentAuthUnavailable,
    SiteAuthUnavailable,
    /// The store cannot say whether an owner is signed in.
    OwnerAuthUnavailable,
    /// The store or a key failed after the caller was known.
    TokenNotIssued,
    /// No such login request, or none that can still be approved, or not this caller's.
    LoginNotFound,
    /// Approved before, by another agent or with another nonce.
    LoginConflict,
    NonceMissing,
    NonceWrong,
    SiteNotAllowed,
    TooMany,
    /// The body, or a parameter; what exactly is no secret.
    Invalid(&'static str),
    BodyTooLarge,
    BodyTooSlow,
    RevocationsGone,
    NotFound,
    MethodNotAllowed,
}

impl Refusal {
    const fn parts(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::AgentTokenMissing => (StatusCode::UNAUTHORIZED, "MISSING_AGENT_TOKEN", "X-Agent-Token is missing"),
            Self::AgentTokenInvalid => {
                (StatusCode::UNAUTHORIZED, "INVALID_AGENT_TOKEN", "the agent token is not valid")
            }
            Self::AgentSuspended => (StatusCode::FORBIDDEN, "AGENT_INACTIVE", "the agent is suspended"),
            Self::AgentOwnerSuspended => {
                (StatusCode::FORBIDDEN, "AGENT_USER_SUSPENDED", "the owner of the agent is suspended")
            }
            Self::SiteTokenMissing => (StatusCode::UNAUTHORIZED, "SITE_TOKEN_MISSING", "X-Site-Token is missing"),
            Self::SiteTokenInvalid => (StatusCode::UNAUTHORIZED, "SITE_TOKEN_INVALID", "the site token is not valid"),
            Self::SiteSuspended => (StatusCode::FORBIDDEN, "SITE_SUSPENDED", "the site or its owner is suspended"),
            Self::AgentAuthUnavailable => {
                (StatusCode::SERVICE_UNAVAILABLE, "AUTH_UNAVAILABLE", "the agent cannot be authenticated now")
            }
            Self::SiteAuthUnavailable => {
                (StatusCode::SERVICE_UNAVAILABLE, "SITE_TOKEN_AUTH_UNAVAILABLE", "the site cannot be authenticated now")
            }
            Self::OwnerAuthUnavailable => {
                (StatusCode::SERVICE_UNAVAILABLE, "AUTH_UNAVAILABLE", "the owner cannot be authenticated now")
            }
            Self::TokenNotIssued => {
                (StatusCode::SERVICE_UNAVAILABLE, "OAUTH_TOKEN_ISSUANCE_FAILED", "no token can be issued now")
            }
            Self::LoginNotFound => {
                (StatusCode::NOT_FOUND, "SITE_LOGIN_REQUEST_NOT_FOUND", "no such login request, or it has ended")
            }
            Self::LoginConflict => {
                (StatusCode::CONFLICT, "SITE_LOGIN_CONFLICT", "the login request was approved before")
            }
            Self::NonceMissing => (StatusCode::BAD_REQUEST, "MISSING_POW_NONCE", "pow_nonce is missing"),
            Self::NonceWrong => (StatusCode::BAD_REQUEST, "INVALID_POW", "pow_nonce does not solve the challenge"),
            Self::SiteNotAllowed => (StatusCode::FORBIDDEN, "SITE_NOT_ALLOWED", "this site is not on the list"),
            Self::TooMany => {
                (StatusCode::TOO_MANY_REQUESTS, "RATE_LIMIT_EXCEEDED", "too many at once, try again later")
            }
            Self::Invalid(what) => (StatusCode::BAD_REQUEST, "VALIDATION_ERROR", what),
            Self::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "VALIDATION_ERROR", "the body is too large"),
            Self::BodyTooSlow => (StatusCode::REQUEST_TIMEOUT, "VALIDATION_ERROR", "the body did not arrive in time"),
            Self::RevocationsGone => {
                (StatusCode::GONE, "REVOCATIONS_GONE", "the log does not reach this position, ask without after")
            }
            Self::NotFound => (StatusCode::NOT_FOUND, "NOT_FOUND", "no such endpoint"),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", "not with this method"),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, code, message) = self.parts();
        answer(status, json!({ "ok": false, "error": { "code": code, "message": message } }))
    }
}

impl Refusal {
    pub(crate) const fn status(self) -> StatusCode {
        let (status, ..) = self.parts();
        status
    }

    /// What is said to people.
    pub(crate) const fn message(self) -> &'static str {
        let (.., message) = self.parts();
        message
    }

    /// The refusal as readers of OAuth know one (RFC 6749 §5.2): `error` is a text. `invalid` is the code for a request that
    /// is at fault itself.
    pub(crate) fn in_oauth(self, invalid: &'static str) -> Response {
        let (status, _, message) = self.parts();
        let passes = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
        let error = if passes { "temporarily_unavailable" } else { invalid };
        answer(status, json!({ "error": error, "error_description": message }))
    }
}

fn answer(status: StatusCode, body: serde_json::Value) -> Response {
    let mut response = (status, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response();
    if status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
    }
    response
}

/// Sends a browser on; after a form with another method (RFC 9110 §15.4.4).
pub(crate) fn see_other(location: HeaderValue) -> Response {
    let no_store = HeaderValue::from_static("no-store");
    (StatusCode::SEE_OTHER, [(header::LOCATION, location), (header::CACHE_CONTROL, no_store)]).into_response()
}

/// Logs why the store failed, once, and gives what the client is told.
pub(crate) fn unavailable(refusal: Refusal) -> impl FnOnce(StoreError) -> Refusal {
    move |error| {
        tracing::error!(error = &error as &dyn std::error::Error, "store failed");
        refusal
    }
}
