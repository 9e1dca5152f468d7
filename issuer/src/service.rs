//! What every handler shares.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::watch;

use crate::core::keys::KeyRing;
use crate::core::passports::Signer;
use crate::core::secret::Sealer;
use crate::ephemeral::streams::Streams;
use crate::foundation::csrf::Csrf;
use crate::foundation::passwords::Passwords;
use crate::foundation::unknown_names::UnknownNames;
use crate::modules::oauth::client_assertion::Assertions;
use crate::modules::oauth::client_metadata::ClientDocuments;
use crate::store::Store;

/// What the operator chose, as far as a request needs it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) login_request_ttl: Duration,
    pub(crate) pow_difficulty: u8,
    /// Login requests of one site that may be pending at a time.
    pub(crate) open_logins_max: i64,
}

/// Everything a handler needs.
#[derive(Debug)]
pub(crate) struct Service {
    /// The `iss`, byte for byte.
    pub(crate) issuer: String,
    pub(crate) settings: Settings,
    pub(crate) store: Store,
    pub(crate) keys: ArcSwap<KeyRing>,
    pub(crate) signer: Signer,
    pub(crate) sealer: Arc<Sealer>,
    /// What clients say of themselves on the web.
    pub(crate) documents: ClientDocuments,
    /// What clients of operators signed, and what those of documents did.
    pub(crate) assertions: Assertions,
    pub(crate) document_assertions: Assertions,
    pub(crate) passwords: Passwords,
    pub(crate) unknown_names: UnknownNames,
    pub(crate) csrf: Csrf,
    pub(crate) streams: Arc<Streams>,
    /// Turns true when the process is to end.
    pub(crate) shutdown: watch::Receiver<bool>,
}
