//! The life of a connection: who may have one, and what happens between two requests on it.
//!
//! Pingora takes what other servers refuse, and what it refuses itself it answers without a word and without a line in the
//! log. So the head of each HTTP/1 request is read here, in bounded time and space, and judged on its bytes; only then is
//! it handed to Pingora, which finds it complete. HTTP/2 has no such seams, and is Pingora's from the first byte.

use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::BytesMut;
use filters::{Reason, judge_head};
use pingora::apps::{HttpPersistentSettings, HttpServerApp, ServerApp};
use pingora::protocols::http::ServerSession;
use pingora::protocols::{ALPN, Stream};
use pingora::server::ShutdownWatch;
use tokio::time::sleep;

use crate::gate::{Gate, KEEPALIVE_SECONDS};

mod arrival;
mod first_request;
mod refused;

use arrival::{Arrival, IDLE_MAX, Patience, next_head};

/// Where the last fifth of the connections begins: it is kept for those who are known.
const RESERVED_PART: usize = 5;

/// A connection of the last fifth says soon what it wants, or makes room.
const IDLE_WHEN_CROWDED: Duration = Duration::from_secs(2);

/// How many connections anybody may have.
pub(crate) const fn unreserved(connections_max: usize) -> usize {
    connections_max - connections_max / RESERVED_PART
}

/// Takes connections for an app, and counts who is inside.
pub(crate) struct Connections<A> {
    pub(crate) app: Arc<A>,
    pub(crate) gate: Gate,
    pub(crate) inside: Arc<AtomicUsize>,
    /// Most connections at a time. Each may hold a few hundred kilobytes of buffers.
    pub(crate) connections_max: usize,
}

#[async_trait]
impl<A: HttpServerApp + Send + Sync + 'static> ServerApp for Connections<A> {
    async fn process_new(self: &Arc<Self>, stream: Stream, shutdown: &ShutdownWatch) -> Option<Stream> {
        let inside = Inside::enter(self);
        if inside.count > self.connections_max {
            self.gate.metrics().connections_refused.inc();
            refused::answer(&self.gate, stream, b"", Reason::Overloaded).await;
        } else if matches!(stream.selected_alpn_proto(), Some(ALPN::H2)) {
            first_request::serve(&self.app, stream, shutdown).await;
        } else {
            let idle_max = if inside.count > unreserved(self.connections_max) { IDLE_WHEN_CROWDED } else { IDLE_MAX };
            self.serve(stream, shutdown, idle_max).await;
        }
        None
    }

    async fn cleanup(&self) {
        self.app.http_cleanup().await;
    }
}

impl<A: HttpServerApp + Send + Sync + 'static> Connections<A> {
    /// One request after another, until either side has enough.
    async fn serve(&self, mut stream: Stream, shutdown: &ShutdownWatch, idle_max: Duration) {
        let mut stop = shutdown.clone();
        let mut patience =
            Patience { idle_max, idle: pin!(sleep(idle_max)), stopped: pin!(arrival::stopped(&mut stop)) };
        let mut settings: Option<HttpPersistentSettings> = None;
        loop {
            let head = match next_head(&mut stream, &mut patience).await {
                Arrival::Head { bytes, length } => match judge_head(bytes.get(..length).unwrap_or_default()) {
                    Ok(()) => bytes,
                    Err(reason) => return refused::answer(&self.gate, stream, &bytes, reason).await,
                },
                Arrival::TooLong(bytes) => {
                    return refused::answer(&self.gate, stream, &bytes, Reason::HeaderTooLarge).await;
                }
                Arrival::TooSlow(bytes) => {
                    return refused::answer(&self.gate, stream, &bytes, Reason::HeaderTimeout).await;
                }
                Arrival::Nothing => return,
            };
            let session = session(stream, settings.take(), head, shutdown);
            let Some(reused) = self.app.process_new_http(session, shutdown).await else { return };
            (stream, settings) = reused.consume();
        }
    }
}

/// A session of Pingora's that has read nothing yet, and finds the whole head when it does.
fn session(
    stream: Stream,
    settings: Option<HttpPersistentSettings>,
    head: BytesMut,
    shutdown: &ShutdownWatch,
) -> ServerSession {
    let mut session = ServerSession::new_http1(stream);
    match settings {
        Some(settings) => settings.apply_to_session(&mut session),
        None => session.set_keepalive(Some(KEEPALIVE_SECONDS)),
    }
    if *shutdown.borrow() {
        session.set_keepalive(None);
    }
    session.set_pipelined_prefix(head);
    session
}

/// The other end of a connection.
fn peer(stream: &Stream) -> Option<IpAddr> {
    let digest = stream.get_socket_digest()?;
    digest.peer_addr()?.as_inet().map(std::net::SocketAddr::ip)
}

/// A connection that is inside for as long as it lives.
struct Inside<'a> {
    all: &'a AtomicUsize,
    gauge: &'a prometheus::IntGauge,
    /// How many there are, with it.
    count: usize,
}

impl<'a> Inside<'a> {
    fn enter<A>(connections: &'a Connections<A>) -> Self {
        let gauge = &connections.gate.metrics().connections;
        gauge.inc();
        let all = &*connections.inside;
        Self { all, gauge, count: all.fetch_add(1, Ordering::AcqRel) + 1 }
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.gauge.dec();
        self.all.fetch_sub(1, Ordering::AcqRel);
    }
}
