//! What is kept of a request from its first byte to its access line.

use std::sync::Arc;
use std::time::Instant;

use filters::{Decision, Edits, Reason};
use http::header::USER_AGENT;
use http::{HeaderMap, HeaderValue, Method, Uri};

use crate::access_log::{Record, SiteWords};
use crate::clock::Timestamp;
use crate::forwarded::Source;
use crate::gate::Gate;
use crate::mcp::Exchange;
use crate::metrics::Ended;
use crate::request_id::RequestId;
use crate::sites::Site;
use crate::upstream::{Tried, Turn};

mod audited;

/// The context of one request, made by [`Gate::new_context`]. It is the `CTX` of whoever implements `ProxyHttp`, or a
/// part of it.
#[derive(Debug)]
pub struct Context {
    gate: Gate,
    pub(crate) at: Timestamp,
    started: Instant,
    pub(crate) request_id: RequestId,
    pub(crate) site: Option<Arc<Site>>,
    pub(crate) source: Option<Source>,
    pub(crate) edits: Edits,
    /// Why the request is not worth a look at its site's policy.
    pub(crate) out_of_bounds: Option<Reason>,
    pub(crate) decision: Decision,
    /// The message, at an MCP endpoint.
    pub(crate) mcp: Option<Box<Exchange>>,
    /// The target whose turn it is, and how many of its addresses refused.
    pub(crate) turn: Option<Turn>,
    pub(crate) attempts: usize,
    pub(crate) tried: Tried,
    pub(crate) forwarded: bool,
    /// The status the origin's response was passed on with.
    pub(crate) passed_on: Option<u16>,
    /// What went wrong, in words for the operator.
    pub(crate) note: Option<String>,
    /// What a line must say of a request that is cut off, when nobody is left to ask.
    pub(crate) cut_line: Option<(Method, Uri)>,
    recorded: Recorded,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Recorded {
    NotYet,
    Done,
}

/// What is known of a request's end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End<'a> {
    pub(crate) method: Option<&'a Method>,
    pub(crate) path: &'a [u8],
    pub(crate) status: Option<u16>,
    pub(crate) body_bytes: usize,
    /// Those of the request, if it is still there to be asked.
    pub(crate) headers: Option<&'a HeaderMap>,
}

impl Context {
    pub(crate) fn new(gate: Gate) -> Self {
        gate.metrics().in_flight.inc();
        let at = Timestamp::now();
        Self {
            request_id: gate.new_request_id(at),
            gate,
            at,
            started: Instant::now(),
            site: None,
            source: None,
            edits: Edits::new(),
            out_of_bounds: None,
            decision: Decision::undecided(),
            mcp: None,
            turn: None,
            attempts: 0,
            tried: Tried::default(),
            forwarded: false,
            passed_on: None,
            note: None,
            cut_line: None,
            recorded: Recorded::NotYet,
        }
    }

    /// The request's name in logs, refusals and `X-Request-Id`.
    #[must_use]
    pub fn request_id(&self) -> &str {
        self.request_id.as_str()
    }

    /// What was decided about the request; before that, that it could not be decided.
    #[must_use]
    pub const fn decision(&self) -> &Decision {
        &self.decision
    }

    /// Writes the access line and counts the request, once.
    pub(crate) fn record(&mut self, end: &End<'_>) {
        if self.recorded == Recorded::Done {
            return;
        }
        self.recorded = Recorded::Done;
        let took = self.started.elapsed();
        let site = self.site.as_deref();
        let config = site.map(|site| &*site.config);
        let ended = Ended { status: end.status, took, decision: &self.decision };
        let kept = site.map(|site| (&*site.metrics, site.mode.now()));
        self.gate.metrics().count(config.map_or("", |site| site.url.as_str()), kept, &ended);
        self.gate.access_log().write(&Record {
            at: self.at,
            request_id: self.request_id.as_str(),
            site: site.map(|site| SiteWords {
                url: site.config.url.as_str(),
                issuers: &site.config.issuers,
                upstream: self.turn.as_ref().map_or("", |turn| &turn.target.text),
                mode: site.mode.now(),
            }),
            method: end.method,
            path: end.path,
            status: end.status,
            took,
            body_bytes: end.body_bytes,
            client: self.source.and_then(|source| self.gate.shared().snapshot.load().shown(source.client)),
            user_agent: end
                .headers
                .and_then(|headers| headers.get(USER_AGENT))
                .map(HeaderValue::as_bytes)
                .unwrap_or_default(),
            decision: &self.decision,
            forwarded: self.forwarded,
            note: self.note.as_deref(),
        });
        self.write_audit(end, took);
    }
}

/// A request that is dropped half-way, because its agent was suspended or the process stops, has a line too.
impl Drop for Context {
    fn drop(&mut self) {
        let cut = self.cut_line.take();
        let (method, path) =
            cut.as_ref().map_or((None, &b""[..]), |(method, uri)| (Some(method), uri.path().as_bytes()));
        if self.recorded == Recorded::NotYet && self.note.is_none() {
            self.note = Some("closed by the gateway before its end".to_owned());
        }
        self.record(&End { method, path, status: self.passed_on, body_bytes: 0, headers: None });
        self.gate.metrics().in_flight.dec();
    }
}
