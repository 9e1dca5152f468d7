//! One JSON line a request, on stdout.
//!
//! A request formats its line and leaves it in a buffer; one thread carries the buffer away. A slow reader of stdout
//! costs lines, which are counted, and never a request's time.

use std::cell::RefCell;
use std::fmt;
use std::io::{self, Write};
use std::net::IpAddr;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use config::{Mode, TrustedIssuer};
use filters::Decision;
use http::Method;
use parking_lot::{Condvar, Mutex};
use prometheus::IntCounter;

use crate::clock::Timestamp;
use crate::json_line::{Members, millis};

/// Most bytes that wait for the writer: some 8,000 lines.
const BUFFER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Lines are gathered for so long, so that a busy gateway writes hundreds at a time.
const GATHERING: Duration = Duration::from_millis(10);

/// Longest path that is written, in bytes.
const PATH_BYTES_MAX: usize = 2048;

/// Longest name of a client that is written, in bytes: those of browsers have half of it.
const USER_AGENT_BYTES_MAX: usize = 256;

thread_local! {
    static LINE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Where access lines go.
#[derive(Clone)]
pub(crate) struct AccessLog {
    shared: Arc<Shared>,
}

struct Shared {
    buffer: Mutex<Buffer>,
    filled: Condvar,
    dropped: IntCounter,
}

#[derive(Default)]
struct Buffer {
    lines: Vec<u8>,
    closed: bool,
}

/// The writer; it ends, with everything written, once the log is closed.
#[derive(Debug)]
pub(crate) struct Writer(JoinHandle<()>);

impl AccessLog {
    /// A log that is written to `out` by a thread of its own. `dropped` counts the lines that found no room.
    pub(crate) fn start(out: impl Write + Send + 'static, dropped: IntCounter) -> io::Result<(Self, Writer)> {
        let shared = Arc::new(Shared { buffer: Mutex::default(), filled: Condvar::new(), dropped });
        let log = Self { shared: Arc::clone(&shared) };
        let thread = thread::Builder::new().name("access-log".to_owned()).spawn(move || write_all(&shared, out))?;
        Ok((log, Writer(thread)))
    }

    pub(crate) fn write(&self, record: &Record<'_>) {
        LINE.with_borrow_mut(|line| {
            line.clear();
            record.write_to(line);
            self.append(line);
        });
    }

    /// Writes a whole line, or several.
    pub(crate) fn append(&self, line: &[u8]) {
        let mut buffer = self.shared.buffer.lock();
        if buffer.closed || buffer.lines.len() + line.len() > BUFFER_BYTES_MAX {
            drop(buffer);
            self.shared.dropped.inc();
            return;
        }
        let was_empty = buffer.lines.is_empty();
        buffer.lines.extend_from_slice(line);
        drop(buffer);
        if was_empty {
            self.shared.filled.notify_one();
        }
    }

    /// No more lines. What is in the buffer is still written.
    pub(crate) fn close(&self) {
        self.shared.buffer.lock().closed = true;
        self.shared.filled.notify_one();
    }
}

impl Writer {
    /// Whether the writer has ended.
    pub(crate) fn is_finished(&self) -> bool {
        self.0.is_finished()
    }
}

impl fmt::Debug for AccessLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessLog(..)")
    }
}

fn write_all(shared: &Shared, mut out: impl Write) {
    let mut lines = Vec::new();
    loop {
        let mut buffer = shared.buffer.lock();
        while buffer.lines.is_empty() && !buffer.closed {
            shared.filled.wait(&mut buffer);
        }
        if !buffer.closed {
            drop(buffer);
            thread::sleep(GATHERING);
            buffer = shared.buffer.lock();
        }
        std::mem::swap(&mut buffer.lines, &mut lines);
        let closed = buffer.closed;
        drop(buffer);
        // A reader that is gone takes no lines; the gateway serves on. EAGAIN and the like lose a batch, not the log.
        if out.write_all(&lines).and_then(|()| out.flush()).is_err() {
            shared.dropped.inc_by(lines.iter().filter(|byte| **byte == b'\n').fold(0, |count, _| count + 1));
        }
        lines.clear();
        if closed {
            return;
        }
    }
}

/// What a line says. Nothing in it is a credential, or came with one.
#[derive(Debug)]
pub(crate) struct Record<'a> {
    pub(crate) at: Timestamp,
    pub(crate) request_id: &'a str,
    pub(crate) site: Option<SiteWords<'a>>,
    pub(crate) method: Option<&'a Method>,
    pub(crate) path: &'a [u8],
    /// `None` when the client was gone before it was answered.
    pub(crate) status: Option<u16>,
    pub(crate) took: Duration,
    pub(crate) body_bytes: usize,
    pub(crate) client: Option<IpAddr>,
    /// What the client calls itself.
    pub(crate) user_agent: &'a [u8],
    pub(crate) decision: &'a Decision,
    /// Whether the origin was asked.
    pub(crate) forwarded: bool,
    /// What went wrong on the way, in words for the operator.
    pub(crate) note: Option<&'a str>,
}

/// A site, as the log names it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SiteWords<'a> {
    pub(crate) url: &'a str,
    pub(crate) issuers: &'a [Arc<TrustedIssuer>],
    pub(crate) upstream: &'a str,
    pub(crate) mode: Mode,
}

impl Record<'_> {
    fn write_to(&self, line: &mut Vec<u8>) {
        let decision = self.decision;
        let identity = decision.identity.as_deref();
        let mut members = Members { line, separator: b'{' };
        members.shown("ts", self.at);
        members.text("level", if self.status.is_some_and(|status| status >= 500) { "warn" } else { "info" });
        members.text("msg", "request");
        members.text("request_id", self.request_id);
        members.text("site", self.site.map_or("", |site| site.url));
        members.text("method", self.method.map_or("", Method::as_str));
        members.bytes("path", self.path.get(..PATH_BYTES_MAX).unwrap_or(self.path));
        match self.status {
            Some(status) => members.number("status", status),
            None => members.number("status", "null"),
        }
        members.number("duration_ms", millis(self.took));
        members.number("bytes", self.body_bytes);
        if let Some(client) = self.client {
            members.shown("client_ip", client);
        }
        if !self.user_agent.is_empty() {
            members.bytes("user_agent", self.user_agent.get(..USER_AGENT_BYTES_MAX).unwrap_or(self.user_agent));
        }
        if let Some(identity) = identity {
            members.text("agent_id", identity.agent.as_str());
        }
        members.text("agent_trust", decision.trust.as_str());
        if let Some(identity) = identity {
            members.text("credential", identity.shown_as.as_str());
            members.text("kid", identity.kid.as_ref().map_or("", passport::KeyId::as_str));
            let issuer = self.site.and_then(|site| site.issuers.get(identity.issuer));
            members.text("iss", issuer.map_or("", |issuer| issuer.url.as_str()));
        }
        members.text("decision", decision.word.as_str());
        if let Some(reason) = decision.reason {
            members.text("reason", reason.as_str());
        }
        if let Some(fault) = decision.fault {
            members.text("fault", fault.code());
        }
        if let Some(filters::WorkEvent::Asked { bits, .. } | filters::WorkEvent::Done { bits, .. }) = decision.work {
            members.number("bits", bits);
        }
        if let Some(policy) = &decision.policy {
            members.text("policy", policy.as_str());
        }
        if let Some(site) = self.site {
            members.text("mode", mode(site.mode));
            if self.forwarded {
                members.text("upstream", site.upstream);
            }
        }
        if let Some(note) = self.note {
            members.text("note", note);
        }
        line.extend_from_slice(b"}\n");
    }
}

pub(crate) const fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Off => "off",
        Mode::Observe => "observe",
        Mode::Enforce => "enforce",
    }
}

#[cfg(test)]
mod tests;
