//! The issuer as an agent sees it: one origin, one envelope.

use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::{Error, Stranger};

/// No answer of an issuer, and no refusal of a gateway, is longer.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// How long a call to the issuer may take, answer included; and how long any peer may say nothing.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// The root of an issuer's API, `https://id.example.net/api/v1`.
#[derive(Clone, Debug)]
pub struct ApiBase(Url);

impl ApiBase {
    /// Reads an address; a final slash does not matter.
    ///
    /// # Errors
    /// [`Error::BadApiBase`] for anything but an http or https URL without user, query and fragment.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let bad = || Error::BadApiBase(text.to_owned());
        let url = Url::parse(text.trim_end_matches('/')).map_err(|_| bad())?;
        let plain = url.username().is_empty() && url.password().is_none();
        let bare = url.query().is_none() && url.fragment().is_none();
        if matches!(url.scheme(), "http" | "https") && url.has_host() && plain && bare {
            Ok(Self(url))
        } else {
            Err(bad())
        }
    }

    /// Scheme, host and port.
    #[must_use]
    pub fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }

    /// Whether `url` lies at the same origin.
    #[must_use]
    pub(crate) fn is_origin_of(&self, url: &Url) -> bool {
        self.0.origin() == url.origin()
    }

    fn join(&self, path: &str) -> String {
        format!("{}{path}", self.0.as_str().trim_end_matches('/'))
    }
}

/// An agent: its token, and the one issuer that token belongs to.
#[derive(Debug)]
pub struct Agent {
    stranger: Stranger,
    api_base: ApiBase,
    token: SecretString,
}

#[derive(Deserialize)]
struct Envelope<T> {
    data: Option<T>,
    error: Option<Refusal>,
}

#[derive(Deserialize)]
struct Refusal {
    code: String,
    message: String,
}

impl Agent {
    /// An agent of the issuer at `api_base`.
    ///
    /// # Errors
    /// [`Error::Unreachable`] when no TLS client can be made.
    pub fn new(api_base: ApiBase, token: SecretString) -> Result<Self, Error> {
        Ok(Self { stranger: Stranger::new()?, api_base, token })
    }

    /// The issuer this agent belongs to.
    #[must_use]
    pub const fn api_base(&self) -> &ApiBase {
        &self.api_base
    }

    /// The same without being anybody.
    pub(crate) const fn stranger(&self) -> &Stranger {
        &self.stranger
    }

    /// A request to the issuer without the agent's token, for what is public.
    pub(crate) fn public(&self, method: Method, path: &str) -> RequestBuilder {
        self.stranger.request_to(method, &self.api_base.join(path)).timeout(REQUEST_TIMEOUT)
    }

    /// A request to the issuer with the agent's token. The only place where the token is sent.
    pub(crate) fn signed_in(&self, method: Method, path: &str) -> RequestBuilder {
        self.public(method, path).header("X-Agent-Token", self.token.expose_secret())
    }

    /// Sends a request to the issuer and opens the envelope of the answer.
    pub(crate) async fn call<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Error> {
        let (status, body) = self.answer(request).await?;
        let unreadable = || Error::Unreadable(self.api_base.origin());
        let envelope: Envelope<T> = serde_json::from_slice(&body).map_err(|_| unreadable())?;
        match envelope {
            Envelope { data: Some(data), .. } if status.is_success() => Ok(data),
            Envelope { error: Some(Refusal { code, message }), .. } => {
                Err(Error::Refused { status: status.as_u16(), code, message })
            }
            Envelope { .. } => Err(unreadable()),
        }
    }

    /// Sends a request to the issuer and reads the answer whole.
    pub(crate) async fn answer(&self, request: RequestBuilder) -> Result<(StatusCode, Vec<u8>), Error> {
        let origin = self.api_base.origin();
        let response = send(request, &origin).await?;
        let status = response.status();
        Ok((status, read(response, &origin).await?))
    }
}

pub(crate) async fn send(request: RequestBuilder, origin: &str) -> Result<Response, Error> {
    // The address may hold what should not be printed; the origin says enough.
    request
        .send()
        .await
        .map_err(|source| Error::Unreachable { origin: origin.to_owned(), source: source.without_url() })
}

/// Reads a body of at most [`ANSWER_BYTES_MAX`].
pub(crate) async fn read(mut response: Response, origin: &str) -> Result<Vec<u8>, Error> {
    let mut body = Vec::new();
    loop {
        let chunk = response.chunk().await;
        let chunk =
            chunk.map_err(|source| Error::Unreachable { origin: origin.to_owned(), source: source.without_url() })?;
        let Some(chunk) = chunk else { return Ok(body) };
        body.extend_from_slice(&chunk);
        if body.len() > ANSWER_BYTES_MAX {
            return Err(Error::Unreadable(origin.to_owned()));
        }
    }
}
