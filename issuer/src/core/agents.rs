//! `/core/agents/...`: who an agent is, by its token.

use std::sync::Arc;

use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use serde_json::json;

use crate::credentials::{Holder, TokenHash};
use crate::reply::{Refusal, data, unavailable};
use crate::request::one_header;
use crate::service::Service;
use crate::store::{CallerRecord, Standing};

const HEADER: &str = "x-agent-token";

/// The agent that calls: known, and not suspended.
#[derive(Debug)]
pub(crate) struct Agent(pub(crate) CallerRecord);

impl Agent {
    /// The agent whose token the headers carry.
    pub(crate) async fn authenticate(parts: &Parts, service: &Service) -> Result<Self, Refusal> {
        let token = one_header(&parts.headers, HEADER)
            .map_err(|_| Refusal::AgentTokenInvalid)?
            .ok_or(Refusal::AgentTokenMissing)?;
        let hash = TokenHash::presented(token, Holder::Agent).ok_or(Refusal::AgentTokenInvalid)?;
        let found = service.store.agent_by_token(&hash).await.map_err(unavailable(Refusal::AgentAuthUnavailable))?;
        let agent = found.ok_or(Refusal::AgentTokenInvalid)?;
        match agent.standing {
            Standing::Active => Ok(Self(agent)),
            Standing::Suspended => Err(Refusal::AgentSuspended),
            Standing::OwnerSuspended => Err(Refusal::AgentOwnerSuspended),
        }
    }
}

impl FromRequestParts<Arc<Service>> for Agent {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, service: &Arc<Service>) -> Result<Self, Refusal> {
        Self::authenticate(parts, service).await
    }
}

/// `GET /core/agents/me/profile`.
pub(crate) async fn profile(_: State<Arc<Service>>, Agent(agent): Agent) -> Response {
    let level = agent.owner_level.get();
    data(
        StatusCode::OK,
        json!({
            "agent_id": agent.id,
            "owner_id": agent.owner,
            "user_id": agent.owner,
            "owner_kyc_level": level,
            "user_kyc_level": level,
            "display_name": agent.name,
            "avatar_url": null,
            "description": null,
        }),
    )
}
