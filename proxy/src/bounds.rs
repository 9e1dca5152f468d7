//! What a request may look like at all, whatever its site asks. These bounds hold in every mode.
//!
//! HTTP/1 is judged before on the bytes as they came, by [`filters::judge_head`]. This is what is left, and what HTTP/2
//! needs as well.

use std::borrow::Cow;
use std::net::Ipv6Addr;

use filters::{HEAD_BYTES_MAX, HEAD_FIELDS_MAX, Reason};
use http::header::CONTENT_LENGTH;
use http::{HeaderName, HeaderValue, Method, Version};
use pingora::http::RequestHeader;

/// Longest host name, in bytes (RFC 1035 §2.3.4).
const HOST_BYTES_MAX: usize = 253;

/// Judges what holds for every version of HTTP.
pub(crate) fn judge(header: &RequestHeader) -> Result<(), Reason> {
    judge_method(&header.method)?;
    if header.version == Version::HTTP_2 { judge_fields(header) } else { Ok(()) }
}

/// Judges the method alone.
pub(crate) fn judge_method(method: &Method) -> Result<(), Reason> {
    // TRACE would echo to the client what only the origin is told. Methods have case (RFC 9110 §9.1), and frameworks that
    // forget it would take `post` for what a policy on `POST` did not see; no registered method has small letters.
    let is_small = |byte: u8| byte.is_ascii_lowercase();
    let is_refused = *method == Method::TRACE || *method == Method::CONNECT || method.as_str().bytes().any(is_small);
    if is_refused { Err(Reason::MethodNotAllowed) } else { Ok(()) }
}

/// What [`filters::judge_head`] holds for HTTP/1. HTTP/2 needs none of it to tell where a request ends; but it is written
/// down for an origin that speaks HTTP/1, and read there.
fn judge_fields(header: &RequestHeader) -> Result<(), Reason> {
    let fields = header.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
    let bytes = header.raw_path().len() + fields.sum::<usize>();
    if bytes > HEAD_BYTES_MAX || header.headers.len() > HEAD_FIELDS_MAX {
        return Err(Reason::HeaderTooLarge);
    }
    let mut lengths = header.headers.get_all(CONTENT_LENGTH).iter().map(HeaderValue::as_bytes);
    let is_length = |text: &[u8]| (1..=18).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    let has_one_length = lengths.next().is_none_or(is_length) && lengths.next().is_none();
    // `_` for `-` is the same name to those who fold the two (CGI, WSGI).
    let is_in_disguise = |name: &HeaderName| matches!(name.as_str(), "content_length" | "transfer_encoding");
    if has_one_length && !header.headers.keys().any(is_in_disguise) { Ok(()) } else { Err(Reason::FramingInvalid) }
}

/// The host a request is for, lower case, without port and final dot.
pub(crate) fn host(header: &RequestHeader) -> Result<Cow<'_, str>, Reason> {
    let field = header.headers.get(http::header::HOST).map(HeaderValue::as_bytes);
    // HTTP/2 has it in `:authority`; Pingora refuses a `Host` that differs.
    let authority = header.uri.authority().map(|authority| authority.as_str().as_bytes());
    let text = field.or(authority).ok_or(Reason::HostInvalid)?;
    host_of(text).ok_or(Reason::HostInvalid)
}

pub(crate) fn host_of(text: &[u8]) -> Option<Cow<'_, str>> {
    let text = std::str::from_utf8(text).ok()?;
    if let Some(rest) = text.strip_prefix('[') {
        let (address, port) = rest.split_once(']')?;
        let address: Ipv6Addr = address.parse().ok()?;
        return is_port(port).then(|| Cow::Owned(format!("[{address}]")));
    }
    let (host, port) = text.find(':').and_then(|colon| text.split_at_checked(colon)).unwrap_or((text, ""));
    let host = host.strip_suffix('.').unwrap_or(host);
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    let fits = (1..=HOST_BYTES_MAX).contains(&host.len()) && host.bytes().all(allowed) && is_port(port);
    if !fits {
        return None;
    }
    let lower = !host.bytes().any(|byte| byte.is_ascii_uppercase());
    Some(if lower { Cow::Borrowed(host) } else { Cow::Owned(host.to_ascii_lowercase()) })
}

/// Nothing, or a colon and at most five digits. Some clients write the colon alone (RFC 3986 §3.2.3).
fn is_port(text: &str) -> bool {
    text.is_empty()
        || text.strip_prefix(':').is_some_and(|port| port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests;
