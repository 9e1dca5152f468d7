//! How families end, and when what is left of them is forgotten.

use std::time::Duration;

use super::Families;
use crate::store::database::{StoreError, Tx};
use crate::store::revocations::end_credentials;
use crate::store::{AuditRow, audit};
use crate::time::UnixMillis;

/// Codes and ended grants are kept this long after their end: a replay within a day is seen as one, and questions are
/// asked the next day.
const KEPT_FOR: Duration = Duration::from_secs(24 * 3600);

/// A rotated refresh token is known this long, so that its reuse is seen; later it is refused as unknown. A client that
/// refreshes every five minutes leaves two thousand of them.
const USED_KEPT_FOR: Duration = Duration::from_secs(7 * 24 * 3600);

/// A sealed successor is dropped after this: ten times the grace.
const SEALED_KEPT_FOR: Duration = Duration::from_secs(600);

pub(super) async fn end(tx: &mut Tx<'_>, id: &str, reason: &'static str, now: UnixMillis) -> Result<bool, StoreError> {
    let sql = "UPDATE grants SET ended_at = $2, end_reason = $3 WHERE id = $1 AND ended_at IS NULL
               RETURNING agent_id, client_id";
    let ended: Option<(String, String)> = tx.row(sql, &[id.into(), now.into(), reason.into()]).await?;
    let Some((agent, client)) = ended else { return Ok(false) };
    end_credentials(tx, &agent, now).await?;
    let row = AuditRow {
        id: format!("grant_ended:{id}"),
        action: "grant.ended",
        actor: client,
        subject: id.to_owned(),
        detail: reason.to_owned(),
    };
    audit(tx, &row, now).await?;
    Ok(true)
}

/// Ends the families of one consent; its agent is the caller's to stop.
pub(in crate::store) async fn end_of_consent(
    tx: &mut Tx<'_>,
    owner: &str,
    client: &str,
    resource: &str,
    now: UnixMillis,
) -> Result<(), StoreError> {
    let sql = "UPDATE grants SET ended_at = $4, end_reason = 'consent_withdrawn'
               WHERE owner_id = $1 AND client_id = $2 AND resource = $3 AND ended_at IS NULL";
    tx.execute(sql, &[owner.into(), client.into(), resource.into(), now.into()]).await?;
    Ok(())
}

/// Ends the families of an agent that is suspended; the log tells of it already.
pub(in crate::store) async fn end_of_agent(tx: &mut Tx<'_>, agent: &str, now: UnixMillis) -> Result<(), StoreError> {
    let sql =
        "UPDATE grants SET ended_at = $2, end_reason = 'agent_suspended' WHERE agent_id = $1 AND ended_at IS NULL";
    tx.execute(sql, &[agent.into(), now.into()]).await.map(drop)
}

/// Ends the families of all agents of an owner that is suspended.
pub(in crate::store) async fn end_of_owner(tx: &mut Tx<'_>, owner: &str, now: UnixMillis) -> Result<(), StoreError> {
    let sql =
        "UPDATE grants SET ended_at = $2, end_reason = 'owner_suspended' WHERE owner_id = $1 AND ended_at IS NULL";
    tx.execute(sql, &[owner.into(), now.into()]).await.map(drop)
}

pub(super) async fn end_some(
    tx: &mut Tx<'_>,
    which: Families,
    of: &str,
    reason: &'static str,
    now: UnixMillis,
) -> Result<usize, StoreError> {
    let sql = match which {
        Families::OfResource => "SELECT id FROM grants WHERE resource = $1 AND ended_at IS NULL LIMIT 200",
        Families::OfClient => "SELECT id FROM grants WHERE client_id = $1 AND ended_at IS NULL LIMIT 200",
    };
    let found: Vec<(String,)> = tx.rows(sql, &[of.into()]).await?;
    for (id,) in &found {
        end(tx, id, reason, now).await?;
    }
    Ok(found.len())
}

pub(super) async fn forget(tx: &mut Tx<'_>, now: UnixMillis) -> Result<u64, StoreError> {
    let before = now.minus(KEPT_FOR);
    let sql = "DELETE FROM codes WHERE hash IN (SELECT hash FROM codes WHERE expires_at < $1 LIMIT 1000)";
    let codes = tx.execute(sql, &[before.into()]).await?;
    let sql = "DELETE FROM refresh_tokens WHERE hash IN
               (SELECT hash FROM refresh_tokens WHERE expires_at < $1 OR used_at < $2 LIMIT 1000)";
    let tokens = tx.execute(sql, &[now.into(), now.minus(USED_KEPT_FOR).into()]).await?;
    let sql = "UPDATE refresh_tokens SET sealed = NULL WHERE used_at < $1 AND sealed IS NOT NULL";
    tx.execute(sql, &[now.minus(SEALED_KEPT_FOR).into()]).await?;
    // A code or a refresh token that is still known keeps its grant.
    let sql = "DELETE FROM grants WHERE id IN
               (SELECT g.id FROM grants g WHERE g.expires_at < $1
                  AND NOT EXISTS (SELECT 1 FROM codes c WHERE c.grant_id = g.id)
                  AND NOT EXISTS (SELECT 1 FROM refresh_tokens r WHERE r.grant_id = g.id) LIMIT 1000)";
    let grants = tx.execute(sql, &[before.into()]).await?;
    Ok(codes.saturating_add(tokens).saturating_add(grants))
}
