//! Clients that are known by a document (draft-ietf-oauth-client-id-metadata-document, as MCP 2026-07-28 asks): the
//! `client_id` is the `https` URL of its metadata.
//!
//! Whoever names a client makes us fetch something from where they say. [`fetch`] is what stands between that and the
//! networks we are in; [`kept`] what keeps it rare; [`document`] what is believed of an answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use passport::ClientKeys;

mod address;
mod budget;
pub(crate) mod document;
mod fetch;
mod freshness;
mod kept;
mod location;
pub(crate) mod refusal;

use document::{ClientDocument, DocumentKeys};
use fetch::Fetcher;
use kept::{Bounds, Kept};
use location::Location;
use refusal::DocumentRefusal;

use crate::Error;

/// Largest document, in bytes: the draft recommends 5 KiB to clients, real ones have one.
const DOCUMENT_BYTES_MAX: usize = 10 * 1024;

const DOCUMENT_BOUNDS: Bounds = Bounds { fresh_max: Duration::from_hours(24), outage_max: Duration::from_hours(24) };

/// A key that a client took back should soon be one that is not taken.
const KEYS_BOUNDS: Bounds = Bounds { fresh_max: Duration::from_mins(5), outage_max: Duration::from_hours(1) };

/// The documents of all clients, as far as somebody asked for them.
#[derive(Debug)]
pub(crate) struct ClientDocuments {
    fetcher: Fetcher,
    documents: Kept<ClientDocument>,
    keys: Kept<ClientKeys>,
}

impl ClientDocuments {
    /// Needs a rustls provider to be installed.
    ///
    /// # Errors
    /// [`Error::Authorities`], [`Error::HttpClient`].
    pub(crate) fn new(config: &config::ClientDocuments) -> Result<Self, Error> {
        let fetcher = Fetcher::new(config)?;
        Ok(Self { fetcher, documents: Kept::new(DOCUMENT_BOUNDS), keys: Kept::new(KEYS_BOUNDS) })
    }

    /// Whether a `client_id` is of this kind, so that nobody else need know it.
    pub(crate) fn is_one(client_id: &str) -> bool {
        client_id.contains("://")
    }

    /// The document of a client. Fetches at most once.
    pub(crate) async fn find(&self, client_id: &str) -> Result<Arc<ClientDocument>, DocumentRefusal> {
        self.find_at(client_id, Instant::now()).await
    }

    async fn find_at(&self, client_id: &str, now: Instant) -> Result<Arc<ClientDocument>, DocumentRefusal> {
        let location = Location::parse(client_id)?;
        let fetch = async {
            let fetched = self.fetcher.get(&location, DOCUMENT_BYTES_MAX, now).await?;
            Ok((ClientDocument::parse(&location, &fetched.body)?, fetched.keep))
        };
        self.documents.find(location.as_str(), now, fetch).await
    }

    /// The keys with which a client signs its assertions. Fetches at most once.
    pub(crate) async fn keys(&self, keys: &DocumentKeys) -> Result<Arc<ClientKeys>, DocumentRefusal> {
        self.keys_at(keys, Instant::now()).await
    }

    async fn keys_at(&self, keys: &DocumentKeys, now: Instant) -> Result<Arc<ClientKeys>, DocumentRefusal> {
        let location = match keys {
            DocumentKeys::Inline(keys) => return Ok(Arc::clone(keys)),
            DocumentKeys::At(location) => location,
        };
        let fetch = async {
            let fetched = self.fetcher.get(location, passport::JWKS_BYTES_MAX, now).await?;
            Ok((document::keys(&fetched.body)?, fetched.keep))
        };
        self.keys.find(location.as_str(), now, fetch).await
    }
}

#[cfg(test)]
mod tests;
