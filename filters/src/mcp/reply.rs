//! What a client is told whose message goes no further: an error of JSON-RPC where one is in its place.

use std::fmt::Write as _;

use config::{McpEndpoint, RuleKind, Site};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, StatusCode};
use serde::Serialize as _;

use super::era::{Era, Mismatch};
use super::message::{Kind, Malformed, Message};
use crate::resource_metadata::OFFLINE_ACCESS;
use crate::{Identity, Reply};

/// What is to be told of a message.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Told<'a> {
    /// It is none, or two.
    Malformed(Malformed),
    /// Its headers say something else.
    Mismatch(Mismatch, &'a Message<'a>),
    /// What it is about is not there.
    NotThere(&'a Message<'a>, Era),
}

/// The header that a mismatch of is a `HeaderMismatch` (2026-07-28).
const HEADER_MISMATCH: i32 = -32020;
const INVALID_PARAMS: i32 = -32602;
const METHOD_NOT_FOUND: i32 = -32601;
/// Up to 2025-11-25.
const RESOURCE_NOT_FOUND: i32 = -32002;

/// The answer to a message that goes no further.
pub(crate) fn tell(told: Told<'_>) -> Reply {
    match told {
        Told::Malformed(malformed) => {
            error(StatusCode::BAD_REQUEST, None, malformed.code(), &malformed.to_string(), None)
        }
        Told::Mismatch(mismatch, message) => {
            error(StatusCode::BAD_REQUEST, message.id, HEADER_MISMATCH, mismatch.text(), None)
        }
        Told::NotThere(message, era) => not_there(message, era),
    }
}

/// As a server says it of what it never had.
fn not_there(message: &Message<'_>, era: Era) -> Reply {
    let method = message.method.as_deref().unwrap_or_default();
    let (status, code, text, uri) = match message.targets.first() {
        Some((RuleKind::Tool, name)) => (StatusCode::OK, INVALID_PARAMS, format!("Unknown tool: {name}"), None),
        Some((RuleKind::Prompt, name)) => (StatusCode::OK, INVALID_PARAMS, format!("Unknown prompt: {name}"), None),
        Some((RuleKind::Resource, uri)) => {
            let code = match era {
                Era::Handshake => RESOURCE_NOT_FOUND,
                Era::Stateless => INVALID_PARAMS,
            };
            (StatusCode::OK, code, "Resource not found".to_owned(), Some(&**uri))
        }
        Some((RuleKind::Method, _)) | None => {
            let status = match era {
                Era::Handshake => StatusCode::OK,
                Era::Stateless => StatusCode::NOT_FOUND,
            };
            (status, METHOD_NOT_FOUND, format!("Method not found: {method}"), None)
        }
    };
    match message.kind {
        Kind::Request => error(status, message.id, code, &text, uri),
        // Nobody waits for an answer, and the status alone says that it was not taken.
        Kind::Notification | Kind::Response => error(StatusCode::BAD_REQUEST, None, code, &text, uri),
    }
}

/// An error response. Without an id where none is known: clients of the protocol take no `null`.
fn error(status: StatusCode, id: Option<&str>, code: i32, message: &str, uri: Option<&str>) -> Reply {
    let mut body = String::from("{\"jsonrpc\":\"2.0\",");
    if let Some(id) = id {
        push(&mut body, format_args!("\"id\":{id},"));
    }
    push(&mut body, format_args!("\"error\":{{\"code\":{code},\"message\":{}", quoted(message)));
    if let Some(uri) = uri {
        push(&mut body, format_args!(",\"data\":{{\"uri\":{}}}", quoted(uri)));
    }
    body.push_str("}}");
    let headers = vec![
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Reply { status, headers, body: body.into() }
}

fn push(body: &mut String, text: std::fmt::Arguments<'_>) {
    // A string takes everything.
    body.write_fmt(text).unwrap_or_default();
}

/// A text as JSON.
fn quoted(text: &str) -> String {
    let mut quoted = Vec::new();
    // A text cannot fail to be written.
    text.serialize(&mut serde_json::Serializer::new(&mut quoted)).unwrap_or_default();
    String::from_utf8(quoted).unwrap_or_default()
}

/// How to ask for what is missing (RFC 6750 §3, RFC 9728 §5.1): with all that the credential has, so that nothing is lost.
pub(crate) fn challenge_scopes(
    site: &Site,
    endpoint: &McpEndpoint,
    needed: &[Box<str>],
    identity: &Identity,
) -> Option<(HeaderName, HeaderValue)> {
    let mut scopes: Vec<&str> = needed.iter().map(AsRef::as_ref).collect();
    let is_new = |scope: &&str| *scope != OFFLINE_ACCESS && !needed.iter().any(|one| **one == **scope);
    scopes.extend(identity.scopes.iter().filter(is_new));
    let (scopes, metadata) = (scopes.join(" "), metadata_url(site, endpoint));
    let value = format!("Bearer error=\"insufficient_scope\", scope=\"{scopes}\", resource_metadata=\"{metadata}\"");
    HeaderValue::from_str(&value).ok().map(|value| (WWW_AUTHENTICATE, value))
}

/// Where the metadata of a resource is.
pub(crate) fn metadata_url(site: &Site, endpoint: &McpEndpoint) -> String {
    format!("{}{}", site.url, endpoint.metadata_path())
}

#[cfg(test)]
mod tests;
