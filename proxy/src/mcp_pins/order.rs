//! What an operator asks about pinned tools, and what he is told.

use filters::{Change, Difference, NotAccepted, Pin, Pins, differences};
use passport::UnixTime;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What an operator asks. A tool is named; where several endpoints have it, so is the endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
pub enum PinOrder {
    /// What is pinned.
    List {
        /// Only of this site, or of this endpoint, by its URL.
        site: Option<String>,
    },
    /// What became of a tool.
    Diff {
        /// At this site or endpoint.
        site: Option<String>,
        /// Its name.
        tool: String,
    },
    /// Accept what a tool has become.
    Accept {
        /// At this site or endpoint.
        site: Option<String>,
        /// Its name.
        tool: String,
        /// How the digest begins of the definition that is meant.
        hash: Option<String>,
    },
    /// Accept what every tool has become.
    AcceptAll {
        /// Only of this site or endpoint.
        site: Option<String>,
    },
    /// Believe the next definition, whatever it is.
    Forget {
        /// At this site or endpoint.
        site: Option<String>,
        /// Its name.
        tool: String,
    },
}

/// A tool that is pinned, as it is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PinRow {
    /// The URL of the endpoint.
    pub endpoint: String,
    /// Its name.
    pub tool: String,
    /// How it stands.
    pub state: PinState,
    /// The digest of what it is accepted as.
    pub hash: String,
    /// When it was first seen, in seconds since 1970.
    pub first_seen: UnixTime,
    /// The digest of what it has become.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_hash: Option<String>,
    /// When that was first seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_at: Option<UnixTime>,
    /// What is different, if that was asked for: members with `at`, `before` and `after`. `None` where a definition is too
    /// long to be kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub differences: Option<Vec<Value>>,
}

/// How a pinned tool stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PinState {
    /// It is what it was accepted as.
    Accepted,
    /// It has become another.
    Changed,
}

/// Why an order about pins is not carried out.
#[derive(Debug, thiserror::Error)]
pub enum PinsRefused {
    /// No such tool.
    #[error("no tool {0} is pinned{at}: see `lime mcp pins list`", at = .1.as_ref().map(|site| format!(" at {site}")).unwrap_or_default())]
    NoSuchTool(String, Option<String>),
    /// Several endpoints have it.
    #[error("several endpoints have a tool {0}: add --site with one of {1}")]
    Ambiguous(String, String),
    /// The change cannot be accepted.
    #[error("{0}: {1}")]
    NotAccepted(String, #[source] NotAccepted),
    /// There is no state of a gateway.
    #[error("no gateway has run with this state folder, or its secret cannot be read")]
    NoState,
    /// The file of pins cannot be used.
    #[error("what is pinned cannot be read or written")]
    State(#[source] Box<crate::StateError>),
}

impl PinOrder {
    /// Whether it changes what is pinned.
    pub(crate) const fn changes(&self) -> bool {
        match self {
            Self::List { .. } | Self::Diff { .. } => false,
            Self::Accept { .. } | Self::AcceptAll { .. } | Self::Forget { .. } => true,
        }
    }

    /// Answers what changes nothing.
    pub(super) fn read(&self, pins: &Pins) -> Result<Vec<PinRow>, PinsRefused> {
        match self {
            Self::Diff { site, tool } => {
                let endpoint = the_one(pins, site.as_deref(), tool)?;
                let row = pins.pin(&endpoint, tool).map(|pin| diff(&endpoint, tool, pin));
                Ok(row.into_iter().collect())
            }
            Self::List { site } | Self::AcceptAll { site } => Ok(rows(pins, site.as_deref())),
            Self::Accept { site, .. } | Self::Forget { site, .. } => Ok(rows(pins, site.as_deref())),
        }
    }

    /// Carries out what changes something, and tells how those tools stand that it was about.
    pub(super) fn carry_out(&self, pins: &mut Pins) -> Result<Vec<PinRow>, PinsRefused> {
        match self {
            Self::List { .. } | Self::Diff { .. } => self.read(pins),
            Self::Accept { site, tool, hash } => {
                let endpoint = the_one(pins, site.as_deref(), tool)?;
                let accepted = pins.accept(&endpoint, tool, hash.as_deref());
                accepted.map_err(|cause| PinsRefused::NotAccepted(tool.clone(), cause))?;
                Ok(pins.pin(&endpoint, tool).map(|pin| row(&endpoint, tool, pin)).into_iter().collect())
            }
            Self::AcceptAll { site } => {
                let changed = rows(pins, site.as_deref()).into_iter().filter(|row| row.state == PinState::Changed);
                let mut accepted = Vec::new();
                for PinRow { endpoint, tool, .. } in changed {
                    pins.accept(&endpoint, &tool, None)
                        .map_err(|cause| PinsRefused::NotAccepted(tool.clone(), cause))?;
                    accepted.extend(pins.pin(&endpoint, &tool).map(|pin| row(&endpoint, &tool, pin)));
                }
                Ok(accepted)
            }
            Self::Forget { site, tool } => {
                let endpoint = the_one(pins, site.as_deref(), tool)?;
                let row = pins.pin(&endpoint, tool).map(|pin| row(&endpoint, tool, pin));
                pins.forget(&endpoint, tool);
                Ok(row.into_iter().collect())
            }
        }
    }
}

/// The endpoint that has a tool.
fn the_one(pins: &Pins, site: Option<&str>, tool: &str) -> Result<String, PinsRefused> {
    let found = pins.pins().filter(|(endpoint, name, _)| *name == tool && is_at(endpoint, site));
    let found: Vec<String> = found.map(|(endpoint, _, _)| endpoint.to_owned()).collect();
    match &*found {
        [] => Err(PinsRefused::NoSuchTool(tool.to_owned(), site.map(str::to_owned))),
        [endpoint] => Ok(endpoint.clone()),
        _ => Err(PinsRefused::Ambiguous(tool.to_owned(), found.join(", "))),
    }
}

fn rows(pins: &Pins, site: Option<&str>) -> Vec<PinRow> {
    let found = pins.pins().filter(|(endpoint, _, _)| is_at(endpoint, site));
    found.map(|(endpoint, tool, pin)| row(endpoint, tool, pin)).collect()
}

fn is_at(endpoint: &str, site: Option<&str>) -> bool {
    site.is_none_or(|site| site == endpoint || site == site_of(endpoint))
}

/// The URL of an endpoint's site: scheme and host of it.
pub(super) fn site_of(endpoint: &str) -> &str {
    let start = endpoint.find("://").map_or(0, |at| at + 3);
    let end = endpoint.get(start..).and_then(|rest| rest.find('/')).map_or(endpoint.len(), |at| start + at);
    endpoint.get(..end).unwrap_or(endpoint)
}

fn row(endpoint: &str, tool: &str, pin: &Pin) -> PinRow {
    PinRow {
        endpoint: endpoint.to_owned(),
        tool: tool.to_owned(),
        state: if pin.change.is_some() { PinState::Changed } else { PinState::Accepted },
        hash: pin.accepted.hash().to_owned(),
        first_seen: pin.first_seen,
        changed_hash: pin.change.as_ref().map(|change| change.definition.hash().to_owned()),
        changed_at: pin.change.as_ref().map(|change| change.seen_at),
        differences: None,
    }
}

fn diff(endpoint: &str, tool: &str, pin: &Pin) -> PinRow {
    let found = |change: &Change| differences(&pin.accepted, &change.definition);
    let told = |found: Vec<Difference>| found.iter().filter_map(|one| serde_json::to_value(one).ok()).collect();
    let differences = pin.change.as_ref().map_or_else(|| Some(Vec::new()), |change| found(change).map(told));
    PinRow { differences, ..row(endpoint, tool, pin) }
}
