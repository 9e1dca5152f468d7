//! What changes with the configuration, and with what operators say.

use std::collections::HashMap;
use std::sync::Arc;

use config::Pins;

use super::Gate;
use crate::sites::Site;
use crate::snapshot::Snapshot;

impl Gate {
    /// Serves another configuration from the next request on.
    pub(crate) fn swap(&self, snapshot: Snapshot) {
        let before = self.shared.snapshot.swap(Arc::new(snapshot));
        self.apply_modes();
        self.forget(&before);
    }

    /// What is not there any longer is shown no longer: it would raise alarms until the next start.
    fn forget(&self, before: &Snapshot) {
        let (now, metrics) = (self.snapshot(), self.metrics());
        let sites: HashMap<&str, &Arc<Site>> =
            now.all_sites.iter().map(|site| (site.config.url.as_str(), site)).collect();
        for site in &before.all_sites {
            let (url, site_now) = (site.config.url.as_str(), sites.get(site.config.url.as_str()));
            if site_now.is_none() {
                metrics.forget_site(url);
            }
            if site_now.is_none_or(|site_now| !Arc::ptr_eq(&site_now.upstream, &site.upstream)) {
                let stays = |target: &config::Upstream| {
                    site_now.is_some_and(|site| site.config.origin.targets.contains(target))
                };
                for target in site.config.origin.targets.iter().filter(|target| !stays(target)) {
                    metrics.forget_upstream(url, &target.to_string());
                }
            }
        }
        for issuer in &before.issuers {
            if !now.issuers.iter().any(|issuer_now| issuer_now.url() == issuer.url()) {
                metrics.forget_issuer(issuer.url().as_str());
            }
        }
    }

    /// The metrics, with what is only looked at when they are asked for.
    pub(crate) fn metrics_now(&self) -> Result<Vec<u8>, prometheus::Error> {
        for site in &self.snapshot().all_sites {
            let pinned = || site.config.mcp.iter().filter(|endpoint| endpoint.pins != Pins::Off);
            if pinned().next().is_some() {
                let changed = pinned().map(|endpoint| self.shared.pins.changed_at(&endpoint.resource)).sum();
                self.metrics().mcp.tools_changed(site.config.url.as_str(), changed);
            }
        }
        self.metrics().text()
    }

    /// Lets every site do what is configured, or what an operator said.
    pub(crate) fn apply_modes(&self) {
        let now = tokio::time::Instant::now();
        for site in &self.snapshot().all_sites {
            let mode = self.shared.overrides.of(site.config.url.as_str(), site.config.mode, now);
            site.mode.set(mode);
            self.metrics().mode(site.config.url.as_str(), mode);
        }
    }
}
