use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::Response;

use crate::ephemeral::written::Connection;
use crate::foundation::sites::SiteCaller;
use crate::modules::agent_login::events::{Lane, stream};
use crate::reply::Refusal;
use crate::service::Service;

/// `GET /modules/gateway/events`: logins of all its sites, and the revocation log, on one stream.
pub(crate) async fn events(
    State(service): State<Arc<Service>>,
    Extension(connection): Extension<Connection>,
    caller: SiteCaller,
) -> Result<Response, Refusal> {
    stream(service, &connection, caller, Lane::Gateway).await
}
