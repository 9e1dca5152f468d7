//! Step 3, `POST /modules/agent-login/requests/{id}/approve`: the agent shows its solution and agrees.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use super::login::{Approve, Login};
use crate::core::agents::Agent;
use crate::core::passports::token_id;
use crate::ephemeral::streams::Hint;
use crate::reply::{Refusal, data, unavailable};
use crate::request::{RequestId, object};
use crate::service::Service;
use crate::store::{Approval, AuditRow, CallerRecord, LoginRecord, StoreError};
use crate::time::UnixMillis;

#[derive(Deserialize)]
struct Ask {
    pow_nonce: Option<String>,
}

pub(crate) async fn approve(
    State(service): State<Arc<Service>>,
    Agent(agent): Agent,
    RequestId(id): RequestId,
    body: Body,
) -> Result<Response, Refusal> {
    let ask: Ask = object(body).await?;
    let nonce = ask.pow_nonce.filter(|nonce| !nonce.trim().is_empty()).ok_or(Refusal::NonceMissing)?;
    let record = service.store.login(&id).await.map_err(down())?.ok_or(Refusal::LoginNotFound)?;
    let now = UnixMillis::now();
    let login = Login::at(&record, now);
    match login.approve(&agent.id, &nonce) {
        Approve::Gone => return Err(Refusal::LoginNotFound),
        Approve::Conflict => return Err(Refusal::LoginConflict),
        Approve::Repeated => return Ok(approved(&record, &login, &agent)),
        Approve::Open => {}
    }
    solves(&record, &nonce)?;
    if record.site_suspended {
        return Err(Refusal::SiteSuspended);
    }
    on_the_list(&service, &agent, &record, now).await?;
    let jti = token_id().ok_or(Refusal::AgentAuthUnavailable)?;
    let approval = Approval { agent: agent.id.clone(), nonce: nonce.clone(), jti, at: now };
    if service.store.approve_login(record.id.clone(), approval.clone()).await.map_err(down())? {
        service.streams.hint(&record.site, &Hint::Approved(record.id.clone()));
        return Ok(approved(&record, &Login::Approved(approval), &agent));
    }
    lost(&service, &record, &agent, &nonce).await
}

/// Somebody, or something, was faster. What it was decides what the agent is told.
async fn lost(service: &Service, record: &LoginRecord, agent: &CallerRecord, nonce: &str) -> Result<Response, Refusal> {
    let record = service.store.login(&record.id).await.map_err(down())?.ok_or(Refusal::LoginNotFound)?;
    let login = Login::at(&record, UnixMillis::now());
    match login.approve(&agent.id, nonce) {
        Approve::Repeated => Ok(approved(&record, &login, agent)),
        Approve::Conflict => Err(Refusal::LoginConflict),
        Approve::Gone => Err(Refusal::LoginNotFound),
        // Still pending: the agent, its owner or the site was suspended in between.
        Approve::Open if record.site_suspended => Err(Refusal::SiteSuspended),
        Approve::Open => Err(Refusal::AgentSuspended),
    }
}

fn solves(record: &LoginRecord, nonce: &str) -> Result<(), Refusal> {
    let difficulty = pow::Difficulty::new(record.difficulty).ok_or(Refusal::NonceWrong)?;
    pow::check(&record.challenge, nonce, difficulty).map_err(|_| Refusal::NonceWrong)
}

/// A login that another site relayed ends here. It is noted once for each agent and request, however often it is tried.
async fn on_the_list(
    service: &Service,
    agent: &CallerRecord,
    record: &LoginRecord,
    now: UnixMillis,
) -> Result<(), Refusal> {
    if agent.any_site || service.store.is_listed(&agent.id, &record.site).await.map_err(down())? {
        return Ok(());
    }
    let row = AuditRow {
        id: format!("site_not_allowed:{}:{}", agent.id, record.id),
        action: "login.site_not_allowed",
        actor: agent.id.to_string(),
        subject: record.id.to_string(),
        detail: record.site.to_string(),
    };
    service.store.audit(row, now).await.map_err(down())?;
    Err(Refusal::SiteNotAllowed)
}

fn approved(record: &LoginRecord, login: &Login, agent: &CallerRecord) -> Response {
    data(
        StatusCode::OK,
        json!({
            "request_id": record.id,
            "site_id": record.site,
            "status": login.status(),
            "expires_at": record.expires_at.to_string(),
            "approved_agent_id": agent.id,
        }),
    )
}

fn down() -> impl FnOnce(StoreError) -> Refusal {
    unavailable(Refusal::AgentAuthUnavailable)
}
