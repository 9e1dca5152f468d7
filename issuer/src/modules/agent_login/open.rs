//! Step 1, `POST /modules/agent-login/requests`: a site, or a gateway for one of its sites, opens a login request.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use passport::{LoginRequestId, SiteId};
use serde::Deserialize;
use serde_json::json;

use crate::foundation::sites::SiteCaller;
use crate::reply::{Refusal, data, unavailable};
use crate::request::object;
use crate::service::Service;
use crate::store::{Caller, NewLogin, Opened};
use crate::time::UnixMillis;

#[derive(Deserialize)]
struct Ask {
    site_id: Option<String>,
}

pub(crate) async fn open(
    State(service): State<Arc<Service>>,
    caller: SiteCaller,
    body: Body,
) -> Result<Response, Refusal> {
    let ask: Ask = object(body).await?;
    let site = site(&service, &caller.caller, ask.site_id).await?;
    let now = UnixMillis::now();
    let expires_at = now.plus(service.settings.login_request_ttl);
    let id: LoginRequestId = uuid::Uuid::new_v4().to_string().try_into().map_err(|_| Refusal::SiteAuthUnavailable)?;
    let login = NewLogin {
        id: id.clone(),
        site,
        // Opaque, and not the id, so that a solution is worth nothing anywhere else.
        challenge: uuid::Uuid::new_v4().simple().to_string(),
        difficulty: service.settings.pow_difficulty,
        created_at: now,
        expires_at,
    };
    let opened = service.store.open_login(login, service.settings.open_logins_max).await;
    match opened.map_err(unavailable(Refusal::SiteAuthUnavailable))? {
        Opened::TooMany => Err(Refusal::TooMany),
        Opened::Done => Ok(data(
            StatusCode::CREATED,
            json!({ "login_request_id": id, "status": "PENDING", "expires_at": expires_at.to_string() }),
        )),
    }
}

/// A site token speaks for its site; a gateway token must say for which.
async fn site(service: &Service, caller: &Caller, asked: Option<String>) -> Result<SiteId, Refusal> {
    let asked = asked.map(SiteId::try_from).transpose().map_err(|_| Refusal::Invalid("site_id is not an id"))?;
    let site = match (caller, asked) {
        (Caller::Site { id, .. }, None) => return Ok(id.clone()),
        (Caller::Gateway { .. }, None) => return Err(Refusal::Invalid("site_id is missing")),
        (_, Some(asked)) => asked,
    };
    let served = service.store.sites_of(caller).await.map_err(unavailable(Refusal::SiteAuthUnavailable))?;
    if served.iter().any(|(id, _, _)| *id == site.as_str()) {
        return Ok(site);
    }
    let known = service.store.serves(caller, &site).await.map_err(unavailable(Refusal::SiteAuthUnavailable))?;
    Err(if known { Refusal::SiteSuspended } else { Refusal::SiteNotAllowed })
}
