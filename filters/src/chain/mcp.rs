//! What is decided about a request at an MCP endpoint, once it is known who asks: about its headers before the body is
//! read, and then about its message.

use std::sync::Arc;
use std::time::Duration;

use config::{McpEndpoint, McpRule, Mode, Policy, RuleKind};
use http::header::{ALLOW, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::Chain;
use crate::limiter::Granted as Within;
use crate::limits::whole_seconds;
use crate::mcp::{
    self, Binding, Call, Era, HeadRefusal, HiddenTools, MCP_SESSION_ID, Malformed, McpEdits, McpRuling, Message,
    Mismatch, ParamHeaders, SessionShown, Told,
};
use crate::{Accepts, DecisionWord, Edits, Identity, Reason, Reply, Request, Verdict, cors, demands, refuse};

/// A request at an MCP endpoint, and by what it is judged.
#[derive(Clone, Copy, Debug)]
pub struct AtMcp<'a> {
    /// The request, which [`Chain::run`] let in.
    pub request: &'a Request<'a>,
    /// The endpoint.
    pub endpoint: &'a Arc<McpEndpoint>,
    /// Who asks; `None` only where the site observes, or a browser asks what it may ask.
    pub identity: Option<&'a Arc<Identity>>,
    /// What is done about what is found.
    pub mode: Mode,
    /// See [`Moment::elapsed`](crate::Moment::elapsed).
    pub elapsed: Duration,
    /// Tools that their pins hide, where pins are enforced.
    pub hidden_tools: Option<&'a HiddenTools>,
    /// What is known of headers that repeat arguments.
    pub param_headers: Option<&'a ParamHeaders>,
}

/// What stands for a rule in the log where it is a tool's pin that hides it.
const PINS: &str = "pins";

/// What came of it.
#[derive(Debug)]
pub struct McpOutcome {
    /// What to do.
    pub verdict: Verdict,
    /// What to log, where it is another thing than before.
    pub decided: Option<(DecisionWord, Reason)>,
    /// What was asked for, where that was found out.
    pub policy: Option<Arc<Policy>>,
    /// The message, where there is one that can be read.
    pub call: Option<Call>,
}

/// Why a request goes no further, and what is said about it.
struct Turned {
    reason: Reason,
    reply: Reply,
}

/// How far a message got.
#[derive(Default)]
struct Progress {
    policy: Option<Arc<Policy>>,
    call: Option<Call>,
}

impl Chain {
    /// Judges what comes before the body. `length` is what `Content-Length` says, if it says anything.
    pub fn meet_mcp(&self, at: &AtMcp<'_>, length: Option<u64>, edits: &mut Edits) -> McpOutcome {
        let mut progress = Progress::default();
        let judged = self.judge_head(at, length, edits, &mut progress);
        outcome(at, judged, progress)
    }

    /// Judges the message that is the whole body.
    pub fn judge_message(&self, at: &AtMcp<'_>, body: &[u8], edits: &mut Edits) -> McpOutcome {
        let mut progress = Progress::default();
        let judged = self.judge_body(at, body, edits, &mut progress);
        outcome(at, judged, progress)
    }

    /// The answer to a message that is longer than is read, however long it says it is.
    pub fn refuse_long_message(&self, at: &AtMcp<'_>) -> McpOutcome {
        let turned = self.turn_away(at, Reason::MessageTooLarge, Reason::MessageTooLarge.meaning());
        outcome(at, Err(turned), Progress::default())
    }

    /// The answer to a request with the id of another that its session waits for: some servers would answer one of them
    /// with what is for the other.
    pub fn refuse_id_in_use(&self, at: &AtMcp<'_>) -> McpOutcome {
        let reply = self.readable(at, mcp::tell(Told::Malformed(Malformed::IdInUse)));
        outcome(at, Err(Turned { reason: Reason::MessageInvalid, reply }), Progress::default())
    }

    fn judge_head(
        &self,
        at: &AtMcp<'_>,
        length: Option<u64>,
        edits: &mut Edits,
        progress: &mut Progress,
    ) -> Result<(), Turned> {
        let Request { method, headers, .. } = *at.request;
        let mut changes = McpEdits { binding: self.binding(at), ..McpEdits::default() };
        let session = self.session(at, headers);
        if let Ok(shown) = &session {
            changes.session = shown.clone();
        }
        edits.at_mcp(changes);
        mcp::judge_head(&self.site, at.endpoint, method, headers, length)
            .map_err(|HeadRefusal { reason, detail }| self.turn_away(at, reason, detail))?;
        session.map_err(|reason| self.turn_away(at, reason, reason.meaning()))?;
        let (true, Some(identity)) = (*method == Method::GET || *method == Method::DELETE, at.identity) else {
            return Ok(());
        };
        // A stream, or the end of a session: no message, and no rule for it.
        let policy = &at.endpoint.policy;
        progress.policy = Some(Arc::clone(policy));
        match demands::meet(policy, identity) {
            Ok(()) => self.count_call(at, (policy, None), edits),
            Err(Reason::InsufficientScope) => Err(self.ask_for_scopes(at, policy, identity)),
            Err(reason) => Err(self.turn_away(at, reason, reason.meaning())),
        }
    }

    fn judge_body(
        &self,
        at: &AtMcp<'_>,
        body: &[u8],
        edits: &mut Edits,
        progress: &mut Progress,
    ) -> Result<(), Turned> {
        let headers = at.request.headers;
        let told = |reason, told| Turned { reason, reply: self.readable(at, mcp::tell(told)) };
        let message =
            Message::read(body).map_err(|malformed| told(Reason::MessageInvalid, Told::Malformed(malformed)))?;
        progress.call = Some(Call::new(&message, Era::of(headers), body));
        let era = mcp::check_era(headers, &message)
            .and_then(|era| check_params(at, era, &message).map(|()| era))
            .map_err(|mismatch| told(Reason::HeaderMismatch, Told::Mismatch(mismatch, &message)))?;
        let Some(identity) = at.identity else {
            // Where anybody is let through, there is nobody to rule on.
            return match at.mode {
                Mode::Enforce => Err(self.turn_away(at, Reason::Internal, Reason::Internal.meaning())),
                Mode::Observe | Mode::Off => Ok(()),
            };
        };
        let mut ruling = mcp::rule_on(at.endpoint, identity, &message, era);
        progress.policy = ruling.policy().cloned();
        if let Some(call) = &mut progress.call {
            call.judged_by(ruling.rule());
            if calls_a_hidden_tool(at, &message) {
                call.rule = Some(PINS.into());
                ruling = McpRuling::Hidden { rule: None };
            }
        }
        match ruling {
            McpRuling::Allow { policy, rule } => self.count_call(at, (policy, rule), edits),
            McpRuling::NeedsScope { policy, .. } => Err(self.ask_for_scopes(at, policy, identity)),
            McpRuling::NotAdmitted { reason, .. } => Err(self.turn_away(at, reason, reason.meaning())),
            McpRuling::Hidden { .. } => Err(told(Reason::CallDenied, Told::NotThere(&message, era))),
        }
    }

    /// What the origin is told of the session that the client says it is in.
    fn session(&self, at: &AtMcp<'_>, headers: &HeaderMap) -> Result<SessionShown, Reason> {
        let Some(identity) = at.identity else { return Ok(SessionShown::AsItIs) };
        let Some(bound) = headers.get(MCP_SESSION_ID) else {
            return Ok(match at.mode {
                Mode::Enforce => SessionShown::Nothing,
                Mode::Observe | Mode::Off => SessionShown::AsItIs,
            });
        };
        if Era::of(headers) == Era::Stateless {
            return Ok(SessionShown::Nothing);
        }
        let sessions = &self.resources.mcp_sessions;
        let bound = bound.to_str().ok();
        let id = bound.and_then(|bound| sessions.unbind(&self.site, at.endpoint, identity, bound));
        let id = id.and_then(|id| HeaderValue::from_str(id).ok());
        match (id, at.mode) {
            (Some(id), _) => Ok(SessionShown::Id(id)),
            (None, Mode::Enforce) => Err(Reason::SessionUnknown),
            // It was given out unbound, and would be bound where that is asked for.
            (None, Mode::Observe | Mode::Off) => Ok(SessionShown::AsItIs),
        }
    }

    /// Where nobody is refused, sessions are anybody's: one that was given out must not end with the next setting.
    fn binding(&self, at: &AtMcp<'_>) -> Option<Binding> {
        let identity = at.identity.filter(|_| at.mode == Mode::Enforce)?;
        Some(Binding {
            sessions: Arc::clone(&self.resources.mcp_sessions),
            site: Arc::clone(&self.site),
            endpoint: Arc::clone(at.endpoint),
            identity: Arc::clone(identity),
        })
    }

    /// Counts a call against the limits of its policy; those of the site counted the request.
    fn count_call(
        &self,
        at: &AtMcp<'_>,
        by: (&Arc<Policy>, Option<&McpRule>),
        edits: &mut Edits,
    ) -> Result<(), Turned> {
        let identity = at.identity.map(|identity| &**identity);
        let limiter = &self.resources.limiter;
        let Some(met) = self.limits.take_of_policy(limiter, by, at.request, identity, at.elapsed) else {
            return Ok(());
        };
        match met.allowance.granted {
            Within::Yes => {
                edits.tell_limits(Some(met.headers()));
                Ok(())
            }
            Within::No { retry_after } => {
                let mut turned = self.turn_away(at, Reason::RateLimited, Reason::RateLimited.meaning());
                turned.reply.headers.extend(met.headers());
                let seconds = HeaderValue::from(whole_seconds(retry_after));
                turned.reply.headers.push((RETRY_AFTER, seconds));
                Err(turned)
            }
        }
    }

    fn ask_for_scopes(&self, at: &AtMcp<'_>, policy: &Policy, identity: &Identity) -> Turned {
        let mut turned = self.turn_away(at, Reason::InsufficientScope, Reason::InsufficientScope.meaning());
        turned.reply.headers.extend(mcp::challenge_scopes(&self.site, at.endpoint, &policy.scopes, identity));
        turned
    }

    fn turn_away(&self, at: &AtMcp<'_>, reason: Reason, detail: &str) -> Turned {
        let mut reply = refuse(Some(&self.site), reason, at.request.request_id, Accepts::Document, Some(detail));
        let allowed: Option<(HeaderName, HeaderValue)> =
            (reason == Reason::MethodNotAllowed).then_some((ALLOW, mcp::METHODS));
        reply.headers.extend(allowed);
        Turned { reason, reply: self.readable(at, reply) }
    }

    /// Lets pages of the configured origins read it.
    fn readable(&self, at: &AtMcp<'_>, mut reply: Reply) -> Reply {
        cors::allow(&self.site, at.request.headers, &mut reply);
        reply
    }
}

/// Earlier revisions have no headers for arguments.
fn check_params(at: &AtMcp<'_>, era: Era, message: &Message<'_>) -> Result<(), Mismatch> {
    match (era, message.method.as_deref(), message.name.as_deref()) {
        (Era::Stateless, Some("tools/call"), Some(tool)) => {
            mcp::check_params(at.request.headers, at.param_headers, (tool, message.arguments))
        }
        (Era::Stateless | Era::Handshake, _, _) => Ok(()),
    }
}

fn calls_a_hidden_tool(at: &AtMcp<'_>, message: &Message<'_>) -> bool {
    let is_hidden = |name: &str| at.hidden_tools.is_some_and(|tools| tools.hides(name));
    message.targets.iter().any(|(kind, name)| *kind == RuleKind::Tool && is_hidden(name))
}

fn outcome(at: &AtMcp<'_>, judged: Result<(), Turned>, progress: Progress) -> McpOutcome {
    let Progress { policy, call } = progress;
    let (verdict, decided) = match (judged, at.mode) {
        (Ok(()), _) => (Verdict::Continue, None),
        (Err(Turned { reason, reply }), Mode::Enforce) => {
            (Verdict::Respond(Box::new(reply)), Some((reason.decision_word(), reason)))
        }
        (Err(Turned { reason, .. }), Mode::Observe | Mode::Off) => {
            (Verdict::Continue, Some((DecisionWord::WouldDeny, reason)))
        }
    };
    McpOutcome { verdict, decided, policy, call }
}
