//! `/console/consents`: what an owner said yes to, and how to take it back.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse as _, Response};

use super::pages::{ConsentLine, Consents, Problem, ScopeLine, SignInNotice};
use super::sign_in;
use crate::foundation::owner_sessions::{Answered, answered, signed_in};
use crate::reply::{Refusal, see_other, unavailable};
use crate::request::parameters::Parameters;
use crate::service::Service;
use crate::store::{ConsentRecord, ResourceRecord, scope_names};
use crate::time::UnixMillis;

const HERE: &str = "/console/consents";

/// `GET /console/consents`.
pub(crate) async fn show(State(service): State<Arc<Service>>, headers: HeaderMap) -> Response {
    Problem::unless(shown(&service, &headers).await, &service.issuer)
}

async fn shown(service: &Service, headers: &HeaderMap) -> Result<Response, Refusal> {
    let Some(owner) = signed_in(service, headers, UnixMillis::now()).await? else {
        return Ok(sign_in::page(service, headers, HERE, None, None));
    };
    let given = service.store.consents_of(&owner.owner).await.map_err(unavailable(Refusal::OwnerAuthUnavailable))?;
    let resources = service.store.resources().await.map_err(unavailable(Refusal::OwnerAuthUnavailable))?;
    let lines = given.into_iter().map(|consent| ConsentLine {
        organisation: organisation(&resources, &consent.resource),
        scopes: in_words(&resources, &consent),
        id: consent.id,
        client_name: consent.client_name,
        client_id: consent.client,
        resource: consent.resource,
        redirect_host: consent.redirect_host,
        given_at: consent.created_at,
        is_remembered: consent.remembered.is_some(),
    });
    let page = Consents {
        issuer: service.issuer.clone(),
        owner: owner.name,
        consents: lines.collect(),
        csrf: service.csrf.token(&owner.session, ""),
    };
    Ok(page.into_response())
}

fn organisation(resources: &[ResourceRecord], url: &str) -> Option<String> {
    let found = resources.iter().find(|resource| resource.url == url);
    found.map(|resource| resource.organisation_name.clone())
}

/// Scopes, as their resource is registered with them now.
fn in_words(resources: &[ResourceRecord], consent: &ConsentRecord) -> Vec<ScopeLine> {
    let known = resources.iter().find(|resource| resource.url == consent.resource);
    let meaning = |name: &str| {
        let scope = known.and_then(|resource| resource.scopes.iter().find(|scope| scope.name == name));
        scope.map(|scope| scope.description.clone()).unwrap_or_default()
    };
    scope_names(&consent.scope).map(|name| ScopeLine { name: name.to_owned(), description: meaning(name) }).collect()
}

/// `POST /console/consents/withdraw`.
pub(crate) async fn withdraw(State(service): State<Arc<Service>>, headers: HeaderMap, body: Body) -> Response {
    Problem::unless(withdrawn(&service, &headers, body).await, &service.issuer)
}

async fn withdrawn(service: &Service, headers: &HeaderMap, body: Body) -> Result<Response, Refusal> {
    let said = Parameters::of_form(body).await?;
    let owner = match answered(service, headers, (said.field("csrf")?, ""), UnixMillis::now()).await? {
        Answered::By(owner) => owner,
        Answered::NoLonger => {
            return Ok(sign_in::page(service, headers, HERE, None, Some(SignInNotice::Ended)));
        }
        Answered::Forged => return Ok(Problem::forged(service.issuer.clone()).into_response()),
    };
    let withdrawn = service.store.withdraw_consent(&owner.owner, said.field("id")?.to_owned(), UnixMillis::now()).await;
    withdrawn.map_err(unavailable(Refusal::OwnerAuthUnavailable))?;
    Ok(see_other(HeaderValue::from_static(HERE)))
}
