//! The life of a request, top to bottom in the order Pingora calls.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use filters::Reason;
use http::HeaderMap;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::modules::http::HttpModules;
use pingora::prelude::HttpPeer;
use pingora::protocols::Digest;
use pingora::proxy::{FailToProxy, ProxyHttp, ProxyWarnLogContext, Session};
use pingora::{Error, ErrorSource, ErrorType};

use crate::context::Context;
use crate::gate::{Gate, refused_note, unresolved_note};
use crate::sites::Site;
use crate::tunnel;

/// The reverse proxy: a [`Gate`], and the way to the sites behind it.
#[derive(Debug)]
pub(crate) struct GatewayProxy {
    gate: Gate,
}

impl GatewayProxy {
    pub(crate) const fn new(gate: Gate) -> Self {
        Self { gate }
    }
}

#[async_trait]
impl ProxyHttp for GatewayProxy {
    type CTX = Context;

    fn new_ctx(&self) -> Context {
        self.gate.new_context()
    }

    /// None: responses go through as the site made them.
    fn init_downstream_modules(&self, _modules: &mut HttpModules) {}

    async fn early_request_filter(&self, session: &mut Session, context: &mut Context) -> pingora::Result<()> {
        self.gate.meet(session, context);
        Ok(())
    }

    async fn request_filter(&self, session: &mut Session, context: &mut Context) -> pingora::Result<bool> {
        self.gate.request_filter(session, context).await
    }

    async fn upstream_peer(&self, session: &mut Session, context: &mut Context) -> pingora::Result<Box<HttpPeer>> {
        let Some(site) = context.site.clone() else { return Err(Error::new_in(ErrorType::InternalError)) };
        loop {
            let Some(turn) = context.turn.clone().or_else(|| site.upstream.turn(context.tried)) else {
                return Err(Error::new_up(ErrorType::ConnectError));
            };
            let found = turn.target.peer(context.attempts).await;
            context.turn = Some(turn);
            match found {
                Ok(Some(mut peer)) => {
                    if session.is_upgrade_req() {
                        tunnel::prepare(&mut peer);
                    }
                    return Ok(peer);
                }
                Ok(None) if give_up_target(context, &site) => {}
                Ok(None) => return Err(Error::new_up(ErrorType::ConnectError)),
                Err(_) if give_up_target(context, &site) => {}
                Err(cause) => {
                    context.note = Some(unresolved_note(&site, &cause));
                    return Err(Error::because(ErrorType::ConnectNoRoute, "resolving the origin", cause).into_up());
                }
            }
        }
    }

    /// Nothing was sent yet: another address of the target is tried (`localhost` is two), then another target.
    fn fail_to_connect(
        &self,
        _session: &mut Session,
        _peer: &HttpPeer,
        context: &mut Context,
        mut error: Box<Error>,
    ) -> Box<Error> {
        context.attempts += 1;
        let has_address = context.turn.as_ref().is_some_and(|turn| turn.target.has_another(context.attempts));
        let site = context.site.clone();
        error.set_retry(has_address || site.is_some_and(|site| give_up_target(context, &site)));
        error
    }

    async fn connected_to_upstream(
        &self,
        _session: &mut Session,
        _reused: bool,
        _peer: &HttpPeer,
        _fd: std::os::fd::RawFd,
        _digest: Option<&Digest>,
        context: &mut Context,
    ) -> pingora::Result<()> {
        if let Some(turn) = &context.turn {
            turn.connected(std::mem::take(&mut context.attempts));
        }
        Ok(())
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        upstream: &mut RequestHeader,
        context: &mut Context,
    ) -> pingora::Result<()> {
        self.gate.upstream_request_filter(session, upstream, context)
    }

    async fn request_body_filter(
        &self,
        session: &mut Session,
        body: &mut Option<Bytes>,
        end_of_stream: bool,
        context: &mut Context,
    ) -> pingora::Result<()> {
        self.gate.request_body_filter(session, body, end_of_stream, context).await
    }

    async fn response_filter(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        context: &mut Context,
    ) -> pingora::Result<()> {
        self.gate.response_filter(session, response, context).await
    }

    fn response_body_filter(
        &self,
        _session: &mut Session,
        body: &mut Option<Bytes>,
        end_of_stream: bool,
        context: &mut Context,
    ) -> pingora::Result<Option<Duration>> {
        self.gate.response_body_filter(body, end_of_stream, context).map(|()| None)
    }

    async fn response_trailer_filter(
        &self,
        _session: &mut Session,
        _trailers: &mut HeaderMap,
        context: &mut Context,
    ) -> pingora::Result<Option<Bytes>> {
        self.gate.response_trailer_filter(context)
    }

    async fn fail_to_proxy(&self, session: &mut Session, error: &Error, context: &mut Context) -> FailToProxy {
        // A message that is refused failed nowhere.
        let is_refused = context.mcp.as_ref().is_some_and(|exchange| exchange.refusal.is_some());
        let failure = reason(error).filter(|_| !is_refused);
        let note = context.note.take().unwrap_or_else(|| match (failure, &context.site) {
            (Some(Reason::UpstreamRefused), Some(site)) => refused_note(site),
            // Never Pingora's whole text: it may hold bytes of the request.
            _ => format!("{}: {}", error.esource().as_str(), error.etype().as_str()),
        });
        if failure.is_some() {
            tracing::warn!(request_id = context.request_id(), "{note}");
        }
        let error_code = self.gate.fail_to_proxy(session, context, failure, note).await;
        FailToProxy { error_code, can_reuse_downstream: false }
    }

    async fn logging(&self, session: &mut Session, _error: Option<&Error>, context: &mut Context) {
        self.gate.logging(session, context);
    }

    /// Said by `fail_to_proxy`, without what the client sent.
    fn suppress_error_log(&self, _session: &Session, _context: &Context, _error: &Error) -> bool {
        true
    }

    /// The next attempt says how it ended.
    fn suppress_proxy_warn_log(
        &self,
        _session: &Session,
        _context: &Context,
        _error: &Error,
        _which: ProxyWarnLogContext,
    ) -> bool {
        true
    }
}

/// No address of the target takes a connection. Whether another target is to be tried.
fn give_up_target(context: &mut Context, site: &Site) -> bool {
    context.attempts = 0;
    let Some(turn) = &context.turn else { return false };
    let may_go_on = site.upstream.failed(turn, &mut context.tried);
    if may_go_on {
        context.turn = None;
    }
    may_go_on
}

/// What to tell the client; `None` when it is the one that left.
fn reason(error: &Error) -> Option<Reason> {
    use ErrorType as T;
    let of = error.etype();
    let timed_out = matches!(of, T::ConnectTimedout | T::TLSHandshakeTimedout | T::ReadTimedout | T::WriteTimedout);
    let broke_off = matches!(of, T::WriteError | T::ReadError | T::ConnectionClosed);
    let refused = matches!(of, T::ConnectRefused | T::ConnectNoRoute | T::ConnectError | T::SocketError | T::BindError);
    match error.esource() {
        ErrorSource::Downstream if timed_out || broke_off => None,
        ErrorSource::Downstream => Some(Reason::FramingInvalid),
        ErrorSource::Upstream if timed_out => Some(Reason::UpstreamTimeout),
        ErrorSource::Upstream if refused => Some(Reason::UpstreamRefused),
        ErrorSource::Upstream => Some(Reason::UpstreamFailed),
        ErrorSource::Internal | ErrorSource::Unset => Some(Reason::Internal),
    }
}
