//! `POST /modules/oauth/token`: JSON is an agent of ours, that asks for a token by domain; a form is OAuth (RFC 6749 §3.2).

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Request, header};
use axum::response::{IntoResponse as _, Response};
use passport::AgentId;
use serde::Serialize;

use super::token_error::TokenError;
use super::{client_credentials, code_grant, cors, domain_token, prove, refresh_grant, resource};
use crate::core::passports::ForResource;
use crate::reply::Refusal;
use crate::request::parameters::Parameters;
use crate::service::Service;
use crate::store::{CallerRecord, ResourceRecord, Standing};
use crate::time::UnixMillis;

/// A token, as RFC 6749 §5.1 gives it.
#[derive(Serialize)]
pub(super) struct Issued {
    pub(super) access_token: String,
    pub(super) token_type: &'static str,
    /// Seconds.
    pub(super) expires_in: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) refresh_token: Option<String>,
    pub(super) scope: String,
}

pub(crate) async fn token(State(service): State<Arc<Service>>, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    if !is_form(&parts.headers) {
        return domain_token::token(&service, &parts, body).await.unwrap_or_else(TokenError::into_response);
    }
    let answer = match granted(&service, &parts, body).await {
        Ok(issued) => ([(header::CACHE_CONTROL, "no-store")], Json(issued)).into_response(),
        Err(error) => error.to_a_form(),
    };
    cors::open(answer)
}

async fn granted(service: &Service, parts: &Parts, body: Body) -> Result<Issued, TokenError> {
    let said = Parameters::of_form(body).await?;
    let client = prove::client(service, &parts.headers, &said).await?;
    match said.one("grant_type")? {
        Some("authorization_code") => code_grant::redeem(service, &client, &said).await,
        Some("refresh_token") => refresh_grant::refresh(service, &client, &said).await,
        Some("client_credentials") => client_credentials::issue(service, &client, &said).await,
        Some(_) => Err(TokenError::GrantType),
        None => Err(TokenError::Request("grant_type is missing")),
    }
}

/// An agent and a resource that stand, as they were looked at before anything was used up for them.
pub(super) struct Admitted {
    agent: CallerRecord,
    resource: ResourceRecord,
}

/// Judges agent and resource. A code or a refresh token that is shown while one of them is suspended keeps its worth.
pub(super) async fn admit(service: &Service, agent: &AgentId, resource: &str) -> Result<Admitted, TokenError> {
    let mut agent = known(service, agent).await?;
    // What it held was ended twice in this second: what would be issued before the next could not be told from that.
    let early = agent.not_before.since(UnixMillis::now());
    if !early.is_zero() {
        tokio::time::sleep(early.min(Duration::from_secs(1))).await;
        agent = known(service, &agent.id).await?;
    }
    if agent.standing != Standing::Active {
        return Err(TokenError::Grant("the agent or its owner is suspended"));
    }
    let resource = resource::find(service, Some(resource)).await?;
    if resource.standing != Standing::Active {
        return Err(TokenError::Target("the site of this resource is suspended"));
    }
    Ok(Admitted { agent, resource })
}

async fn known(service: &Service, agent: &AgentId) -> Result<CallerRecord, TokenError> {
    let found = service.store.agent(agent).await.map_err(TokenError::store)?;
    found.ok_or(TokenError::Grant("the agent is gone"))
}

/// What an access token says beside for whom and where.
pub(super) struct Minting<'a> {
    pub(super) client: &'a str,
    pub(super) scope: &'a str,
    /// The grant it comes from, which its `jti` begins with.
    pub(super) grant: Option<&'a str>,
}

/// Signs an access token.
pub(super) async fn mint(
    service: &Service,
    admitted: &Admitted,
    minting: Minting<'_>,
    now: UnixMillis,
) -> Result<Issued, TokenError> {
    let Minting { client, scope, grant } = minting;
    let Admitted { agent, resource } = admitted;
    let key = Arc::clone(&service.keys.load().active);
    let claims = ForResource { resource, client, scope, grant };
    let access_token = service.signer.resource(key, agent, claims, now).await;
    Ok(Issued {
        access_token: access_token.map_err(|_| TokenError::Refused(Refusal::TokenNotIssued))?,
        token_type: "Bearer",
        expires_in: service.signer.access_ttl().as_secs(),
        refresh_token: None,
        scope: scope.to_owned(),
    })
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}
