//! The life of a signing key: `next` (published), `active` (signs), `retired` (published still), `revoked`.

use std::sync::Arc;
use std::time::Duration;

use passport::{Jwk, KeyId, KeySet, SigningKey};

use super::key_set::JwksDocument;
use super::secret::Sealer;
use crate::Error;
use crate::store::{KeyRecord, KeyState, NewKey, Store};
use crate::time::UnixMillis;

/// What a running issuer signs with and publishes. Swapped whole.
#[derive(Debug)]
pub(crate) struct KeyRing {
    pub(crate) active: Arc<SigningKey>,
    pub(crate) jwks: JwksDocument,
    /// The same keys, to check what was signed here.
    pub(crate) public: KeySet,
    /// When this ring stops being true by the clock alone: a switch that is due, a retired key that leaves.
    pub(crate) changes_at: Option<UnixMillis>,
    /// The next key, when it is to become the active one, if that is decided.
    pub(crate) due: Option<(KeyId, UnixMillis)>,
}

/// How long keys are published before and after they sign.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Publication {
    /// A key is published this long before it signs.
    pub(crate) ahead: Duration,
    /// A retired key stays published this long: the longest token, the verifiers' leeway, and time for a stale cache.
    pub(crate) after: Duration,
}

impl Publication {
    /// 120 s is the leeway of the published SDKs, 5 min the period of their key caches.
    pub(crate) fn new(ahead: Duration, access_token_ttl: Duration) -> Self {
        let after = access_token_ttl.saturating_add(Duration::from_secs(120 + 300));
        Self { ahead, after }
    }
}

/// A key pair, sealed for the store. Takes tens to hundreds of milliseconds, off the runtime's threads.
pub(crate) async fn generate(sealer: &Arc<Sealer>) -> Result<NewKey, Error> {
    let sealer = Arc::clone(sealer);
    let made = tokio::task::spawn_blocking(move || {
        let key = SigningKey::generate().map_err(|_| Error::Key("cannot be generated"))?;
        let private = key.to_pkcs8().map_err(|_| Error::Key("cannot be written"))?;
        let jwk = serde_json::to_string(key.jwk()).map_err(|_| Error::Key("cannot be written"))?;
        Ok(NewKey { kid: key.kid().clone(), jwk, sealed: sealer.seal(key.kid().as_str(), &private)? })
    });
    made.await.map_err(|_| Error::Key("cannot be generated"))?
}

/// Makes the first `active` and `next` keys of a new store.
pub(crate) async fn ensure(store: &Store, sealer: &Arc<Sealer>) -> Result<(), Error> {
    if store.generations().await?.keys == 0 {
        let (active, next) = (generate(sealer).await?, generate(sealer).await?);
        store.first_keys(active, next, UnixMillis::now()).await?;
    }
    Ok(())
}

/// The ring as the store has it at `now`.
pub(crate) async fn load(
    store: &Store,
    sealer: &Arc<Sealer>,
    publication: Publication,
    now: UnixMillis,
) -> Result<KeyRing, Error> {
    let records = store.keys().await?;
    let active = records.iter().find(|key| key.state == KeyState::Active).ok_or(Error::Unknown("active key"))?;
    let (kid, sealed, opener) = (active.kid.clone(), active.sealed.clone(), Arc::clone(sealer));
    let opened = tokio::task::spawn_blocking(move || {
        let private = opener.open_sealed(kid.as_str(), &sealed)?;
        let key = SigningKey::from_pkcs8(&private).map_err(|_| Error::Key("in the store is no RSA key"))?;
        if *key.kid() == kid { Ok(key) } else { Err(Error::Key("in the store has another name than its own")) }
    });
    let signing = opened.await.map_err(|_| Error::Key("in the store cannot be opened"))??;
    let published: Vec<Jwk> = records
        .iter()
        .filter(|key| is_published(key, publication, now))
        .map(|key| serde_json::from_str(&key.jwk).map_err(|_| Error::Key("in the store has an unreadable public half")))
        .collect::<Result<_, _>>()?;
    let due = records
        .iter()
        .find(|key| key.state == KeyState::Next)
        .and_then(|key| key.activate_at.map(|at| (key.kid.clone(), at)));
    let leaves = |key: &KeyRecord| key.retired_at.map(|at| at.plus(publication.after)).filter(|at| *at > now);
    let retired = records.iter().filter(|key| key.state == KeyState::Retired);
    let changes_at = retired.filter_map(leaves).chain(due.iter().map(|(_, at)| *at)).min();
    let public = KeySet::from_jwks(passport::jwks_document(&published).as_bytes())
        .map_err(|_| Error::Key("in the store has an unreadable public half"))?;
    let jwks = JwksDocument::new(&published, publication.ahead);
    Ok(KeyRing { active: Arc::new(signing), jwks, public, changes_at, due })
}

fn is_published(key: &KeyRecord, publication: Publication, now: UnixMillis) -> bool {
    match key.state {
        KeyState::Next | KeyState::Active => true,
        KeyState::Retired => key.retired_at.is_some_and(|at| at.plus(publication.after) > now),
        KeyState::Revoked => false,
    }
}

/// When a next key may sign.
pub(crate) fn ready_at(key: &KeyRecord, publication: Publication) -> UnixMillis {
    key.published_at.plus(publication.ahead)
}
