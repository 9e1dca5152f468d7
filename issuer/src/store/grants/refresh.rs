//! A refresh token carries a family on, once.

use std::time::Duration;

use super::ending::end;
use super::{Grant, NewRefresh, Rotated, grant};
use crate::credentials::TokenHash;
use crate::store::database::{StoreError, Tx, Value};
use crate::time::UnixMillis;

type FoundRefresh = (String, String, String, String, String, String, String, Option<i64>, Option<String>, Option<i64>);

pub(super) async fn rotate(
    tx: &mut Tx<'_>,
    hash: &TokenHash,
    client: &str,
    successor: &NewRefresh,
    sealed: &str,
    now: UnixMillis,
) -> Result<Option<Grant>, StoreError> {
    let sql = "UPDATE refresh_tokens SET used_at = $2, sealed = $3
               WHERE hash = $1 AND used_at IS NULL AND expires_at > $2 AND EXISTS
                     (SELECT 1 FROM grants g
                      WHERE g.id = refresh_tokens.grant_id AND g.client_id = $4 AND g.ended_at IS NULL)
               RETURNING grant_id";
    let values: [Value; 4] = [hash.as_str().into(), now.into(), sealed.into(), client.into()];
    let first: Option<(String,)> = tx.row(sql, &values).await?;
    let Some((id,)) = first else { return Ok(None) };
    // The family may have ended in between.
    let Some(grant) = carry_on(tx, &id, successor.expires_at).await? else { return Ok(None) };
    insert_refresh(tx, &id, successor).await?;
    // The grace is for whoever did not get this successor. Whoever shows an older token has got a later one since, or is
    // another.
    let sql = "UPDATE refresh_tokens SET sealed = NULL WHERE grant_id = $1 AND hash <> $2 AND sealed IS NOT NULL";
    tx.execute(sql, &[id.as_str().into(), hash.as_str().into()]).await?;
    Ok(Some(grant))
}

pub(super) async fn rotated_before(
    tx: &mut Tx<'_>,
    hash: &TokenHash,
    client: &str,
    grace: Duration,
    now: UnixMillis,
) -> Result<Rotated, StoreError> {
    let sql = "SELECT g.id, g.client_id, g.client_name, g.agent_id, g.owner_id, g.resource, g.scope,
                      r.used_at, r.sealed, g.ended_at
               FROM refresh_tokens r JOIN grants g ON g.id = r.grant_id WHERE r.hash = $1 AND g.client_id = $2";
    let found: Option<FoundRefresh> = tx.row(sql, &[hash.as_str().into(), client.into()]).await?;
    let Some((id, client, name, agent, owner, resource, scope, Some(used_at), sealed, None)) = found else {
        return Ok(Rotated::Unknown);
    };
    let recent = now < UnixMillis::new(used_at).plus(grace);
    if let Some(sealed) = sealed.filter(|_| recent) {
        return Ok(Rotated::Again { grant: grant((id, client, name, agent, owner, resource, scope))?, sealed });
    }
    end(tx, &id, "refresh_reused", now).await?;
    Ok(Rotated::Reused)
}

/// Moves the end of a family that stands.
pub(super) async fn carry_on(tx: &mut Tx<'_>, id: &str, expires_at: UnixMillis) -> Result<Option<Grant>, StoreError> {
    let sql = "UPDATE grants SET expires_at = $2 WHERE id = $1 AND ended_at IS NULL
               RETURNING id, client_id, client_name, agent_id, owner_id, resource, scope";
    tx.row(sql, &[id.into(), expires_at.into()]).await?.map(grant).transpose()
}

pub(super) async fn insert_refresh(tx: &mut Tx<'_>, grant: &str, refresh: &NewRefresh) -> Result<(), StoreError> {
    let sql = "INSERT INTO refresh_tokens (hash, grant_id, expires_at) VALUES ($1, $2, $3)";
    tx.execute(sql, &[refresh.hash.as_str().into(), grant.into(), refresh.expires_at.into()]).await?;
    Ok(())
}
