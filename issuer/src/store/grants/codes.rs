//! A code begins a family, once.

use super::ending::end;
use super::refresh::{carry_on, insert_refresh};
use super::{NewCode, NewRefresh, Redeemed};
use crate::credentials::TokenHash;
use crate::store::Remembered;
use crate::store::database::{StoreError, Tx, Value};
use crate::time::UnixMillis;

pub(super) async fn add_code(tx: &mut Tx<'_>, code: &NewCode, now: UnixMillis) -> Result<bool, StoreError> {
    let grant = &code.grant;
    // The row stays locked until the commit: a withdrawal comes before all of this or ends it.
    let sql = "UPDATE consents SET used_at = $5
               WHERE owner_id = $1 AND client_id = $2 AND resource = $3 AND agent_id = $4";
    let values: [Value; 5] = [
        grant.owner.as_str().into(),
        grant.client.as_str().into(),
        grant.resource.as_str().into(),
        grant.agent.as_str().into(),
        now.into(),
    ];
    if tx.execute(sql, &values).await? == 0 {
        return Ok(false);
    }
    begin(tx, code, now).await?;
    Ok(true)
}

pub(super) async fn add_settled_code(
    tx: &mut Tx<'_>,
    code: &NewCode,
    settled: &Remembered,
    now: UnixMillis,
) -> Result<bool, StoreError> {
    let grant = &code.grant;
    // As above, and only as long as it says what it said when it was read.
    let sql = "UPDATE consents SET used_at = $5
               WHERE owner_id = $1 AND client_id = $2 AND resource = $3 AND agent_id = $4
                     AND remembered_uri = $6 AND remembered_scope = $7";
    let values: [Value; 7] = [
        grant.owner.as_str().into(),
        grant.client.as_str().into(),
        grant.resource.as_str().into(),
        grant.agent.as_str().into(),
        now.into(),
        settled.redirect_uri.as_str().into(),
        settled.scope.as_str().into(),
    ];
    if tx.execute(sql, &values).await? == 0 {
        return Ok(false);
    }
    begin(tx, code, now).await?;
    Ok(true)
}

/// The grant, and the code that carries it on.
async fn begin(tx: &mut Tx<'_>, code: &NewCode, now: UnixMillis) -> Result<(), StoreError> {
    let grant = &code.grant;
    let sql = "INSERT INTO grants
               (id, client_id, client_name, agent_id, owner_id, resource, scope, created_at, expires_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let values: [Value; 9] = [
        grant.id.as_str().into(),
        grant.client.as_str().into(),
        grant.client_name.as_str().into(),
        grant.agent.as_str().into(),
        grant.owner.as_str().into(),
        grant.resource.as_str().into(),
        grant.scope.as_str().into(),
        now.into(),
        code.expires_at.into(),
    ];
    tx.execute(sql, &values).await?;
    let sql = "INSERT INTO codes (hash, grant_id, redirect_uri, challenge, expires_at) VALUES ($1, $2, $3, $4, $5)";
    let values: [Value; 5] = [
        code.hash.as_str().into(),
        grant.id.as_str().into(),
        code.redirect_uri.as_str().into(),
        code.challenge.as_str().into(),
        code.expires_at.into(),
    ];
    tx.execute(sql, &values).await?;
    Ok(())
}

pub(super) async fn redeem(
    tx: &mut Tx<'_>,
    hash: &TokenHash,
    refresh: Option<&NewRefresh>,
    now: UnixMillis,
) -> Result<Redeemed, StoreError> {
    let sql = "UPDATE codes SET redeemed_at = $2 WHERE hash = $1 AND redeemed_at IS NULL AND expires_at > $2
               RETURNING grant_id";
    let first: Option<(String,)> = tx.row(sql, &[hash.as_str().into(), now.into()]).await?;
    if let Some((id,)) = first {
        // Without a refresh token nothing follows.
        let expires_at = refresh.map_or(now, |refresh| refresh.expires_at);
        let Some(grant) = carry_on(tx, &id, expires_at).await? else { return Ok(Redeemed::Unknown) };
        if let Some(refresh) = refresh {
            insert_refresh(tx, &id, refresh).await?;
        }
        return Ok(Redeemed::Done(grant));
    }
    let sql = "SELECT grant_id FROM codes WHERE hash = $1 AND redeemed_at IS NOT NULL";
    let before: Option<(String,)> = tx.row(sql, &[hash.as_str().into()]).await?;
    let Some((id,)) = before else { return Ok(Redeemed::Unknown) };
    end(tx, &id, "code_replayed", now).await?;
    Ok(Redeemed::Replayed)
}
