//! What is held against a request at an MCP endpoint before its body is read.

use config::{McpEndpoint, Site, WebOrigin};
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, ORIGIN, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::credential::LIME_AUTHORIZATION;
use crate::{Reason, path};

/// Which revision of the protocol the client speaks.
pub const MCP_PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
/// The session, in revisions that have them.
pub const MCP_SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
/// Where a stream is taken up again.
pub(crate) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The methods that are served at an endpoint.
pub(crate) const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, DELETE, OPTIONS");

/// Of these, two would be two requests: which one counts, every server decides for itself.
const ONCE: [HeaderName; 6] =
    [ORIGIN, AUTHORIZATION, LIME_AUTHORIZATION, CONTENT_TYPE, CONTENT_ENCODING, LAST_EVENT_ID];

/// Why a request is turned away for what comes before its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) reason: Reason,
    pub(crate) detail: &'static str,
}

impl Refusal {
    const fn because(reason: Reason) -> Self {
        Self { reason, detail: reason.meaning() }
    }
}

/// Judges method, origin and headers. `length` is what `Content-Length` says, if it says anything.
pub(crate) fn judge(
    site: &Site,
    endpoint: &McpEndpoint,
    method: &Method,
    headers: &HeaderMap,
    length: Option<u64>,
) -> Result<(), Refusal> {
    let is_post = *method == Method::POST;
    if !is_post && ![Method::GET, Method::DELETE, Method::OPTIONS].contains(method) {
        return Err(Refusal::because(Reason::MethodNotAllowed));
    }
    if headers.get(UPGRADE).is_some_and(|protocol| protocol.as_bytes().to_ascii_lowercase().starts_with(b"websocket")) {
        let detail = "A websocket is not judged message by message, and none is opened here.";
        return Err(Refusal { reason: Reason::MethodNotAllowed, detail });
    }
    for name in headers.keys() {
        if is_in_disguise(name) {
            let detail = "A header of the protocol is written with `_`, which servers may take for `-`.";
            return Err(Refusal { reason: Reason::HeaderRepeated, detail });
        }
        let counts_once = name.as_str().starts_with("mcp-") || ONCE.contains(name);
        if counts_once && headers.get_all(name).iter().nth(1).is_some() {
            return Err(Refusal::because(Reason::HeaderRepeated));
        }
    }
    if headers.get(ORIGIN).is_some_and(|origin| !is_allowed(site, origin)) {
        return Err(Refusal::because(Reason::OriginDenied));
    }
    if !is_post {
        return Ok(());
    }
    if headers.contains_key(CONTENT_ENCODING) || !headers.get(CONTENT_TYPE).is_some_and(is_json) {
        return Err(Refusal::because(Reason::MediaTypeUnsupported));
    }
    let most = u64::try_from(endpoint.body_bytes_max).unwrap_or(u64::MAX);
    if length.is_some_and(|length| length > most) { Err(Refusal::because(Reason::MessageTooLarge)) } else { Ok(()) }
}

/// `Mcp_Name` is `Mcp-Name` to those who fold the two (CGI, WSGI).
fn is_in_disguise(name: &HeaderName) -> bool {
    let name = name.as_str();
    name.contains('_') && (name.starts_with("mcp-") || name.starts_with("mcp_") || name == "last_event_id")
}

/// Whether pages of an origin may ask: those of the site itself, under each of its hosts, and those it lets read answers.
/// Any other page would ask with what the browser, or the network it stands in, is trusted for.
fn is_allowed(site: &Site, origin: &HeaderValue) -> bool {
    let Ok(text) = origin.to_str() else { return false };
    if site.cors.iter().any(|known| known.as_str() == text) {
        return true;
    }
    let Ok(origin) = text.parse::<WebOrigin>() else { return false };
    origin.scheme() == site.url.scheme() && origin.port() == site.url.port() && site.serves(origin.host())
}

/// `application/json`, in UTF-8 (RFC 8259 §8.1) whether it says so or not.
fn is_json(value: &HeaderValue) -> bool {
    let Ok(text) = value.to_str() else { return false };
    let mut parts = text.split(';').map(str::trim);
    let is_json = parts.next().is_some_and(|media| media.eq_ignore_ascii_case("application/json"));
    let mut charsets = 0;
    let is_utf8 = parts.all(|parameter| match parameter.split_once('=') {
        Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
            charsets += 1;
            value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        Some(_) | None => true,
    });
    is_json && is_utf8 && charsets < 2
}

/// Whether a query carries an access token (RFC 6750 §2.3), which logs and histories would keep.
#[must_use]
pub fn has_token_in_query(query: &[u8]) -> bool {
    query.split(|byte| matches!(byte, b'&' | b';')).any(|pair| {
        let name = pair.split(|byte| *byte == b'=').next().unwrap_or_default();
        name == b"access_token" || path::decoded(name).is_some_and(|name| name == b"access_token")
    })
}

#[cfg(test)]
mod tests;
