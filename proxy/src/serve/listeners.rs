//! From bound listeners to services that take connections on them.

use std::net::TcpListener;
use std::os::fd::IntoRawFd as _;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use pingora::apps::ServerApp;
use pingora::listeners::tls::TlsSettings;
use pingora::server::{Fds, ListenFds, ShutdownWatch};
use pingora::services::Service as _;
use pingora::services::listening::Service;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio::task::JoinSet;

use super::Error;
use crate::operations::Operations;

/// Listeners, bound by the caller: a port that is taken is the command line's to report, and port 0 its to read back.
#[derive(Debug)]
pub struct Listeners {
    /// Plain HTTP.
    pub plain: Vec<TcpListener>,
    /// HTTPS, with the certificate of `[server.tls]`.
    pub tls: Vec<TcpListener>,
    /// Health and metrics.
    pub ops: TcpListener,
}

impl Listeners {
    /// Starts to take connections on all of them. The tasks end when `shutdown` turns true.
    pub(super) fn start<A: ServerApp + Send + Sync + 'static>(
        self,
        tls: Option<&config::Tls>,
        mut proxy: Service<A>,
        mut operations: Service<Operations>,
        shutdown: &ShutdownWatch,
        serving: &mut JoinSet<()>,
    ) -> Result<(), Error> {
        let mut fds = Fds::new();
        for listener in self.plain {
            proxy.add_tcp(&hand_over(listener, &mut fds)?);
        }
        if !self.tls.is_empty() {
            let tls = tls.ok_or(Error::NoCertificate)?;
            let certified = certified(tls)?;
            for listener in self.tls {
                let address = hand_over(listener, &mut fds)?;
                proxy.add_tls_with_settings(&address, None, settings(&certified)?);
            }
        }
        serving.spawn(run(proxy, fds, shutdown.clone()));
        let mut fds = Fds::new();
        operations.add_tcp(&hand_over(self.ops, &mut fds)?);
        serving.spawn(run(operations, fds, shutdown.clone()));
        Ok(())
    }
}

async fn run<A: ServerApp + Send + Sync + 'static>(mut service: Service<A>, fds: Fds, shutdown: ShutdownWatch) {
    let fds: ListenFds = Arc::new(Mutex::new(fds));
    service.start_service(Some(fds), shutdown, 1).await;
}

/// Pingora finds a listener by the text of its address, which is unique once it is bound. It owns the descriptor then.
fn hand_over(listener: TcpListener, fds: &mut Fds) -> Result<String, Error> {
    listener.set_nonblocking(true).map_err(Error::Listener)?;
    let address = listener.local_addr().map_err(Error::Listener)?.to_string();
    fds.add(address.clone(), listener.into_raw_fd());
    Ok(address)
}

/// Reads certificate and key, and makes sure that they belong together: Pingora, given paths, would panic later.
pub(super) fn certified(tls: &config::Tls) -> Result<Arc<SingleCertAndKey>, Error> {
    let failed = |cause: Box<dyn std::error::Error + Send + Sync>| Error::Certificate {
        certificate: tls.certificate.clone(),
        key: tls.key.clone(),
        cause,
    };
    let chain = chain(&tls.certificate).map_err(|cause| failed(cause.into()))?;
    let key = PrivateKeyDer::from_pem_file(&tls.key).map_err(|cause| failed(cause.into()))?;
    let provider = CryptoProvider::get_default().ok_or_else(|| failed("no crypto provider".into()))?;
    let certified = CertifiedKey::from_der(chain, key, provider).map_err(|cause| failed(cause.into()))?;
    Ok(Arc::new(SingleCertAndKey::from(certified)))
}

fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, rustls::pki_types::pem::Error> {
    let chain = CertificateDer::pem_file_iter(path)?.collect::<Result<Vec<_>, _>>()?;
    if chain.is_empty() { Err(rustls::pki_types::pem::Error::NoItemsFound) } else { Ok(chain) }
}

fn settings(certified: &Arc<SingleCertAndKey>) -> Result<TlsSettings, Error> {
    // The paths are not read when there is a resolver.
    let mut settings = TlsSettings::intermediate("", "").map_err(|cause| Error::Client(cause.into()))?;
    let resolver: Arc<SingleCertAndKey> = Arc::clone(certified);
    settings.set_cert_resolver(resolver);
    settings.enable_h2();
    Ok(settings)
}
