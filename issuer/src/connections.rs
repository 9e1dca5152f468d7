//! Connections: accepted up to a bound, each with a header deadline, all ended when the process is to end.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use futures_util::future::join_all;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tower::ServiceExt as _;

use crate::ephemeral::written::{Connection, Metered};

/// Connections at a time; a stream is one. Past it the kernel's queue holds callers back.
const CONNECTIONS_MAX: usize = 20_000;

/// How long a request's head may take to arrive, the wait for a next request on the connection included.
const HEAD_WAIT_MAX: Duration = Duration::from_secs(60);

/// How long requests may take to end once the process is to end.
const DRAIN_MAX: Duration = Duration::from_secs(10);

/// The pause after a failed accept: out of descriptors, most likely, which only others can end.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves `router` on every listener until `shutdown` turns true and what is under way has ended.
pub(crate) async fn serve(listeners: Vec<TcpListener>, router: Router, shutdown: watch::Receiver<bool>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let accepting = listeners.into_iter().map(|listener| accept(listener, &router, &room, shutdown.clone()));
    for mut connections in join_all(accepting).await {
        let ended = async { while connections.join_next().await.is_some() {} };
        if timeout(DRAIN_MAX, ended).await.is_err() {
            tracing::warn!("some requests did not end in time");
        }
    }
}

async fn accept(
    listener: TcpListener,
    router: &Router,
    room: &Arc<Semaphore>,
    mut shutdown: watch::Receiver<bool>,
) -> JoinSet<()> {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = next(&listener, room) => accepted,
            _stop = shutdown.wait_for(|stop| *stop) => return connections,
        };
        if let Some((stream, place)) = accepted {
            connections.spawn(carry(stream, router.clone(), place, shutdown.clone()));
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn next(listener: &TcpListener, room: &Arc<Semaphore>) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let place = Arc::clone(room).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => Some((stream, place)),
        Err(error) => {
            tracing::warn!(%error, "a connection was not accepted");
            sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

async fn carry(stream: TcpStream, router: Router, place: OwnedSemaphorePermit, mut shutdown: watch::Receiver<bool>) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection keeps its delay");
    }
    let connection = Connection::default();
    let metered = TokioIo::new(Metered::new(stream, connection.clone()));
    let service = service_fn(move |request: Request<Incoming>| {
        let (mut request, router) = (request.map(Body::new), router.clone());
        request.extensions_mut().insert(connection.clone());
        router.oneshot(request)
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_WAIT_MAX);
    let serving = http.serve_connection(metered, service);
    tokio::pin!(serving);
    let stop = async { drop(shutdown.wait_for(|stop| *stop).await) };
    let ended = tokio::select! {
        ended = &mut serving => ended,
        () = stop => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke off");
    }
    drop(place);
}
