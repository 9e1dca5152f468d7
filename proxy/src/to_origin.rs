//! What an origin is sent in place of what came: who asked whom, who the agent is, and nothing that only we may say.

use filters::{Edits, HeaderEdit};
use http::header::COOKIE;
use http::{HeaderValue, Version};
use pingora::http::RequestHeader;

use crate::forwarded::{self, Source};
use crate::request_id::RequestId;

/// A request on its way to an origin.
#[derive(Debug)]
pub(crate) struct ToOrigin<'a> {
    pub(crate) received: &'a RequestHeader,
    pub(crate) source: Option<&'a Source>,
    pub(crate) scheme: &'static str,
    pub(crate) request_id: &'a RequestId,
    pub(crate) edits: &'a Edits,
}

impl ToOrigin<'_> {
    /// Changes `upstream`, which is what was received, to what is sent.
    pub(crate) fn write(&self, upstream: &mut RequestHeader) -> pingora::Result<()> {
        let received = self.received;
        // Only a proxy is sent a whole URL (RFC 9112 §3.2.2).
        if !matches!(received.raw_path(), [b'/' | b'*', ..]) {
            let target = received.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str).to_owned();
            upstream.set_raw_path(target.as_bytes())?;
        }
        if let Some(source) = self.source {
            forwarded::apply(upstream, received, source, self.scheme, self.request_id)?;
        }
        for edit in self.edits.request(&received.headers) {
            match edit {
                HeaderEdit::Remove(name) => drop(upstream.remove_header(&name)),
                HeaderEdit::Set(name, value) => upstream.insert_header(name, value)?,
                HeaderEdit::Append(name, value) => drop(upstream.append_header(name, value)?),
            }
        }
        if received.version == Version::HTTP_2 {
            join_cookies(upstream)?;
        }
        Ok(())
    }
}

/// HTTP/2 may send each cookie in a line of its own, which nobody expects elsewhere (RFC 9113 §8.2.3).
fn join_cookies(upstream: &mut RequestHeader) -> pingora::Result<()> {
    let lines: Vec<&[u8]> = upstream.headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if lines.len() < 2 {
        return Ok(());
    }
    let line = lines.join(&b"; "[..]);
    upstream.insert_header(COOKIE, line)
}
