use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use crate::foundation::sites::SiteCaller;
use crate::reply::{Refusal, data, unavailable};
use crate::service::Service;

/// `GET /modules/gateway/sites`: what this credential serves.
pub(crate) async fn sites(State(service): State<Arc<Service>>, caller: SiteCaller) -> Result<Response, Refusal> {
    let served = service.store.sites_of(&caller.caller).await.map_err(unavailable(Refusal::SiteAuthUnavailable))?;
    let sites: Vec<Value> =
        served.into_iter().map(|(id, name, origin)| json!({ "site_id": id, "name": name, "origin": origin })).collect();
    Ok(data(StatusCode::OK, json!({ "sites": sites })))
}
