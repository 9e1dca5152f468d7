//! The table of routes.

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use crate::core::{agents, jwks};
use crate::modules::agent_login::{approve, challenge, events, open, status};
use crate::modules::{gateway, oauth};
use crate::reply::Refusal;
use crate::service::Service;

/// Every URL the issuer answers.
pub(crate) fn router(service: Arc<Service>) -> Router {
    let api = Router::new()
        .route("/auth/requests/{id}", get(challenge::challenge))
        .route("/core/.well-known/jwks.json", get(jwks::jwks))
        .route("/core/agents/me/profile", get(agents::profile))
        .route("/modules/agent-login/events", get(events::events))
        .route("/modules/agent-login/requests", post(open::open))
        .route("/modules/agent-login/requests/{id}", get(status::status))
        .route("/modules/agent-login/requests/{id}/approve", post(approve::approve))
        .route("/modules/gateway/events", get(gateway::events::events))
        .route("/modules/gateway/revocations", get(gateway::revocations::revocations))
        .route("/modules/gateway/sites", get(gateway::sites::sites))
        .route("/modules/oauth/.well-known/oauth-authorization-server", get(oauth::metadata::metadata))
        .route("/modules/oauth/token", post(oauth::token::token));
    Router::new()
        .nest("/api/v1", api)
        // RFC 8414 §3: an issuer without a path publishes at its root.
        .route("/.well-known/oauth-authorization-server", get(oauth::metadata::metadata))
        .fallback(async || Refusal::NotFound)
        .method_not_allowed_fallback(async || Refusal::MethodNotAllowed)
        .with_state(service)
}
