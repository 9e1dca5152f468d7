//! From a configuration to what requests ask. What is the same as before stays: connections, health, logins under way,
//! what is known of an issuer.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use config::{Login, TrustedIssuer};
use filters::{Chain, Resources};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::Error;
use crate::account::Account;
use crate::clock::now;
use crate::edge_login::EdgeLogin;
use crate::issuer::Issuer;
use crate::issuer_api::{Authorized, IssuerApi};
use crate::issuer_link::Link;
use crate::mcp_pins::PinStore;
use crate::metrics::Metrics;
use crate::mode::{Overrides, Switch};
use crate::sites::{Site, Sites};
use crate::snapshot::Snapshot;
use crate::state::StateFiles;
use crate::upstream::Upstream;

/// What is one for a process, whatever is configured.
#[derive(Debug)]
pub(super) struct Ground {
    pub(super) files: Arc<StateFiles>,
    pub(super) resources: Resources,
    pub(super) client: reqwest::Client,
    pub(super) metrics: Arc<Metrics>,
    pub(super) reconsider: Arc<Notify>,
    pub(super) overrides: Arc<Overrides>,
    pub(super) pins: Arc<PinStore>,
}

/// What was made of a configuration.
#[derive(Debug)]
pub(super) struct Built {
    pub(super) snapshot: Snapshot,
    pub(super) links: Vec<Link>,
}

/// Makes what requests ask of `config`, with what there is of it in `before`.
pub(super) fn build(ground: &Ground, config: &config::Gateway, before: Option<&Snapshot>) -> Result<Built, Error> {
    let mut building =
        Building { ground, before, sites_before: HashMap::new(), issuers: Vec::new(), links: Vec::new() };
    for site in before.iter().flat_map(|before| &before.all_sites) {
        building.sites_before.insert(site.config.url.as_str(), site);
    }
    let all_sites = config.sites.iter().map(|site| building.site(site)).collect::<Result<Vec<_>, _>>()?;
    let snapshot = Snapshot {
        sites: Sites::new(all_sites.iter().map(|site| (&*site.config, Arc::clone(site)))),
        all_sites,
        issuers: building.issuers,
        trusted_proxies: config.server.trusted_proxies.clone(),
        client_ip: config.server.client_ip,
    };
    Ok(Built { snapshot, links: building.links })
}

struct Building<'a> {
    ground: &'a Ground,
    before: Option<&'a Snapshot>,
    sites_before: HashMap<&'a str, &'a Arc<Site>>,
    issuers: Vec<Arc<Issuer>>,
    /// Sites that share an issuer and a credential share one.
    links: Vec<Link>,
}

impl Building<'_> {
    fn site(&mut self, config: &Arc<config::Site>) -> Result<Arc<Site>, Error> {
        let before = self.sites_before.get(config.url.as_str()).copied();
        // Switched off, a site needs nobody; but it may be switched on at any time.
        let issuers: Vec<Arc<Issuer>> = config.issuers.iter().map(|issuer| self.issuer(issuer)).collect();
        let account = self.account(config, &issuers, before)?;
        let upstream = before.map(|before| (&before.config.origin, &before.upstream));
        let upstream =
            upstream.filter(|(origin, _)| **origin == config.origin).map(|(_, upstream)| Arc::clone(upstream));
        let ground = self.ground;
        // From its first request on: what is protected must not be open until somebody gets round to it.
        let mode = ground.overrides.of(config.url.as_str(), config.mode, Instant::now());
        Ok(Arc::new(Site {
            chain: Chain::new(Arc::clone(config), ground.resources.clone()),
            upstream: match upstream {
                Some(upstream) => upstream,
                None => Arc::new(Upstream::new(&config.origin, &config.url, &ground.metrics).map_err(|cause| {
                    Error::Origin { site: config.url.to_string(), at: config.defined_at.to_string(), cause }
                })?),
            },
            issuers,
            account,
            mode: before.map_or_else(|| Arc::new(Switch::new(mode)), |before| Arc::clone(&before.mode)),
            metrics: before.map(|before| Arc::clone(&before.metrics)).unwrap_or_default(),
            config: Arc::clone(config),
        }))
    }

    fn issuer(&mut self, config: &Arc<TrustedIssuer>) -> Arc<Issuer> {
        if let Some(known) = self.issuers.iter().find(|known| known.config == *config) {
            return Arc::clone(known);
        }
        let mut before = self.before.iter().flat_map(|before| &before.issuers);
        let issuer = before.find(|known| known.config == *config).map_or_else(|| self.open(config), Arc::clone);
        self.issuers.push(Arc::clone(&issuer));
        issuer
    }

    fn open(&self, config: &Arc<TrustedIssuer>) -> Arc<Issuer> {
        let ground = self.ground;
        let metrics = ground.metrics.issuer(config.url.as_str());
        let (files, reconsider) = (Arc::clone(&ground.files), Arc::clone(&ground.reconsider));
        Arc::new(Issuer::open(Arc::clone(config), files, metrics, reconsider, now()))
    }

    fn account(
        &mut self,
        config: &Arc<config::Site>,
        issuers: &[Arc<Issuer>],
        before: Option<&Arc<Site>>,
    ) -> Result<Option<Arc<Account>>, Error> {
        let issuer = issuers.iter().find(|issuer| issuer.config.is_lime());
        let (Some(issuer), Some(source)) = (issuer, &config.credential) else { return Ok(None) };
        let failed = |cause: Box<dyn std::error::Error + Send + Sync>| Error::Credential {
            site: config.url.to_string(),
            at: config.defined_at.to_string(),
            cause,
        };
        let secret = source.read().map_err(|cause| failed(cause.into()))?;
        let api = IssuerApi::new(self.ground.client.clone(), issuer.url().origin());
        let api = api.authorized(&secret).map_err(|cause| failed(cause.into()))?;
        let account = before.and_then(|before| self.kept(config, issuer, &api, before));
        let account = account.unwrap_or_else(|| {
            let login = match config.login {
                Login::Edge => {
                    let sessions = Arc::clone(&self.ground.resources.sessions);
                    Some(EdgeLogin::new(Arc::clone(config), sessions, api.clone()))
                }
                Login::Off => None,
            };
            Arc::new(Account {
                url: config.url.clone(),
                issuer: Arc::clone(issuer),
                api,
                id: ArcSwapOption::new(issuer.site_id(&config.url).map(Arc::new)),
                login,
                defined_at: config.defined_at.clone(),
            })
        });
        self.link(&account);
        Ok(Some(account))
    }

    /// The account of before, if nothing that it rests on was changed.
    fn kept(
        &self,
        config: &config::Site,
        issuer: &Arc<Issuer>,
        api: &Authorized,
        before: &Site,
    ) -> Option<Arc<Account>> {
        let is_same = |account: &&Arc<Account>| {
            Arc::ptr_eq(&account.issuer, issuer)
                && account.api.has_credential_of(api)
                && before.config.login == config.login
                && before.config.session_ttl == config.session_ttl
        };
        self.before?;
        before.account.as_ref().filter(is_same).map(Arc::clone)
    }

    fn link(&mut self, account: &Arc<Account>) {
        let is_same =
            |link: &&mut Link| Arc::ptr_eq(&link.issuer, &account.issuer) && link.api.has_credential_of(&account.api);
        match self.links.iter_mut().find(is_same) {
            Some(link) => link.accounts.push(Arc::clone(account)),
            None => self.links.push(Link {
                issuer: Arc::clone(&account.issuer),
                api: account.api.clone(),
                accounts: vec![Arc::clone(account)],
            }),
        }
    }
}
