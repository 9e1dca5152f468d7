//! A site that knows nothing of passports: it answers with what it received.

use axum::Json;
use axum::Router;
use axum::http::{HeaderMap, Method, Uri};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::failure::Failure;

/// Serves the demo site on a free port of this machine until `stop` is done.
pub(crate) async fn start(stop: impl Future<Output = ()> + Send + 'static) -> Result<config::Upstream, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|error| Failure::bind(error.to_string()))?;
    let address = listener.local_addr().map_err(Failure::from_error)?;
    let site = Router::new().fallback(echo);
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, site).with_graceful_shutdown(stop).await {
            tracing::error!(%error, "the demo site ended");
        }
    });
    format!("http://{address}").parse().map_err(Failure::from_error)
}

async fn echo(method: Method, uri: Uri, headers: HeaderMap) -> Json<Value> {
    let headers: Vec<Value> =
        headers.iter().map(|(name, value)| json!([name.as_str(), String::from_utf8_lossy(value.as_bytes())])).collect();
    Json(json!({ "site": "demo", "method": method.as_str(), "path": uri.to_string(), "headers": headers }))
}
