//! The sites of a gateway, and which of them a host names.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use filters::{Chain, Identity, ShownAs};
use passport::{SiteId, UnixTime};

use crate::account::Account;
use crate::issuer::Issuer;
use crate::metrics::SiteMetrics;
use crate::mode::Switch;
use crate::upstream::Upstream;

/// A site, with all that serving it takes.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) config: Arc<config::Site>,
    pub(crate) chain: Chain,
    pub(crate) upstream: Arc<Upstream>,
    /// Those of its configuration, in their order.
    pub(crate) issuers: Vec<Arc<Issuer>>,
    /// What it is at its Lime issuer, if it has one.
    pub(crate) account: Option<Arc<Account>>,
    /// What is done now about what is found.
    pub(crate) mode: Arc<Switch>,
    pub(crate) metrics: Arc<SiteMetrics>,
}

impl Site {
    /// Its id at an issuer, once that is known.
    pub(crate) fn id_at(&self, issuer: &Arc<Issuer>) -> Option<Arc<SiteId>> {
        self.account.as_ref().filter(|account| Arc::ptr_eq(&account.issuer, issuer))?.id.load_full()
    }

    /// How long an identity counts from `now` on.
    pub(crate) fn counts_for(&self, identity: &Identity, now: UnixTime) -> Duration {
        let leeway = match identity.shown_as {
            ShownAs::AccessToken => self.issuer_of(identity).map_or(Duration::ZERO, |issuer| issuer.config.leeway),
            ShownAs::Session => Duration::ZERO,
        };
        identity.expires_at.plus(leeway).since(now)
    }

    /// The issuer that stands behind an identity.
    pub(crate) fn issuer_of(&self, identity: &Identity) -> Option<&Arc<Issuer>> {
        self.issuers.get(identity.issuer)
    }
}

/// All sites, by host. One of them may be that of this machine itself, under every name it has.
///
/// What stands for a site is `S`: all that serving it takes, or its configuration alone where nothing is served.
#[derive(Debug)]
pub(crate) struct Sites<S = Arc<Site>> {
    by_host: HashMap<Box<str>, S>,
    /// By what stands behind `*.`.
    by_parent: HashMap<Box<str>, S>,
    loopback: Option<S>,
}

impl<S> Default for Sites<S> {
    fn default() -> Self {
        Self { by_host: HashMap::new(), by_parent: HashMap::new(), loopback: None }
    }
}

impl<S: Clone> Sites<S> {
    /// Each with the configuration that names its hosts.
    pub(crate) fn new<'a>(sites: impl IntoIterator<Item = (&'a config::Site, S)>) -> Self {
        let mut found = Self::default();
        for (config, site) in sites {
            for pattern in &config.also {
                if let Some(host) = pattern.exact() {
                    found.by_host.insert(host.into(), site.clone());
                }
                if let Some(parent) = pattern.parent() {
                    found.by_parent.insert(parent.into(), site.clone());
                }
            }
            if config.url.is_loopback() {
                found.loopback = Some(site);
            } else {
                found.by_host.insert(config.url.host().into(), site);
            }
        }
        found
    }

    /// `host` is in lower case, without port and final dot. The host itself, else the longest wildcard.
    pub(crate) fn find(&self, host: &str) -> Option<&S> {
        let exact = self.by_host.get(host).or_else(|| self.loopback.as_ref().filter(|_| is_loopback(host)));
        exact.or_else(|| self.below(host))
    }

    fn below(&self, host: &str) -> Option<&S> {
        if self.by_parent.is_empty() {
            return None;
        }
        let mut parents = std::iter::successors(host.split_once('.'), |(_, rest)| rest.split_once('.'));
        parents.find_map(|(label, parent)| self.by_parent.get(parent).filter(|_| !label.is_empty()))
    }
}

/// A name of this machine itself.
pub(crate) fn is_loopback(host: &str) -> bool {
    let address = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    host == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_this_machine_is_known() {
        for host in ["localhost", "127.0.0.1", "127.9.9.9", "[::1]", "[::ffff:127.0.0.1]"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["localhost.example", "128.0.0.1", "[::2]", "shop.example", ""] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
