//! `POST /modules/oauth/consent`: an owner answers what a client asked of him, and the client is given a code, or told no
//! (RFC 6749 §4.1.2).

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use passport::{AgentId, OwnerId};

use super::authorization::{Asked, AuthorizationError, CARRIED, NotAsked};
use super::client::Origin;
use crate::console::pages::{self, Advice, AskedScope, Destination, Naming, Problem, ScopeLine};
use crate::credentials::{Holder, Token};
use crate::foundation::owner_sessions::{Answered, SignedIn, answered};
use crate::reply::{Refusal, see_other, unavailable};
use crate::request::parameters::Parameters;
use crate::service::Service;
use crate::store::{ConsentRecord, Grant, NewCode, NewConsent, Remembered, scope_names};
use crate::time::UnixMillis;

/// A code is redeemed at once, by a program.
const CODE_TTL: std::time::Duration = std::time::Duration::from_secs(60);

/// Whether this client is to be let in without a question from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Remember {
    Yes,
    No,
}

pub(crate) async fn consent(State(service): State<Arc<Service>>, headers: HeaderMap, body: Body) -> Response {
    Problem::unless(decided(&service, &headers, body).await, &service.issuer)
}

async fn decided(service: &Service, headers: &HeaderMap, body: Body) -> Result<Response, Refusal> {
    let said = Parameters::of_form(body).await?;
    let now = UnixMillis::now();
    let owner = match answered(service, headers, (said.field("csrf")?, &about(&said)), now).await? {
        Answered::By(owner) => owner,
        Answered::NoLonger => return Ok(Problem::session_ended(service.issuer.clone()).into_response()),
        Answered::Forged => return Ok(Problem::forged(service.issuer.clone()).into_response()),
    };
    // Whatever the page showed: what is granted is what this form says, judged anew.
    let asked = match Asked::read(service, &said, now).await {
        Ok(asked) => asked,
        Err(not_asked) => return Ok(refused(service, not_asked)),
    };
    match said.field("decision")? {
        "allow" => {
            let wants = said.field("remember")? == "yes" && asked.can_be_remembered();
            let remember = if wants { Remember::Yes } else { Remember::No };
            give(service, asked, &owner, remember, now).await
        }
        _ => Ok(refused(
            service,
            NotAsked::Told(Box::new(asked.answer), AuthorizationError::Denied("the owner said no")),
        )),
    }
}

/// Notes the consent and sends the owner back to the client, with a code.
async fn give(
    service: &Service,
    asked: Asked,
    owner: &SignedIn,
    remember: Remember,
    now: UnixMillis,
) -> Result<Response, Refusal> {
    let redirect_uri = &asked.answer.redirect_uri;
    let consent = NewConsent {
        id: new_id(),
        agent: new_id().try_into().map_err(|_| Refusal::TokenNotIssued)?,
        owner: owner.owner.clone(),
        client: asked.client.id.clone(),
        client_name: asked.client.name.clone(),
        resource: asked.resource.clone(),
        redirect_host: redirect_uri.host_shown().to_owned(),
        scope: asked.scope(),
        remembered: (remember == Remember::Yes).then(|| redirect_uri.as_str().to_owned()),
    };
    let agent = service.store.give_consent(consent, now).await.map_err(unavailable(Refusal::TokenNotIssued))?;
    let (code, new) = code_for(&asked, owner.owner.clone(), agent, now).ok_or(Refusal::TokenNotIssued)?;
    let kept = service.store.add_code(new, now).await.map_err(unavailable(Refusal::TokenNotIssued))?;
    if !kept {
        let withdrawn = AuthorizationError::Denied("the owner has just withdrawn it");
        return Ok(refused(service, NotAsked::Told(Box::new(asked.answer), withdrawn)));
    }
    Ok(sent(&asked.answer.code(&service.issuer, code.expose())))
}

/// Sends the owner back to the client, with a code for what he settled before. `None`: he has thought again since.
pub(super) async fn repeat(
    service: &Service,
    asked: &Asked,
    before: &ConsentRecord,
    settled: &Remembered,
    now: UnixMillis,
) -> Result<Option<Response>, Refusal> {
    let new = code_for(asked, before.owner.clone(), before.agent.clone(), now);
    let (code, new) = new.ok_or(Refusal::TokenNotIssued)?;
    let kept = service.store.add_settled_code(new, settled.clone(), now).await;
    let kept = kept.map_err(unavailable(Refusal::TokenNotIssued))?;
    Ok(kept.then(|| sent(&asked.answer.code(&service.issuer, code.expose()))))
}

/// A code, as the client gets it and as it is kept. `None` when the system gives no randomness.
fn code_for(asked: &Asked, owner: OwnerId, agent: AgentId, now: UnixMillis) -> Option<(Token, NewCode)> {
    let code = Token::generate(Holder::Code)?;
    let grant = Grant {
        id: new_id(),
        client: asked.client.id.clone(),
        client_name: asked.client.name.clone(),
        agent,
        owner,
        resource: asked.resource.url.clone(),
        scope: asked.scope(),
    };
    let new = NewCode {
        hash: code.hash(),
        grant,
        redirect_uri: asked.answer.written.clone(),
        challenge: asked.challenge.clone(),
        expires_at: now.plus(CODE_TTL),
    };
    Some((code, new))
}

fn new_id() -> String {
    uuid::Uuid::now_v7().to_string()
}

/// The page on which an owner is asked.
pub(super) fn page(
    service: &Service,
    asked: &Asked,
    owner: &SignedIn,
    before: Option<&ConsentRecord>,
    parameters: &Parameters,
) -> Response {
    let had = before.map_or("", |consent| consent.scope.as_str());
    let scopes = asked.scopes.iter().map(|scope| AskedScope {
        scope: ScopeLine { name: scope.name.clone(), description: scope.description.clone() },
        is_new: before.is_some() && !scope_names(had).any(|word| word == scope.name),
    });
    let naming = match &asked.client.origin {
        Origin::Document { host } => Naming::Document { host: host.clone() },
        Origin::Registered | Origin::Operator(_) => Naming::Declared,
    };
    let remember = if asked.can_be_remembered() { pages::Remember::Offered } else { pages::Remember::Never };
    pages::Consent {
        issuer: service.issuer.clone(),
        owner: owner.name.clone(),
        client_name: asked.client.name.clone(),
        client_id: asked.client.id.clone(),
        naming,
        destination: destination(asked),
        organisation: asked.resource.organisation_name.clone(),
        site: asked.resource.site_name.clone(),
        resource: asked.resource.url.clone(),
        scopes: scopes.collect(),
        agent: before.map(|consent| consent.agent.to_string()),
        remember,
        carried: parameters.only(&CARRIED),
        csrf: service.csrf.token(&owner.session, &about(parameters)),
    }
    .into_response()
}

/// What a page shows and its form says again: an answer to one is none to another, of whichever client.
fn about(parameters: &Parameters) -> String {
    let carried = parameters.only(&CARRIED);
    carried.iter().map(|(name, value)| format!("{name} {} {value}\n", value.len())).collect()
}

fn destination(asked: &Asked) -> Destination {
    let redirect = &asked.answer.redirect_uri;
    let shown = redirect.host_shown().to_owned();
    if redirect.is_custom_scheme() {
        Destination::App { scheme: shown }
    } else if redirect.is_loopback() {
        Destination::Loopback { host: shown }
    } else {
        Destination::Web { host: shown }
    }
}

/// The answer to a request that no owner is asked about.
pub(super) fn refused(service: &Service, not_asked: NotAsked) -> Response {
    match not_asked {
        NotAsked::Shown { status, title, text } => {
            let advice = if status.is_server_error() { Advice::ComeBack } else { Advice::TellTheApp };
            let issuer = service.issuer.clone();
            Problem { issuer, status, title: title.into(), text: text.into(), advice, details: Vec::new() }
                .into_response()
        }
        NotAsked::Told(answer, error) => sent(&answer.error(&service.issuer, error)),
    }
}

/// Sends a browser on to its app, which learns nothing from the `Referer`: this page's address says what was asked.
fn sent(location: &str) -> Response {
    let Ok(location) = HeaderValue::from_str(location) else {
        return Refusal::Invalid("redirect_uri cannot be written").into_response();
    };
    let mut response = see_other(location);
    response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}
