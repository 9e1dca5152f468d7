//! An issuer as a process runs it: opened, served, stopped.

use std::future::Future;
use std::net::TcpListener;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::watch;

use crate::core::keys::{self, Publication};
use crate::core::passports::Signer;
use crate::core::secret::{Missing, Sealer};
use crate::ephemeral::streams::Streams;
use crate::foundation::csrf::Csrf;
use crate::foundation::passwords::Passwords;
use crate::foundation::unknown_names::UnknownNames;
use crate::modules::oauth::client_assertion::Assertions;
use crate::modules::oauth::client_metadata::ClientDocuments;
use crate::server::router;
use crate::service::{Service, Settings};
use crate::store::{Generations, Location, Store};
use crate::time::UnixMillis;
use crate::watch::Watch;
use crate::{Error, connections};

/// A request to open one more than these is told to come again: nobody logs in so often at one site in five minutes.
const OPEN_LOGINS_MAX: i64 = 10_000;

/// An issuer that is ready to answer.
#[derive(Debug)]
pub struct Issuer {
    service: Arc<Service>,
    sealer: Arc<Sealer>,
    publication: Publication,
    known: Generations,
    stop: watch::Sender<bool>,
}

/// The store a configuration names.
pub(crate) async fn open_store(config: &config::Issuer) -> Result<Store, Error> {
    use secrecy::ExposeSecret as _;
    let location = match &config.store {
        config::StoreLocation::Sqlite(path) => Location::Sqlite(path.clone()),
        config::StoreLocation::Postgres(url) => Location::Postgres(url.expose_secret().to_owned()),
    };
    Ok(Store::open(&location).await?)
}

/// The sealer a configuration names. The secret is made on a first start, never beside keys that were sealed with another.
pub(crate) async fn open_sealer(config: &config::Issuer, store: &Store) -> Result<Arc<Sealer>, Error> {
    let path = match &config.secret {
        config::SecretSource::File(path) => path.clone(),
        config::SecretSource::Env(_) => return Err(Error::SecretSource),
    };
    let missing = if store.generations().await?.keys == 0 { Missing::Make } else { Missing::Refuse };
    Ok(Arc::new(Sealer::open(&path, missing)?))
}

impl Issuer {
    /// Opens the store, brings it up to date, and makes the first keys where there are none. `issuer` is the `iss` of every
    /// passport, byte for byte.
    ///
    /// # Errors
    /// [`Error`] says what is missing or broken.
    pub async fn open(config: &config::Issuer, issuer: String) -> Result<Self, Error> {
        let store = open_store(config).await?;
        let sealer = open_sealer(config, &store).await?;
        keys::ensure(&store, &sealer).await?;
        let publication = Publication::new(config.key_publish_ahead, config.access_token_ttl);
        // First what has changed so far, then the keys: a change in between is seen as one.
        let known = store.generations().await?;
        let ring = keys::load(&store, &sealer, publication, UnixMillis::now()).await?;
        let (stop, shutdown) = watch::channel(false);
        let service = Service {
            issuer: issuer.clone(),
            settings: Settings {
                login_request_ttl: config.login_request_ttl,
                pow_difficulty: config.pow_difficulty,
                open_logins_max: OPEN_LOGINS_MAX,
            },
            store,
            keys: ArcSwap::from_pointee(ring),
            signer: Signer::new(issuer, config.login_passport_ttl, config.access_token_ttl),
            documents: ClientDocuments::new(&config.cimd)?,
            assertions: Assertions::default(),
            document_assertions: Assertions::default(),
            passwords: Passwords::new(),
            unknown_names: UnknownNames::default(),
            csrf: Csrf::new(sealer.derive(b"forms")?),
            sealer: Arc::clone(&sealer),
            streams: Streams::new(),
            shutdown,
        };
        Ok(Self { service: Arc::new(service), sealer, publication, known, stop })
    }

    /// Answers on `listeners` until `stop` is done and what is under way has ended, 10 s at most.
    ///
    /// # Errors
    /// [`Error::Listen`] when a listener cannot be used, or a store that cannot be read at the start.
    pub async fn serve(
        self,
        listeners: Vec<TcpListener>,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), Error> {
        let listeners = listeners.into_iter().map(listen).collect::<Result<Vec<_>, _>>().map_err(Error::Listen)?;
        let watch = Watch::new(Arc::clone(&self.service), self.sealer, self.publication, self.known);
        let watching = tokio::spawn(watch.run());
        let sender = self.stop;
        tokio::spawn(async move {
            stop.await;
            sender.send_replace(true);
        });
        connections::serve(listeners, router(Arc::clone(&self.service)), self.service.shutdown.clone()).await;
        if watching.await.is_err() {
            tracing::error!("the watcher had stopped");
        }
        self.service.store.close().await;
        Ok(())
    }
}

fn listen(listener: TcpListener) -> std::io::Result<tokio::net::TcpListener> {
    listener.set_nonblocking(true)?;
    tokio::net::TcpListener::from_std(listener)
}
