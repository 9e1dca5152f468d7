use std::io;
use std::path::PathBuf;

use crate::store::StoreError;

/// Why an issuer, or an operator's command, cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store cannot be opened, read or written.
    #[error("cannot use the store")]
    Store(#[from] StoreError),
    /// The secret file cannot be read or made.
    #[error("cannot read or make the secret {}", path.display())]
    Secret {
        /// Where it should be.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The secret file holds something else.
    #[error("the secret {} is not 32 bytes: restore it, or give a new store a new one", path.display())]
    SecretForm {
        /// Where it is.
        path: PathBuf,
    },
    /// The store has keys, the secret that opens them is gone.
    #[error("the secret {} is missing, and the keys in the store are sealed with it: restore it", path.display())]
    SecretMissing {
        /// Where it should be.
        path: PathBuf,
    },
    /// The secret is to come from somewhere else than a file.
    #[error("the issuer's secret must be a file: secret = {{ file = \"...\" }}")]
    SecretSource,
    /// A key cannot be made, sealed or opened.
    #[error("key {0}")]
    Key(&'static str),
    /// There is no such owner, agent, site, gateway or key.
    #[error("no such {0}")]
    Unknown(&'static str),
    /// A name or URL that cannot be registered.
    #[error("{0}")]
    Invalid(String),
    /// The authorities beside those of the system cannot be read.
    #[error("cannot read the certificates in {}: cimd.ca is a PEM file", path.display())]
    Authorities {
        /// Where they should be.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What fetches client documents cannot be made.
    #[error("cannot make an HTTP client")]
    HttpClient(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The system gives no randomness.
    #[error("no {0} could be made: the system has no randomness")]
    Randomness(&'static str),
    /// An address cannot be bound or read back.
    #[error("cannot listen")]
    Listen(#[source] io::Error),
    /// Without `public_url` the issuer is named after its address, and then only loopback will do.
    #[error("public_url is needed when the issuer does not listen on a loopback address")]
    PublicUrl,
}
