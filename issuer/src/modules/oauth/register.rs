//! Dynamic client registration (RFC 7591): whoever asks is registered, so no more are than can be kept, and who is not used
//! is soon forgotten.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use passport::{UnixTime, strict_object};
use serde_json::{Map, Value, json};

use super::client_name::ClientName;
use super::cors;
use super::members::present;
use super::redirect_uri::{BadRedirectUri, RedirectUri};
use crate::reply::{Refusal, unavailable};
use crate::request::bytes_up_to;
use crate::service::Service;
use crate::store::{ClientAuth, ClientRecord, ClientRegistration, RefreshTokens};
use crate::time::UnixMillis;

/// A client that registers goes on to ask an owner at once; one that does not is a stranger's.
const UNUSED_TTL: Duration = Duration::from_hours(24);

/// Largest metadata: what real clients send has a kilobyte, and half of this can be kept for each.
const BODY_BYTES_MAX: usize = 8 * 1024;

/// Clients that registered themselves, at a time. Each has a kilobyte or two.
const CLIENTS_MAX: i64 = 100_000;

/// Room comes as clients that are not used are forgotten, in seconds: nothing changes within minutes.
const FULL_RETRY_AFTER: HeaderValue = HeaderValue::from_static("3600");

/// Redirect URIs of one client: real ones have three.
const REDIRECT_URIS_MAX: usize = 10;

/// The type of grant that a client may go without.
const REFRESH: &str = "refresh_token";

/// Longest `scope`, in bytes.
const SCOPE_BYTES_MAX: usize = 1000;

/// Metadata of a client that can be registered. The client is a public one, whatever it asked for: the server may replace
/// what was asked (RFC 7591 §3.2.1), and a secret that anybody gets for the asking proves nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Registration {
    pub(crate) name: ClientName,
    pub(crate) redirect_uris: Vec<RedirectUri>,
    application_type: &'static str,
    grant_types: Vec<&'static str>,
    scope: Option<String>,
}

/// Why a client is not registered (RFC 7591 §3.2.2).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RegistrationError {
    #[error("redirect_uris: {0}")]
    RedirectUri(#[from] BadRedirectUri),
    #[error("redirect_uris is a list of 1 to 10 texts")]
    RedirectUris,
    #[error("{0}")]
    Metadata(&'static str),
    #[error("software_statement is not taken: send the metadata itself")]
    SoftwareStatement,
}

impl RegistrationError {
    /// The `error` of the answer; its `error_description` is the text.
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::RedirectUri(_) | Self::RedirectUris => "invalid_redirect_uri",
            Self::Metadata(_) => "invalid_client_metadata",
            Self::SoftwareStatement => "unapproved_software_statement",
        }
    }
}

impl Registration {
    /// Reads the body of a registration request.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, RegistrationError> {
        let members: Map<String, Value> = strict_object(body)
            .map_err(|_| RegistrationError::Metadata("the body is not one JSON object that names each member once"))?;
        if present(&members, "software_statement").is_some() {
            return Err(RegistrationError::SoftwareStatement);
        }
        let redirect_uris = redirect_uris(&members)?;
        let grant_types = grant_types(&members)?;
        if !names(&members, "response_types", "code")?.contains("code") {
            return Err(RegistrationError::Metadata("response_types: `code` is the only one there is"));
        }
        // What it asks for is answered with `none`, so that no name can be wrong.
        text(&members, "token_endpoint_auth_method", "token_endpoint_auth_method is a text")?;
        Ok(Self {
            name: name(&members, &redirect_uris)?,
            application_type: application_type(&members, &redirect_uris)?,
            grant_types,
            scope: scope(&members)?,
            redirect_uris,
        })
    }

    /// Whether what is granted to it is given to it for long.
    fn refresh_tokens(&self) -> RefreshTokens {
        if self.grant_types.contains(&REFRESH) { RefreshTokens::Given } else { RefreshTokens::Unwanted }
    }

    /// The metadata as it is registered (RFC 7591 §2).
    pub(crate) fn metadata(&self) -> Map<String, Value> {
        let redirect_uris: Vec<_> = self.redirect_uris.iter().map(RedirectUri::as_str).collect();
        let metadata = [
            ("client_name", json!(self.name.as_str())),
            ("redirect_uris", json!(redirect_uris)),
            ("application_type", json!(self.application_type)),
            ("grant_types", json!(self.grant_types)),
            ("response_types", json!(["code"])),
            ("token_endpoint_auth_method", json!("none")),
        ];
        let scope = self.scope.as_ref().map(|scope| ("scope", json!(scope)));
        metadata.into_iter().chain(scope).map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// The body of a 201 (RFC 7591 §3.2.1). It says nothing of an end: a client that is used stays.
    pub(crate) fn answer(&self, client_id: &str, issued_at: UnixTime) -> Value {
        let mut answer = self.metadata();
        answer.insert("client_id".to_owned(), client_id.into());
        answer.insert("client_id_issued_at".to_owned(), issued_at.as_secs().into());
        Value::Object(answer)
    }
}

/// `POST /modules/oauth/register`.
pub(crate) async fn register(State(service): State<Arc<Service>>, body: Body) -> Response {
    let answer = match registered(&service, body).await {
        Ok(answer) => (StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response(),
        Err(refused) => refused,
    };
    cors::open(answer)
}

async fn registered(service: &Service, body: Body) -> Result<Value, Response> {
    let now = UnixMillis::now();
    let body =
        bytes_up_to(body, BODY_BYTES_MAX).await.map_err(|refusal| refusal.in_oauth("invalid_client_metadata"))?;
    let asked = Registration::parse(&body).map_err(|error| refused(&error))?;
    let client = ClientRecord {
        id: uuid::Uuid::new_v4().to_string(),
        name: asked.name.as_str().to_owned(),
        redirect_uris: asked.redirect_uris.iter().map(|uri| uri.as_str().to_owned()).collect(),
        auth: ClientAuth::None,
        refresh_tokens: asked.refresh_tokens(),
        agent: None,
        created_at: now,
        expires_at: Some(now.plus(UNUSED_TTL)),
    };
    let answer = asked.answer(&client.id, now.secs());
    let failed = |error| unavailable(Refusal::TokenNotIssued)(error).in_oauth("invalid_client_metadata");
    match service.store.register_client(client, CLIENTS_MAX).await.map_err(failed)? {
        ClientRegistration::Done => Ok(answer),
        ClientRegistration::Full => Err(full()),
    }
}

fn full() -> Response {
    let mut response = Refusal::TooMany.in_oauth("invalid_client_metadata");
    response.headers_mut().insert(header::RETRY_AFTER, FULL_RETRY_AFTER);
    response
}

fn refused(error: &RegistrationError) -> Response {
    let body = Json(json!({ "error": error.code(), "error_description": error.to_string() }));
    (StatusCode::BAD_REQUEST, [(header::CACHE_CONTROL, "no-store")], body).into_response()
}

fn text<'m>(
    members: &'m Map<String, Value>,
    name: &str,
    problem: &'static str,
) -> Result<Option<&'m str>, RegistrationError> {
    let value = present(members, name);
    value.map(|value| value.as_str().ok_or(RegistrationError::Metadata(problem))).transpose()
}

/// A list of names, `default` alone where there is none (RFC 7591 §2).
fn names<'m>(
    members: &'m Map<String, Value>,
    name: &str,
    default: &'m str,
) -> Result<BTreeSet<&'m str>, RegistrationError> {
    let Some(value) = present(members, name) else { return Ok([default].into()) };
    let names = value.as_array().and_then(|names| names.iter().map(Value::as_str).collect());
    names.ok_or(RegistrationError::Metadata("grant_types and response_types are lists of texts"))
}

fn redirect_uris(members: &Map<String, Value>) -> Result<Vec<RedirectUri>, RegistrationError> {
    let uris = present(members, "redirect_uris").and_then(Value::as_array).ok_or(RegistrationError::RedirectUris)?;
    if !(1..=REDIRECT_URIS_MAX).contains(&uris.len()) {
        return Err(RegistrationError::RedirectUris);
    }
    uris.iter().map(|uri| Ok(RedirectUri::parse(uri.as_str().ok_or(RegistrationError::RedirectUris)?)?)).collect()
}

/// Those of the types asked for that there are; both where nothing is said (the server may replace what is left out, RFC
/// 7591 §3.2.1): most clients that leave it out do refresh.
fn grant_types(members: &Map<String, Value>) -> Result<Vec<&'static str>, RegistrationError> {
    if present(members, "grant_types").is_none() {
        return Ok(vec!["authorization_code", REFRESH]);
    }
    let asked = names(members, "grant_types", "authorization_code")?;
    if !asked.contains("authorization_code") {
        let problem =
            "grant_types: a client that registers itself is for `authorization_code`, and `refresh_token` with it";
        return Err(RegistrationError::Metadata(problem));
    }
    Ok(["authorization_code", REFRESH].into_iter().filter(|known| asked.contains(known)).collect())
}

fn name(members: &Map<String, Value>, redirect_uris: &[RedirectUri]) -> Result<ClientName, RegistrationError> {
    let asked = text(members, "client_name", "client_name is a text")?.and_then(ClientName::of);
    // Without a name of its own it is called after where it is.
    let of_host = || ClientName::of(redirect_uris.first()?.host_shown());
    asked.or_else(of_host).ok_or(RegistrationError::RedirectUris)
}

fn application_type(
    members: &Map<String, Value>,
    redirect_uris: &[RedirectUri],
) -> Result<&'static str, RegistrationError> {
    const PROBLEM: &str = "application_type is `native` or `web`";
    match text(members, "application_type", PROBLEM)? {
        Some("native") => Ok("native"),
        Some("web") => Ok("web"),
        Some(_) => Err(RegistrationError::Metadata(PROBLEM)),
        None if redirect_uris.iter().any(|uri| uri.is_loopback() || uri.is_custom_scheme()) => Ok("native"),
        None => Ok("web"),
    }
}

/// RFC 6749 §3.3.
fn scope(members: &Map<String, Value>) -> Result<Option<String>, RegistrationError> {
    const PROBLEM: &str = "scope is a text of at most 1000 bytes, names parted by spaces";
    let allowed = |byte: u8| matches!(byte, b' ' | b'!' | 0x23..=0x5B | 0x5D..=0x7E);
    match text(members, "scope", PROBLEM)? {
        Some(scope) if scope.len() > SCOPE_BYTES_MAX || !scope.bytes().all(allowed) => {
            Err(RegistrationError::Metadata(PROBLEM))
        }
        Some(scope) => Ok(Some(scope.to_owned()).filter(|scope| !scope.is_empty())),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests;
