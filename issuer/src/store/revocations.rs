//! The revocation log, and the verbs that write it: suspend and resume.

use std::time::Duration;

use super::database::{StoreError, Tx, Value};
use super::grants::{end_of_agent, end_of_owner};
use super::registry::Kind;
use super::{AuditRow, Store, audit, bump};
use crate::time::UnixMillis;

/// A gateway that was away for longer asks for everything: an hour past the longest session.
const KEPT_FOR: Duration = Duration::from_secs(25 * 3600);

/// Rows of one answer.
pub(crate) const ROWS_MAX: usize = 10_000;

/// One row of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Revocation {
    pub(crate) seq: i64,
    pub(crate) kind: String,
    pub(crate) id: String,
    pub(crate) not_before: UnixMillis,
    pub(crate) suspended: bool,
}

/// An answer to "what happened since".
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Revocations {
    /// In order, with the position to resume from.
    Rows { rows: Vec<Revocation>, seq: i64, more: bool },
    /// The log no longer, or not yet, reaches the position.
    Gone,
}

/// Whether a subject may act from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Suspend,
    Resume,
}

impl Store {
    /// Suspends or resumes a subject and writes the log, in one transaction. Doing it again writes nothing. With an agent
    /// its families end, with an owner those of its agents and its sessions: no resume brings them back.
    /// `Ok(false)`: no such subject.
    pub(crate) async fn change_standing(
        &self,
        kind: Kind,
        id: String,
        change: Change,
        now: UnixMillis,
    ) -> Result<bool, StoreError> {
        self.database
            .write(move |tx| {
                let id = id.clone();
                Box::pin(async move { change_standing(tx, kind, &id, change, now).await })
            })
            .await
    }

    /// The rows past `after`.
    pub(crate) async fn revocations_after(&self, after: i64) -> Result<Revocations, StoreError> {
        let sql = "SELECT name, value FROM counters WHERE name = 'revocations' OR name = 'revocations_floor'";
        let bounds: Vec<(String, i64)> = self.database.rows(sql, &[]).await?;
        let bound = |name| bounds.iter().find(|(found, _)| found == name).map_or(0, |(_, value)| *value);
        if after < bound("revocations_floor") || after > bound("revocations") {
            return Ok(Revocations::Gone);
        }
        let sql =
            "SELECT seq, kind, id, not_before, suspended FROM revocations WHERE seq > $1 ORDER BY seq LIMIT 10001";
        let mut rows = read(self.database.rows(sql, &[after.into()]).await?);
        let more = rows.len() > ROWS_MAX;
        rows.truncate(ROWS_MAX);
        let seq = rows.last().map_or(after, |row| row.seq);
        Ok(Revocations::Rows { rows, seq, more })
    }

    /// The newest row of every subject that is suspended, or changed while the log still tells.
    pub(crate) async fn all_revocations(&self, now: UnixMillis) -> Result<Revocations, StoreError> {
        // The position first: a row that commits in between is told twice, never lost.
        let seq = self.generations().await?.revocations;
        let sql = "SELECT seq, kind, id, not_before, suspended FROM revocations r
                   WHERE (suspended = 1 OR at > $1)
                     AND seq = (SELECT MAX(seq) FROM revocations n WHERE n.kind = r.kind AND n.id = r.id)
                   ORDER BY seq";
        let rows = read(self.database.rows(sql, &[now.minus(KEPT_FOR).into()]).await?);
        Ok(Revocations::Rows { rows, seq, more: false })
    }

    /// Drops rows older than the log tells, except the newest one of a subject that is still suspended.
    pub(crate) async fn forget_revocations(&self, now: UnixMillis) -> Result<(), StoreError> {
        let before = now.minus(KEPT_FOR);
        self.database
            .write(move |tx| {
                Box::pin(async move {
                    let sql = "SELECT MAX(seq) FROM revocations WHERE at < $1";
                    let floor: Option<(Option<i64>,)> = tx.row(sql, &[before.into()]).await?;
                    let Some(floor) = floor.and_then(|(floor,)| floor) else { return Ok(()) };
                    let sql = "DELETE FROM revocations WHERE at < $1 AND
                               (suspended = 0 OR EXISTS (SELECT 1 FROM revocations n WHERE n.kind = revocations.kind
                                AND n.id = revocations.id AND n.seq > revocations.seq))";
                    tx.execute(sql, &[before.into()]).await?;
                    let sql = "UPDATE counters SET value = $1 WHERE name = 'revocations_floor' AND value < $1";
                    tx.execute(sql, &[floor.into()]).await?;
                    Ok(())
                })
            })
            .await
    }
}

fn read(rows: Vec<(i64, String, String, i64, i64)>) -> Vec<Revocation> {
    rows.into_iter()
        .map(|(seq, kind, id, not_before, suspended)| Revocation {
            seq,
            kind,
            id,
            not_before: UnixMillis::new(not_before),
            suspended: suspended != 0,
        })
        .collect()
}

async fn change_standing(
    tx: &mut Tx<'_>,
    kind: Kind,
    id: &str,
    change: Change,
    now: UnixMillis,
) -> Result<bool, StoreError> {
    let (update, select) = match kind {
        Kind::Owner => (
            "UPDATE owners SET suspended = $2, not_before = $3 WHERE id = $1 AND suspended <> $2",
            "SELECT id FROM owners WHERE id = $1",
        ),
        Kind::Agent => (
            "UPDATE agents SET suspended = $2, not_before = $3 WHERE id = $1 AND suspended <> $2",
            "SELECT id FROM agents WHERE id = $1",
        ),
        Kind::Site => (
            "UPDATE sites SET suspended = $2, not_before = $3 WHERE id = $1 AND suspended <> $2",
            "SELECT id FROM sites WHERE id = $1",
        ),
        Kind::Gateway => (
            "UPDATE gateways SET suspended = $2 WHERE id = $1 AND suspended <> $2 AND $3 > 0",
            "SELECT id FROM gateways WHERE id = $1",
        ),
    };
    let suspended = i64::from(change == Change::Suspend);
    if tx.execute(update, &[id.into(), suspended.into(), now.into()]).await? == 0 {
        let found: Option<(String,)> = tx.row(select, &[id.into()]).await?;
        return Ok(found.is_some());
    }
    let generation = bump(tx, "credentials").await?;
    let word = match kind {
        Kind::Owner => Some("owner"),
        Kind::Agent => Some("agent"),
        Kind::Site => Some("site"),
        // A gateway issues nothing and is nobody's credential at a site; its streams end with the generation.
        Kind::Gateway => None,
    };
    if let Some(word) = word {
        append(tx, (word, id), suspended, now, now).await?;
    }
    if kind == Kind::Owner {
        // A gateway knows the owner of an agent, not that of its site.
        let sql = "SELECT id FROM sites WHERE owner_id = $1 AND suspended = 0 ORDER BY id";
        let sites: Vec<(String,)> = tx.rows(sql, &[id.into()]).await?;
        for (site,) in sites {
            append(tx, ("site", &site), suspended, now, now).await?;
        }
    }
    if change == Change::Suspend {
        end_with(tx, kind, id, now).await?;
    }
    let row = AuditRow {
        id: format!("standing:{generation}"),
        action: if change == Change::Suspend { "subject.suspended" } else { "subject.resumed" },
        actor: "operator".to_owned(),
        subject: id.to_owned(),
        detail: String::new(),
    };
    audit(tx, &row, now).await?;
    Ok(true)
}

/// Ends what would come to life again with a subject that is resumed.
async fn end_with(tx: &mut Tx<'_>, kind: Kind, id: &str, now: UnixMillis) -> Result<(), StoreError> {
    match kind {
        Kind::Agent => end_of_agent(tx, id, now).await,
        Kind::Owner => {
            end_of_owner(tx, id, now).await?;
            tx.execute("DELETE FROM owner_sessions WHERE owner_id = $1", &[id.into()]).await.map(drop)
        }
        // Nothing is issued in the name of these.
        Kind::Site | Kind::Gateway => Ok(()),
    }
}

/// Makes worthless what was issued to an agent so far; the agent itself may go on.
///
/// What is issued in the second of such a moment is dated to the next one: where a moment of this second stands already, the
/// beginning of the next takes its place, and nothing is issued until then. There is no need for a later one.
pub(super) async fn end_credentials(tx: &mut Tx<'_>, agent: &str, now: UnixMillis) -> Result<(), StoreError> {
    let sql = "UPDATE agents
               SET not_before = CASE WHEN not_before < $3 THEN $2 ELSE $4 END
               WHERE id = $1 AND not_before < $4 RETURNING suspended, not_before";
    let this_second = UnixMillis::new(now.get() - now.get() % 1000);
    let next_second = this_second.plus(Duration::from_secs(1));
    let values: [Value; 4] = [agent.into(), now.into(), this_second.into(), next_second.into()];
    let moved: Option<(i64, i64)> = tx.row(sql, &values).await?;
    if let Some((suspended, not_before)) = moved {
        bump(tx, "credentials").await?;
        append(tx, ("agent", agent), suspended, UnixMillis::new(not_before), now).await?;
    }
    Ok(())
}

/// One more row of the log.
pub(super) async fn append(
    tx: &mut Tx<'_>,
    (kind, id): (&'static str, &str),
    suspended: i64,
    not_before: UnixMillis,
    now: UnixMillis,
) -> Result<(), StoreError> {
    let seq = bump(tx, "revocations").await?;
    let sql = "INSERT INTO revocations (seq, kind, id, not_before, suspended, at) VALUES ($1, $2, $3, $4, $5, $6)";
    tx.execute(sql, &[seq.into(), kind.into(), id.into(), not_before.into(), suspended.into(), now.into()]).await?;
    Ok(())
}
