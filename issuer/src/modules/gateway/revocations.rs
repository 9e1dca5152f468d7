use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use crate::foundation::sites::SiteCaller;
use crate::reply::{Refusal, data, unavailable};
use crate::service::Service;
use crate::store::{Revocation, Revocations};
use crate::time::UnixMillis;

/// `GET /modules/gateway/revocations`: the log from a position on, or all that still matters.
pub(crate) async fn revocations(
    State(service): State<Arc<Service>>,
    _caller: SiteCaller,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let found = match after(query.as_deref().unwrap_or_default())? {
        Some(after) => service.store.revocations_after(after).await,
        None => service.store.all_revocations(UnixMillis::now()).await,
    };
    match found.map_err(unavailable(Refusal::SiteAuthUnavailable))? {
        Revocations::Gone => Err(Refusal::RevocationsGone),
        Revocations::Rows { rows, seq, more } => {
            let rows: Vec<Value> = rows.iter().map(row).collect();
            Ok(data(StatusCode::OK, json!({ "revocations": rows, "seq": seq, "more": more })))
        }
    }
}

/// A row as it stands in a list and in an event.
pub(crate) fn row(row: &Revocation) -> Value {
    json!({
        "seq": row.seq,
        "kind": row.kind,
        "id": row.id,
        "not_before": row.not_before.secs(),
        "suspended": row.suspended,
    })
}

fn after(query: &str) -> Result<Option<i64>, Refusal> {
    let bad = Refusal::Invalid("after is not a position");
    let mut found = None;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let value = pair.strip_prefix("after=").ok_or(Refusal::Invalid("unknown parameter"))?;
        let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
        if found.is_some() || !digits {
            return Err(bad);
        }
        found = Some(value.parse().map_err(|_| bad)?);
    }
    Ok(found)
}
