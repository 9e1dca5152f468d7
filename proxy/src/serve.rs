//! The gateway as a program runs it: from a configuration and bound listeners to a graceful end.

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pingora::apps::HttpServerOptions;
use pingora::proxy::http_proxy;
use pingora::server::configuration::ServerConf;
use pingora::services::listening::Service;
use tokio::sync::watch as watch_channel;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use crate::access_log::Writer;
use crate::audit::{Due, SWEPT_EVERY};
use crate::certificates::Certificates;
use crate::clock::Timestamp;
use crate::connection::Connections;
use crate::forward_auth::ForwardAuth;
use crate::gate::{Gate, KEEPALIVE_SECONDS};
use crate::gateway::GatewayProxy;
use crate::issuer_link::Link;
use crate::live::Watched;
use crate::operations::{Operations, Reach};
use crate::secret::GatewaySecretError;
use crate::state::StateError;
use crate::upstream::OriginError;

mod background;
mod build;
mod commands;
mod control;
mod listeners;
mod prepare;
mod watch;

use background::Background;
use build::Ground;
use commands::{Command, Orders};
pub use commands::{Commands, Done, ModeChange, Refused};
pub use listeners::Listeners;
use listeners::Services;
use prepare::Prepared;

/// How often a stop looks whether the last request is done.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// For a connection's last bytes, and for the last access lines.
const LAST_WORDS: Duration = Duration::from_millis(500);

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
    /// The origin of a site.
    #[error("the origin of {site} cannot be used ({at})")]
    Origin {
        /// The site's URL.
        site: String,
        /// Where it is configured.
        at: String,
        /// What is wrong with it.
        #[source]
        cause: OriginError,
    },
    /// The control socket.
    #[error("the control socket cannot be opened")]
    Control(#[source] io::Error),
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
    config: config::Gateway,
    ground: Ground,
    links: Vec<Link>,
    log: Writer,
    commands: Commands,
    orders: Orders,
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
        let Prepared { gate, ground, links, log } = prepare::prepare(&config, out)?;
        let (commands, orders) = commands::channel();
        Ok(Self { gate, config, ground, links, log, commands, orders })
    }

    /// The steps of a request, for a Pingora proxy of one's own. It is up to date only while [`serve`](Self::serve) or
    /// [`keep_up_to_date`](Self::keep_up_to_date) runs.
    #[must_use]
    pub fn gate(&self) -> Gate {
        self.gate.clone()
    }

    /// What may be asked of the gateway while it serves.
    #[must_use]
    pub fn commands(&self) -> Commands {
        self.commands.clone()
    }

    /// For a Pingora proxy of one's own: follows issuers for as long as it is polled, and serves nothing. `ready` is
    /// called after the first contact with all of them, at the latest after 2 s.
    pub async fn keep_up_to_date(self, ready: impl FnOnce()) {
        let Self { gate, ground, links, .. } = self;
        let mut background = Background::default();
        background.also(Arc::clone(&ground.pins).save_changes());
        background.also(write_counted(gate.clone()));
        background.begin(&gate.snapshot().issuers, links, &ground.client).await;
        ready();
        background.ended().await;
    }

    /// Serves until `stop`, on the tokio runtime this is called on. Then no new connection is taken, and it returns once
    /// no request is in flight any more, at most after `grace_period`.
    ///
    /// # Errors
    /// [`Error`] when the listeners or the control socket cannot be used, or when serving ends unasked.
    pub async fn serve(self, listeners: Listeners, stop: impl Future<Output = ()>) -> Result<(), Error> {
        let Self { gate, config, ground, links, log, commands, orders } = self;
        let control = control::Socket::open(&config.server.state).map_err(Error::Control)?;
        let mut background = Background::default();
        background.also(Arc::clone(&ground.pins).save_changes());
        background.also(write_counted(gate.clone()));
        background.begin(&gate.snapshot().issuers, links, &ground.client).await;

        let (shutdown, is_shutdown) = watch_channel::channel(false);
        let inside = Arc::new(AtomicUsize::new(0));
        let mut serving = JoinSet::new();
        let most = usize::try_from(config.server.connections_max).unwrap_or(usize::MAX);
        let services = Services {
            proxy: proxy(&gate, &inside, most),
            operations: operations(&gate, &listeners)?,
            auth: Service::new("forward-auth".to_owned(), ForwardAuth { gate: gate.clone() }),
        };
        let tls = config.server.tls.as_ref();
        let certificates = tls.map(|tls| Certificates::open(tls, gate.metrics()).map(Arc::new)).transpose()?;
        listeners.start(services, certificates.as_ref(), &is_shutdown, &mut serving)?;

        let mut beside = JoinSet::new();
        beside.spawn(control.listen(commands.clone()));
        let (files, watched) = watch_channel::channel(config.files.clone());
        beside.spawn(watch::watch(watched, commands));
        let mut served = Served { gate, config, files, ground, background, certificates };
        let ended = served.carry_out(orders, stop, &mut serving).await;
        beside.shutdown().await;

        let Served { gate, config, background, .. } = served;
        let deadline = Instant::now() + config.server.grace_period;
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
        background.end().await;
        for issuer in gate.snapshot().issuers.clone() {
            tokio::task::spawn_blocking(move || issuer.save()).await.map_err(Error::Ended)?;
        }
        let pins = Arc::clone(&gate.shared().pins);
        tokio::task::spawn_blocking(move || pins.save()).await.map_err(Error::Ended)?;
        gate.shared().audit.sweep(Timestamp::now(), Due::All);
        gate.access_log().close();
        let last_words = Instant::now() + LAST_WORDS;
        while !log.is_finished() && Instant::now() < last_words {
            sleep(LOOK_AGAIN).await;
        }
        ended
    }
}

/// A gateway that serves, and what it takes to change what it serves.
struct Served {
    gate: Gate,
    config: config::Gateway,
    /// For the watcher.
    files: watch_channel::Sender<config::Files>,
    ground: Ground,
    background: Background,
    certificates: Option<Arc<Certificates>>,
}

impl Served {
    /// Carries out what is asked, one order after another, until it is told to stop.
    async fn carry_out(
        &mut self,
        mut orders: Orders,
        stop: impl Future<Output = ()>,
        serving: &mut JoinSet<()>,
    ) -> Result<(), Error> {
        let mut stop = pin!(stop);
        loop {
            let next_end = self.gate.shared().overrides.next_end(Instant::now());
            let word_ends = async {
                match next_end {
                    Some(end) => sleep_until(end).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = &mut stop => return Ok(()),
                Some(Err(cause)) = serving.join_next() => return Err(Error::Ended(cause)),
                Some((command, answer)) = orders.next() => {
                    let done = match command {
                        Command::Reload => self.reload().await,
                        Command::Mode(change) => self.change_mode(change),
                        Command::Pins(order) => self.pins(&order),
                        Command::Status => Ok(self.status()),
                    };
                    // Whoever asked may be gone.
                    drop(answer.send(done));
                }
                () = word_ends => {
                    tracing::info!("a mode that was set for a while has ended: sites are as configured again");
                    self.gate.apply_modes();
                }
            }
        }
    }
}

/// Writes what was counted of refusals, for as long as it is polled.
async fn write_counted(gate: Gate) {
    loop {
        sleep(SWEPT_EVERY).await;
        gate.shared().audit.sweep(Timestamp::now(), Due::Ended);
    }
}

/// The service that takes connections of clients.
fn proxy(
    gate: &Gate,
    inside: &Arc<AtomicUsize>,
    connections_max: usize,
) -> Service<impl pingora::apps::ServerApp + Send + Sync + 'static> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let conf = ServerConf { threads, upstream_keepalive_pool_size: IDLE_CONNECTIONS, ..ServerConf::default() };
    let mut app = http_proxy(&Arc::new(conf), GatewayProxy::new(gate.clone().judging_messages()));
    // Else a client of HTTP/2 that asks nothing, or begins headers and goes no further, keeps its place for ever.
    let mut options = HttpServerOptions::default();
    options.h2_idle_timeout = Some(Duration::from_secs(KEEPALIVE_SECONDS));
    app.server_options = Some(options);
    let watched = Watched {
        app: Arc::new(app),
        reconsider: Arc::clone(&gate.shared().reconsider),
        cut: gate.metrics().streams_cut.clone(),
    };
    let connections =
        Connections { app: Arc::new(watched), gate: gate.clone(), inside: Arc::clone(inside), connections_max };
    Service::new("gateway".to_owned(), connections)
}

fn operations(gate: &Gate, listeners: &Listeners) -> Result<Service<Operations>, Error> {
    let address = listeners.ops.local_addr().map_err(Error::Listener)?;
    let reach = if address.ip().is_loopback() { Reach::Loopback } else { Reach::Others };
    Ok(Service::new("operations".to_owned(), Operations { gate: gate.clone(), reach }))
}
