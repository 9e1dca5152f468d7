//! From a configuration to everything that serving it takes.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use arc_swap::ArcSwap;
use aws_lc_rs::rand;
use filters::Fleet;
use rustls::crypto::aws_lc_rs::default_provider;
use tokio::sync::Notify;

use super::Error;
use super::build::{Built, Ground, build};
use crate::access_log::{AccessLog, Writer};
use crate::audit::Audit;
use crate::certificates::Table;
use crate::clock::now;
use crate::crawler_names::CrawlerNames;
use crate::gate::{Gate, Shared};
use crate::issuer_api::client;
use crate::issuer_link::Link;
use crate::mcp::{Declared, HeldMemory, InFlight};
use crate::mcp_pins::PinStore;
use crate::metrics::Metrics;
use crate::request_id::RequestIds;
use crate::secret::Secret;
use crate::state::{StateFiles, open_folder};

/// Everything that serving takes.
pub(super) struct Prepared {
    pub(super) gate: Gate,
    pub(super) ground: Ground,
    pub(super) links: Vec<Link>,
    pub(super) log: Writer,
}

pub(super) fn prepare(config: &config::Gateway, out: impl io::Write + Send + 'static) -> Result<Prepared, Error> {
    // One crypto library in the process, whoever comes first. A second time changes nothing.
    drop(default_provider().install_default());
    let server = &config.server;
    if let Some(tls) = &server.tls {
        Table::read(tls)?;
    }
    open_folder(&server.state)?;
    let secret = Secret::open(server.secret.as_ref(), &server.state)?;
    let metrics = Arc::new(Metrics::new().map_err(|cause| Error::Metrics(cause.into()))?);
    let reconsider = Arc::new(Notify::new());
    let fleet = if server.replicas > 1 { Fleet::Shared } else { Fleet::Alone };
    let mut process = [0; 8];
    rand::fill(&mut process).map_err(|_| Error::System(io::Error::other("no randomness")))?;
    let files = Arc::new(StateFiles::new(server.state.clone(), &secret));
    let ground = Ground {
        pins: Arc::new(PinStore::open(Arc::clone(&files))),
        files,
        resources: filters::Resources::new(secret.current(), secret.previous(), process, (now(), fleet)),
        client: client().map_err(|cause| Error::Client(cause.into()))?,
        metrics: Arc::clone(&metrics),
        reconsider: Arc::clone(&reconsider),
        overrides: Arc::default(),
    };
    let Built { snapshot, links } = build(&ground, config, None)?;
    let (log, writer) = AccessLog::start(out, metrics.log_lines_dropped.clone()).map_err(Error::System)?;
    let mut seed = [0; 16];
    rand::fill(&mut seed).map_err(|_| Error::System(io::Error::other("no randomness")))?;
    let gate = Gate::new(Shared {
        snapshot: ArcSwap::from_pointee(snapshot),
        metrics,
        audit: Audit::new(log.clone()),
        pins: Arc::clone(&ground.pins),
        declared: Declared::default(),
        in_flight: InFlight::default(),
        held_memory: HeldMemory::default(),
        log,
        ids: RequestIds::new(seed),
        overrides: Arc::clone(&ground.overrides),
        connections_max: server.connections_max,
        crawlers: CrawlerNames::new(Arc::clone(&ground.resources.crawlers)),
        has_warned: AtomicBool::new(false),
        reconsider,
        started: Instant::now(),
    });
    gate.apply_modes();
    Ok(Prepared { gate, ground, links, log: writer })
}
