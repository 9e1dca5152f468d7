//! From a configuration to everything that serving it takes.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use arc_swap::ArcSwapOption;
use aws_lc_rs::rand;
use config::{Login, Mode, WebOrigin};
use filters::{Chain, SessionKeys, VerifiedCache};
use rustls::crypto::aws_lc_rs::default_provider;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Notify;

use super::{Error, listeners};
use crate::access_log::{AccessLog, Writer};
use crate::clock::now;
use crate::edge_login::EdgeLogin;
use crate::gate::{Gate, Shared};
use crate::issuer::Issuer;
use crate::issuer_api::{Authorized, IssuerApi, client};
use crate::issuer_link::Link;
use crate::metrics::{Metrics, SiteMetrics};
use crate::request_id::RequestIds;
use crate::secret::Secret;
use crate::sites::{Site, Sites};
use crate::state::{StateFiles, open_folder};
use crate::upstream::Upstream;

/// Everything that serving takes.
pub(super) struct Prepared {
    pub(super) gate: Gate,
    pub(super) server: config::Server,
    pub(super) background: Background,
    pub(super) log: Writer,
}

/// What goes on beside requests, not yet started.
#[derive(Debug, Default)]
pub(super) struct Background {
    pub(super) refreshes: Vec<(Arc<Issuer>, IssuerApi)>,
    pub(super) links: Vec<Link>,
}

pub(super) fn prepare(config: config::Gateway, out: impl io::Write + Send + 'static) -> Result<Prepared, Error> {
    // One crypto library in the process, whoever comes first. A second time changes nothing.
    drop(default_provider().install_default());
    let config::Gateway { server, sites } = config;
    if let Some(tls) = &server.tls {
        listeners::certified(tls)?;
    }
    open_folder(&server.state)?;
    let secret = Secret::open(server.secret.as_ref(), &server.state)?;
    let metrics = Metrics::new().map_err(|cause| Error::Metrics(cause.into()))?;
    let reconsider = Arc::new(Notify::new());
    let mut house = House {
        files: Arc::new(StateFiles::new(server.state.clone(), &secret)),
        keys: Arc::new(SessionKeys::new(secret.current(), secret.previous())),
        cache: Arc::default(),
        client: client().map_err(|cause| Error::Client(cause.into()))?,
        metrics: &metrics,
        reconsider: &reconsider,
        issuers: HashMap::new(),
        links: Vec::new(),
        background: Background::default(),
    };
    let mut all_sites = Vec::with_capacity(sites.len());
    for site in sites {
        all_sites.push(house.site(site)?);
    }
    let (issuers, background) = house.into_background();
    let (log, writer) = AccessLog::start(out, metrics.log_lines_dropped.clone()).map_err(Error::System)?;
    let mut seed = [0; 16];
    rand::fill(&mut seed).map_err(|_| Error::System(io::Error::other("no randomness")))?;
    let shared = Shared {
        sites: Sites::new(&all_sites),
        all_sites,
        issuers,
        metrics,
        log,
        ids: RequestIds::new(seed),
        trusted_proxies: server.trusted_proxies.clone(),
        has_warned: AtomicBool::new(false),
        reconsider,
    };
    Ok(Prepared { gate: Gate::new(shared), server, background, log: writer })
}

/// What sites have in common.
struct House<'a> {
    files: Arc<StateFiles>,
    keys: Arc<SessionKeys>,
    cache: Arc<VerifiedCache>,
    client: reqwest::Client,
    metrics: &'a Metrics,
    reconsider: &'a Arc<Notify>,
    issuers: HashMap<String, (Arc<Issuer>, IssuerApi)>,
    links: Vec<Linked>,
    background: Background,
}

/// Sites that share an issuer and a credential share a link.
struct Linked {
    credential: SecretString,
    link: Link,
}

impl House<'_> {
    fn site(&mut self, config: config::Site) -> Result<Arc<Site>, Error> {
        let config = Arc::new(config);
        // Switched off, a site needs nobody.
        let issuer = config.issuer.as_ref().filter(|_| config.mode != Mode::Off).map(|origin| self.issuer(origin));
        let credential = match (&issuer, &config.credential) {
            (Some((_, api)), Some(source)) => {
                let failed = |cause: Box<dyn std::error::Error + Send + Sync>| Error::Credential {
                    site: config.url.to_string(),
                    at: config.defined_at.to_string(),
                    cause,
                };
                let secret = source.read().map_err(|cause| failed(cause.into()))?;
                let api = api.authorized(&secret).map_err(|cause| failed(cause.into()))?;
                Some((secret, api))
            }
            (None, _) | (_, None) => None,
        };
        let issuer = issuer.map(|(issuer, _)| issuer);
        let login = match (config.login, &credential) {
            (Login::Edge, Some((_, api))) => {
                Some(EdgeLogin::new(Arc::clone(&config), Arc::clone(&self.keys), api.clone()))
            }
            (Login::Off, _) | (Login::Edge, None) => None,
        };
        let id = issuer.as_ref().and_then(|issuer| issuer.site_id(&config.url));
        let site = Arc::new(Site {
            chain: Chain::new(Arc::clone(&config), Arc::clone(&self.keys), Arc::clone(&self.cache)),
            upstream: Arc::new(Upstream::new(&config.origin)),
            issuer: issuer.clone(),
            id: ArcSwapOption::new(id.map(Arc::new)),
            login,
            metrics: SiteMetrics::default(),
            config,
        });
        if let (Some(issuer), Some((secret, api))) = (issuer, credential) {
            self.link(issuer, secret, api, &site);
        }
        Ok(site)
    }

    fn issuer(&mut self, origin: &WebOrigin) -> (Arc<Issuer>, IssuerApi) {
        if let Some((issuer, api)) = self.issuers.get(origin.as_str()) {
            return (Arc::clone(issuer), api.clone());
        }
        let metrics = self.metrics.issuer(origin.as_str());
        let (files, reconsider) = (Arc::clone(&self.files), Arc::clone(self.reconsider));
        let issuer = Arc::new(Issuer::open(origin.clone(), files, metrics, reconsider, now()));
        let api = IssuerApi::new(self.client.clone(), origin);
        self.background.refreshes.push((Arc::clone(&issuer), api.clone()));
        self.issuers.insert(origin.as_str().to_owned(), (Arc::clone(&issuer), api.clone()));
        (issuer, api)
    }

    fn link(&mut self, issuer: Arc<Issuer>, credential: SecretString, api: Authorized, site: &Arc<Site>) {
        let is_same = |linked: &&mut Linked| {
            Arc::ptr_eq(&linked.link.issuer, &issuer) && linked.credential.expose_secret() == credential.expose_secret()
        };
        match self.links.iter_mut().find(is_same) {
            Some(linked) => linked.link.sites.push(Arc::clone(site)),
            None => {
                let link = Link { issuer, api, sites: vec![Arc::clone(site)] };
                self.links.push(Linked { credential, link });
            }
        }
    }

    fn into_background(self) -> (Vec<Arc<Issuer>>, Background) {
        let issuers = self.background.refreshes.iter().map(|(issuer, _)| Arc::clone(issuer)).collect();
        let links = self.links.into_iter().map(|linked| linked.link).collect();
        (issuers, Background { links, ..self.background })
    }
}
