//! `GET /modules/agent-login/requests/{id}`: a site asks where one of its requests stands.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

use super::login::Login;
use crate::foundation::sites::SiteCaller;
use crate::reply::{Refusal, data, unavailable};
use crate::request::RequestId;
use crate::service::Service;
use crate::time::UnixMillis;

pub(crate) async fn status(
    State(service): State<Arc<Service>>,
    caller: SiteCaller,
    RequestId(id): RequestId,
) -> Result<Response, Refusal> {
    let unavailable = || unavailable(Refusal::SiteAuthUnavailable);
    let record = service.store.login(&id).await.map_err(unavailable())?.ok_or(Refusal::LoginNotFound)?;
    if !service.store.serves(&caller.caller, &record.site).await.map_err(unavailable())? {
        return Err(Refusal::LoginNotFound);
    }
    let login = Login::at(&record, UnixMillis::now());
    Ok(data(
        StatusCode::OK,
        json!({
            "login_request_id": record.id,
            "request_id": record.id,
            "site_id": record.site,
            "status": login.status(),
            "expires_at": record.expires_at.to_string(),
        }),
    ))
}
