//! Fetch a page; where a gateway refuses, do what it says as far as that is safe, and fetch it again.

use std::time::Duration;

use reqwest::header::RETRY_AFTER;
use reqwest::{Method, Response, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::time::timeout;

use crate::issuer::{read, send};
use crate::login::Progress;
use crate::stranger::{parse, problem_in, refusal};
use crate::ways_in::{Problem, WayIn};
use crate::{Agent, ApiBase, Error};

/// A gateway's `Retry-After` while a login is pending, at most.
const POLL_PAUSE_MAX: Duration = Duration::from_secs(5);

/// How long an approved login may take to reach the site: milliseconds, or a reconnect of its gateway, which waits 8 s at
/// most.
const SESSION_WAIT_MAX: Duration = Duration::from_secs(15);

/// What a gateway answers to `POST /.lime/login`.
#[derive(Deserialize)]
struct EdgeLogin {
    request_id: String,
    api_base: String,
    poll: String,
    secret: SecretString,
}

#[derive(Deserialize)]
struct Session {
    session: SecretString,
}

impl Agent {
    /// Fetches `url` with GET and returns the answer, whatever its status, once no gateway of ours stands in the way.
    ///
    /// # Errors
    /// [`Error`] when the way in is closed, unsafe, or leads elsewhere.
    pub async fn fetch(&self, url: &str, progress: impl Fn(Progress) + Send + Sync) -> Result<Response, Error> {
        let url = parse(url)?;
        let stranger = self.stranger();
        let response = stranger.follow(url.clone(), None).await?;
        let Some((status, origin)) = refusal(&response, &url) else { return Ok(response) };
        let problem = problem_in(response, &origin).await?;
        let authorization = match problem.way_in(status, &url, Some(self.api_base()))? {
            WayIn::Token => bearer(&self.token(url.host_str().unwrap_or_default()).await?.access_token),
            WayIn::Login(at) => bearer(&self.edge_login(&url, at, progress).await?),
            WayIn::Work(work) => work.done(progress).await?,
        };
        stranger.follow(url, Some(&authorization)).await
    }

    /// Opens a login at the gateway, approves it at our issuer, and waits for the session.
    async fn edge_login(
        &self,
        fetched: &Url,
        at: Url,
        progress: impl Fn(Progress) + Send + Sync,
    ) -> Result<SecretString, Error> {
        let site = fetched.origin().ascii_serialization();
        let response = send(self.stranger().request(Method::POST, at), &site).await?;
        let status = response.status();
        let body = read(response, &site).await?;
        if status != StatusCode::CREATED {
            let reason = serde_json::from_slice(&body).unwrap_or_else(|_| Problem::default()).reason;
            return Err(Error::NoWayIn { status: status.as_u16(), reason });
        }
        let login: EdgeLogin = serde_json::from_slice(&body).map_err(|_| Error::Unreadable(site.clone()))?;
        let theirs = ApiBase::parse(&login.api_base)?;
        if theirs.origin() != self.api_base().origin() {
            return Err(Error::OtherIssuer { ours: self.api_base().origin(), found: theirs.origin() });
        }
        let poll = fetched.join(&login.poll).ok().filter(|poll| poll.origin() == fetched.origin());
        let poll = poll.ok_or_else(|| Error::Unreadable(site.clone()))?;
        self.login(&login.request_id, Some(&site), progress).await?;
        let session = timeout(SESSION_WAIT_MAX, self.session(poll, &login.secret, &site)).await;
        session.unwrap_or(Err(Error::Expired))
    }

    async fn session(&self, poll: Url, secret: &SecretString, site: &str) -> Result<SecretString, Error> {
        loop {
            let request = self.stranger().request(Method::GET, poll.clone()).bearer_auth(secret.expose_secret());
            let response = send(request, site).await?;
            match response.status() {
                StatusCode::OK => {
                    let body = read(response, site).await?;
                    let session: Session =
                        serde_json::from_slice(&body).map_err(|_| Error::Unreadable(site.to_owned()))?;
                    return Ok(session.session);
                }
                StatusCode::ACCEPTED => tokio::time::sleep(pause(&response)).await,
                StatusCode::GONE => return Err(Error::Expired),
                other => return Err(Error::NoWayIn { status: other.as_u16(), reason: None }),
            }
        }
    }
}

fn bearer(credential: &SecretString) -> SecretString {
    format!("Bearer {}", credential.expose_secret()).into()
}

fn pause(response: &Response) -> Duration {
    let seconds = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    seconds.map_or(Duration::from_millis(250), Duration::from_secs).min(POLL_PAUSE_MAX)
}
