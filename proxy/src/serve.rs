//! The gateway as a program runs it: from a configuration and bound listeners to a graceful end.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pingora::proxy::http_proxy;
use pingora::server::configuration::ServerConf;
use pingora::services::listening::Service;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::access_log::Writer;
use crate::connection::Connections;
use crate::gate::Gate;
use crate::gateway::GatewayProxy;
use crate::live::Watched;
use crate::operations::Operations;
use crate::secret::GatewaySecretError;
use crate::state::StateError;

mod listeners;
mod prepare;

pub use listeners::Listeners;
use prepare::{Background, Prepared};

/// How long a start waits for issuers before it serves without them.
const FIRST_CONTACT: Duration = Duration::from_secs(2);

/// How often a stop looks whether the last request is done.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// For a connection's last bytes, and for the last access lines.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Connections of clients at a time. Each may hold some hundred kilobytes of buffers.
const CONNECTIONS_MAX: usize = 16 * 1024;

/// Connections to sites that are kept for the next request.
const IDLE_CONNECTIONS: usize = 1024;

/// Why a gateway cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The state folder.
    #[error(transparent)]
    State(#[from] StateError),
    /// The gateway's own secret.
    #[error(transparent)]
    Secret(#[from] GatewaySecretError),
    /// The credential of a site.
    #[error("the credential of {site} cannot be used ({at})")]
    Credential {
        /// The site's URL.
        site: String,
        /// Where it is configured.
        at: String,
        /// What is wrong with it.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The certificate or its key.
    #[error("cannot serve TLS with {} and {}: both must be PEM, and the key that of the certificate", certificate.display(), key.display())]
    Certificate {
        /// The certificate chain.
        certificate: PathBuf,
        /// Its key.
        key: PathBuf,
        /// What is wrong with them.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// TLS listeners without a certificate.
    #[error("there are TLS listeners but no [server.tls] with a certificate")]
    NoCertificate,
    /// A listener that was handed over.
    #[error("a listener cannot be used")]
    Listener(#[source] io::Error),
    /// The system refused a thread, or randomness.
    #[error("the system refuses what a gateway needs")]
    System(#[source] io::Error),
    /// The HTTP client for issuers.
    #[error("no HTTP client can be made")]
    Client(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The metrics registry.
    #[error("metrics cannot be set up")]
    Metrics(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Something that serves has ended although nobody asked it to.
    #[error("serving ended unasked")]
    Ended(#[source] tokio::task::JoinError),
}

/// A gateway that is ready to serve.
#[derive(Debug)]
pub struct Gateway {
    gate: Gate,
    config: config::Server,
    background: Background,
    log: Writer,
}

impl Gateway {
    /// Makes ready: opens the state folder, reads secrets, and takes up the keys and revocations that were known last.
    /// Asks nobody for anything yet. Access lines go to stdout.
    ///
    /// # Errors
    /// [`Error`] when something that was configured cannot be used.
    pub fn prepare(config: config::Gateway) -> Result<Self, Error> {
        Self::prepare_with_log(config, io::stdout())
    }

    /// The same, with access lines going to `out`.
    ///
    /// # Errors
    /// As [`prepare`](Self::prepare).
    pub fn prepare_with_log(config: config::Gateway, out: impl io::Write + Send + 'static) -> Result<Self, Error> {
        let Prepared { gate, server, background, log } = prepare::prepare(config, out)?;
        Ok(Self { gate, config: server, background, log })
    }

    /// The steps of a request, for a Pingora proxy of one's own. It is up to date only while [`serve`](Self::serve) or
    /// [`keep_up_to_date`](Self::keep_up_to_date) runs.
    #[must_use]
    pub fn gate(&self) -> Gate {
        self.gate.clone()
    }

    /// For a Pingora proxy of one's own: follows issuers for as long as it is polled, and serves nothing. `ready` is
    /// called after the first contact with all of them, at the latest after 2 s.
    pub async fn keep_up_to_date(self, ready: impl FnOnce()) {
        let mut beside = JoinSet::new();
        self.background.start(&mut beside, &self.gate.shared().issuers).await;
        ready();
        while beside.join_next().await.is_some() {}
    }

    /// Serves until `stop`, on the tokio runtime this is called on. Then no new connection is taken, and it returns once
    /// no request is in flight any more, at most after `grace_period`.
    ///
    /// # Errors
    /// [`Error`] when the listeners cannot be used, or when serving ends unasked.
    pub async fn serve(self, listeners: Listeners, stop: impl Future<Output = ()>) -> Result<(), Error> {
        let Self { gate, config, background, log } = self;
        let mut beside = JoinSet::new();
        let issuers = gate.shared().issuers.clone();
        background.start(&mut beside, &issuers).await;

        let (shutdown, is_shutdown) = watch::channel(false);
        let inside = Arc::new(AtomicUsize::new(0));
        let mut serving = JoinSet::new();
        let operations = operations(&gate, &listeners)?;
        listeners.start(config.tls.as_ref(), proxy(&gate, &inside), operations, &is_shutdown, &mut serving)?;

        let ended = tokio::select! {
            () = stop => Ok(()),
            Some(Err(cause)) = serving.join_next() => Err(Error::Ended(cause)),
        };
        let deadline = Instant::now() + config.grace_period;
        // The error is that nobody listens, which is what a stop is for.
        shutdown.send(true).unwrap_or_default();
        while serving.join_next().await.is_some() {}
        while gate.metrics().in_flight.get() > 0 && Instant::now() < deadline {
            sleep(LOOK_AGAIN).await;
        }
        let last_words = Instant::now() + LAST_WORDS;
        while inside.load(Ordering::Acquire) > 0 && gate.metrics().in_flight.get() == 0 && Instant::now() < last_words {
            sleep(LOOK_AGAIN).await;
        }
        beside.shutdown().await;
        for issuer in issuers {
            tokio::task::spawn_blocking(move || issuer.save()).await.map_err(Error::Ended)?;
        }
        gate.access_log().close();
        let last_words = Instant::now() + LAST_WORDS;
        while !log.is_finished() && Instant::now() < last_words {
            sleep(LOOK_AGAIN).await;
        }
        ended
    }
}

/// The service that takes connections of clients.
fn proxy(gate: &Gate, inside: &Arc<AtomicUsize>) -> Service<impl pingora::apps::ServerApp + Send + Sync + 'static> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let conf = ServerConf { threads, upstream_keepalive_pool_size: IDLE_CONNECTIONS, ..ServerConf::default() };
    let watched = Watched {
        app: Arc::new(http_proxy(&Arc::new(conf), GatewayProxy::new(gate.clone()))),
        reconsider: Arc::clone(&gate.shared().reconsider),
        cut: gate.metrics().streams_cut.clone(),
    };
    let connections = Connections {
        app: Arc::new(watched),
        gate: gate.clone(),
        inside: Arc::clone(inside),
        connections_max: CONNECTIONS_MAX,
    };
    Service::new("gateway".to_owned(), connections)
}

fn operations(gate: &Gate, listeners: &Listeners) -> Result<Service<Operations>, Error> {
    let address = listeners.ops.local_addr().map_err(Error::Listener)?;
    let host = match address.ip() {
        std::net::IpAddr::V4(ip) => ip.to_string(),
        std::net::IpAddr::V6(ip) => format!("[{ip}]"),
    };
    Ok(Service::new("operations".to_owned(), Operations { gate: gate.clone(), host }))
}

impl Background {
    /// Starts what goes on beside requests, and waits a moment for the first contact with every issuer.
    async fn start(self, beside: &mut JoinSet<()>, issuers: &[Arc<crate::issuer::Issuer>]) {
        let (contact, mut contacts) = mpsc::channel::<Infallible>(1);
        for issuer in issuers {
            beside.spawn(Arc::clone(issuer).save_changes());
        }
        for (issuer, api) in self.refreshes {
            beside.spawn(crate::key_refresh::keep_fresh(issuer, api, contact.clone()));
        }
        for link in self.links {
            link.issuer.follow_log();
            beside.spawn(link.follow(contact.clone()));
        }
        drop(contact);
        // All have let go of it: every issuer was reached.
        if timeout(FIRST_CONTACT, contacts.recv()).await.is_err() {
            tracing::warn!("not every issuer was reached: serving, degraded, with what was known last");
        }
    }
}
