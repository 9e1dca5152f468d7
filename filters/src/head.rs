//! The head of an HTTP/1 request (RFC 9112 §3, §5), judged on the bytes as they came over the wire.
//!
//! Servers differ in what they take: bare line feeds, two lengths, a space before a colon, no `Host`. Each is a seam at
//! which two servers in a row can see two different requests, so all of it is refused here, before anything is parsed.

use memchr::{memchr, memchr2};

use crate::Reason;

/// Most bytes of request line and fields together. Browsers stop at 16 KiB for a cookie line.
pub const HEAD_BYTES_MAX: usize = 32 * 1024;

/// Most fields. Pingora parses no more of them.
pub const HEAD_FIELDS_MAX: usize = 256;

/// What a request line says (RFC 9112 §3), as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestLine<'a> {
    /// A token.
    pub method: &'a [u8],
    /// `/path?query`, `*` or a whole URL.
    pub target: &'a [u8],
    version: Version,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    Http10,
    Http11,
}

impl<'a> RequestLine<'a> {
    /// The request line of a head, if it has one.
    ///
    /// # Errors
    /// [`Reason::FramingInvalid`], or [`Reason::PathInvalid`] where the rest of the line is well formed.
    pub fn of(raw: &'a [u8]) -> Result<Self, Reason> {
        let line = memchr2(b'\r', b'\n', raw).and_then(|end| raw.get(..end)).unwrap_or(raw);
        let (method, rest) = split_once(line, b' ').ok_or(Reason::FramingInvalid)?;
        let end = rest.iter().rposition(|byte| *byte == b' ').ok_or(Reason::FramingInvalid)?;
        let (target, version) = rest.split_at_checked(end).ok_or(Reason::FramingInvalid)?;
        let version = match version {
            b" HTTP/1.1" => Version::Http11,
            b" HTTP/1.0" => Version::Http10,
            _ => return Err(Reason::FramingInvalid),
        };
        if !is_token(method) {
            return Err(Reason::FramingInvalid);
        }
        if !is_target(target) {
            return Err(Reason::PathInvalid);
        }
        Ok(Self { method, target, version })
    }

    /// The authority of a whole URL (RFC 9112 §3.2.2). Pingora refuses it where it is not the one of `Host`, without a
    /// word; so does this, with one.
    fn authority(&self) -> Result<Option<&'a [u8]>, Reason> {
        if matches!(self.target, [b'/', ..] | b"*") {
            return Ok(None);
        }
        let folded = |scheme: &[u8]| {
            let (start, rest) = self.target.split_at_checked(scheme.len())?;
            start.eq_ignore_ascii_case(scheme).then_some(rest)
        };
        let rest = folded(b"http://").or_else(|| folded(b"https://")).ok_or(Reason::PathInvalid)?;
        let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#')).unwrap_or(rest.len());
        Ok(rest.get(..end))
    }
}

/// Judges a head: everything up to the empty line, with it.
///
/// # Errors
/// [`Reason::HeaderTooLarge`], [`Reason::FramingInvalid`], [`Reason::PathInvalid`], [`Reason::HostInvalid`], or
/// [`Reason::MethodNotAllowed`] for `CONNECT`, whose body is not one (RFC 9112 §6.3).
pub fn judge_head(raw: &[u8]) -> Result<(), Reason> {
    if raw.len() > HEAD_BYTES_MAX {
        return Err(Reason::HeaderTooLarge);
    }
    // No early end, so that the compiler can take many bytes at a time.
    let is_control = |byte: u8| (byte < b' ' && !matches!(byte, b'\t' | b'\r' | b'\n')) || byte == 0x7f;
    require(!raw.iter().fold(false, |found, byte| found | is_control(*byte)))?;
    let mut fields = Fields::default();
    let (mut start, mut count) = (0, 0);
    let mut request_line = None;
    // A line ends in CRLF, and neither of the two stands anywhere else.
    while let Some(length) = memchr2(b'\r', b'\n', raw.get(start..).unwrap_or_default()) {
        let (line, rest) = raw.get(start..).unwrap_or_default().split_at_checked(length).unwrap_or_default();
        require(rest.starts_with(b"\r\n"))?;
        if request_line.is_none() {
            request_line = Some(RequestLine::of(line)?);
        } else if !line.is_empty() {
            fields.see(line)?;
            count += 1;
        }
        start += length + 2;
    }
    if count > HEAD_FIELDS_MAX {
        return Err(Reason::HeaderTooLarge);
    }
    fields.judge(&request_line.ok_or(Reason::FramingInvalid)?)
}

/// The fields that decide where a request ends and whom it is for.
#[derive(Default)]
struct Fields<'a> {
    hosts: usize,
    host: &'a [u8],
    lengths: usize,
    encodings: usize,
}

impl<'a> Fields<'a> {
    fn see(&mut self, line: &'a [u8]) -> Result<(), Reason> {
        // A folded line begins with white space, and no name holds any.
        let (name, value) = split_once(line, b':').ok_or(Reason::FramingInvalid)?;
        require(is_token(name))?;
        let value = value.trim_ascii();
        if is_named(name, b"host") {
            self.hosts += 1;
            self.host = value;
        } else if is_named(name, b"content-length") {
            self.lengths += 1;
            require((1..=18).contains(&value.len()) && value.iter().all(u8::is_ascii_digit))?;
            require(!name.contains(&b'_'))?;
        } else if is_named(name, b"transfer-encoding") {
            self.encodings += 1;
            require(value.eq_ignore_ascii_case(b"chunked") && !name.contains(&b'_'))?;
        }
        Ok(())
    }

    fn judge(&self, line: &RequestLine<'_>) -> Result<(), Reason> {
        require(self.lengths + self.encodings < 2)?;
        // Chunks are unknown to HTTP/1.0 (RFC 9112 §6.1).
        require(self.encodings == 0 || line.version == Version::Http11)?;
        if line.method == b"CONNECT" {
            return Err(Reason::MethodNotAllowed);
        }
        let authority = line.authority()?;
        let is_one = self.hosts == 1 && is_host(self.host) && authority.is_none_or(|asked| asked == self.host);
        if is_one { Ok(()) } else { Err(Reason::HostInvalid) }
    }
}

const fn require(holds: bool) -> Result<(), Reason> {
    if holds { Ok(()) } else { Err(Reason::FramingInvalid) }
}

/// Whether a field is of this name. `_` for `-` is the same name to those who fold the two (CGI, WSGI).
fn is_named(found: &[u8], name: &[u8]) -> bool {
    let folded = |byte: &u8| if *byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
    found.len() == name.len() && found.iter().map(folded).eq(name.iter().copied())
}

fn split_once(bytes: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let (before, rest) = bytes.split_at_checked(memchr(at, bytes)?)?;
    Some((before, rest.get(1..)?))
}

/// Whether a target can be forwarded byte for byte. A fragment is for the client alone (RFC 9112 §3.2), and would be cut
/// off in silence; brackets and the like, and what is no UTF-8, are refused by the parser behind us without a word.
fn is_target(target: &[u8]) -> bool {
    let path_ends = memchr(b'?', target).unwrap_or(target.len());
    let (path, query) = target.split_at_checked(path_ends).unwrap_or((target, b""));
    let is_odd = |byte: &u8| *byte <= b' ' || b"#<>\x7f".contains(byte);
    let is_odd_in_path = |byte: &u8| *byte == b'`' || is_odd(byte);
    let is_odd_in_query = |byte: &u8| *byte == b'"' || is_odd(byte);
    let is_plain = !path.iter().any(is_odd_in_path) && !query.iter().any(is_odd_in_query);
    !target.is_empty() && is_plain && str::from_utf8(target).is_ok()
}

/// Whether a field can be a host name or address with a port, by its bytes. Which it is, is judged later.
fn is_host(host: &[u8]) -> bool {
    let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(byte);
    !host.is_empty() && host.iter().all(is_allowed)
}

/// RFC 9110 §5.6.2.
fn is_token(bytes: &[u8]) -> bool {
    let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !bytes.is_empty() && bytes.iter().all(is_allowed)
}

#[cfg(test)]
mod tests;
