//! What the gateway asks of an issuer, over HTTP. Nothing is followed elsewhere, everything has a size and a time.

use std::time::Duration;

use config::WebOrigin;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// For a connection, and for a whole answer that is not a stream.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Largest answers that are read, in bytes: 10,000 sites or rows take a sixth of it.
const LIST_BYTES_MAX: usize = 8 * 1024 * 1024;
/// The state as one list, after a gateway was away for more than a day.
const TABLE_BYTES_MAX: usize = 64 * 1024 * 1024;
const SMALL_BYTES_MAX: usize = 64 * 1024;

const SITE_TOKEN: HeaderName = HeaderName::from_static("x-site-token");

/// Why the issuer did not give what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    #[error("the issuer cannot be reached")]
    Unreachable(#[source] reqwest::Error),
    #[error("the issuer answered {status}{}", code.as_deref().map(|code| format!(" {code}")).unwrap_or_default())]
    Refused { status: StatusCode, code: Option<String> },
    #[error("the issuer's answer is longer than {0} bytes")]
    TooLong(usize),
    #[error("the issuer's answer is not what it should be")]
    Malformed(#[source] serde_json::Error),
    #[error("the credential is no header value")]
    Credential,
}

impl ApiError {
    /// Whether the issuer said no, as opposed to nothing or "not now".
    pub(crate) fn is_a_no(&self) -> bool {
        match self {
            Self::Refused { status, .. } => status.is_client_error() && *status != StatusCode::TOO_MANY_REQUESTS,
            Self::Credential => true,
            Self::Unreachable(_) | Self::TooLong(_) | Self::Malformed(_) => false,
        }
    }

    pub(crate) fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            Self::Unreachable(_) | Self::TooLong(_) | Self::Malformed(_) | Self::Credential => None,
        }
    }
}

/// An issuer's API.
#[derive(Clone, Debug)]
pub(crate) struct IssuerApi {
    client: Client,
    base: String,
}

/// An API and what we are known by there.
#[derive(Clone, Debug)]
pub(crate) struct Authorized {
    api: IssuerApi,
    credential: HeaderValue,
    is_site_token: bool,
}

/// A key set as it was fetched.
#[derive(Debug)]
pub(crate) struct Jwks {
    pub(crate) document: String,
    pub(crate) max_age: Option<Duration>,
}

/// A site of ours at the issuer.
#[derive(Debug, Deserialize)]
pub(crate) struct RegisteredSite {
    pub(crate) site_id: String,
    pub(crate) origin: String,
}

/// A piece of the revocation log.
#[derive(Debug, Deserialize)]
pub(crate) struct LogPage {
    pub(crate) revocations: Vec<LogRow>,
    pub(crate) seq: u64,
    pub(crate) more: bool,
}

/// A row of the log. `kind` may be one we do not know.
#[derive(Debug, Deserialize)]
pub(crate) struct LogRow {
    pub(crate) seq: u64,
    pub(crate) kind: String,
    pub(crate) id: String,
    pub(crate) not_before: u64,
    pub(crate) suspended: bool,
}

/// A login request that was opened.
#[derive(Debug, Deserialize)]
pub(crate) struct OpenedLogin {
    pub(crate) login_request_id: String,
    pub(crate) expires_at: String,
}

/// A client for the APIs of all issuers.
pub(crate) fn client() -> Result<Client, reqwest::Error> {
    Client::builder()
        .redirect(Policy::none())
        // The path to the issuer is for the configuration to say, not for the environment.
        .no_proxy()
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .user_agent(concat!("lime-gateway/", env!("CARGO_PKG_VERSION")))
        .build()
}

impl IssuerApi {
    pub(crate) fn new(client: Client, issuer: &WebOrigin) -> Self {
        Self { client, base: format!("{issuer}/api/v1") }
    }

    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    pub(crate) fn authorized(&self, credential: &SecretString) -> Result<Authorized, ApiError> {
        let text = credential.expose_secret();
        let mut value = HeaderValue::from_str(text).map_err(|_| ApiError::Credential)?;
        value.set_sensitive(true);
        Ok(Authorized { api: self.clone(), credential: value, is_site_token: text.starts_with("st_") })
    }
}

impl Authorized {
    /// Whether both are known by the same there.
    pub(crate) fn has_credential_of(&self, other: &Self) -> bool {
        self.credential == other.credential
    }

    pub(crate) fn api_base(&self) -> &str {
        self.api.base()
    }

    /// The sites this credential serves.
    pub(crate) async fn sites(&self) -> Result<Vec<RegisteredSite>, ApiError> {
        #[derive(Deserialize)]
        struct Sites {
            sites: Vec<RegisteredSite>,
        }
        let request = self.get("/modules/gateway/sites").timeout(ANSWER_TIMEOUT);
        data::<Sites>(request, StatusCode::OK, LIST_BYTES_MAX).await.map(|found| found.sites)
    }

    /// The revocation log past a position; without one, its state as a list.
    pub(crate) async fn revocations(&self, after: Option<u64>) -> Result<LogPage, ApiError> {
        let (path, bytes_max) = match after {
            Some(seq) => (format!("/modules/gateway/revocations?after={seq}"), LIST_BYTES_MAX),
            None => ("/modules/gateway/revocations".to_owned(), TABLE_BYTES_MAX),
        };
        data(self.get(&path).timeout(ANSWER_TIMEOUT * 4), StatusCode::OK, bytes_max).await
    }

    /// The stream of events. Its reader decides when it has been silent for too long.
    pub(crate) async fn events(&self) -> Result<Response, ApiError> {
        let request = self.get("/modules/gateway/events").header(http::header::ACCEPT, "text/event-stream");
        let sent = tokio::time::timeout(ANSWER_TIMEOUT, request.send());
        let timed_out = || ApiError::Refused { status: StatusCode::GATEWAY_TIMEOUT, code: None };
        let response = sent.await.map_err(|_| timed_out())?.map_err(ApiError::Unreachable)?;
        if response.status() == StatusCode::OK { Ok(response) } else { Err(refusal(response).await) }
    }

    /// Opens a login request in the name of a site.
    pub(crate) async fn open_login(&self, site_id: &str) -> Result<OpenedLogin, ApiError> {
        // A site token speaks for its site without being asked which.
        let body = if self.is_site_token { serde_json::json!({}) } else { serde_json::json!({ "site_id": site_id }) };
        let request = self.api.client.post(format!("{}/modules/agent-login/requests", self.api.base));
        let request = request.header(SITE_TOKEN, self.credential.clone());
        let request = request.header(http::header::CONTENT_TYPE, "application/json").body(body.to_string());
        data(request.timeout(ANSWER_TIMEOUT), StatusCode::CREATED, SMALL_BYTES_MAX).await
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.api.client.get(format!("{}{path}", self.api.base)).header(SITE_TOKEN, self.credential.clone())
    }
}

/// The issuer's envelope.
#[derive(Deserialize)]
struct Envelope<T> {
    ok: bool,
    data: Option<T>,
    error: Option<Problem>,
}

#[derive(Deserialize)]
struct Problem {
    code: String,
}

async fn data<T: DeserializeOwned>(request: RequestBuilder, good: StatusCode, bytes_max: usize) -> Result<T, ApiError> {
    let response = request.send().await.map_err(ApiError::Unreachable)?;
    let status = response.status();
    if status != good {
        return Err(refusal(response).await);
    }
    let body = read(response, bytes_max).await?;
    let envelope: Envelope<T> = serde_json::from_slice(&body).map_err(ApiError::Malformed)?;
    let code = envelope.error.map(|problem| problem.code);
    envelope.data.filter(|_| envelope.ok).ok_or(ApiError::Refused { status, code })
}

async fn refusal(response: Response) -> ApiError {
    let status = response.status();
    let body = read(response, SMALL_BYTES_MAX).await.unwrap_or_default();
    let envelope = serde_json::from_slice::<Envelope<serde_json::Value>>(&body).ok();
    let code = envelope.and_then(|envelope| envelope.error).map(|problem| problem.code);
    // Foreign text in our log: only what can be a code.
    let code = code.filter(|code| code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_graphic()));
    ApiError::Refused { status, code }
}

pub(crate) async fn read(mut response: Response, bytes_max: usize) -> Result<Vec<u8>, ApiError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(ApiError::Unreachable)? {
        if body.len() + chunk.len() > bytes_max {
            return Err(ApiError::TooLong(bytes_max));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// `max-age` of `Cache-Control` (RFC 9111 §5.2.2.1).
pub(crate) fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let lines = headers.get_all(http::header::CACHE_CONTROL).iter().filter_map(|line| line.to_str().ok());
    let mut directives = lines.flat_map(|line| line.split(',')).map(str::trim);
    let age = directives.find_map(|directive| directive.strip_prefix("max-age="))?;
    age.parse().ok().map(Duration::from_secs)
}
