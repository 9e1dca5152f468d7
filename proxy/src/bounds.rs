//! What a request may look like at all, whatever its site asks. These bounds hold in every mode.
//!
//! Pingora takes what other servers refuse: a missing `Host`, bare line feeds, `Content-Length` beside
//! `Transfer-Encoding`. Each is a seam at which two servers can see two requests, so they are judged here, on the bytes
//! as they came.

use std::borrow::Cow;
use std::net::Ipv6Addr;

use filters::Reason;
use http::{Method, Version};
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
    for line in raw.split_inclusive(|byte| *byte == b'\n').skip(1) {
        let line = line.strip_suffix(b"\r\n").ok_or(Reason::FramingInvalid)?;
        seen.field(line)?;
    }
    let request_line = raw.split(|byte| *byte == b'\n').next().unwrap_or_default();
    match request_line {
        [line @ .., b'\r'] if is_one_line(line) => seen.judge(),
        _ => Err(Reason::FramingInvalid),
    }
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
        if !is_one_line(line) || matches!(line, [b' ' | b'\t', ..]) {
            return Err(Reason::FramingInvalid);
        }
        // Every other name is cheaper to tell by its length.
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { return Ok(()) };
        if !matches!(colon, 4 | 14 | 17) {
            return Ok(());
        }
        let (name, value) = line.split_at_checked(colon).unwrap_or_default();
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        if name.eq_ignore_ascii_case(b"host") {
            self.hosts += 1;
        } else if is_named(name, b"content-length") {
            self.lengths += 1;
            // An underscore is a second spelling to those who fold it, and no name of ours.
            let is_number = (1..=18).contains(&value.len()) && value.iter().all(u8::is_ascii_digit);
            require(is_number && !name.contains(&b'_'))?;
        } else if is_named(name, b"transfer-encoding") {
            self.encodings += 1;
            require(value.eq_ignore_ascii_case(b"chunked") && !name.contains(&b'_'))?;
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

fn is_named(found: &[u8], name: &[u8]) -> bool {
    let folded = |byte: &u8| if *byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
    found.len() == name.len() && found.iter().map(folded).eq(name.iter().copied())
}

/// No CR and no NUL inside.
fn is_one_line(line: &[u8]) -> bool {
    !line.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0))
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
