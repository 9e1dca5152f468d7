//! What is kept of a message, and of whoever sent it, until its answer has ended.

use std::fmt;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use config::{McpEndpoint, Mode};
use filters::{Call, Identity, Reply};
use http::Version;
use pingora::proxy::Session;
use tokio::time::{Instant, timeout_at};

use super::body::{self, TIME_MAX};
use super::held_memory::Share;
use super::in_flight::UnderWay;
use super::lists::Lists;
use crate::audit::Arguments;

/// A request at an MCP endpoint. Whoever looks at the answer, or writes of it, finds here what was asked and by whom.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) endpoint: Arc<McpEndpoint>,
    /// Who asks; `None` only where nobody is asked who he is.
    pub(crate) identity: Option<Arc<Identity>>,
    /// What is done about what is found, the same from the head to the end.
    pub(crate) mode: Mode,
    pub(crate) body: Body,
    /// The message, once it was read.
    pub(crate) call: Option<Call>,
    /// What the request is answered with in place of the origin's answer.
    pub(crate) refusal: Option<Reply>,
    /// What the audit says of the arguments of the call, once its message is gone.
    audited: Option<Arguments>,
    /// The lists that the answer may bring, once it has begun.
    pub(crate) lists: Option<Lists>,
    /// What the origin speaks.
    pub(crate) upstream: Version,
    /// What the message takes of the memory for such.
    pub(crate) share: Option<Share>,
    /// The request, while its session waits for the answer.
    pub(crate) under_way: Option<UnderWay>,
}

/// What becomes of a request's body.
pub(crate) enum Body {
    /// There is to be none, or no more of it.
    Absent,
    /// It goes on as it comes.
    Passes,
    /// It is not complete yet.
    Held(Held),
    /// It was judged, and goes on whole.
    Judged(Bytes),
}

/// What came of a body so far.
pub(crate) struct Held {
    pub(crate) bytes: BytesMut,
    /// By when it has to be complete.
    deadline: Instant,
}

impl Exchange {
    pub(crate) const fn new(endpoint: Arc<McpEndpoint>, identity: Option<Arc<Identity>>, mode: Mode) -> Self {
        let (body, upstream) = (Body::Absent, Version::HTTP_11);
        Self {
            endpoint,
            identity,
            mode,
            body,
            call: None,
            refusal: None,
            audited: None,
            lists: None,
            upstream,
            share: None,
            under_way: None,
        }
    }

    /// What the audit says of the arguments of the call.
    pub(crate) fn arguments(&self) -> Option<Arguments> {
        self.audited.clone().or_else(|| {
            let Body::Judged(message) = &self.body else { return None };
            let sent = message.get(self.call.as_ref()?.arguments.clone()?)?;
            Some(Arguments::of(std::str::from_utf8(sent).ok()?, &self.endpoint.arguments))
        })
    }

    /// The message was sent on, and its answer may go on for days: only what is to be said of it is kept.
    pub(crate) fn let_message_go(&mut self) {
        if matches!(self.body, Body::Judged(_)) {
            self.audited = self.arguments();
            self.body = Body::Absent;
            self.share = None;
        }
    }
}

/// Never what is in it.
impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("Absent"),
            Self::Passes => f.write_str("Passes"),
            Self::Held(held) => write!(f, "Held({} bytes)", held.bytes.len()),
            Self::Judged(message) => write!(f, "Judged({} bytes)", message.len()),
        }
    }
}

impl Held {
    pub(crate) fn begin() -> Self {
        Self { bytes: BytesMut::new(), deadline: Instant::now() + TIME_MAX }
    }

    pub(crate) fn take(&mut self, piece: Option<Bytes>) -> pingora::Result<()> {
        if Instant::now() > self.deadline {
            return Err(body::too_slow());
        }
        self.bytes.extend_from_slice(&piece.unwrap_or_default());
        Ok(())
    }

    /// The next piece; `None` at the end.
    pub(crate) async fn next(&self, session: &mut Session) -> pingora::Result<Option<Bytes>> {
        match timeout_at(self.deadline, session.read_request_body()).await {
            Ok(piece) => piece.map_err(|error| error.into_down()),
            Err(_) => Err(body::too_slow()),
        }
    }
}
