//! Why no token is given (RFC 6749 §5.2, RFC 8707 §2).

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::reply::{Refusal, unavailable};
use crate::store::StoreError;

/// A host that is down, or a minute's fetches that are used up: neither is over in a second.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("30");

/// Why a request to the token endpoint, or to one beside it, is refused. The text is for whoever writes the client, and
/// never says which check of a credential failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenError {
    /// `invalid_client`: unknown, or not authenticated as it must be. `basic`: it tried HTTP Basic, and is told so.
    Client { why: &'static str, basic: bool },
    /// `invalid_request`.
    Request(&'static str),
    /// `invalid_grant`: a code, a refresh token or a verifier that does not count.
    Grant(&'static str),
    /// `unauthorized_client`: this client may not ask in this way.
    Unauthorized(&'static str),
    /// `unsupported_grant_type`.
    GrantType,
    /// `invalid_scope`.
    Scope(&'static str),
    /// `invalid_target`: no such resource.
    Target(&'static str),
    /// `access_denied`, which the agent SDK knows from its own lane.
    Denied(&'static str),
    /// `temporarily_unavailable`: what has to be asked elsewhere does not answer now. Clients throw away what is refused
    /// for good, so this is not to look like it.
    Unavailable(&'static str),
    /// In the envelope, with its own status.
    Refused(Refusal),
}

impl TokenError {
    /// The store failed: it was logged, and the client may come again.
    pub(crate) fn store(error: StoreError) -> Self {
        Self::Refused(unavailable(Refusal::TokenNotIssued)(error))
    }
}

impl From<crate::request::parameters::Repeated> for TokenError {
    fn from(_: crate::request::parameters::Repeated) -> Self {
        Self::Request("a parameter is repeated")
    }
}

impl From<Refusal> for TokenError {
    fn from(refusal: Refusal) -> Self {
        if refusal == Refusal::AgentTokenMissing {
            return Self::Client { why: "X-Agent-Token is missing", basic: false };
        }
        if refusal == Refusal::AgentTokenInvalid {
            return Self::Client { why: "the agent token is not valid", basic: false };
        }
        if let Refusal::Invalid(what) = refusal {
            return Self::Request(what);
        }
        Self::Refused(refusal)
    }
}

impl TokenError {
    /// The answer to a form, which no reader expects an envelope to.
    pub(crate) fn to_a_form(self) -> Response {
        match self {
            Self::Refused(refusal) => refusal.in_oauth("invalid_request"),
            Self::Client { .. }
            | Self::Request(_)
            | Self::Grant(_)
            | Self::Unauthorized(_)
            | Self::GrantType
            | Self::Scope(_)
            | Self::Target(_)
            | Self::Denied(_)
            | Self::Unavailable(_) => self.into_response(),
        }
    }
}

impl IntoResponse for TokenError {
    fn into_response(self) -> Response {
        let (status, error, description) = match self {
            Self::Refused(refusal) => return refusal.into_response(),
            Self::Client { why, .. } => (StatusCode::UNAUTHORIZED, "invalid_client", why),
            Self::Request(why) => (StatusCode::BAD_REQUEST, "invalid_request", why),
            Self::Grant(why) => (StatusCode::BAD_REQUEST, "invalid_grant", why),
            Self::Unauthorized(why) => (StatusCode::BAD_REQUEST, "unauthorized_client", why),
            Self::GrantType => {
                let why = "write authorization_code, refresh_token or client_credentials";
                (StatusCode::BAD_REQUEST, "unsupported_grant_type", why)
            }
            Self::Scope(why) => (StatusCode::BAD_REQUEST, "invalid_scope", why),
            Self::Target(why) => (StatusCode::BAD_REQUEST, "invalid_target", why),
            Self::Denied(why) => (StatusCode::FORBIDDEN, "access_denied", why),
            Self::Unavailable(why) => (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", why),
        };
        let body = Json(json!({ "error": error, "error_description": description }));
        let mut response = (status, [(header::CACHE_CONTROL, "no-store")], body).into_response();
        if let Self::Client { basic: true, .. } = self {
            // RFC 6749 §5.2: named with the scheme it tried.
            let scheme = HeaderValue::from_static("Basic realm=\"token\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        if let Self::Unavailable(_) = self {
            response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
        }
        response
    }
}
