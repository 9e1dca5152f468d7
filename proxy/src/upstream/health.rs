//! Asks a target, again and again, whether it is well.

use std::sync::Arc;

use config::{HealthCheck, Origin, OriginProtocol, Scheme, Verify};
use http::header::HOST;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client};
use tokio::net::lookup_host;
use tokio::time::sleep;

use super::OriginError;
use super::target::Target;
use crate::clock::jittered;

/// What a check takes.
#[derive(Debug)]
pub(super) struct Checks {
    client: Client,
    health: HealthCheck,
    url: String,
    /// The host of the site, as its visitors ask for it; in HTTP/2 it would stand beside the `:authority` of the URL.
    host: Option<String>,
}

impl Checks {
    /// The checks of one target. Whichever name its certificate is to have, it is the target that is asked.
    pub(super) fn new(
        origin: &Origin,
        target: &config::Upstream,
        health: &HealthCheck,
        host: &str,
    ) -> Result<Self, OriginError> {
        let url = match (&origin.tls.server_name, target.scheme()) {
            (Some(name), Scheme::Https) => format!("https://{name}:{}{}", target.port(), health.path),
            (_, _) => format!("{target}{}", health.path),
        };
        let host = (origin.protocol == OriginProtocol::Http1).then(|| host.to_owned());
        let mut client = Client::builder()
            // 3xx is an answer; where it leads is not asked.
            .redirect(Policy::none())
            .no_proxy()
            .timeout(health.timeout)
            // Each check is to find out whether a connection is taken.
            .pool_max_idle_per_host(0)
            .dns_resolver(Arc::new(LeadsTo(target.host().to_owned())))
            .user_agent(concat!("lime-gateway/", env!("CARGO_PKG_VERSION")));
        client = match origin.protocol {
            OriginProtocol::Http1 => client.http1_only(),
            OriginProtocol::Http2 => client.http2_prior_knowledge(),
        };
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
        Ok(Self { client, health: health.clone(), url, host })
    }

    /// Asks for as long as it is polled.
    pub(super) async fn follow(self, target: Arc<Target>) {
        let (mut good, mut bad) = (0, 0);
        let mut is_healthy = true;
        loop {
            if self.ask().await {
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

    async fn ask(&self) -> bool {
        let request = self.client.get(&self.url);
        let request = match &self.host {
            Some(host) => request.header(HOST, host),
            None => request,
        };
        request.send().await.is_ok_and(|answer| answer.status().is_success() || answer.status().is_redirection())
    }
}

/// Finds the addresses of a target, whatever name is asked for.
struct LeadsTo(String);

impl Resolve for LeadsTo {
    fn resolve(&self, _: Name) -> Resolving {
        let host = self.0.clone();
        Box::pin(async move {
            let addresses: Vec<_> = lookup_host((host, 0)).await?.collect();
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}
