//! What the authorization server says of itself (RFC 8414), also under the name of `OpenID` discovery, where many clients
//! look first.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::cors;
use crate::service::Service;

/// Nothing in it changes while the process runs.
const CACHE_CONTROL: &str = "public, max-age=300";

/// What clients may sign their assertions with.
const ASSERTION_ALGORITHMS: [&str; 3] = ["RS256", "ES256", "EdDSA"];

/// Where everything of this module answers.
pub(crate) const BASE: &str = "/api/v1/modules/oauth";

/// `GET /.well-known/oauth-authorization-server`.
pub(crate) async fn metadata(State(service): State<Arc<Service>>) -> Response {
    respond(document(&service.issuer))
}

/// `GET /.well-known/openid-configuration`: the same, with what readers of that document insist on. Nobody gets an ID
/// token here, since no scope asks for one.
pub(crate) async fn openid(State(service): State<Arc<Service>>) -> Response {
    let mut document = document(&service.issuer);
    if let Value::Object(members) = &mut document {
        members.insert("subject_types_supported".to_owned(), json!(["public"]));
        members.insert("id_token_signing_alg_values_supported".to_owned(), json!(["RS256"]));
    }
    respond(document)
}

fn document(issuer: &str) -> Value {
    let at = |name: &str| format!("{issuer}{BASE}/{name}");
    json!({
        "issuer": issuer,
        "authorization_endpoint": at("authorize"),
        "token_endpoint": at("token"),
        "revocation_endpoint": at("revoke"),
        "registration_endpoint": at("register"),
        "jwks_uri": format!("{issuer}/api/v1/core/.well-known/jwks.json"),
        "scopes_supported": ["offline_access"],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["none", "client_secret_basic", "private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": ASSERTION_ALGORITHMS,
        "revocation_endpoint_auth_methods_supported": ["none", "client_secret_basic", "private_key_jwt"],
        "revocation_endpoint_auth_signing_alg_values_supported": ASSERTION_ALGORITHMS,
        "authorization_response_iss_parameter_supported": true,
        "client_id_metadata_document_supported": true,
    })
}

fn respond(document: Value) -> Response {
    cors::open(([(header::CACHE_CONTROL, CACHE_CONTROL)], Json(document)).into_response())
}
