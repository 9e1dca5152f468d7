//! From bound listeners to services that take connections on them.

use std::net::TcpListener;
use std::os::fd::IntoRawFd as _;
use std::sync::Arc;

use parking_lot::Mutex;
use pingora::apps::ServerApp;
use pingora::listeners::tls::TlsSettings;
use pingora::server::{Fds, ListenFds, ShutdownWatch};
use pingora::services::Service as _;
use pingora::services::listening::Service;
use tokio::task::JoinSet;

use super::Error;
use crate::certificates::Certificates;
use crate::forward_auth::ForwardAuth;
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
    /// For other proxies that ask about requests (forward-auth), if any may.
    pub auth: Option<TcpListener>,
}

/// What takes connections on them.
pub(super) struct Services<A> {
    pub(super) proxy: Service<A>,
    pub(super) operations: Service<Operations>,
    pub(super) auth: Service<ForwardAuth>,
}

impl Listeners {
    /// Starts to take connections on all of them. The tasks end when `shutdown` turns true.
    pub(super) fn start<A: ServerApp + Send + Sync + 'static>(
        self,
        services: Services<A>,
        certificates: Option<&Arc<Certificates>>,
        shutdown: &ShutdownWatch,
        serving: &mut JoinSet<()>,
    ) -> Result<(), Error> {
        let Services { mut proxy, mut operations, mut auth } = services;
        let mut fds = Fds::new();
        for listener in self.plain {
            proxy.add_tcp(&hand_over(listener, &mut fds)?);
        }
        for listener in self.tls {
            let address = hand_over(listener, &mut fds)?;
            proxy.add_tls_with_settings(&address, None, settings(certificates.ok_or(Error::NoCertificate)?)?);
        }
        serving.spawn(run(proxy, fds, shutdown.clone()));
        let mut fds = Fds::new();
        operations.add_tcp(&hand_over(self.ops, &mut fds)?);
        serving.spawn(run(operations, fds, shutdown.clone()));
        if let Some(listener) = self.auth {
            let mut fds = Fds::new();
            auth.add_tcp(&hand_over(listener, &mut fds)?);
            serving.spawn(run(auth, fds, shutdown.clone()));
        }
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

fn settings(certificates: &Arc<Certificates>) -> Result<TlsSettings, Error> {
    // The paths are not read when there is a resolver.
    let mut settings = TlsSettings::intermediate("", "").map_err(|cause| Error::Client(cause.into()))?;
    let resolver: Arc<Certificates> = Arc::clone(certificates);
    settings.set_cert_resolver(resolver);
    settings.enable_h2();
    Ok(settings)
}
