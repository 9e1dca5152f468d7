use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::{AuditLine, begin};
use crate::clock::Timestamp;

/// For how long refusals are counted to the first, in milliseconds.
const WINDOW_MILLIS: u64 = 10_000;

/// Most windows that are open at once, of some 1 KiB each. Beyond it refusals are written one by one, as without this.
const WINDOWS_MAX: usize = 1024;

/// What is the same in refusals that are like each other.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) site: Box<str>,
    pub(super) endpoint: Box<str>,
    pub(super) issuer: Option<Box<str>>,
    pub(super) agent: Option<Box<str>>,
    pub(super) client: Option<Box<str>>,
    pub(super) method: Option<Box<str>>,
    pub(super) target: Option<Box<str>>,
    pub(super) reason: Option<Box<str>>,
}

/// Refusals that are counted.
#[derive(Debug, Default)]
pub(super) struct Coalescer(HashMap<Key, Window>);

#[derive(Debug)]
struct Window {
    ends: u64,
    /// The first line, without its time and its end.
    line: Vec<u8>,
    repeated: u64,
}

/// Which windows are closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Those that have ended.
    Ended,
    /// All: the process stops.
    All,
}

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// It is in the text, with what was due before it.
    Written,
    /// It was counted.
    Counted,
}

impl Coalescer {
    /// Takes a refusal.
    pub(super) fn take(&mut self, key: Key, line: &AuditLine<'_>, text: &mut Vec<u8>) -> Taken {
        let now = line.at.as_millis();
        let is_full = self.0.len() >= WINDOWS_MAX;
        match self.0.entry(key) {
            Entry::Occupied(mut window) if now < window.get().ends => {
                window.get_mut().repeated += 1;
                return Taken::Counted;
            }
            Entry::Occupied(mut window) => {
                window.get().write_to(line.at, text);
                window.insert(Window::begin(line));
            }
            Entry::Vacant(_) if is_full => {}
            Entry::Vacant(place) => drop(place.insert(Window::begin(line))),
        }
        line.write_to(text);
        Taken::Written
    }

    /// Closes windows, and writes what was counted in them.
    pub(super) fn sweep(&mut self, now: Timestamp, due: Due, text: &mut Vec<u8>) {
        self.0.retain(|_, window| {
            let is_due = match due {
                Due::Ended => now.as_millis() >= window.ends,
                Due::All => true,
            };
            if is_due {
                window.write_to(now, text);
            }
            !is_due
        });
    }
}

impl Window {
    fn begin(line: &AuditLine<'_>) -> Self {
        let mut rest = Vec::new();
        line.write_rest(&mut rest);
        Self { ends: line.at.as_millis().saturating_add(WINDOW_MILLIS), line: rest, repeated: 0 }
    }

    /// Writes what was counted, if something was.
    fn write_to(&self, at: Timestamp, text: &mut Vec<u8>) {
        if self.repeated > 0 {
            begin(at, text);
            text.extend_from_slice(&self.line);
            text.extend_from_slice(format!(",\"repeated\":{}}}\n", self.repeated).as_bytes());
        }
    }
}
