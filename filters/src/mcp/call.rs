//! What is known of a message once it was judged: for the log, and for whoever looks at its answer.

use std::ops::Range;

use config::{McpRule, RuleKind};

use super::era::Era;
use super::message::{Kind, Message};

/// A message that was read, without its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// What kind of message it is.
    pub kind: Kind,
    /// Which way of the protocol its sender goes.
    pub era: Era,
    /// Its `id` as it was written: the answer has the same.
    pub id: Option<Box<str>>,
    /// Its method; `None` for a response.
    pub method: Option<Box<str>>,
    /// What it is about, the first thing if it is about several.
    pub target: Option<(RuleKind, Box<str>)>,
    /// Where its arguments stand in the body.
    pub arguments: Option<Range<usize>>,
    /// The trace it belongs to, as its sender says.
    pub trace_parent: Option<Box<str>>,
    /// The rule it was judged by, as the log names it.
    pub rule: Option<Box<str>>,
}

impl Call {
    pub(crate) fn new(message: &Message<'_>, era: Era, body: &[u8]) -> Self {
        let boxed = |text: &str| Box::<str>::from(text);
        Self {
            kind: message.kind,
            era,
            id: message.id.map(boxed),
            method: message.method.as_deref().map(boxed),
            target: message.targets.first().map(|(kind, name)| (*kind, boxed(name))),
            arguments: message.arguments.and_then(|arguments| place(body, arguments)),
            trace_parent: message.trace_parent.as_deref().map(boxed),
            rule: None,
        }
    }

    pub(crate) fn judged_by(&mut self, rule: Option<&McpRule>) {
        self.rule = rule.map(|rule| rule.name().into());
    }
}

/// Where a part of a body stands in it.
fn place(body: &[u8], part: &str) -> Option<Range<usize>> {
    let start = part.as_ptr().addr().checked_sub(body.as_ptr().addr())?;
    let range = start..start.checked_add(part.len())?;
    (body.get(range.clone())? == part.as_bytes()).then_some(range)
}
