//! One line for each message to an MCP endpoint, allowed or not, in the stream of the access log.
//!
//! Whoever is refused may ask again a thousand times: the first refusal is written at once, those like it within ten
//! seconds are counted and written as one line.

use std::time::Duration;

use config::{AuditedArguments, RuleKind};
use filters::{DecisionWord, arguments_digest, redacted_arguments};
use parking_lot::Mutex;

use crate::access_log::AccessLog;
use crate::clock::Timestamp;
use crate::json_line::{Members, millis};
pub(crate) use coalescer::Due;
use coalescer::{Coalescer, Key, Taken};

mod coalescer;

/// Longest name of a method, a tool, a resource or a prompt that is written, in bytes.
const NAME_BYTES_MAX: usize = 256;

/// Longest arguments that are written, in bytes; of longer ones their digest is.
const ARGUMENTS_BYTES_MAX: usize = 4096;

/// How often counted refusals are looked at.
pub(crate) const SWEPT_EVERY: Duration = Duration::from_secs(1);

/// Writes audit lines.
#[derive(Debug)]
pub(crate) struct Audit {
    log: AccessLog,
    refusals: Mutex<Coalescer>,
}

impl Audit {
    pub(crate) fn new(log: AccessLog) -> Self {
        Self { log, refusals: Mutex::default() }
    }

    /// Writes a line, or counts it to one that was written.
    pub(crate) fn write(&self, line: &AuditLine<'_>) {
        let mut text = Vec::with_capacity(512);
        if line.is_refusal() {
            match self.refusals.lock().take(line.key(), line, &mut text) {
                Taken::Written => self.log.append(&text),
                Taken::Counted => {}
            }
        } else {
            line.write_to(&mut text);
            self.log.append(&text);
        }
    }

    /// Writes what was counted and is due.
    pub(crate) fn sweep(&self, now: Timestamp, due: Due) {
        let mut text = Vec::new();
        self.refusals.lock().sweep(now, due, &mut text);
        if !text.is_empty() {
            self.log.append(&text);
        }
    }
}

/// What a message says, kept until its line is written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spoken {
    /// Of the trace that it is a part of (W3C Trace Context).
    pub(crate) trace_id: Option<Box<str>>,
    pub(crate) era: Option<&'static str>,
    pub(crate) method: Option<Box<str>>,
    /// What it is about.
    pub(crate) target: Option<(RuleKind, Box<str>)>,
    pub(crate) arguments: Option<Arguments>,
}

/// What is written of arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Arguments {
    /// SHA-256, in hex.
    Digest(String),
    /// JSON.
    Values(String),
}

impl Arguments {
    /// What is to be written of arguments as they were sent.
    pub(crate) fn of(sent: &str, audited: &AuditedArguments) -> Self {
        let values = match audited {
            AuditedArguments::Digest => None,
            AuditedArguments::Values { redact } => redacted_arguments(sent, redact, ARGUMENTS_BYTES_MAX),
        };
        values.map_or_else(|| Self::Digest(arguments_digest(sent)), Self::Values)
    }
}

/// Who sent a message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) agent: &'a str,
    /// The client of OAuth, where the token names one.
    pub(crate) client: Option<&'a str>,
}

/// What a line says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AuditLine<'a> {
    pub(crate) at: Timestamp,
    pub(crate) request_id: &'a str,
    pub(crate) site: &'a str,
    /// The URL of the endpoint.
    pub(crate) endpoint: &'a str,
    pub(crate) caller: Option<Caller<'a>>,
    /// The session of the client, whose digest is written.
    pub(crate) session: Option<&'a [u8]>,
    /// Nothing of it is known where the message was refused unread.
    pub(crate) spoken: &'a Spoken,
    pub(crate) decision: DecisionWord,
    pub(crate) rule: Option<&'a str>,
    pub(crate) policy: Option<&'a str>,
    pub(crate) reason: Option<&'a str>,
    pub(crate) status: Option<u16>,
    pub(crate) took: Duration,
}

impl AuditLine<'_> {
    /// What would have been refused was carried out, and is told each time.
    const fn is_refusal(&self) -> bool {
        match self.decision {
            DecisionWord::Deny => true,
            DecisionWord::WouldDeny | DecisionWord::Allow | DecisionWord::Challenge | DecisionWord::Error => false,
        }
    }

    /// Refusals that differ in nothing of this are like each other.
    fn key(&self) -> Key {
        let owned = |text: Option<&str>| text.map(|text| cut(text).into());
        Key {
            site: self.site.into(),
            endpoint: self.endpoint.into(),
            issuer: self.caller.map(|caller| caller.issuer.into()),
            agent: self.caller.map(|caller| caller.agent.into()),
            client: self.caller.and_then(|caller| caller.client).map(Box::from),
            method: owned(self.spoken.method.as_deref()),
            target: owned(self.spoken.target.as_ref().map(|(_, name)| &**name)),
            reason: owned(self.reason),
        }
    }

    fn write_to(&self, line: &mut Vec<u8>) {
        begin(self.at, line);
        self.write_rest(line);
        line.extend_from_slice(b"}\n");
    }

    /// All but the time and the end.
    fn write_rest(&self, line: &mut Vec<u8>) {
        let mut members = Members { line, separator: b',' };
        members.text("level", "info");
        members.text("msg", "mcp");
        members.text("request_id", self.request_id);
        if let Some(trace_id) = &self.spoken.trace_id {
            members.text("trace_id", trace_id);
        }
        members.text("site", self.site);
        members.text("endpoint", self.endpoint);
        if let Some(caller) = self.caller {
            members.text("iss", caller.issuer);
            members.text("agent_id", caller.agent);
            if let Some(client) = caller.client {
                members.text("client_id", client);
            }
        }
        if let Some(session) = self.session {
            // A session is half a credential; this tells two apart.
            let digest = arguments_digest(&String::from_utf8_lossy(session));
            members.text("session", digest.get(..16).unwrap_or_default());
        }
        self.write_spoken(&mut members);
        members.text("decision", self.decision.as_str());
        let rest = [("rule", self.rule), ("policy", self.policy), ("reason", self.reason)];
        for (name, text) in rest {
            if let Some(text) = text {
                members.text(name, text);
            }
        }
        match self.status {
            Some(status) => members.number("status", status),
            None => members.number("status", "null"),
        }
        members.number("duration_ms", millis(self.took));
    }

    fn write_spoken(&self, members: &mut Members<'_>) {
        if let Some(era) = self.spoken.era {
            members.text("era", era);
        }
        if let Some(method) = &self.spoken.method {
            members.text("method", cut(method));
        }
        if let Some((kind, name)) = &self.spoken.target {
            members.text(kind.as_str(), cut(name));
        }
        match &self.spoken.arguments {
            Some(Arguments::Digest(digest)) => members.text("arguments_sha256", digest),
            Some(Arguments::Values(values)) => members.number("arguments", values),
            None => {}
        }
    }
}

fn begin(at: Timestamp, line: &mut Vec<u8>) {
    Members { line, separator: b'{' }.shown("ts", at);
}

/// The beginning of a name, whole letters only.
fn cut(name: &str) -> &str {
    name.get(..name.floor_char_boundary(NAME_BYTES_MAX)).unwrap_or_default()
}

/// The id of a trace, out of a `traceparent` (W3C Trace Context, level 1).
pub(crate) fn trace_id(trace_parent: &str) -> Option<&str> {
    let mut parts = trace_parent.split('-');
    let (version, id) = (parts.next()?, parts.next()?);
    let is_hex = |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (version.len() == 2 && is_hex(version) && id.len() == 32 && is_hex(id)).then_some(id)
}

#[cfg(test)]
mod tests;
