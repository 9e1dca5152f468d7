//! `lime issuer run`.

use std::net::SocketAddr;

use serde_json::json;

use super::Format;
use crate::failure::Failure;
use crate::service_manager::{self, News};
use crate::{listen, signals};

/// Binds, opens, says that it is ready, and serves.
pub(crate) async fn run(config: &config::Issuer, format: Format) -> Result<(), Failure> {
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
    let listeners = listen::bind(&config.listen)?;
    let stop = signals::stop()?;
    let first = listeners.first().ok_or_else(|| Failure::usage("listen names no address"))?;
    let name = issuer_name(config, listen::address(first)?)?;
    let issuer = issuer::Issuer::open(config, name.clone()).await.map_err(Failure::from_error)?;
    let api_base = format!("{name}/api/v1");
    let ready = json!({ "event": "ready", "issuer": name, "api_base": api_base });
    format.say(&format!("issuer {name} is ready, API base {api_base}"), &ready);
    service_manager::tell(News::Ready);
    issuer.serve(listeners, service_manager::told(stop)).await.map_err(Failure::from_error)
}

/// The `iss`: what the operator wrote, or the address itself where nobody else can reach it.
pub(crate) fn issuer_name(config: &config::Issuer, bound: SocketAddr) -> Result<String, Failure> {
    match &config.public_url {
        Some(url) => Ok(url.as_str().to_owned()),
        None if bound.ip().is_loopback() => Ok(listen::url(bound)),
        None => Err(Failure::config(&issuer::Error::PublicUrl)),
    }
}
