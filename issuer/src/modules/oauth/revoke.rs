//! `POST /modules/oauth/revoke` (RFC 7009): a client gives back what it got. With a token ends all that came of the same
//! consent; gateways refuse what was signed before within a second.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use passport::{Expected, ResourceToken};

use super::client::Client;
use super::cors;
use super::prove;
use super::token_error::TokenError;
use crate::credentials::{Holder, TokenHash};
use crate::request::parameters::Parameters;
use crate::service::Service;
use crate::time::UnixMillis;

pub(crate) async fn revoke(State(service): State<Arc<Service>>, headers: HeaderMap, body: Body) -> Response {
    let answer = match revoked(&service, &headers, body).await {
        // A token that is unknown is as good as revoked (RFC 7009 §2.2).
        Ok(()) => (StatusCode::OK, [(header::CACHE_CONTROL, "no-store")]).into_response(),
        Err(error) => error.to_a_form(),
    };
    cors::open(answer)
}

async fn revoked(service: &Service, headers: &HeaderMap, body: Body) -> Result<(), TokenError> {
    let said = Parameters::of_form(body).await?;
    let client = prove::client(service, headers, &said).await?;
    let token = said.one("token")?.ok_or(TokenError::Request("token is missing"))?;
    // What `token_type_hint` says is not needed: the two look different.
    match TokenHash::presented(token, Holder::Refresh) {
        Some(hash) => {
            let grant = service.store.grant_by_refresh(&hash).await.map_err(TokenError::store)?;
            if let Some(grant) = grant.filter(|grant| grant.client == client.id) {
                service.store.end_family(grant.id, "revoked", UnixMillis::now()).await.map_err(TokenError::store)?;
            }
        }
        None => revoke_access(service, &client, token).await?,
    }
    Ok(())
}

/// An access token names its grant at the beginning of its `jti`; one without is its agent's own.
async fn revoke_access(service: &Service, client: &Client, token: &str) -> Result<(), TokenError> {
    let Some(claimed) = passport::unverified(token) else { return Ok(()) };
    let [resource] = claimed.audiences.as_slice() else { return Ok(()) };
    let keys = service.keys.load();
    let expected = Expected { issuer: &service.issuer, recipient: resource, leeway: std::time::Duration::ZERO };
    // One that has ended, or is not ours, needs no revoking.
    let Ok(token) = passport::verify::<ResourceToken>(token, &keys.public, &expected, UnixMillis::now().secs()) else {
        return Ok(());
    };
    if token.client_id != client.id {
        return Ok(());
    }
    let ended = match token.jti.as_str().split_once('.') {
        Some((grant, _)) => service.store.end_family(grant.to_owned(), "revoked", UnixMillis::now()).await.map(drop),
        None => service.store.end_tokens_of(&token.sub, &client.id, UnixMillis::now()).await,
    };
    ended.map_err(TokenError::store)
}
