//! Messages at an MCP endpoint: nothing of one reaches the origin before it was judged, whole.
//!
//! A message whose length is said is read before the origin is asked at all. One that does not say how long it is, is held
//! back piece by piece while Pingora has already sent its head; should the origin answer before that is over, the answer
//! waits for the verdict. What is forwarded are the very bytes that were judged.

use std::sync::Arc;

use bytes::Bytes;
use config::{Mode, Pins};
use filters::{
    Accepts, Asks, AtMcp, DecisionWord, Era, Kind, MCP_SESSION_ID, McpOutcome, Reason, Reply, Request, Verdict,
};
use http::header::EXPECT;
use http::{Method, Version};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::proxy::Session;
use pingora::{Error, ErrorType};

use crate::context::Context;
use crate::gate::{Gate, refuse_form};
use crate::sites::Site;
use crate::{bounds, downstream};

mod answers;
mod body;
mod declared;
mod exchange;
mod held_memory;
mod in_flight;
mod lists;

pub(crate) use declared::Declared;
pub(crate) use exchange::Exchange;
use exchange::{Body, Held};
pub(crate) use held_memory::HeldMemory;
pub(crate) use in_flight::InFlight;

/// Why a request is broken off whose answer stands ready.
const REFUSED: &str = "the message is refused";

impl Gate {
    /// Judges a request at an MCP endpoint, which its path, and whoever asks, let in. `Some`: it goes no further.
    ///
    /// # Errors
    /// When the client does not send what it said it would.
    pub(crate) async fn meet_mcp(
        &self,
        session: &mut Session,
        context: &mut Context,
    ) -> pingora::Result<Option<Reply>> {
        let Some(site) = context.site.clone() else { return Ok(None) };
        let header = session.req_header();
        let (is_post, mode) = (header.method == Method::POST, site.mode.now());
        let Some(endpoint) = site.config.mcp_at(downstream::path(header)).cloned() else { return Ok(None) };
        if mode == Mode::Off {
            return Ok(None);
        }
        if !self.judges_messages() {
            return Ok((mode == Mode::Enforce).then(|| turned_away(session, context, &site, Reason::MessageUnseen)));
        }
        let identity = context.decision().identity.clone();
        context.mcp = Some(Box::new(Exchange::new(endpoint, identity, mode)));
        let length = downstream::declared_length(session);
        let met = self.ask(session, context, &site, |chain, at, edits| {
            chain.meet_mcp(at, length.and_then(|length| u64::try_from(length).ok()), edits)
        });
        let Some(outcome) = met else { return Ok(None) };
        // In observe what is too long goes on, and is not held.
        let is_too_long = outcome.decided.is_some_and(|(_, reason)| reason == Reason::MessageTooLarge);
        if let Some(reply) = context.learn(outcome) {
            return Ok(Some(reply));
        }
        if !is_post {
            return Ok(None);
        }
        if session.get_header(EXPECT).is_some() {
            session.write_continue_response().await?;
        }
        if let Some(exchange) = &mut context.mcp {
            exchange.body = Body::Passes;
        }
        if is_too_long {
            return Ok(None);
        }
        let (memory, bytes) = (&self.shared().held_memory, length.unwrap_or(body::KEPT_BYTES_MAX));
        let share = match mode {
            Mode::Enforce => memory.take(bytes),
            Mode::Observe | Mode::Off => memory.take_spare(bytes),
        };
        let has_room = share.is_some();
        if let Some(exchange) = &mut context.mcp {
            exchange.share = share;
        }
        match (has_room, mode) {
            (false, Mode::Enforce) => Ok(Some(turned_away(session, context, &site, Reason::Overloaded))),
            (false, Mode::Observe | Mode::Off) => Ok(None),
            (true, _) => match length {
                Some(length) => self.read_whole(session, context, &site, length).await,
                None => {
                    hold(session, context);
                    Ok(None)
                }
            },
        }
    }

    /// Reads a message whose length is known, and judges it.
    async fn read_whole(
        &self,
        session: &mut Session,
        context: &mut Context,
        site: &Arc<Site>,
        length: usize,
    ) -> pingora::Result<Option<Reply>> {
        let message = body::read(session, length).await?;
        Ok(self.judge_message(session, context, site, message))
    }

    /// `Some`: it is refused so.
    fn judge_message(
        &self,
        session: &Session,
        context: &mut Context,
        site: &Arc<Site>,
        message: Bytes,
    ) -> Option<Reply> {
        let outcome = self.ask(session, context, site, |chain, at, edits| chain.judge_message(at, &message, edits))?;
        if let Some(exchange) = &mut context.mcp {
            exchange.body = Body::Judged(message);
        }
        context.learn(outcome).or_else(|| self.begin_flight(session, context, site))
    }

    /// Notes that the session of a request waits for its answer. `Some`: it does so already for one of the same id.
    fn begin_flight(&self, session: &Session, context: &mut Context, site: &Arc<Site>) -> Option<Reply> {
        let exchange = context.mcp.as_deref_mut()?;
        let call = exchange.call.as_ref().filter(|call| call.era == Era::Handshake && call.kind == Kind::Request)?;
        let (id, in_session) = (call.id.as_deref()?, session.get_header(MCP_SESSION_ID)?);
        if exchange.mode != Mode::Enforce {
            return None;
        }
        exchange.under_way = self.shared().in_flight.begin(in_session.as_bytes(), id);
        if exchange.under_way.is_some() {
            return None;
        }
        let outcome = self.ask(session, context, site, |chain, at, _| chain.refuse_id_in_use(at))?;
        context.learn(outcome)
    }

    /// Asks the site's chain about the request of a context. `None` where that is at no endpoint.
    fn ask(
        &self,
        session: &Session,
        context: &mut Context,
        site: &Arc<Site>,
        ask: impl FnOnce(&filters::Chain, &AtMcp<'_>, &mut filters::Edits) -> McpOutcome,
    ) -> Option<McpOutcome> {
        let header = session.req_header();
        let host = bounds::host(header).unwrap_or_default();
        let client = context.source.filter(|source| !source.may_be_a_crowd()).map(|source| source.client);
        let Context { mcp, edits, request_id, .. } = context;
        let exchange = mcp.as_deref()?;
        let hidden = match exchange.endpoint.pins {
            Pins::Enforce => self.shared().pins.hidden_at(&exchange.endpoint.resource),
            Pins::Off | Pins::Observe => None,
        };
        let param_headers = self.shared().declared.at(&exchange.endpoint.resource);
        let request = Request {
            method: &header.method,
            host: &host,
            path: downstream::path(header),
            headers: &header.headers,
            client,
            request_id: request_id.as_str(),
        };
        let at = AtMcp {
            request: &request,
            endpoint: &exchange.endpoint,
            identity: exchange.identity.as_ref(),
            mode: exchange.mode,
            elapsed: self.shared().started.elapsed(),
            hidden_tools: hidden.as_deref(),
            param_headers: param_headers.as_deref(),
        };
        Some(ask(&site.chain, &at, edits))
    }

    /// Holds a message back until it was judged: call it in `request_body_filter`, after changes of one's own.
    ///
    /// # Errors
    /// When the message is refused: [`fail_to_proxy`](Self::fail_to_proxy) answers it then.
    pub async fn request_body_filter(
        &self,
        session: &mut Session,
        body: &mut Option<Bytes>,
        end_of_stream: bool,
        context: &mut Context,
    ) -> pingora::Result<()> {
        let Some(exchange) = &mut context.mcp else { return Ok(()) };
        match &mut exchange.body {
            Body::Passes => Ok(()),
            Body::Absent if body.as_ref().is_none_or(Bytes::is_empty) || exchange.mode != Mode::Enforce => Ok(()),
            // A message in what carries none would be judged by nobody.
            Body::Absent => Err(context.refuse(session, Reason::MessageInvalid)),
            Body::Judged(message) => {
                if body.is_some() && !message.is_empty() {
                    *body = Some(Bytes::clone(message));
                }
                Ok(())
            }
            Body::Held(held) => {
                held.take(body.take())?;
                let is_too_long = held.bytes.len() > exchange.endpoint.body_bytes_max;
                let has_room = exchange.share.as_mut().is_some_and(|share| share.grow_to(held.bytes.len()));
                if !has_room && exchange.mode == Mode::Enforce {
                    return Err(context.refuse(session, Reason::Overloaded));
                }
                match (is_too_long, end_of_stream) {
                    (false, false) => {
                        *body = Some(Bytes::new());
                        Ok(())
                    }
                    (true, _) => {
                        *body = Some(self.let_go_or_refuse(session, context)?);
                        Ok(())
                    }
                    (false, true) => {
                        let message = held.bytes.split().freeze();
                        // Written as a piece, nothing would be the end of the body, and then there would be two.
                        *body = Some(Bytes::clone(&message)).filter(|message| !message.is_empty());
                        self.judge_held(session, context, message)
                    }
                }
            }
        }
    }

    /// A message turned out to be longer than is read. In observe what was held goes on, and what follows.
    fn let_go_or_refuse(&self, session: &Session, context: &mut Context) -> pingora::Result<Bytes> {
        let Some(site) = context.site.clone() else { return Err(broken_off()) };
        let outcome = self.ask(session, context, &site, |chain, at, _| chain.refuse_long_message(at));
        if let Some(reply) = outcome.and_then(|outcome| context.learn(outcome)) {
            return Err(context.break_off(reply));
        }
        let Some(exchange) = &mut context.mcp else { return Err(broken_off()) };
        exchange.share = None;
        match std::mem::replace(&mut exchange.body, Body::Passes) {
            Body::Held(held) => Ok(held.bytes.freeze()),
            Body::Passes | Body::Absent | Body::Judged(_) => Ok(Bytes::new()),
        }
    }

    fn judge_held(&self, session: &Session, context: &mut Context, message: Bytes) -> pingora::Result<()> {
        let Some(site) = context.site.clone() else { return Err(broken_off()) };
        match self.judge_message(session, context, &site, message) {
            Some(reply) => Err(context.break_off(reply)),
            None => Ok(()),
        }
    }

    /// The origin answers although it was sent no more than the head: what is left of the message is read, and judged
    /// first. Nobody is shown an answer to what he may not ask. Pingora does not send what was read here: an origin that
    /// waits for it after the head of its answer waits in vain.
    pub(crate) async fn await_verdict(
        &self,
        session: &mut Session,
        response: &ResponseHeader,
        context: &mut Context,
    ) -> pingora::Result<()> {
        let Some(exchange) = &mut context.mcp else { return Ok(()) };
        if response.status.is_informational() {
            return Ok(());
        }
        exchange.let_message_go();
        // Where nobody is refused, nobody waits.
        let (Body::Held(held), Mode::Enforce) = (&mut exchange.body, exchange.mode) else { return Ok(()) };
        let (is_http2, most) = (exchange.upstream == Version::HTTP_2, exchange.endpoint.body_bytes_max);
        while let Some(piece) = held.next(session).await? {
            held.take(Some(piece))?;
            if held.bytes.len() > most {
                return self.let_go_or_refuse(session, context).map(drop);
            }
            if !exchange.share.as_mut().is_some_and(|share| share.grow_to(held.bytes.len())) {
                return Err(context.refuse(session, Reason::Overloaded));
            }
        }
        let message = held.bytes.split().freeze();
        self.judge_held(session, context, message)?;
        if is_http2 {
            // Pingora would wait for the end of a body that was read here, until the client leaves.
            return Err(Error::new_up(ErrorType::InvalidHTTPHeader));
        }
        Ok(())
    }
}

/// Holds back a message whose length is not known.
fn hold(session: &mut Session, context: &mut Context) {
    let Some(exchange) = &mut context.mcp else { return };
    exchange.body = Body::Held(Held::begin());
    if exchange.mode == Mode::Enforce {
        // Nor is anybody shown what an origin says before its answer, which may be before the verdict.
        session.as_downstream_mut().set_ignore_info_resp(true);
    }
}

/// The answer to what nobody can judge here, or now.
fn turned_away(session: &Session, context: &mut Context, site: &Site, reason: Reason) -> Reply {
    context.decision.word = reason.decision_word();
    context.decision.reason = Some(reason);
    refuse_form(Some(site), reason, context.request_id(), Accepts::of(&session.req_header().headers))
}

impl Context {
    /// Takes over what was decided about a message. `Some`: it is refused so.
    fn learn(&mut self, outcome: McpOutcome) -> Option<Reply> {
        let McpOutcome { verdict, decided, policy, call } = outcome;
        if let Some((word, reason)) = decided
            && self.decision.word == DecisionWord::Allow
        {
            self.decision.word = word;
            self.decision.reason = Some(reason);
        }
        if let Some(policy) = policy {
            self.decision.policy = Some(Asks::For(policy));
        }
        if let Some(exchange) = &mut self.mcp {
            exchange.call = call.or(exchange.call.take());
        }
        match verdict {
            Verdict::Respond(reply) => Some(*reply),
            Verdict::Continue => None,
        }
    }

    fn refuse(&mut self, session: &Session, reason: Reason) -> Box<Error> {
        self.decision.word = reason.decision_word();
        self.decision.reason = Some(reason);
        let accepts = Accepts::of(&session.req_header().headers);
        let site = self.site.clone();
        let reply = refuse_form(site.as_deref(), reason, self.request_id(), accepts);
        self.break_off(reply)
    }

    /// Ends what Pingora does for the request; the reply is what it is answered with then.
    fn break_off(&mut self, reply: Reply) -> Box<Error> {
        if let Some(exchange) = &mut self.mcp {
            exchange.refusal = Some(reply);
        }
        broken_off()
    }

    /// Notes to what the request is sent, at each attempt: what was held for the one before is read anew.
    pub(crate) fn mcp_goes_to(&mut self, upstream: &RequestHeader) {
        let Some(exchange) = &mut self.mcp else { return };
        exchange.upstream = upstream.version;
        if let Body::Held(held) = &mut exchange.body {
            held.bytes.clear();
        }
    }

    /// Whether a message is waited for: then its client may not be silent for as long as a stream may.
    pub(crate) fn holds_a_message(&self) -> bool {
        self.mcp.as_ref().is_some_and(|exchange| matches!(exchange.body, Body::Held(_)))
    }
}

/// As the client's fault: else Pingora takes it for the origin's, and goes on.
fn broken_off() -> Box<Error> {
    Error::new_down(ErrorType::Custom(REFUSED))
}
