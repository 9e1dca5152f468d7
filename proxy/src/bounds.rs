//! What a request may look like at all, whatever its site asks. These bounds hold in every mode.
//!
//! Pingora takes what other servers refuse: a missing `Host`, bare line feeds, `Content-Length` beside
//! `Transfer-Encoding`. Each is a seam at which two servers can see two requests, so they are judged here, on the bytes
//! as they came.

use std::borrow::Cow;
use std::net::Ipv6Addr;

use filters::Reason;
use http::{Method, Version};
use memchr::memchr3;
use pingora::http::RequestHeader;

/// Most bytes of request line and headers together. Browsers stop at 16 KiB for a cookie line.
pub(crate) const HEADER_BYTES_MAX: usize = 32 * 1024;

/// Longest host name, in bytes (RFC 1035 §2.3.4).
const HOST_BYTES_MAX: usize = 253;

/// Judges the header of an HTTP/1 request, as it came over the wire.
pub(crate) fn judge_wire(raw: &[u8]) -> Result<(), Reason> {
    if raw.len() > HEADER_BYTES_MAX {
        return Err(Reason::HeaderTooLarge);
    }
    let mut seen = Seen::default();
    let (mut start, mut is_request_line) = (0, true);
    // One pass over the bytes: a line ends in CRLF, and neither of the two stands anywhere else.
    while let Some(length) = memchr3(b'\r', b'\n', 0, raw.get(start..).unwrap_or_default()) {
        let (line, rest) = raw.get(start..).unwrap_or_default().split_at_checked(length).unwrap_or_default();
        if !rest.starts_with(b"\r\n") {
            return Err(Reason::FramingInvalid);
        }
        if !is_request_line {
            seen.field(line)?;
        }
        is_request_line = false;
        start += length + 2;
    }
    seen.judge()
}

/// The fields that decide where a request ends and whom it is for.
#[derive(Default)]
struct Seen {
    hosts: usize,
    lengths: usize,
    encodings: usize,
}

impl Seen {
    fn field(&mut self, line: &[u8]) -> Result<(), Reason> {
        if matches!(line, [b' ' | b'\t', ..]) {
            return Err(Reason::FramingInvalid);
        }
        if let Some(value) = value(line, b"host") {
            self.hosts += usize::from(!value.is_empty());
        } else if let Some(length) = value(line, b"content-length") {
            self.lengths += 1;
            require((1..=18).contains(&length.len()) && length.iter().all(u8::is_ascii_digit))?;
            require(!is_folded(line, b"content-length"))?;
        } else if let Some(encoding) = value(line, b"transfer-encoding") {
            self.encodings += 1;
            require(encoding.eq_ignore_ascii_case(b"chunked") && !is_folded(line, b"transfer-encoding"))?;
        }
        Ok(())
    }

    const fn judge(&self) -> Result<(), Reason> {
        match (self.hosts, self.lengths + self.encodings) {
            (_, 2..) => Err(Reason::FramingInvalid),
            (1, _) => Ok(()),
            (_, _) => Err(Reason::HostInvalid),
        }
    }
}

const fn require(holds: bool) -> Result<(), Reason> {
    if holds { Ok(()) } else { Err(Reason::FramingInvalid) }
}

/// The value of a line, if the line is of this name. `_` for `-` is the same name to those who fold the two (CGI, WSGI).
fn value<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (found, rest) = line.split_at_checked(name.len())?;
    let value = rest.strip_prefix(b":")?;
    let folded = |byte: &u8| if *byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
    found.iter().map(folded).eq(name.iter().copied()).then(|| value.trim_ascii())
}

/// Whether a line of this name is written with `_`, which makes it two different fields to two servers.
fn is_folded(line: &[u8], name: &[u8]) -> bool {
    line.get(..name.len()).unwrap_or_default().contains(&b'_')
}

/// Judges what holds for every version of HTTP.
pub(crate) fn judge(header: &RequestHeader) -> Result<(), Reason> {
    // TRACE would echo to the client what only the origin is told.
    if header.method == Method::TRACE || header.method == Method::CONNECT {
        return Err(Reason::MethodNotAllowed);
    }
    if header.version == Version::HTTP_2 {
        let fields = header.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
        if header.raw_path().len() + fields.sum::<usize>() > HEADER_BYTES_MAX {
            return Err(Reason::HeaderTooLarge);
        }
    }
    Ok(())
}

/// The host a request is for, lower case, without port and final dot.
pub(crate) fn host(header: &RequestHeader) -> Result<Cow<'_, str>, Reason> {
    let field = header.headers.get(http::header::HOST).map(http::HeaderValue::as_bytes);
    // HTTP/2 has it in `:authority`; Pingora refuses a `Host` that differs.
    let authority = header.uri.authority().map(|authority| authority.as_str().as_bytes());
    let text = field.or(authority).ok_or(Reason::HostInvalid)?;
    host_of(text).ok_or(Reason::HostInvalid)
}

fn host_of(text: &[u8]) -> Option<Cow<'_, str>> {
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
