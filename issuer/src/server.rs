//! The table of routes.

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use crate::console::{consents, sign_in};
use crate::core::{agents, jwks};
use crate::modules::agent_login::{approve, challenge, events, open, status};
use crate::modules::oauth::cors::preflight;
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
        .route("/modules/oauth/authorize", get(oauth::authorize::authorize))
        .route("/modules/oauth/consent", post(oauth::consent::consent))
        .route("/modules/oauth/register", post(oauth::register::register).options(preflight))
        .route("/modules/oauth/revoke", post(oauth::revoke::revoke).options(preflight))
        .route("/modules/oauth/token", post(oauth::token::token).options(preflight));
    let console = Router::new()
        .route("/sign-in", get(sign_in::show).post(sign_in::sign_in))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/consents", get(consents::show))
        .route("/consents/withdraw", post(consents::withdraw));
    // RFC 8414 §3: an issuer without a path publishes at its root. Some clients take the module's folder for the issuer's
    // path, and ask for what stands in between (RFC 8414 §3.1).
    let metadata = Router::new()
        .route("/oauth-authorization-server", get(oauth::metadata::metadata).options(preflight))
        .route("/oauth-authorization-server/api/v1/modules/oauth", get(oauth::metadata::metadata).options(preflight))
        .route("/openid-configuration", get(oauth::metadata::openid).options(preflight));
    Router::new()
        .nest("/api/v1", api)
        .nest("/console", console)
        .nest("/.well-known", metadata)
        .fallback(async || Refusal::NotFound)
        .method_not_allowed_fallback(async || Refusal::MethodNotAllowed)
        .with_state(service)
}
