//! Tool pinning: the definition of each tool as it was first seen, and those that are another since.
//!
//! A tool that is seen for the first time is believed; what is remembered is only that it may not become another tool
//! under the same name without anybody noticing. Pure: the time is an argument, and keeping it is somebody else's work.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use passport::UnixTime;
use serde::{Deserialize, Serialize};

use super::definition::Definition;

/// Most tools of one endpoint: models get lost in a tenth of that.
const TOOLS_MAX: usize = 1000;

/// Most tools of all endpoints.
const ALL_TOOLS_MAX: usize = 20_000;

/// Most bytes of texts that are kept of all definitions together. Beyond it digests are kept alone.
const TEXT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Longest name of a tool, in bytes: the protocol advises 128.
const NAME_BYTES_MAX: usize = 256;

/// A tool is again what it was accepted as only once its other definition was not seen for so long: with several servers
/// behind one URL, old and new take turns while one is replaced by the other.
const SETTLED_AFTER: Duration = Duration::from_secs(600);

/// How often it is noted that a changed definition was seen again.
const NOTED_EVERY: Duration = Duration::from_secs(60);

/// By the URL of the endpoint and the name of the tool.
type ByEndpoint = BTreeMap<Box<str>, BTreeMap<Box<str>, Pin>>;

/// What is pinned.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "ByEndpoint", into = "ByEndpoint")]
pub struct Pins {
    by_endpoint: ByEndpoint,
    /// Bytes of all texts that are kept.
    text_bytes: usize,
}

/// A tool that is pinned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// What it is accepted as.
    pub accepted: Definition,
    /// When it was seen first.
    pub first_seen: UnixTime,
    /// What it is instead, until that is accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
}

/// A definition that nobody accepted yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// What the tool is now.
    pub definition: Definition,
    /// When it was first seen to be another.
    pub seen_at: UnixTime,
    /// When that was noted last.
    pub last_seen: UnixTime,
}

/// What is known of a definition that a server shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinVerdict {
    /// Its tool was not known, and is pinned to it now.
    New,
    /// It is what its tool is accepted as.
    Same,
    /// Its tool is accepted as another one.
    Changed,
    /// Its tool is not known, and there is no room for it.
    NoRoom,
}

/// The tools of one endpoint that nobody may call, where pins are enforced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HiddenTools {
    /// Those that have become others than they were accepted as.
    changed: HashSet<Box<str>>,
    /// Where there is no room for more: those that are pinned. Any other has nothing that it could be held against.
    pinned: Option<HashSet<Box<str>>>,
}

impl HiddenTools {
    /// Whether a tool is one of them.
    #[must_use]
    pub fn hides(&self, tool: &str) -> bool {
        self.changed.contains(tool) || self.pinned.as_ref().is_some_and(|pinned| !pinned.contains(tool))
    }

    /// How many have become others.
    #[must_use]
    pub fn changed(&self) -> usize {
        self.changed.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.pinned.is_none()
    }
}

/// Why a change is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAccepted {
    /// No such tool.
    #[error("no tool of this name is pinned")]
    Unknown,
    /// Nothing to accept.
    #[error("the tool is what it was accepted as")]
    Unchanged,
    /// It has changed again since the operator looked.
    #[error("the tool has another definition now than the one named: look at it again")]
    Another,
}

impl From<ByEndpoint> for Pins {
    fn from(by_endpoint: ByEndpoint) -> Self {
        let text_bytes = by_endpoint.values().flat_map(BTreeMap::values).map(Pin::bytes).sum();
        Self { by_endpoint, text_bytes }
    }
}

impl From<Pins> for ByEndpoint {
    fn from(pins: Pins) -> Self {
        pins.by_endpoint
    }
}

impl Pins {
    /// What is known of a definition, if looking at it changes nothing that is kept.
    #[must_use]
    pub fn peek(&self, endpoint: &str, tool: &str, shown: &Definition, now: UnixTime) -> Option<PinVerdict> {
        let pin = self.pin(endpoint, tool)?;
        let is_accepted = pin.accepted.hash() == shown.hash();
        match &pin.change {
            None => is_accepted.then_some(PinVerdict::Same),
            Some(change) if is_accepted => (now.since(change.last_seen) < SETTLED_AFTER).then_some(PinVerdict::Changed),
            Some(change) => {
                let is_noted = now.since(change.last_seen) < NOTED_EVERY;
                (is_noted && change.definition.hash() == shown.hash()).then_some(PinVerdict::Changed)
            }
        }
    }

    /// Takes note of a definition, and says what is known of it.
    pub fn judge(&mut self, endpoint: &str, tool: &str, shown: Definition, now: UnixTime) -> PinVerdict {
        let shown = if self.text_bytes + shown.bytes() > TEXT_BYTES_MAX { shown.without_text() } else { shown };
        let Some(pin) = self.by_endpoint.get_mut(endpoint).and_then(|tools| tools.get_mut(tool)) else {
            return self.pin_new(endpoint, tool, shown, now);
        };
        let before = pin.bytes();
        let verdict = pin.judge(shown, now);
        self.text_bytes = self.text_bytes.saturating_sub(before) + pin.bytes();
        verdict
    }

    fn pin_new(&mut self, endpoint: &str, tool: &str, shown: Definition, now: UnixTime) -> PinVerdict {
        if tool.len() > NAME_BYTES_MAX || self.is_full(endpoint) {
            return PinVerdict::NoRoom;
        }
        let pin = Pin { accepted: shown, first_seen: now, change: None };
        self.text_bytes += pin.bytes();
        self.by_endpoint.entry(endpoint.into()).or_default().insert(tool.into(), pin);
        PinVerdict::New
    }

    /// Accepts what a tool has become. `hash`: how the digest begins of the definition that is meant.
    ///
    /// # Errors
    /// [`NotAccepted`].
    pub fn accept(&mut self, endpoint: &str, tool: &str, hash: Option<&str>) -> Result<(), NotAccepted> {
        let tools = self.by_endpoint.get_mut(endpoint);
        let pin = tools.and_then(|tools| tools.get_mut(tool)).ok_or(NotAccepted::Unknown)?;
        let change = pin.change.as_ref().ok_or(NotAccepted::Unchanged)?;
        if hash.is_some_and(|hash| !change.definition.hash().starts_with(hash)) {
            return Err(NotAccepted::Another);
        }
        if let Some(change) = pin.change.take() {
            self.text_bytes = self.text_bytes.saturating_sub(pin.accepted.bytes());
            pin.accepted = change.definition;
        }
        Ok(())
    }

    /// Forgets a tool: whatever it is seen as next is believed. Whether it was known.
    pub fn forget(&mut self, endpoint: &str, tool: &str) -> bool {
        let Some(pin) = self.by_endpoint.get_mut(endpoint).and_then(|tools| tools.remove(tool)) else { return false };
        self.text_bytes = self.text_bytes.saturating_sub(pin.bytes());
        true
    }

    /// A tool, if it is pinned.
    #[must_use]
    pub fn pin(&self, endpoint: &str, tool: &str) -> Option<&Pin> {
        self.by_endpoint.get(endpoint)?.get(tool)
    }

    /// All of them: endpoint, tool, and what is kept of it; by name.
    pub fn pins(&self) -> impl Iterator<Item = (&str, &str, &Pin)> {
        self.by_endpoint
            .iter()
            .flat_map(|(endpoint, tools)| tools.iter().map(|(tool, pin)| (&**endpoint, &**tool, pin)))
    }

    /// The endpoints that have tools.
    pub fn endpoints(&self) -> impl Iterator<Item = &str> {
        self.by_endpoint.keys().map(|endpoint| &**endpoint)
    }

    /// What is hidden at an endpoint, also at one of which nothing is pinned.
    #[must_use]
    pub fn hidden_at(&self, endpoint: &str) -> HiddenTools {
        let tools = || self.by_endpoint.get(endpoint).into_iter().flatten();
        let changed = tools().filter(|(_, pin)| pin.change.is_some()).map(|(tool, _)| tool.clone()).collect();
        let pinned = self.is_full(endpoint).then(|| tools().map(|(tool, _)| tool.clone()).collect());
        HiddenTools { changed, pinned }
    }

    fn is_full(&self, endpoint: &str) -> bool {
        let of_endpoint = self.by_endpoint.get(endpoint).map_or(0, BTreeMap::len);
        of_endpoint >= TOOLS_MAX || self.by_endpoint.values().map(BTreeMap::len).sum::<usize>() >= ALL_TOOLS_MAX
    }
}

impl Pin {
    fn bytes(&self) -> usize {
        self.accepted.bytes() + self.change.as_ref().map_or(0, |change| change.definition.bytes())
    }

    fn judge(&mut self, shown: Definition, now: UnixTime) -> PinVerdict {
        let is_accepted = self.accepted.hash() == shown.hash();
        match &mut self.change {
            None if is_accepted => PinVerdict::Same,
            None => {
                self.change = Some(Change { definition: shown, seen_at: now, last_seen: now });
                PinVerdict::Changed
            }
            Some(change) if is_accepted && now.since(change.last_seen) < SETTLED_AFTER => PinVerdict::Changed,
            Some(_) if is_accepted => {
                self.change = None;
                PinVerdict::Same
            }
            Some(change) => {
                change.last_seen = now;
                if change.definition.hash() != shown.hash() {
                    change.definition = shown;
                }
                PinVerdict::Changed
            }
        }
    }
}

#[cfg(test)]
mod tests;
