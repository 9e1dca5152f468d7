//! What may be asked of a gateway while it serves, and how it is carried out.

use std::sync::Arc;
use std::time::Duration;

use config::{JwksSource, Mode, Server};
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::Served;
use super::build::build;
use crate::certificates::Table;
use crate::clock::now;
use crate::mcp_pins::{PinOrder, PinRow, PinsRefused};
use crate::mode::Override;

/// Most orders that wait. They are given by people, and by one watcher.
const WAITING_MAX: usize = 16;

/// Gives orders to a gateway that serves. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Commands(mpsc::Sender<Order>);

type Order = (Command, oneshot::Sender<Result<Done, Refused>>);

/// The other end of [`Commands`].
#[derive(Debug)]
pub(super) struct Orders(mpsc::Receiver<Order>);

#[derive(Debug)]
pub(super) enum Command {
    Reload,
    Mode(ModeChange),
    Pins(PinOrder),
    Status,
}

/// What a site, or every site, is to do from now on about what it finds.
#[derive(Clone, Debug)]
pub struct ModeChange {
    /// The URL of a site; `None`: all of them.
    pub site: Option<String>,
    /// The mode; `None`: as it is configured.
    pub mode: Option<Mode>,
    /// For how long; `None`: until it is taken back, or the process ends.
    pub lasts: Option<Duration>,
}

/// What was done, in words for whoever asked.
#[derive(Clone, Debug, Serialize)]
pub struct Done {
    /// What there is to say, a line each.
    pub said: Vec<String>,
    /// How many sites are served.
    pub sites: usize,
    /// The tools that were asked about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pins: Vec<PinRow>,
}

/// Why an order was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The configuration is not taken over. All that is wrong, a line each.
    #[error("{0}")]
    Config(String),
    /// What was changed takes effect only on a start.
    #[error("needs a restart: {0} cannot be changed while the gateway serves. Nothing was taken over")]
    NeedsRestart(String),
    /// No such site.
    #[error("no site has the url {0}: write it as it stands in the configuration")]
    NoSuchSite(String),
    /// What was asked about pinned tools.
    #[error("{}", in_full(.0))]
    Pins(PinsRefused),
    /// The gateway was made without a file.
    #[error("this gateway was not started from a file")]
    NoFile,
    /// The gateway is stopping.
    #[error("the gateway is stopping")]
    Stopping,
}

pub(super) fn channel() -> (Commands, Orders) {
    let (sender, receiver) = mpsc::channel(WAITING_MAX);
    (Commands(sender), Orders(receiver))
}

impl Commands {
    /// Reads the configuration again and serves it, if all of it is good; else everything stays as it was.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn reload(&self) -> Result<Done, Refused> {
        self.give(Command::Reload).await
    }

    /// Changes the mode of sites at once. A reload leaves it so.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn change_mode(&self, change: ModeChange) -> Result<Done, Refused> {
        self.give(Command::Mode(change)).await
    }

    /// Says how pinned tools stand, or changes it.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn pins(&self, order: PinOrder) -> Result<Done, Refused> {
        self.give(Command::Pins(order)).await
    }

    /// Says how things stand.
    ///
    /// # Errors
    /// [`Refused::Stopping`].
    pub async fn status(&self) -> Result<Done, Refused> {
        self.give(Command::Status).await
    }

    async fn give(&self, command: Command) -> Result<Done, Refused> {
        let (answer, answered) = oneshot::channel();
        self.0.send((command, answer)).await.map_err(|_| Refused::Stopping)?;
        answered.await.unwrap_or(Err(Refused::Stopping))
    }
}

impl Orders {
    pub(super) async fn next(&mut self) -> Option<Order> {
        self.0.recv().await
    }
}

impl Served {
    /// Parse, judge, build, swap: until the last step nothing is changed.
    pub(super) async fn reload(&mut self) -> Result<Done, Refused> {
        let started = Instant::now();
        let reloaded = self.try_reload().await;
        let metrics = Arc::clone(&self.ground.metrics);
        match &reloaded {
            Ok(done) => {
                metrics.reloaded(true, now());
                tracing::info!(sites = done.sites, took = ?started.elapsed(), "the configuration was reloaded");
            }
            Err(refused) => {
                metrics.reloaded(false, now());
                tracing::error!("the configuration was not reloaded, the last one stays: {refused}");
            }
        }
        reloaded
    }

    async fn try_reload(&mut self) -> Result<Done, Refused> {
        let main = self.config.files.main.clone();
        if main.as_os_str().is_empty() {
            return Err(Refused::NoFile);
        }
        let before = self.config.clone();
        let reading = move || before.reload(&main, &|name| std::env::var(name).ok());
        let read = tokio::task::spawn_blocking(reading).await.map_err(|cause| Refused::Config(cause.to_string()))?;
        let config::Reloaded { gateway, kept } = read.map_err(|cause| Refused::Config(cause.to_string()))?;
        if let Some(key) = needs_restart(&self.config.server, &gateway.server) {
            return Err(Refused::NeedsRestart(key.to_owned()));
        }
        let refused = |cause: &dyn std::error::Error| Refused::Config(in_full(cause));
        let certificates = match (&self.certificates, &gateway.server.tls) {
            (Some(certificates), Some(tls)) => Some((certificates, Table::read(tls).map_err(|cause| refused(&cause))?)),
            (_, _) => None,
        };
        let snapshot = self.gate.snapshot();
        let built = build(&self.ground, &gateway, Some(&snapshot)).map_err(|cause| refused(&cause))?;
        // From here on nothing can fail.
        if let Some((certificates, table)) = certificates {
            certificates.swap(table, &self.ground.metrics);
        }
        let sites = built.snapshot.all_sites.len();
        let mut said: Vec<String> = gateway.warnings();
        for broken in &kept {
            tracing::error!("an included file is broken, its last good sites stay: {broken}");
            said.push(format!("kept as it was: {broken}"));
        }
        self.ground.metrics.included_files_kept.set(i64::try_from(kept.len()).unwrap_or(i64::MAX));
        self.gate.swap(built.snapshot);
        let issuers = &self.gate.snapshot().issuers;
        self.background.change(issuers, built.links, &self.ground.client);
        for issuer in issuers.iter().filter(|issuer| matches!(issuer.config.jwks.source, JwksSource::File(_))) {
            issuer.keys_wanted.notify_one();
        }
        self.files.send_replace(gateway.files.clone());
        self.config = gateway;
        Ok(Done { said, sites, pins: Vec::new() })
    }

    pub(super) fn change_mode(&self, change: ModeChange) -> Result<Done, Refused> {
        let ModeChange { site, mode, lasts } = change;
        let snapshot = self.gate.snapshot();
        if let Some(url) = &site
            && !snapshot.all_sites.iter().any(|known| known.config.url.as_str() == url)
        {
            return Err(Refused::NoSuchSite(url.clone()));
        }
        let about = site.clone().unwrap_or_else(|| "all sites".to_owned());
        let overrides = &self.gate.shared().overrides;
        let said = match mode {
            Some(mode) => {
                let until = lasts.and_then(|lasts| Instant::now().checked_add(lasts));
                overrides.say(Override { site, mode, until });
                let lasts =
                    lasts.map_or("until it is taken back".to_owned(), |lasts| format!("for {} s", lasts.as_secs()));
                format!("{about}: {} {lasts}", mode.as_str())
            }
            None => {
                overrides.take_back(site.as_deref());
                format!("{about}: as configured")
            }
        };
        self.gate.apply_modes();
        tracing::warn!("the mode was changed by an operator: {said}");
        Ok(Done { said: vec![said], sites: snapshot.all_sites.len(), pins: Vec::new() })
    }

    pub(super) fn pins(&self, order: &PinOrder) -> Result<Done, Refused> {
        let pins = self.ground.pins.order(order).map_err(Refused::Pins)?;
        if order.changes() {
            tracing::warn!("pinned tools were changed by an operator: {order:?}");
        }
        Ok(Done { said: Vec::new(), sites: self.gate.snapshot().all_sites.len(), pins })
    }

    pub(super) fn status(&self) -> Done {
        let snapshot = self.gate.snapshot();
        let line = |site: &Arc<crate::sites::Site>| {
            let (now, configured) = (site.mode.now(), site.config.mode);
            let note = if now == configured { "" } else { " (set by an operator)" };
            format!("{}: {}{note}", site.config.url, now.as_str())
        };
        let said = snapshot.all_sites.iter().map(line).collect();
        Done { said, sites: snapshot.all_sites.len(), pins: Vec::new() }
    }
}

/// The key of what was changed and takes effect only on a start.
fn needs_restart(before: &Server, after: &Server) -> Option<&'static str> {
    let tls = |server: &Server| server.tls.as_ref().map(|tls| tls.listen.clone());
    [
        ("`listen`", before.listen != after.listen),
        ("`listen` of [server.tls]", tls(before) != tls(after)),
        ("`ops_listen`", before.ops_listen != after.ops_listen),
        ("`auth_listen`", before.auth_listen != after.auth_listen),
        ("`state`", before.state != after.state),
        ("`secret`", before.secret != after.secret),
        ("`connections_max`", before.connections_max != after.connections_max),
    ]
    .into_iter()
    .find_map(|(key, is_changed)| is_changed.then_some(key))
}

/// An error with all its causes, on one line.
fn in_full(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| text + ": " + &cause.to_string())
}
