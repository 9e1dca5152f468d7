//! Fetches a document from a host that a stranger chose.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Response};
use tokio::net::lookup_host;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::address::is_public;
use super::budget::Budget;
use super::freshness::{self, Keep};
use super::location::Location;
use super::refusal::DocumentRefusal;
use crate::Error as IssuerError;

/// For all of a fetch: its name, its connection, its answer.
const TIME_MAX: Duration = Duration::from_secs(5);

/// Names looked up at a time. The system cannot be told to give up, so that one may outlast its fetch.
const LOOKUPS_MAX: usize = 64;

/// Sends requests to anybody, but not to anywhere.
#[derive(Debug)]
pub(super) struct Fetcher {
    /// Knows no address but those of the internet.
    to_public: Client,
    /// For the hosts that the operator named.
    to_any: Client,
    allow: Vec<config::HostPort>,
    budget: Arc<Budget>,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) body: Vec<u8>,
    pub(super) keep: Keep,
}

impl Fetcher {
    pub(super) fn new(config: &config::ClientDocuments) -> Result<Self, IssuerError> {
        let authorities = config.ca.as_deref().map(authorities).transpose()?.unwrap_or_default();
        let lookups = Arc::new(Semaphore::new(LOOKUPS_MAX));
        let client = |reach: Reach| {
            let client = Client::builder()
                .https_only(true)
                .redirect(Policy::none())
                // A proxy would look the name up once more, behind the check.
                .no_proxy()
                // The next fetch looks its name up and has it checked anew.
                .pool_max_idle_per_host(0)
                .http1_only()
                .timeout(TIME_MAX)
                .dns_resolver(Arc::new(Lookup { reach, lookups: Arc::clone(&lookups) }))
                .user_agent(concat!("lime-issuer/", env!("CARGO_PKG_VERSION")));
            let client = authorities.iter().cloned().fold(client, reqwest::ClientBuilder::add_root_certificate);
            client.build().map_err(|cause| IssuerError::HttpClient(cause.into()))
        };
        Ok(Self {
            to_public: client(Reach::Public)?,
            to_any: client(Reach::Any)?,
            allow: config.allow.clone(),
            budget: Arc::default(),
        })
    }

    /// Asks once. The body is at most `bytes_max` bytes of what calls itself JSON.
    pub(super) async fn get(
        &self,
        location: &Location,
        bytes_max: usize,
        now: Instant,
    ) -> Result<Fetched, DocumentRefusal> {
        let client = match self.reach(location) {
            Reach::Any => &self.to_any,
            Reach::Public => match location.address().filter(|address| !is_public(*address)) {
                // An address is not looked up, so no resolver would see it.
                Some(address) => return Err(DocumentRefusal::AddressNotPublic(address)),
                None => &self.to_public,
            },
        };
        let _permit = self.budget.permit(location.host(), now)?;
        timeout(TIME_MAX, get(client, location, bytes_max)).await.map_err(|_| DocumentRefusal::TooSlow)?
    }

    fn reach(&self, location: &Location) -> Reach {
        let is_named = |named: &config::HostPort| named.host() == location.host() && named.port() == location.port();
        if self.allow.iter().any(is_named) { Reach::Any } else { Reach::Public }
    }
}

async fn get(client: &Client, location: &Location, bytes_max: usize) -> Result<Fetched, DocumentRefusal> {
    let request = client.get(location.url().clone()).header(ACCEPT, "application/json");
    let response = request.send().await.map_err(|error| failure(location, &error))?;
    let status = response.status();
    if status.is_redirection() {
        return Err(DocumentRefusal::Redirect(status.as_u16()));
    }
    if status != reqwest::StatusCode::OK {
        return Err(DocumentRefusal::Status(status.as_u16()));
    }
    if !is_json(response.headers()) {
        return Err(DocumentRefusal::NotJsonType);
    }
    let keep = freshness::keep(response.headers(), SystemTime::now());
    Ok(Fetched { body: read(location, response, bytes_max).await?, keep })
}

async fn read(location: &Location, mut response: Response, bytes_max: usize) -> Result<Vec<u8>, DocumentRefusal> {
    let announced = response.content_length().and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or_default();
    if announced > bytes_max {
        return Err(DocumentRefusal::TooLarge(bytes_max));
    }
    let mut body = Vec::with_capacity(announced);
    while let Some(chunk) = response.chunk().await.map_err(|error| failure(location, &error))? {
        if body.len() + chunk.len() > bytes_max {
            return Err(DocumentRefusal::TooLarge(bytes_max));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// `application/json`, or another type that is written in it (RFC 6839 §3.1).
fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

fn failure(location: &Location, error: &reqwest::Error) -> DocumentRefusal {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(this) = cause {
        if let Some(found) = this.downcast_ref::<LookupError>() {
            return match found {
                LookupError::NotPublic => DocumentRefusal::HostNotPublic,
                LookupError::Busy => DocumentRefusal::Busy,
                LookupError::Unknown(_) => DocumentRefusal::HostUnknown,
            };
        }
        cause = this.source();
    }
    if error.is_timeout() {
        return DocumentRefusal::TooSlow;
    }
    // Who asked is told less: the cause may say what is in a network that is not theirs.
    tracing::info!(url = location.as_str(), error = error as &dyn Error, "a client document cannot be fetched");
    DocumentRefusal::Unreachable
}

fn authorities(path: &std::path::Path) -> Result<Vec<Certificate>, IssuerError> {
    let failed = |source: Box<dyn Error + Send + Sync>| IssuerError::Authorities { path: path.to_owned(), source };
    let pem = std::fs::read(path).map_err(|cause| failed(cause.into()))?;
    let found = Certificate::from_pem_bundle(&pem).map_err(|cause| failed(cause.into()))?;
    if found.is_empty() { Err(failed("no certificate in it".into())) } else { Ok(found) }
}

/// Which addresses a name may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    Public,
    Any,
}

/// Looks a name up, once for each connection: what was checked is what is connected to.
#[derive(Debug)]
struct Lookup {
    reach: Reach,
    lookups: Arc<Semaphore>,
}

/// Why a name leads nowhere.
#[derive(Debug, thiserror::Error)]
enum LookupError {
    #[error("the name is not found")]
    Unknown(#[source] io::Error),
    #[error("the name has an address that is not one of the internet")]
    NotPublic,
    #[error("too many names are being looked up")]
    Busy,
}

impl Resolve for Lookup {
    fn resolve(&self, name: Name) -> Resolving {
        let (reach, lookups, host) = (self.reach, Arc::clone(&self.lookups), name.as_str().to_owned());
        Box::pin(async move {
            let permit = lookups.try_acquire_owned().map_err(|_| LookupError::Busy)?;
            // On its own, since it holds its place until the system is done with it, whoever still waits.
            let looking = tokio::spawn(async move {
                let found = lookup_host((host, 0)).await.map(Iterator::collect::<Vec<SocketAddr>>);
                drop(permit);
                found
            });
            let found =
                looking.await.map_err(io::Error::other).and_then(|found| found).map_err(LookupError::Unknown)?;
            // One that is not is enough: whoever answers for the name could have it tried first.
            if reach == Reach::Public && !found.iter().all(|address| is_public(address.ip())) {
                return Err(LookupError::NotPublic.into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}
