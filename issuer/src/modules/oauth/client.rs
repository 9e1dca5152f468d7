//! Whom a `client_id` names: a client that registered, one of an operator, or one that a document on the web describes.

use std::sync::Arc;
use std::time::Duration;

use passport::{AgentId, ClientKeys};

use super::client_metadata::ClientDocuments;
use super::client_metadata::document::{DocumentAuth, DocumentKeys};
use super::client_metadata::refusal::DocumentRefusal;
use super::redirect_uri::RedirectUri;
use crate::credentials::TokenHash;
use crate::service::Service;
use crate::store::{ClientAuth, RefreshTokens, StoreError};
use crate::time::UnixMillis;

/// A client that registered itself and is used lives on for so long.
const USED_TTL: Duration = Duration::from_hours(90 * 24);

/// A client that is known.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) id: String,
    /// As it calls itself.
    pub(crate) name: String,
    pub(crate) redirect_uris: Vec<RedirectUri>,
    pub(crate) proof: Proof,
    pub(crate) refresh_tokens: RefreshTokens,
    pub(crate) origin: Origin,
}

/// How a client shows that it is itself.
#[derive(Clone, Debug)]
pub(crate) enum Proof {
    /// It cannot: what it gets is bound to a verifier that only it has.
    Nothing,
    Secret(TokenHash),
    Keys(Arc<ClientKeys>),
    /// With keys that its document names.
    KeysOfDocument(DocumentKeys),
}

/// Where a client is known from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// It registered itself (RFC 7591): its name is its own claim.
    Registered,
    /// An operator added it for an agent.
    Operator(AgentId),
    /// Its `client_id` is a URL, and the document there is about it: whoever owns the host vouches.
    Document { host: String },
}

/// Why a client is not known.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnknownClient {
    /// Nobody registered under this id, or the registration has ended.
    #[error("no client has this client_id")]
    Unregistered,
    /// The document that should describe it does not.
    #[error(transparent)]
    Document(#[from] DocumentRefusal),
    /// What is stored of it cannot be read, or not now.
    #[error("the client cannot be looked up now")]
    Store(#[from] StoreError),
}

/// Finds a client. A document is fetched once at most, and kept for a while.
pub(crate) async fn find(service: &Service, id: &str, now: UnixMillis) -> Result<Client, UnknownClient> {
    if ClientDocuments::is_one(id) {
        let document = service.documents.find(id).await?;
        let proof = match &document.auth {
            DocumentAuth::None => Proof::Nothing,
            DocumentAuth::PrivateKeyJwt(keys) => Proof::KeysOfDocument(keys.clone()),
        };
        let host = url::Url::parse(id).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
        return Ok(Client {
            id: document.client_id.clone(),
            name: document.name.as_str().to_owned(),
            redirect_uris: document.redirect_uris.clone(),
            proof,
            refresh_tokens: RefreshTokens::Given,
            origin: Origin::Document { host },
        });
    }
    let record = service.store.client(id, now).await?.ok_or(UnknownClient::Unregistered)?;
    let parsed = record.redirect_uris.iter().map(|uri| RedirectUri::parse(uri));
    let redirect_uris = parsed.collect::<Result<_, _>>().map_err(|_| StoreError::Unreadable("redirect URI"))?;
    let proof = match record.auth {
        ClientAuth::None => Proof::Nothing,
        ClientAuth::Secret(hash) => Proof::Secret(hash),
        ClientAuth::Keys(jwks) => {
            let keys = ClientKeys::from_jwks(jwks.as_bytes());
            Proof::Keys(Arc::new(keys.map_err(|_| StoreError::Unreadable("key of a client"))?))
        }
    };
    let origin = record.agent.map_or(Origin::Registered, Origin::Operator);
    let refresh_tokens = record.refresh_tokens;
    Ok(Client { id: record.id, name: record.name, redirect_uris, proof, refresh_tokens, origin })
}

/// Notes that a client was used: what an owner granted was redeemed. Anybody can name a client, so that alone keeps none.
pub(super) async fn was_used(service: &Service, client: &Client, now: UnixMillis) {
    match client.origin {
        Origin::Registered => {
            let touched = service.store.touch_client(client.id.clone(), now.plus(USED_TTL), now).await;
            // What was redeemed is used up: the client is not to go without its tokens for this.
            if let Err(error) = touched {
                tracing::error!(error = &error as &dyn std::error::Error, "store failed");
            }
        }
        Origin::Operator(_) | Origin::Document { .. } => {}
    }
}
