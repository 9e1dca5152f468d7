//! The sites of a gateway, and which of them a host names.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use filters::Chain;
use passport::SiteId;

use crate::edge_login::EdgeLogin;
use crate::issuer::Issuer;
use crate::metrics::SiteMetrics;
use crate::upstream::Upstream;

/// A site, with all that serving it takes.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) config: Arc<config::Site>,
    pub(crate) chain: Chain,
    pub(crate) upstream: Arc<Upstream>,
    pub(crate) issuer: Option<Arc<Issuer>>,
    /// Its id at the issuer, once that is known.
    pub(crate) id: ArcSwapOption<SiteId>,
    /// Where agents log in at the edge, if they may.
    pub(crate) login: Option<EdgeLogin>,
    pub(crate) metrics: SiteMetrics,
}

/// All sites, by host. One of them may be that of this machine itself, under every name it has.
#[derive(Debug, Default)]
pub(crate) struct Sites {
    by_host: HashMap<Box<str>, Arc<Site>>,
    loopback: Option<Arc<Site>>,
}

impl Sites {
    pub(crate) fn new(sites: &[Arc<Site>]) -> Self {
        let mut found = Self::default();
        for site in sites {
            let url = &site.config.url;
            if url.is_loopback() {
                found.loopback = Some(Arc::clone(site));
            } else {
                found.by_host.insert(url.host().into(), Arc::clone(site));
            }
        }
        found
    }

    /// `host` is in lower case, without port and final dot.
    pub(crate) fn find(&self, host: &str) -> Option<&Arc<Site>> {
        self.by_host.get(host).or_else(|| self.loopback.as_ref().filter(|_| is_loopback(host)))
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
