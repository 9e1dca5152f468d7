//! The gateway as middleware: what is to be done at each step of a request, for whoever serves it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use config::Mode;
use filters::{Accepts, DecisionWord, HeaderEdit, Reason, Reply, Trust, Verdict, has_token_in_query, judge_head};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::proxy::Session;
use tokio::sync::Notify;

use crate::access_log::AccessLog;
use crate::audit::Audit;
use crate::clock::Timestamp;
use crate::connection::unreserved;
use crate::context::{Context, End};
use crate::crawler_names::CrawlerNames;
use crate::forwarded::Source;
use crate::judge::Asked;
use crate::mcp::{Declared, HeldMemory, InFlight};
use crate::mcp_pins::PinStore;
use crate::metrics::Metrics;
use crate::mode::Overrides;
use crate::own_pages::{self, OwnPage, Page};
use crate::request_id::{RequestId, RequestIds};
use crate::sites::{Site, Sites};
use crate::snapshot::Snapshot;
use crate::to_origin::ToOrigin;
use crate::upstream::STREAM_SILENCE_MAX;
use crate::{bounds, downstream, live};

mod answers;
mod configured;

pub(crate) use answers::{decided, of_the_gateway, refuse_form, refused_note, unresolved_note};

/// Idle connections of clients are kept for so long, in seconds; browsers close theirs earlier or soon after.
pub(crate) const KEEPALIVE_SECONDS: u64 = 60;

/// A client that owes us the rest of a body and sends nothing for so long is gone.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// A client that takes nothing for so long is gone.
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);

/// What the gateway does, as steps that any `ProxyHttp` can call from the callbacks of the same names: a proxy of one's
/// own becomes a gateway by keeping a [`Context`] in its `CTX` and calling these. Cheap to clone.
///
/// An MCP endpoint is refused (403 `message_unseen`) by a proxy that has not said with
/// [`judging_messages`](Self::judging_messages) that it lets the gate see messages and their answers.
///
/// `upstream_peer` is not among them: where a request goes is the proxy's own affair. Open streams of an agent that is
/// suspended are closed only by [`Gateway::serve`](crate::Gateway::serve), which owns the connections.
#[derive(Clone)]
pub struct Gate {
    shared: Arc<Shared>,
    messages: Messages,
}

/// What a gate sees of the messages at MCP endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Messages {
    /// Nobody said that it would.
    Unseen,
    Judged,
}

/// What a gate is made of.
#[derive(Debug)]
pub(crate) struct Shared {
    /// What was configured last.
    pub(crate) snapshot: ArcSwap<Snapshot>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) log: AccessLog,
    /// What is said of messages to MCP endpoints.
    pub(crate) audit: Audit,
    /// What is pinned of tools.
    pub(crate) pins: Arc<PinStore>,
    /// What servers declare of headers that repeat arguments.
    pub(crate) declared: Declared,
    /// Requests of MCP sessions that are not answered yet.
    pub(crate) in_flight: InFlight,
    /// What messages that are held may take together.
    pub(crate) held_memory: HeldMemory,
    pub(crate) ids: RequestIds,
    /// What operators said of modes.
    pub(crate) overrides: Arc<Overrides>,
    pub(crate) crawlers: CrawlerNames,
    /// Most connections of clients.
    pub(crate) connections_max: u32,
    pub(crate) has_warned: AtomicBool,
    /// Wakes what runs in the name of an agent.
    pub(crate) reconsider: Arc<Notify>,
    /// When the process began to serve: a clock for limits.
    pub(crate) started: Instant,
}

impl Gate {
    pub(crate) fn new(shared: Shared) -> Self {
        Self { shared: Arc::new(shared), messages: Messages::Unseen }
    }

    /// The same gate for a proxy that calls [`request_body_filter`](Self::request_body_filter),
    /// [`response_body_filter`](Self::response_body_filter), [`response_trailer_filter`](Self::response_trailer_filter) and
    /// [`fail_to_proxy`](Self::fail_to_proxy) as well: messages at MCP endpoints are judged there, and lists filtered.
    #[must_use]
    pub fn judging_messages(self) -> Self {
        Self { messages: Messages::Judged, ..self }
    }

    pub(crate) fn judges_messages(&self) -> bool {
        self.messages == Messages::Judged
    }

    /// A context for a request that begins now: call it in `new_ctx`. It is counted as in flight until it is dropped.
    #[must_use]
    pub fn new_context(&self) -> Context {
        Context::new(self.clone())
    }

    /// Judges the request's form and finds its site: call it in `early_request_filter`.
    ///
    /// A request that is out of bounds is answered by [`request_filter`](Self::request_filter).
    pub fn early_request_filter(&self, session: &mut Session, context: &mut Context) {
        if !session.is_http2() {
            context.out_of_bounds = judge_head(&session.to_h1_raw()).err();
        }
        self.meet(session, context);
    }

    /// The same for a request whose head was judged before it was parsed.
    pub(crate) fn meet(&self, session: &mut Session, context: &mut Context) {
        // Pingora would keep an idle connection for ever. What it has already decided to close stays so.
        if session.get_keepalive() == Some(0) {
            session.set_keepalive(Some(KEEPALIVE_SECONDS));
        }
        // On a kept connection, that of the request before would still hold.
        session.set_read_timeout(Some(READ_TIMEOUT));
        session.set_write_timeout(Some(WRITE_TIMEOUT));
        session.set_total_drain_timeout(Some(downstream::DRAIN_TIME_MAX));
        let snapshot = self.shared.snapshot.load();
        if let Some(peer) = downstream::peer(session) {
            let headers = &session.req_header().headers;
            let source = Source::of(peer, headers, &snapshot.trusted_proxies);
            if let Some(id) = source.request_id(headers) {
                context.request_id = id;
            }
            if source.looks_like_a_forgotten_proxy(headers) {
                self.warn_of_forgotten_proxy(&source);
            }
            context.source = Some(source);
        }
        match find_site(&snapshot.sites, session.req_header()) {
            Ok(site) if context.out_of_bounds.is_none() => context.site = Some(site),
            Ok(_) => {}
            Err(reason) => context.out_of_bounds = context.out_of_bounds.or(Some(reason)),
        }
    }

    fn warn_of_forgotten_proxy(&self, source: &Source) {
        if !self.shared.has_warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                peer = %source.peer,
                "a peer that is no trusted proxy sends X-Forwarded-For, and it is not believed: if it is a proxy of \
                 yours, add its address to `trusted_proxies`"
            );
        }
    }

    /// Decides about the request, and answers it if it does not go on: call it in `request_filter`. `Ok(true)`: it was
    /// answered.
    ///
    /// # Errors
    /// When the client cannot be written to.
    pub async fn request_filter(&self, session: &mut Session, context: &mut Context) -> pingora::Result<bool> {
        let reply = match (context.out_of_bounds, context.site.clone(), context.source) {
            (None, Some(site), Some(source)) => self.decide(session, context, &site, &source).await,
            (reason, site, _) => {
                let reason = reason.unwrap_or(Reason::Internal);
                if reason == Reason::FramingInvalid {
                    session.set_keepalive(None);
                }
                Some(refusal(session, context, site.as_deref(), reason))
            }
        };
        let reply = match reply {
            Some(reply) => Some(reply),
            None => self.meet_mcp(session, context).await?,
        };
        let Some(reply) = reply else {
            if session.is_upgrade_req() && !context.holds_a_message() {
                session.set_read_timeout(Some(STREAM_SILENCE_MAX));
            }
            return Ok(false);
        };
        if context.site.clone().is_some_and(|site| self.is_reserved(&site, context)) {
            session.set_keepalive(None);
        }
        downstream::answer(session, reply).await?;
        Ok(true)
    }

    /// Whether what is left of the connections is for those who showed a passport or did some work: a site that asks
    /// strangers for work keeps a share for them. Strangers may still be told how to get in, and are let go then.
    fn is_reserved(&self, site: &Site, context: &Context) -> bool {
        let open = usize::try_from(self.metrics().connections.get()).unwrap_or_default();
        let most = usize::try_from(self.shared.connections_max).unwrap_or(usize::MAX);
        let is_crowded = open > unreserved(most);
        is_crowded && context.decision.trust == Trust::Unknown && site.chain.asks_for_work()
    }

    /// `None`: the request goes on.
    async fn decide(
        &self,
        session: &Session,
        context: &mut Context,
        site: &Arc<Site>,
        source: &Source,
    ) -> Option<Reply> {
        let header = session.req_header();
        let path = downstream::path(header);
        let request_id = context.request_id.as_str();
        let is_own = own_pages::is_ours(&site.config, path);
        if is_own && Page::find(&site.config, &header.method, path) != Ok(Page::Work) {
            let page = OwnPage { site, method: &header.method, path, headers: &header.headers, source, request_id };
            let answer = page.answer().await;
            context.decision = of_the_gateway(answer.reason);
            return Some(answer.reply);
        }
        let is_mcp = site.config.mcp_at(path).is_some() && site.mode.now() != Mode::Off;
        if is_mcp && has_token_in_query(downstream::query(header)) {
            return Some(refusal(session, context, Some(site), Reason::TokenInQuery));
        }
        let (method, headers, at) = (&header.method, &header.headers, context.at);
        let host = bounds::host(header).unwrap_or_default();
        let asked = Asked { method, host: &host, path, headers, source, request_id, at };
        let outcome = self.judge(site, &asked, &mut context.edits);
        context.decision = outcome.decision;
        match outcome.verdict {
            Verdict::Continue if self.is_reserved(site, context) => {
                Some(refusal(session, context, Some(site), Reason::Overloaded))
            }
            Verdict::Respond(reply) => Some(*reply),
            Verdict::Continue => {
                admit(header, context, site);
                None
            }
        }
    }

    /// Changes what the origin is sent: call it in `upstream_request_filter`, before changes of one's own.
    ///
    /// # Errors
    /// When a header cannot be set, which no input is known to cause.
    pub fn upstream_request_filter(
        &self,
        session: &Session,
        upstream: &mut RequestHeader,
        context: &mut Context,
    ) -> pingora::Result<()> {
        let received = session.req_header();
        context.forwarded = true;
        context.mcp_goes_to(upstream);
        context.ask_for_no_coding(upstream)?;
        let asked = ToOrigin {
            received,
            source: context.source.as_ref(),
            scheme: downstream::scheme(session),
            request_id: &context.request_id,
            edits: &context.edits,
        };
        asked.write(upstream)
    }

    /// Changes what the client is sent: call it in `response_filter`, after changes of one's own.
    ///
    /// An answer that comes before the message it is to was judged is held until then.
    ///
    /// # Errors
    /// When that message is refused, or a header cannot be set, which no input is known to cause.
    pub async fn response_filter(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        context: &mut Context,
    ) -> pingora::Result<()> {
        self.await_verdict(session, response, context).await?;
        context.passed_on = Some(response.status.as_u16());
        // Most responses are not changed, and then nothing is collected.
        let edits: Vec<HeaderEdit> = context.edits.response(&response.headers).collect();
        for edit in edits {
            match edit {
                HeaderEdit::Remove(name) => drop(response.remove_header(&name)),
                HeaderEdit::Set(name, value) => response.insert_header(name, value)?,
                HeaderEdit::Append(name, value) => drop(response.append_header(name, value)?),
            }
        }
        context.expect_lists(&session.req_header().method, response)
    }

    /// Answers a request that could not be carried out: call it in `fail_to_proxy`. `note` is for the log. Returns the
    /// status, 0 when there is nobody left to answer or the answer had begun.
    pub async fn fail_to_proxy(
        &self,
        session: &mut Session,
        context: &mut Context,
        failure: Option<Reason>,
        note: String,
    ) -> u16 {
        session.set_keepalive(None);
        if let Some(reply) = context.mcp.as_mut().and_then(|exchange| exchange.refusal.take()) {
            return if has_begun(session) { 0 } else { answer(session, reply).await };
        }
        context.note = Some(note);
        context.decision.word = DecisionWord::Error;
        let Some(reason) = failure else { return 0 };
        context.decision.reason = Some(reason);
        if has_begun(session) {
            return 0;
        }
        let identity = context.decision.identity.take();
        let (trust, policy) = (context.decision.trust, context.decision.policy.clone());
        let site = context.site.clone();
        let reply = refusal(session, context, site.as_deref(), reason);
        context.decision.identity = identity;
        (context.decision.trust, context.decision.policy) = (trust, policy);
        answer(session, reply).await
    }

    /// Writes the access line and counts: call it in `logging`.
    pub fn logging(&self, session: &Session, context: &mut Context) {
        let header = session.req_header();
        context.record(&End {
            method: Some(&header.method),
            path: downstream::path(header),
            status: session.response_written().map(|response| response.status.as_u16()),
            body_bytes: session.body_bytes_sent(),
            headers: Some(&header.headers),
        });
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    pub(crate) fn access_log(&self) -> &AccessLog {
        &self.shared.log
    }

    /// What was configured last.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.shared.snapshot.load_full()
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    pub(crate) fn new_request_id(&self, now: Timestamp) -> RequestId {
        self.shared.ids.make(now)
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("sites", &self.shared.snapshot.load().all_sites.len()).finish_non_exhaustive()
    }
}

/// Whether an answer was begun. That the client was told to go on is none.
fn has_begun(session: &Session) -> bool {
    session.response_written().is_some_and(|response| !response.status.is_informational())
}

/// Answers a request that is not carried out; the status, 0 when nobody was told.
async fn answer(session: &mut Session, reply: Reply) -> u16 {
    let status = reply.status.as_u16();
    match downstream::answer(session, reply).await {
        Ok(()) => status,
        Err(_) => 0,
    }
}

/// What goes on in the name of an agent ends with it. In observe nobody is refused for policy, and nothing cut.
fn admit(header: &RequestHeader, context: &mut Context, site: &Arc<Site>) {
    if site.mode.now() == Mode::Enforce
        && let Some(identity) = &context.decision.identity
    {
        // At an MCP endpoint a stream may last for days: it ends with the credential that it was opened with.
        let is_mcp = site.config.mcp_at(downstream::path(header)).is_some();
        let ends = is_mcp.then(|| site.counts_for(identity, context.at.secs()));
        live::admit(site, identity, ends);
        context.cut_line = Some((header.method.clone(), header.uri.clone()));
    }
}

fn find_site(sites: &Sites, header: &RequestHeader) -> Result<Arc<Site>, Reason> {
    bounds::judge(header)?;
    let host = bounds::host(header)?;
    sites.find(&host).map(Arc::clone).ok_or(Reason::HostUnknown)
}

fn refusal(session: &Session, context: &mut Context, site: Option<&Site>, reason: Reason) -> Reply {
    context.decision = decided(reason);
    let accepts = Accepts::of(&session.req_header().headers);
    refuse_form(site, reason, context.request_id(), accepts)
}
