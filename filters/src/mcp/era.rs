//! Which revision of the protocol a message is of, and whether its headers say what its body does.
//!
//! From 2026-07-28 on, `Mcp-Method` and `Mcp-Name` repeat what the body says, for those who do not read bodies. An origin or
//! something in front of it may go by them: so they must be true, and where the revision asks for them, there. In earlier
//! revisions they mean nothing, but are held to the same if they come.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::head::MCP_PROTOCOL_VERSION;
use super::json;
use super::message::{Kind, Message};

const MCP_METHOD: HeaderName = HeaderName::from_static("mcp-method");
const MCP_NAME: HeaderName = HeaderName::from_static("mcp-name");

/// The first revision without sessions, whose headers must be true.
const FIRST_MODERN: &str = "2026-07-28";

/// How text is written in a header that cannot carry it as it is.
const ENCODED: (&str, &str) = ("=?base64?", "?=");

/// Which of the two ways of the protocol a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Era {
    /// Up to 2025-11-25: a handshake, and sessions.
    Handshake,
    /// From 2026-07-28 on: every request stands alone.
    Stateless,
}

impl Era {
    /// The era of what the client says it speaks. What is no date is no revision, and the origin's to refuse.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let version = headers.get(MCP_PROTOCOL_VERSION).and_then(|version| version.to_str().ok()).unwrap_or_default();
        let is_date = version.len() == FIRST_MODERN.len()
            && std::iter::zip(version.bytes(), FIRST_MODERN.bytes())
                .all(|(byte, like)| if like == b'-' { byte == b'-' } else { byte.is_ascii_digit() });
        if is_date && version >= FIRST_MODERN { Self::Stateless } else { Self::Handshake }
    }
}

/// What of the headers is not as the body says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mismatch {
    /// The revision.
    Version,
    /// The method is another.
    Method,
    /// The method is not said.
    NoMethod,
    /// The name is another.
    Name,
    /// The name is not said.
    NoName,
    /// An argument is another.
    Param,
    /// An argument is not said.
    NoParam,
    /// What should say an argument is not well encoded.
    ParamForm,
}

impl Mismatch {
    /// The message of the error.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Version => {
                "Header mismatch: MCP-Protocol-Version does not match io.modelcontextprotocol/protocolVersion of the body"
            }
            Self::Method => "Header mismatch: Mcp-Method does not match the method of the body",
            Self::NoMethod => "Header mismatch: Mcp-Method is missing",
            Self::Name => "Header mismatch: Mcp-Name does not match the name or URI of the body",
            Self::NoName => "Header mismatch: Mcp-Name is missing",
            Self::Param => "Header mismatch: an Mcp-Param header does not match the arguments of the body",
            Self::NoParam => "Header mismatch: the Mcp-Param header of an argument is missing",
            Self::ParamForm => "Header mismatch: an Mcp-Param header is not well encoded",
        }
    }
}

/// Holds the headers of a message against its body. None of them stands twice.
pub(crate) fn check(headers: &HeaderMap, message: &Message<'_>) -> Result<Era, Mismatch> {
    let era = Era::of(headers);
    if let Some(said) = message.protocol_version {
        let header = headers.get(MCP_PROTOCOL_VERSION).map(HeaderValue::as_bytes);
        if json::text(said).is_none_or(|said| header != Some(said.as_bytes())) {
            return Err(Mismatch::Version);
        }
    }
    // What a notification's headers have to say is not defined.
    let is_asked = era == Era::Stateless && message.kind == Kind::Request;
    match headers.get(MCP_METHOD) {
        Some(method) if message.method.as_deref().map(str::as_bytes) != Some(method.as_bytes()) => {
            return Err(Mismatch::Method);
        }
        None if is_asked => return Err(Mismatch::NoMethod),
        Some(_) | None => {}
    }
    let has_name = matches!(message.method.as_deref(), Some("tools/call" | "resources/read" | "prompts/get"));
    match headers.get(MCP_NAME) {
        Some(name) if decoded(name).as_deref() != message.header_name() => Err(Mismatch::Name),
        None if is_asked && has_name => Err(Mismatch::NoName),
        Some(_) | None => Ok(era),
    }
}

/// What a header says; `None` where it carries a byte that none may, or is not well encoded.
pub(super) fn decoded(value: &HeaderValue) -> Option<String> {
    let text = value.to_str().ok()?;
    let (start, end) = ENCODED;
    match text.strip_prefix(start).and_then(|rest| rest.strip_suffix(end)) {
        Some(encoded) => String::from_utf8(STANDARD.decode(encoded).ok()?).ok(),
        None => Some(text.to_owned()),
    }
}

#[cfg(test)]
mod tests;
