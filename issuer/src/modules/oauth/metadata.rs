//! `GET /modules/oauth/.well-known/oauth-authorization-server` (RFC 8414), also at the root of the issuer.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use serde_json::json;

use crate::service::Service;

/// Nothing in it changes while the process runs.
const CACHE_CONTROL: &str = "public, max-age=300";

pub(crate) async fn metadata(State(service): State<Arc<Service>>) -> Response {
    let issuer = &service.issuer;
    let body = Json(json!({
        "issuer": issuer,
        "jwks_uri": format!("{issuer}/api/v1/core/.well-known/jwks.json"),
        "token_endpoint": format!("{issuer}/api/v1/modules/oauth/token"),
        "grant_types_supported": ["client_credentials"],
        "response_types_supported": [],
        "token_endpoint_auth_methods_supported": ["none"],
    }));
    ([(header::CACHE_CONTROL, CACHE_CONTROL)], body).into_response()
}
