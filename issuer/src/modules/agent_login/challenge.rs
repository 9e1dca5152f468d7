//! Step 2, `GET /auth/requests/{id}`: anyone who has the id reads the challenge, and whose site it is.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

use super::login::Login;
use crate::reply::{Refusal, data, unavailable};
use crate::request::RequestId;
use crate::service::Service;
use crate::time::UnixMillis;

pub(crate) async fn challenge(
    State(service): State<Arc<Service>>,
    RequestId(id): RequestId,
) -> Result<Response, Refusal> {
    let found = service.store.login(&id).await.map_err(unavailable(Refusal::AgentAuthUnavailable))?;
    let record = found.ok_or(Refusal::LoginNotFound)?;
    let login = Login::at(&record, UnixMillis::now());
    if login != Login::Pending {
        return Err(Refusal::LoginNotFound);
    }
    if record.site_suspended {
        return Err(Refusal::SiteSuspended);
    }
    Ok(data(
        StatusCode::OK,
        json!({
            "request_id": record.id,
            "status": login.status(),
            "expires_at": record.expires_at.to_string(),
            "pow_challenge": record.challenge,
            "pow_difficulty": record.difficulty,
            "site": { "id": record.site, "name": record.site_name, "origin": record.site_origin },
        }),
    ))
}
