//! The life of a request, top to bottom in the order Pingora calls.

use async_trait::async_trait;
use filters::Reason;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::modules::http::HttpModules;
use pingora::prelude::HttpPeer;
use pingora::protocols::Digest;
use pingora::proxy::{FailToProxy, ProxyHttp, ProxyWarnLogContext, Session};
use pingora::{Error, ErrorSource, ErrorType};

use crate::context::Context;
use crate::gate::{Gate, refused_note, unresolved_note};
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
        let Some(site) = &context.site else { return Err(Error::new_in(ErrorType::InternalError)) };
        match site.upstream.peer(context.attempts).await {
            Ok(Some(mut peer)) => {
                if session.is_upgrade_req() {
                    tunnel::prepare(&mut peer);
                }
                Ok(peer)
            }
            Ok(None) => Err(Error::new_up(ErrorType::ConnectError)),
            Err(cause) => {
                context.note = Some(unresolved_note(site, &cause));
                Err(Error::because(ErrorType::ConnectNoRoute, "resolving the origin", cause).into_up())
            }
        }
    }

    /// A name may have an address on which nobody listens: `localhost` is two.
    fn fail_to_connect(
        &self,
        _session: &mut Session,
        _peer: &HttpPeer,
        context: &mut Context,
        mut error: Box<Error>,
    ) -> Box<Error> {
        context.attempts += 1;
        let has_another = context.site.as_ref().is_some_and(|site| site.upstream.has_another(context.attempts));
        error.set_retry(has_another);
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
        if let Some(site) = &context.site {
            site.upstream.connected(std::mem::take(&mut context.attempts));
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

    async fn response_filter(
        &self,
        _session: &mut Session,
        response: &mut ResponseHeader,
        context: &mut Context,
    ) -> pingora::Result<()> {
        self.gate.response_filter(response, context)
    }

    async fn fail_to_proxy(&self, session: &mut Session, error: &Error, context: &mut Context) -> FailToProxy {
        let failure = reason(error);
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
