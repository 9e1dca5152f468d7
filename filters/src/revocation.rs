//! Whose credentials count no longer, as the issuer's revocation log tells.

use std::collections::HashMap;
use std::sync::Arc;

use passport::{SiteId, UnixTime};
use serde::{Deserialize, Serialize};

use crate::Identity;

/// What a row of the log is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SubjectKind {
    /// An agent.
    Agent,
    /// An owner, and so all agents and sites of that owner.
    Owner,
    /// A site.
    Site,
    /// A signing key.
    Key,
}

/// A row of the log. A later one of the same `kind` and `id` replaces an earlier one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevocationRow {
    /// What `id` names.
    pub kind: SubjectKind,
    /// The subject: its id, for a key its `kid`.
    pub id: String,
    /// A credential of the subject counts only if it was issued later; the same second is refused.
    pub not_before: UnixTime,
    /// While set, no credential of the subject counts.
    pub suspended: bool,
}

/// What is known of one subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Standing {
    not_before: UnixTime,
    suspended: bool,
}

type Standings = HashMap<Arc<str>, Standing>;

/// The log's newest row of every subject. Never changes: make the next one and swap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revocations {
    agents: Standings,
    owners: Standings,
    sites: Standings,
    keys: Standings,
    is_lost: bool,
}

impl Revocations {
    /// The table of one who knew the log and does not any more: until it has been read again, anybody may be on it.
    #[must_use]
    pub fn lost() -> Self {
        Self { is_lost: true, ..Self::default() }
    }

    /// A table from rows in the order of the log.
    #[must_use]
    pub fn from_rows(rows: impl IntoIterator<Item = RevocationRow>) -> Self {
        Self::default().with_all(rows)
    }

    /// This table and one more row.
    #[must_use]
    pub fn with(&self, row: RevocationRow) -> Self {
        self.with_all([row])
    }

    /// This table and more rows, in the order of the log. Copies the table once, however many there are.
    #[must_use]
    pub fn with_all(&self, rows: impl IntoIterator<Item = RevocationRow>) -> Self {
        let mut table = self.clone();
        for row in rows {
            let standing = Standing { not_before: row.not_before, suspended: row.suspended };
            table.standings_mut(row.kind).insert(row.id.into(), standing);
        }
        table
    }

    /// The rows, in no order.
    pub fn rows(&self) -> impl Iterator<Item = RevocationRow> {
        let kinds = [SubjectKind::Agent, SubjectKind::Owner, SubjectKind::Site, SubjectKind::Key];
        kinds.into_iter().flat_map(move |kind| {
            self.standings(kind).iter().map(move |(id, standing)| RevocationRow {
                kind,
                id: id.as_ref().to_owned(),
                not_before: standing.not_before,
                suspended: standing.suspended,
            })
        })
    }

    /// Whether rows are missing that once were known: see [`lost`](Self::lost).
    #[must_use]
    pub const fn is_lost(&self) -> bool {
        self.is_lost
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.agents.is_empty() && self.owners.is_empty() && self.sites.is_empty() && self.keys.is_empty()
    }

    /// Whether a credential still counts: nobody it rests on is suspended, and it is younger than their last change.
    #[must_use]
    pub fn allows(&self, identity: &Identity, site: Option<&SiteId>) -> bool {
        let counts = |standings: &Standings, id: &str| {
            standings.get(id).is_none_or(|standing| !standing.suspended && identity.issued_at > standing.not_before)
        };
        counts(&self.agents, identity.agent.as_str())
            && identity.owner.as_ref().is_none_or(|owner| counts(&self.owners, owner.as_str()))
            && site.is_none_or(|site| counts(&self.sites, site.as_str()))
            && identity.kid.as_ref().is_none_or(|kid| !self.has_revoked_key(kid.as_str()))
    }

    /// A key is revoked for ever, so that its row alone decides.
    pub(crate) fn has_revoked_key(&self, kid: &str) -> bool {
        self.keys.contains_key(kid)
    }

    const fn standings(&self, kind: SubjectKind) -> &Standings {
        match kind {
            SubjectKind::Agent => &self.agents,
            SubjectKind::Owner => &self.owners,
            SubjectKind::Site => &self.sites,
            SubjectKind::Key => &self.keys,
        }
    }

    const fn standings_mut(&mut self, kind: SubjectKind) -> &mut Standings {
        match kind {
            SubjectKind::Agent => &mut self.agents,
            SubjectKind::Owner => &mut self.owners,
            SubjectKind::Site => &mut self.sites,
            SubjectKind::Key => &mut self.keys,
        }
    }
}
