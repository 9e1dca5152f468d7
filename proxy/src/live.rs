//! Requests that are under way in the name of an agent, and their end when it is suspended.
//!
//! A request that was admitted says so to the task that serves it. When revocations change, each such task looks again;
//! if its agent counts no longer, the whole request is soon dropped, and with it both connections: a stream that was
//! opened before a suspension does not outlive it. A credential that merely ends while its stream is open cuts it at an MCP
//! endpoint alone.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use filters::Identity;
use pingora::apps::{HttpServerApp, HttpServerOptions, ReusedHttpStream};
use pingora::protocols::http::ServerSession;
use pingora::protocols::http::v2::server::H2Options;
use pingora::server::ShutdownWatch;
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use crate::sites::Site;

/// What is nearly done when its agent is suspended may still be finished; a stream is not.
const LAST_WORDS: Duration = Duration::from_secs(2);

tokio::task_local! {
    static ADMITTED: RefCell<Option<Admitted>>;
}

/// In whose name a request runs.
#[derive(Debug)]
struct Admitted {
    site: Arc<Site>,
    identity: Arc<Identity>,
    /// When it is over in any case.
    ends: Option<Instant>,
}

impl Admitted {
    fn still_counts(&self) -> bool {
        if self.ends.is_some_and(|ends| ends <= Instant::now()) {
            return false;
        }
        let Some(issuer) = self.site.issuer_of(&self.identity) else { return true };
        let id = self.site.id_at(issuer);
        issuer.view().revocations.allows(&self.identity, id.as_deref())
    }
}

/// From here on, this task runs in the name of an agent. Outside of a [`Watched`] app it means nothing.
/// For how long, `counts_for` says; `None` for as long as it takes.
pub(crate) fn admit(site: &Arc<Site>, identity: &Arc<Identity>, counts_for: Option<Duration>) {
    let ends = counts_for.map(|counts_for| Instant::now() + counts_for);
    let admitted = Admitted { site: Arc::clone(site), identity: Arc::clone(identity), ends };
    // The error is that of a task nobody watches.
    ADMITTED.try_with(|slot| drop(slot.replace(Some(admitted)))).unwrap_or_default();
}

/// An app whose requests end with the agents they run for.
pub(crate) struct Watched<A> {
    pub(crate) app: Arc<A>,
    /// Wakes them to look whether they still may.
    pub(crate) reconsider: Arc<Notify>,
    pub(crate) cut: prometheus::IntCounter,
}

#[async_trait]
impl<A: HttpServerApp + Send + Sync + 'static> HttpServerApp for Watched<A> {
    async fn process_new_http(
        self: &Arc<Self>,
        session: ServerSession,
        shutdown: &ShutdownWatch,
    ) -> Option<ReusedHttpStream> {
        ADMITTED.scope(RefCell::default(), self.serve(session, shutdown)).await
    }

    fn h2_options(&self) -> Option<H2Options> {
        self.app.h2_options()
    }

    fn server_options(&self) -> Option<&HttpServerOptions> {
        self.app.server_options()
    }

    async fn http_cleanup(&self) {
        self.app.http_cleanup().await;
    }
}

impl<A: HttpServerApp + Send + Sync + 'static> Watched<A> {
    async fn serve(&self, session: ServerSession, shutdown: &ShutdownWatch) -> Option<ReusedHttpStream> {
        let mut served = pin!(self.app.process_new_http(session, shutdown));
        // Made before the request can be admitted: whatever changes from here on is noticed.
        let mut changed = pin!(self.reconsider.notified());
        // Made for those that end: most do not.
        let mut over: Option<Pin<Box<Sleep>>> = None;
        loop {
            let done = poll_fn(|context| {
                if let Poll::Ready(done) = served.as_mut().poll(context) {
                    return Poll::Ready(Some(done));
                }
                // Nobody is waited for on behalf of those who are not watched: waiting takes a lock.
                match ADMITTED.with(|slot| slot.borrow().as_ref().map(|admitted| admitted.ends)) {
                    None => Poll::Pending,
                    Some(ends) => {
                        let mut is_over = |ends| {
                            let over = over.get_or_insert_with(|| Box::pin(sleep_until(ends)));
                            over.as_mut().poll(context).is_ready()
                        };
                        if ends.is_some_and(&mut is_over) {
                            return Poll::Ready(None);
                        }
                        changed.as_mut().poll(context).map(|()| None)
                    }
                }
            });
            if let Some(done) = done.await {
                return done;
            }
            // And again before it is asked whether it counts: what changes while the answer is found is not in it.
            changed.set(self.reconsider.notified());
            let counts = ADMITTED.with(|slot| slot.borrow().as_ref().is_none_or(Admitted::still_counts));
            if !counts {
                let end = timeout(LAST_WORDS, served);
                return end.await.unwrap_or_else(|_| {
                    self.cut.inc();
                    None
                });
            }
        }
    }
}
