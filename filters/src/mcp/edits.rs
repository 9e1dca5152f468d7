//! What changes of the headers at an MCP endpoint.

use std::sync::Arc;

use config::{McpEndpoint, Site};
use http::header::{CONTENT_TYPE, EXPECT};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::bind::McpSessions;
use super::head::{LAST_EVENT_ID, MCP_SESSION_ID};
use crate::{HeaderEdit, Identity};

/// A proof of possession of the token (RFC 9449 §4), which is for the gateway as the token is.
const DPOP: HeaderName = HeaderName::from_static("dpop");

/// Tells proxies like nginx to pass events on as they come.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// What changes of a request at an endpoint, and of its response.
#[derive(Clone, Debug, Default)]
pub(crate) struct McpEdits {
    /// What the origin is told of the session.
    pub(crate) session: SessionShown,
    /// Whom sessions are given to that the origin begins.
    pub(crate) binding: Option<Binding>,
}

/// What an origin is told of a session.
#[derive(Clone, Debug, Default)]
pub(crate) enum SessionShown {
    /// What the client says.
    #[default]
    AsItIs,
    /// Nothing: there are none, or none may be taken up.
    Nothing,
    /// Its own id.
    Id(HeaderValue),
}

/// By what sessions are bound.
#[derive(Clone, Debug)]
pub(crate) struct Binding {
    pub(crate) sessions: Arc<McpSessions>,
    pub(crate) site: Arc<Site>,
    pub(crate) endpoint: Arc<McpEndpoint>,
    pub(crate) identity: Arc<Identity>,
}

impl McpEdits {
    /// What to change about the request. Who waits for `100 Continue` was told to go on.
    pub(crate) fn request(&self) -> impl Iterator<Item = HeaderEdit> + use<> {
        let session = match &self.session {
            SessionShown::AsItIs => [None, None],
            // A stream is one's own only in a session of one's own.
            SessionShown::Nothing => {
                [Some(HeaderEdit::Remove(MCP_SESSION_ID)), Some(HeaderEdit::Remove(LAST_EVENT_ID))]
            }
            SessionShown::Id(id) => [Some(HeaderEdit::Set(MCP_SESSION_ID, id.clone())), None],
        };
        [HeaderEdit::Remove(EXPECT), HeaderEdit::Remove(DPOP)].into_iter().chain(session.into_iter().flatten())
    }

    /// What to change about the response, given its headers as they are.
    pub(crate) fn response(&self, headers: &HeaderMap) -> impl Iterator<Item = HeaderEdit> + use<> {
        let session = self.binding.as_ref().zip(headers.get(MCP_SESSION_ID)).map(|(binding, id)| {
            let Binding { sessions, site, endpoint, identity } = binding;
            let bound = id.to_str().ok().and_then(|id| sessions.bind(site, endpoint, identity, id));
            // What is no session id would be anybody's.
            match bound.and_then(|bound| HeaderValue::try_from(bound).ok()) {
                Some(bound) => HeaderEdit::Set(MCP_SESSION_ID, bound),
                None => HeaderEdit::Remove(MCP_SESSION_ID),
            }
        });
        let media = headers.get(CONTENT_TYPE).and_then(|media| media.to_str().ok()).unwrap_or_default();
        let media = media.split(';').next().unwrap_or_default().trim();
        let unbuffered = media
            .eq_ignore_ascii_case("text/event-stream")
            .then_some(HeaderEdit::Set(ACCEL_BUFFERING, HeaderValue::from_static("no")));
        session.into_iter().chain(unbuffered)
    }
}
