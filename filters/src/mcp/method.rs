//! The methods of the protocol, in both eras.

use super::era::Era::{self, Handshake, Stateless};

/// A method of the protocol.
#[derive(Debug)]
pub(super) struct Known {
    name: &'static str,
    era: Option<Era>,
    about: About,
}

/// What a method is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum About {
    /// Nothing that rules tell apart: what a client cannot do without, and what asks for nothing of the server's own.
    Protocol,
    /// A tool, a resource or a prompt, by its name.
    Named,
    /// What a tool is at, or has found, by the id of a task.
    Task,
}

const KNOWN: [Known; 26] = [
    handshake("initialize", About::Protocol),
    handshake("ping", About::Protocol),
    stateless("server/discover", About::Protocol),
    both("tools/list", About::Protocol),
    both("tools/call", About::Named),
    both("resources/list", About::Protocol),
    both("resources/templates/list", About::Protocol),
    both("resources/read", About::Named),
    handshake("resources/subscribe", About::Named),
    handshake("resources/unsubscribe", About::Named),
    both("prompts/list", About::Protocol),
    both("prompts/get", About::Named),
    both("completion/complete", About::Named),
    stateless("subscriptions/listen", About::Protocol),
    handshake("logging/setLevel", About::Protocol),
    both("tasks/get", About::Task),
    handshake("tasks/result", About::Task),
    stateless("tasks/update", About::Task),
    both("tasks/cancel", About::Task),
    handshake("tasks/list", About::Task),
    handshake("notifications/initialized", About::Protocol),
    both("notifications/cancelled", About::Protocol),
    both("notifications/progress", About::Protocol),
    handshake("notifications/roots/list_changed", About::Protocol),
    handshake("notifications/tasks/status", About::Protocol),
    handshake("notifications/elicitation/complete", About::Protocol),
];

const fn both(name: &'static str, about: About) -> Known {
    Known { name, era: None, about }
}

const fn handshake(name: &'static str, about: About) -> Known {
    Known { name, era: Some(Handshake), about }
}

const fn stateless(name: &'static str, about: About) -> Known {
    Known { name, era: Some(Stateless), about }
}

/// The names of all methods of the protocol.
pub fn mcp_methods() -> impl Iterator<Item = &'static str> {
    KNOWN.iter().map(|known| known.name)
}

/// A method, if it is one of the protocol's.
pub(super) fn known(name: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.name == name)
}

impl Known {
    /// Whether it asks for nothing that rules are about.
    pub(super) fn is_protocol(&self) -> bool {
        self.about == About::Protocol
    }

    /// Whether it is one of an era.
    pub(super) fn is_of(&self, era: Era) -> bool {
        self.era.is_none_or(|own| own == era)
    }
}
