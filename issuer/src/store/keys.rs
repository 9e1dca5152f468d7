//! Signing keys: `next` (published), `active` (signs), `retired` (published still), `revoked` (gone for good).

use passport::KeyId;

use super::database::{StoreError, Tx};
use super::revocations::append;
use super::{AuditRow, Store, audit, bump};
use crate::time::UnixMillis;

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyState {
    Next,
    Active,
    Retired,
    Revoked,
}

impl KeyState {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Active => "active",
            Self::Retired => "retired",
            Self::Revoked => "revoked",
        }
    }

    fn read(text: &str) -> Result<Self, StoreError> {
        match text {
            "next" => Ok(Self::Next),
            "active" => Ok(Self::Active),
            "retired" => Ok(Self::Retired),
            "revoked" => Ok(Self::Revoked),
            _ => Err(StoreError::Unreadable("key state")),
        }
    }
}

/// A key to be stored: its private half is sealed.
#[derive(Clone, Debug)]
pub(crate) struct NewKey {
    pub(crate) kid: KeyId,
    pub(crate) jwk: String,
    pub(crate) sealed: String,
}

/// A stored key.
#[derive(Clone, Debug)]
pub(crate) struct KeyRecord {
    pub(crate) kid: KeyId,
    pub(crate) state: KeyState,
    pub(crate) jwk: String,
    /// Empty once it no longer signs.
    pub(crate) sealed: String,
    pub(crate) published_at: UnixMillis,
    pub(crate) activate_at: Option<UnixMillis>,
    pub(crate) retired_at: Option<UnixMillis>,
}

impl Store {
    /// Every key there ever was, the oldest first.
    pub(crate) async fn keys(&self) -> Result<Vec<KeyRecord>, StoreError> {
        type Row = (String, String, String, String, i64, Option<i64>, Option<i64>);
        let sql = "SELECT kid, state, jwk, sealed, published_at, activate_at, retired_at
                   FROM signing_keys ORDER BY published_at, kid";
        let rows: Vec<Row> = self.database.rows(sql, &[]).await?;
        rows.into_iter()
            .map(|(kid, state, jwk, sealed, published, activate, retired)| {
                Ok(KeyRecord {
                    kid: kid.parse().map_err(|_| StoreError::Unreadable("kid"))?,
                    state: KeyState::read(&state)?,
                    jwk,
                    sealed,
                    published_at: UnixMillis::new(published),
                    activate_at: activate.map(UnixMillis::new),
                    retired_at: retired.map(UnixMillis::new),
                })
            })
            .collect()
    }

    /// The first two keys. Of any number of processes that start at once, one's keys are kept.
    pub(crate) async fn first_keys(&self, active: NewKey, next: NewKey, now: UnixMillis) -> Result<bool, StoreError> {
        self.database
            .write(move |tx| {
                let (active, next) = (active.clone(), next.clone());
                Box::pin(async move {
                    let sql = "UPDATE counters SET value = 1 WHERE name = 'keys' AND value = 0";
                    if tx.execute(sql, &[]).await? == 0 {
                        return Ok(false);
                    }
                    insert(tx, &active, now).await?;
                    insert(tx, &next, now).await?;
                    activate(tx, &active.kid, now).await?;
                    Ok(true)
                })
            })
            .await
    }

    /// Makes `kid`, which is `next`, the active key and `next` the next one. Of any number of callers one succeeds.
    pub(crate) async fn switch_keys(&self, kid: KeyId, next: NewKey, now: UnixMillis) -> Result<bool, StoreError> {
        self.database
            .write(move |tx| {
                let (kid, next) = (kid.clone(), next.clone());
                Box::pin(async move {
                    if !activate(tx, &kid, now).await? {
                        return Ok(false);
                    }
                    let sql = "UPDATE signing_keys SET state = 'retired', retired_at = $2, sealed = ''
                               WHERE state = 'active' AND kid <> $1";
                    tx.execute(sql, &[kid.as_str().into(), now.into()]).await?;
                    insert(tx, &next, now).await?;
                    changed(tx, "keys.rotated", &kid, now).await?;
                    Ok(true)
                })
            })
            .await
    }

    /// Notes when the next key becomes the active one. `Ok(false)`: it is not the next one any more.
    pub(crate) async fn schedule_switch(
        &self,
        kid: KeyId,
        at: UnixMillis,
        now: UnixMillis,
    ) -> Result<bool, StoreError> {
        self.database
            .write(move |tx| {
                let kid = kid.clone();
                Box::pin(async move {
                    let sql = "UPDATE signing_keys SET activate_at = $2 WHERE kid = $1 AND state = 'next'";
                    if tx.execute(sql, &[kid.as_str().into(), at.into()]).await? == 0 {
                        return Ok(false);
                    }
                    changed(tx, "keys.rotation_scheduled", &kid, now).await?;
                    Ok(true)
                })
            })
            .await
    }

    /// Revokes a key: out of the key set, into the log. If it was the active one, `next` takes its place; if it was
    /// either, `spare` becomes the next one. `Ok(false)`: no such key, or it was revoked before.
    pub(crate) async fn revoke_key(&self, kid: KeyId, spare: NewKey, now: UnixMillis) -> Result<bool, StoreError> {
        self.database
            .write(move |tx| {
                let (kid, spare) = (kid.clone(), spare.clone());
                Box::pin(async move {
                    let sql = "UPDATE signing_keys SET state = 'revoked', revoked_at = $2, sealed = ''
                               WHERE kid = $1 AND state <> 'revoked'";
                    if tx.execute(sql, &[kid.as_str().into(), now.into()]).await? == 0 {
                        return Ok(false);
                    }
                    let sql = "SELECT kid FROM signing_keys WHERE state = 'active'";
                    let active: Option<(String,)> = tx.row(sql, &[]).await?;
                    let sql = "SELECT kid FROM signing_keys WHERE state = 'next'";
                    let next: Option<(String,)> = tx.row(sql, &[]).await?;
                    let successor = if active.is_none() { next.clone() } else { None };
                    if let Some((successor,)) = &successor {
                        let successor = successor.parse().map_err(|_| StoreError::Unreadable("kid"))?;
                        activate(tx, &successor, now).await?;
                    }
                    if successor.is_some() || next.is_none() {
                        insert(tx, &spare, now).await?;
                    }
                    append(tx, ("key", kid.as_str()), 1, now, now).await?;
                    changed(tx, "keys.revoked", &kid, now).await?;
                    Ok(true)
                })
            })
            .await
    }
}

async fn insert(tx: &mut Tx<'_>, key: &NewKey, now: UnixMillis) -> Result<(), StoreError> {
    let sql = "INSERT INTO signing_keys (kid, state, jwk, sealed, published_at) VALUES ($1, 'next', $2, $3, $4)";
    let values = [key.kid.as_str().into(), key.jwk.as_str().into(), key.sealed.as_str().into(), now.into()];
    tx.execute(sql, &values).await?;
    Ok(())
}

async fn activate(tx: &mut Tx<'_>, kid: &KeyId, now: UnixMillis) -> Result<bool, StoreError> {
    let sql = "UPDATE signing_keys SET state = 'active', activated_at = $2 WHERE kid = $1 AND state = 'next'";
    Ok(tx.execute(sql, &[kid.as_str().into(), now.into()]).await? == 1)
}

async fn changed(tx: &mut Tx<'_>, action: &'static str, kid: &KeyId, now: UnixMillis) -> Result<(), StoreError> {
    let generation = bump(tx, "keys").await?;
    let row = AuditRow {
        id: format!("keys:{generation}"),
        action,
        actor: "operator".to_owned(),
        subject: kid.to_string(),
        detail: String::new(),
    };
    audit(tx, &row, now).await
}
