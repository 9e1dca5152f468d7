//! Whoever fetches a page without being anybody: work is the only way in there is.

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, Url, redirect};
use secrecy::{ExposeSecret, SecretString};

use crate::issuer::{REQUEST_TIMEOUT, read, send};
use crate::solving::{affordable, solve};
use crate::ways_in::{Problem, WayIn, Work};
use crate::{Error, Progress};

const REDIRECTS_MAX: usize = 10;

/// What a gateway gives for work.
const CLEARANCE: &str = "lime-clearance";

/// A client that belongs to no issuer.
#[derive(Debug)]
pub struct Stranger {
    http: Client,
}

impl Stranger {
    /// A client.
    ///
    /// # Errors
    /// [`Error::Unreachable`] when no TLS client can be made.
    pub fn new() -> Result<Self, Error> {
        let client = Client::builder().redirect(redirect::Policy::none()).no_proxy();
        // A page may take as long as it likes, while it comes.
        let client = client.connect_timeout(REQUEST_TIMEOUT).read_timeout(REQUEST_TIMEOUT).build();
        let http = client.map_err(|source| Error::Unreachable { origin: "anybody".to_owned(), source })?;
        Ok(Self { http })
    }

    /// Fetches `url` with GET and returns the answer, whatever its status; work that a gateway asks for is done.
    ///
    /// # Errors
    /// [`Error`] when the way in is closed, unsafe, or leads elsewhere.
    pub async fn fetch(&self, url: &str, progress: impl Fn(Progress) + Send + Sync) -> Result<Response, Error> {
        let url = parse(url)?;
        let response = self.follow(url.clone(), None).await?;
        let Some((status, problem)) = refusal(&response, &url) else { return Ok(response) };
        let problem = problem_in(response, &problem).await?;
        match problem.way_in(status, &url, None)? {
            WayIn::Work(work) => self.follow(url, Some(&work.done(progress).await?)).await,
            // Those are of agents, and none is offered to who is not one.
            WayIn::Token | WayIn::Login(_) => Err(Error::NoWayIn { status, reason: problem.reason }),
        }
    }

    /// A request to any origin, without a credential.
    pub(crate) fn request(&self, method: Method, url: Url) -> RequestBuilder {
        self.http.request(method, url)
    }

    /// A request to an address that is written.
    pub(crate) fn request_to(&self, method: Method, url: &str) -> RequestBuilder {
        self.http.request(method, url)
    }

    /// Follows redirects within the origin of `url`; `authorization` goes nowhere else.
    pub(crate) async fn follow(&self, url: Url, authorization: Option<&SecretString>) -> Result<Response, Error> {
        let origin = url.origin();
        let mut next = url;
        let mut authorization = authorization.cloned();
        for _ in 0..=REDIRECTS_MAX {
            let mut request = self.request(Method::GET, next.clone());
            if let Some(value) = &authorization {
                request = request.header(AUTHORIZATION, value.expose_secret());
            }
            let response = send(request, &origin.ascii_serialization()).await?;
            let location = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
            let Some(location) = location.filter(|_| response.status().is_redirection()) else { return Ok(response) };
            next = next.join(location).map_err(|_| Error::Redirected(location.to_owned()))?;
            if next.origin() != origin {
                return Err(Error::Redirected(next.origin().ascii_serialization()));
            }
            // A solution counts once; what it bought counts on.
            if let Some(clearance) = response.headers().get(CLEARANCE).and_then(|value| value.to_str().ok()) {
                authorization = Some(format!("PoW clearance=\"{clearance}\"").into());
            }
        }
        Err(Error::TooManyRedirects)
    }
}

impl Work {
    /// Does the work, as a value of `Authorization`.
    pub(crate) async fn done(&self, progress: impl Fn(Progress)) -> Result<SecretString, Error> {
        let difficulty = affordable(self.bits)?;
        progress(Progress::Work { difficulty_bits: difficulty.bits() });
        let nonces = solve(&self.challenge, self.puzzles, difficulty, progress).await?;
        let nonces: Vec<String> = nonces.iter().map(ToString::to_string).collect();
        Ok(format!("PoW challenge=\"{}\", nonces=\"{}\"", self.challenge, nonces.join(",")).into())
    }
}

/// The status of a refusal of a gateway of ours, and who refused.
pub(crate) fn refusal(response: &Response, url: &Url) -> Option<(u16, String)> {
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let is_problem = kind.is_some_and(|kind| kind.starts_with("application/problem+json"));
    let is_refusal = response.status() == StatusCode::UNAUTHORIZED && is_problem;
    is_refusal.then(|| (response.status().as_u16(), url.origin().ascii_serialization()))
}

pub(crate) async fn problem_in(response: Response, origin: &str) -> Result<Problem, Error> {
    let refusal = read(response, origin).await?;
    Ok(serde_json::from_slice(&refusal).unwrap_or_default())
}

pub(crate) fn parse(text: &str) -> Result<Url, Error> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    url.filter(|url| url.username().is_empty() && url.password().is_none())
        .ok_or_else(|| Error::BadUrl(text.to_owned()))
}
