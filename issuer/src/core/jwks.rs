//! `GET /core/.well-known/jwks.json`: from memory, cheap enough for a flood.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use crate::service::Service;

pub(crate) async fn jwks(State(service): State<Arc<Service>>, headers: HeaderMap) -> Response {
    service.keys.load().jwks.respond(&headers)
}
