//! `GET /modules/oauth/authorize` (RFC 6749 §4.1.1 as OAuth 2.1 narrows it): a client asks an owner for access.
//!
//! Asking changes nothing: a stranger is shown where to sign in, whatever is asked, an owner what is asked of him. Only
//! where he said before that this client need not ask again, it is given a code at once.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;

use super::authorization::{Asked, AuthorizationError, NotAsked, Prompt};
use super::client_metadata::ClientDocuments;
use super::consent;
use super::metadata::BASE;
use super::scope;
use crate::console::pages::Problem;
use crate::console::sign_in;
use crate::foundation::owner_sessions::signed_in;
use crate::reply::{Refusal, unavailable};
use crate::request::parameters::Parameters;
use crate::service::Service;
use crate::store::{ConsentRecord, Remembered};
use crate::time::UnixMillis;

pub(crate) async fn authorize(
    State(service): State<Arc<Service>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    Problem::unless(answer(&service, &query.unwrap_or_default(), &headers).await, &service.issuer)
}

async fn answer(service: &Service, query: &str, headers: &HeaderMap) -> Result<Response, Refusal> {
    let now = UnixMillis::now();
    let Ok(parameters) = Parameters::parse(query.as_bytes()) else {
        return Ok(consent::refused(service, NotAsked::broken("The link says more than any app has to.")));
    };
    let Some(owner) = signed_in(service, headers, now).await? else {
        let next = format!("{BASE}/authorize?{query}");
        return Ok(match stranger(service, &parameters, now).await {
            Ok(client) => sign_in::page(service, headers, &next, client.as_deref(), None),
            Err(not_asked) => consent::refused(service, not_asked),
        });
    };
    let asked = match Asked::read(service, &parameters, now).await {
        Ok(asked) => asked,
        Err(not_asked) => return Ok(consent::refused(service, not_asked)),
    };
    let before = service.store.consent(&owner.owner, &asked.client.id, &asked.resource.url).await;
    let before = before.map_err(unavailable(Refusal::TokenNotIssued))?;
    // Where that was withdrawn just now, he is asked as if it had never been.
    if let Some((before, settled)) = before.as_ref().and_then(|before| Some((before, settled(&asked, before)?)))
        && let Some(sent) = consent::repeat(service, &asked, before, settled, now).await?
    {
        return Ok(sent);
    }
    if asked.prompt == Prompt::Nothing {
        return Ok(told(service, asked, AuthorizationError::ConsentRequired));
    }
    Ok(consent::page(service, &asked, &owner, before.as_ref(), &parameters))
}

/// What a stranger is shown before he signs in: the name of the client, where we know it ourselves, or why this leads
/// nowhere.
///
/// He is sent nowhere, not even with an error or for `prompt=none`: whoever registers a client would have a link of ours
/// that leads to his own page (RFC 9700 §4.11.2). Nor is anything fetched for him.
async fn stranger(service: &Service, parameters: &Parameters, now: UnixMillis) -> Result<Option<String>, NotAsked> {
    let is_a_document = |id: Option<&str>| id.is_some_and(ClientDocuments::is_one);
    if parameters.one("client_id").is_ok_and(is_a_document) {
        return Ok(None);
    }
    match Asked::read(service, parameters, now).await {
        Ok(asked) => Ok(Some(asked.client.name)),
        Err(NotAsked::Told(..)) => Ok(None),
        Err(shown @ NotAsked::Shown { .. }) => Err(shown),
    }
}

/// What the owner said need not be asked again, if that is what is asked: by this client, at this very place.
fn settled<'c>(asked: &Asked, before: &'c ConsentRecord) -> Option<&'c Remembered> {
    let is_asked = |settled: &&Remembered| {
        settled.redirect_uri == asked.answer.redirect_uri.as_str() && scope::covers(&settled.scope, &asked.scopes)
    };
    let may_be = asked.prompt != Prompt::Consent && asked.can_be_remembered();
    before.remembered.as_ref().filter(|_| may_be).filter(is_asked)
}

fn told(service: &Service, asked: Asked, error: AuthorizationError) -> Response {
    consent::refused(service, NotAsked::Told(Box::new(asked.answer), error))
}
