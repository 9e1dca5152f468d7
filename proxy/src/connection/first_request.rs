//! The first request of a connection of HTTP/2.
//!
//! Pingora closes such a connection when nothing is asked on it, but only once its preface has come: for that it waits
//! without end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use pingora::apps::{HttpServerApp, HttpServerOptions, ReusedHttpStream, ServerApp as _};
use pingora::protocols::Stream;
use pingora::protocols::http::ServerSession;
use pingora::protocols::http::v2::server::H2Options;
use pingora::server::ShutdownWatch;
use tokio::time::timeout;

use super::arrival::IDLE_MAX;

/// A little more than Pingora gives an idle connection, so that whoever sent a preface hears why it ends.
const FIRST_REQUEST_MAX: Duration = IDLE_MAX.saturating_add(Duration::from_secs(5));

/// Serves a connection to its end, which comes soon when nothing is ever asked.
pub(super) async fn serve<A: HttpServerApp + Send + Sync + 'static>(
    app: &Arc<A>,
    stream: Stream,
    shutdown: &ShutdownWatch,
) {
    let app = Arc::new(Noticing { app: Arc::clone(app), was_asked: AtomicBool::new(false) });
    let mut served = app.process_new(stream, shutdown);
    let in_time = timeout(FIRST_REQUEST_MAX, &mut served).await;
    if in_time.is_err() && app.was_asked.load(Ordering::Relaxed) {
        served.await;
    }
}

/// An app that notices its first request.
struct Noticing<A> {
    app: Arc<A>,
    was_asked: AtomicBool,
}

#[async_trait]
impl<A: HttpServerApp + Send + Sync + 'static> HttpServerApp for Noticing<A> {
    async fn process_new_http(
        self: &Arc<Self>,
        session: ServerSession,
        shutdown: &ShutdownWatch,
    ) -> Option<ReusedHttpStream> {
        self.was_asked.store(true, Ordering::Relaxed);
        self.app.process_new_http(session, shutdown).await
    }

    fn h2_options(&self) -> Option<H2Options> {
        self.app.h2_options()
    }

    fn server_options(&self) -> Option<&HttpServerOptions> {
        self.app.server_options()
    }
}
