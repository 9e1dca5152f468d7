//! Asks a target, again and again, whether it is well.

use std::sync::Arc;

use config::{HealthCheck, Origin, Verify};
use http::header::HOST;
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client};
use tokio::time::sleep;

use super::OriginError;
use super::target::Target;
use crate::clock::jittered;

/// What a check takes.
#[derive(Debug)]
pub(super) struct Checks {
    client: Client,
    health: HealthCheck,
    /// The host of the site, as its visitors ask for it.
    host: String,
}

impl Checks {
    pub(super) fn new(origin: &Origin, health: &HealthCheck, host: &str) -> Result<Self, OriginError> {
        let mut client = Client::builder()
            // 3xx is an answer; where it leads is not asked.
            .redirect(Policy::none())
            .no_proxy()
            .timeout(health.timeout)
            // Each check is to find out whether a connection is taken.
            .pool_max_idle_per_host(0)
            .user_agent(concat!("lime-gateway/", env!("CARGO_PKG_VERSION")));
        if origin.tls.verify == Verify::No {
            client = client.tls_danger_accept_invalid_certs(true).tls_danger_accept_invalid_hostnames(true);
        }
        if let Some(path) = &origin.tls.ca {
            let failed =
                |cause: Box<dyn std::error::Error + Send + Sync>| OriginError::Authorities(path.clone(), cause);
            let pem = std::fs::read(path).map_err(|cause| failed(cause.into()))?;
            let authorities = Certificate::from_pem_bundle(&pem).map_err(|cause| failed(cause.into()))?;
            client = authorities.into_iter().fold(client, reqwest::ClientBuilder::add_root_certificate);
        }
        let client = client.build().map_err(|cause| OriginError::Client(cause.into()))?;
        Ok(Self { client, health: health.clone(), host: host.to_owned() })
    }

    /// Asks for as long as it is polled. `url` is where the target listens.
    pub(super) async fn follow(self: Arc<Self>, url: String, target: Arc<Target>) {
        let (mut good, mut bad) = (0, 0);
        let mut is_healthy = true;
        loop {
            if self.ask(&url).await {
                (good, bad) = (good + 1, 0);
            } else {
                (good, bad) = (0, bad + 1);
            }
            let found = if is_healthy { bad < self.health.unhealthy_after } else { good >= self.health.healthy_after };
            if found != is_healthy {
                is_healthy = found;
                target.standing.found(found);
                tracing::warn!(target = %target.text, healthy = found, "the health of a target changed");
            }
            sleep(jittered(self.health.every)).await;
        }
    }

    async fn ask(&self, url: &str) -> bool {
        let request = self.client.get(format!("{url}{}", self.health.path)).header(HOST, &self.host);
        request.send().await.is_ok_and(|answer| answer.status().is_success() || answer.status().is_redirection())
    }
}
