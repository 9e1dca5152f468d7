//! The answer to a request for a list, as it comes from the server: one document, or events of which one is the list.

use super::events::{EventFilter, Passing};
use super::listing::{CacheScope, Judge, filter_lists};
use super::object::Unreadable;

/// JSON-RPC 2.0 §5.1.
const INTERNAL_ERROR: i32 = -32603;

/// What a caller is told in place of a list that cannot be judged.
const REFUSED: &str = "The server's answer could not be read safely, and was not passed on.";

/// How an answer comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerForm {
    /// As one document: `application/json`, or what should be.
    Document,
    /// As events: `text/event-stream`.
    Events,
}

/// Why an answer, or a part of it, is not passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerFault {
    /// It could be read in two ways, or in none.
    #[error("the server's answer to a request for a list {0}")]
    Unreadable(#[from] Unreadable),
    /// It is longer than what is held.
    #[error("the server's answer to a request for a list is longer than `body_bytes_max`")]
    TooLong,
    /// It is compressed, which the server was not asked for.
    #[error("the server's answer to a request for a list is compressed, although no compression was asked for")]
    Encoded,
}

/// How much of an answer has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// More will come.
    Some,
    /// This was the last.
    Last,
}

/// Takes an answer piece by piece, and gives what may be passed on of it.
#[derive(Debug)]
pub struct AnswerFilter {
    state: State,
    /// The id of the request, as JSON; `None` on a stream that may bring answers to several.
    id: Option<Box<str>>,
    cache_scope: CacheScope,
    bytes_max: usize,
    /// The first thing that was wrong.
    fault: Option<AnswerFault>,
}

#[derive(Debug)]
enum State {
    Document(Vec<u8>),
    Events(EventFilter),
    /// Nothing more of the document is passed on.
    Over,
    /// Nothing more of the events is.
    BrokenOff,
}

impl AnswerFilter {
    /// Holds at most `bytes_max` bytes: of a document, or of an event.
    #[must_use]
    pub const fn new(form: AnswerForm, id: Option<Box<str>>, cache_scope: CacheScope, bytes_max: usize) -> Self {
        let state = match form {
            AnswerForm::Document => State::Document(Vec::new()),
            AnswerForm::Events => State::Events(EventFilter::new(bytes_max)),
        };
        Self { state, id, cache_scope, bytes_max, fault: None }
    }

    /// Takes what came next, and gives what goes on.
    pub fn push(&mut self, piece: &[u8], part: Part, judge: &mut Judge<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        match &mut self.state {
            State::Document(held) if held.len() + piece.len() > self.bytes_max => {
                out = self.refuse(AnswerFault::TooLong);
                self.state = State::Over;
            }
            State::Document(held) => {
                held.extend_from_slice(piece);
                if part == Part::Last {
                    let whole = std::mem::take(held);
                    out = self.document(whole, judge);
                    self.state = State::Over;
                }
            }
            State::Events(_) => self.events(piece, part, judge, &mut out),
            State::Over | State::BrokenOff => {}
        }
        out
    }

    /// Lets an answer that cannot be read be none.
    pub fn give_up(&mut self, fault: AnswerFault) {
        self.fault = self.fault.or(Some(fault));
        self.state = State::Document(Vec::new());
        self.bytes_max = 0;
    }

    /// Whether these are events of which no more is passed on, however long they go on: the client is better off without
    /// the connection.
    #[must_use]
    pub const fn is_broken_off(&self) -> bool {
        matches!(self.state, State::BrokenOff)
    }

    /// What was wrong with the answer, if something was.
    #[must_use]
    pub const fn fault(&self) -> Option<AnswerFault> {
        self.fault
    }

    fn document(&mut self, whole: Vec<u8>, judge: &mut Judge<'_>) -> Vec<u8> {
        if whole.trim_ascii().is_empty() {
            return match self.fault {
                Some(fault) => self.refuse(fault),
                None => whole,
            };
        }
        let filtered = filter_lists(&whole, self.cache_scope, judge).map(|found| match found {
            std::borrow::Cow::Borrowed(_) => None,
            std::borrow::Cow::Owned(other) => Some(other),
        });
        match filtered {
            Ok(other) => other.unwrap_or(whole),
            Err(fault) => self.refuse(fault.into()),
        }
    }

    fn events(&mut self, piece: &[u8], part: Part, judge: &mut Judge<'_>, out: &mut Vec<u8>) {
        let (cache_scope, mut found) = (self.cache_scope, None);
        let refusal = self.id.as_deref().map(refusal);
        let mut of_data = |data: &[u8]| match of_event(data, cache_scope, judge) {
            Ok(passing) => passing,
            Err(fault) => {
                found = found.or(Some(AnswerFault::Unreadable(fault)));
                refusal.clone().map_or(Passing::Without, Passing::With)
            }
        };
        let State::Events(filter) = &mut self.state else { return };
        let pushed = filter.push(piece, &mut of_data, out);
        if pushed.is_ok() && part == Part::Last {
            filter.finish(&mut of_data, out);
        }
        self.fault = self.fault.or(found);
        if pushed.is_err() {
            // What was passed on ended with an event.
            if let Some(refusal) = refusal {
                out.extend_from_slice(&[b"data: ", &*refusal, b"\n\n"].concat());
            }
            self.fault = self.fault.or(Some(AnswerFault::TooLong));
            self.state = State::BrokenOff;
        }
    }

    fn refuse(&mut self, fault: AnswerFault) -> Vec<u8> {
        self.fault = self.fault.or(Some(fault));
        self.id.as_deref().map(refusal).unwrap_or_default()
    }
}

/// What begins neither an object nor a list is no message of JSON-RPC: pings are written so, and priming events.
fn of_event(data: &[u8], cache_scope: CacheScope, judge: &mut Judge<'_>) -> Result<Passing, Unreadable> {
    match data.trim_ascii_start().first() {
        Some(b'{' | b'[') => Ok(match filter_lists(data, cache_scope, judge)? {
            std::borrow::Cow::Borrowed(_) => Passing::AsItIs,
            std::borrow::Cow::Owned(other) => Passing::With(other),
        }),
        Some(_) | None => Ok(Passing::AsItIs),
    }
}

fn refusal(id: &str) -> Vec<u8> {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{INTERNAL_ERROR},"message":"{REFUSED}"}}}}"#).into_bytes()
}

#[cfg(test)]
mod tests;
