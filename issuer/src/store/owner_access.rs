//! How owners sign in: a user name and the hash of a password, a lock after failures, sessions.

use passport::OwnerId;

use super::database::{StoreError, Tx, Value};
use super::{AuditRow, Failures, Store, audit};
use crate::credentials::TokenHash;
use crate::time::UnixMillis;

/// How setting a password ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PasswordSet {
    Done,
    UnknownOwner,
    /// Another owner signs in by this name.
    UserTaken,
}

/// What is known of whoever signs in by a user name.
#[derive(Clone)]
pub(crate) struct AccessRecord {
    pub(crate) owner: OwnerId,
    /// The hash of the password, as a PHC string.
    pub(crate) phc: String,
    /// Since the last time it went well.
    pub(crate) failures: Failures,
    pub(crate) suspended: bool,
}

impl std::fmt::Debug for AccessRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessRecord")
            .field("owner", &self.owner)
            .field("failures", &self.failures)
            .finish_non_exhaustive()
    }
}

/// A signed-in owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OwnerSession {
    pub(crate) owner: OwnerId,
    pub(crate) owner_name: String,
    pub(crate) expires_at: UnixMillis,
}

impl Store {
    /// Lets an owner sign in by this name and password, in the place of those before; its sessions end. User names differ
    /// in more than their case.
    pub(crate) async fn set_password(
        &self,
        owner: &OwnerId,
        user: String,
        phc: String,
        now: UnixMillis,
    ) -> Result<PasswordSet, StoreError> {
        let (owner, user) = (owner.clone(), user.to_ascii_lowercase());
        let set = self
            .database
            .write(move |tx| {
                let (owner, user, phc) = (owner.clone(), user.clone(), phc.clone());
                Box::pin(async move { set_password(tx, &owner, &user, &phc, now).await })
            })
            .await;
        // The only thing unique here, beside the owner, is the name.
        let taken =
            matches!(&set, Err(StoreError::Database(sqlx::Error::Database(cause))) if cause.is_unique_violation());
        if taken { Ok(PasswordSet::UserTaken) } else { set }
    }

    /// Who signs in by this name.
    pub(crate) async fn access(&self, user: &str) -> Result<Option<AccessRecord>, StoreError> {
        type Found = (String, String, i64, i64, i64, i64);
        let sql = "SELECT o.id, a.phc, a.failures, a.failed_at, a.locked_until, o.suspended
                   FROM owner_access a JOIN owners o ON o.id = a.owner_id WHERE a.user_name = $1";
        let user = user.to_ascii_lowercase();
        let row: Option<Found> = self.database.row(sql, &[user.as_str().into()]).await?;
        row.map(|(owner, phc, count, last_at, locked_until, suspended)| {
            Ok(AccessRecord {
                owner: owner.try_into().map_err(|_| StoreError::Unreadable("owner id"))?,
                phc,
                failures: failures((count, last_at, locked_until)),
                suspended: suspended != 0,
            })
        })
        .transpose()
    }

    /// Counts a wrong password; until when no other is looked at.
    pub(crate) async fn note_failed_sign_in(&self, owner: &OwnerId, now: UnixMillis) -> Result<UnixMillis, StoreError> {
        let owner = owner.clone();
        self.database
            .write(move |tx| {
                let owner = owner.clone();
                Box::pin(async move { note_failure(tx, &owner, now).await })
            })
            .await
    }

    /// Counts a password that was shown under a name that nobody has. Beside the count it is the work of a wrong password
    /// under one that somebody has, which would tell by its time which is which.
    pub(crate) async fn note_unknown_sign_in(&self) -> Result<(), StoreError> {
        let sql = "UPDATE counters SET value = value + 1 WHERE name = 'unknown_sign_ins'";
        self.database.write(move |tx| Box::pin(async move { tx.execute(sql, &[]).await.map(drop) })).await
    }

    /// Opens a session, and forgets the failures before it.
    pub(crate) async fn open_owner_session(
        &self,
        hash: TokenHash,
        owner: &OwnerId,
        expires_at: UnixMillis,
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        let owner = owner.clone();
        self.database
            .write(move |tx| {
                let (hash, owner) = (hash.clone(), owner.clone());
                Box::pin(async move {
                    let sql = "UPDATE owner_access SET failures = 0, locked_until = 0 WHERE owner_id = $1";
                    tx.execute(sql, &[owner.as_str().into()]).await?;
                    let sql =
                        "INSERT INTO owner_sessions (hash, owner_id, created_at, expires_at) VALUES ($1, $2, $3, $4)";
                    let values: [Value; 4] =
                        [hash.as_str().into(), owner.as_str().into(), now.into(), expires_at.into()];
                    tx.execute(sql, &values).await.map(drop)
                })
            })
            .await
    }

    /// The owner whose session this is, unless it has expired or the owner is suspended.
    pub(crate) async fn owner_session(
        &self,
        hash: &TokenHash,
        now: UnixMillis,
    ) -> Result<Option<OwnerSession>, StoreError> {
        let sql = "SELECT o.id, o.name, s.expires_at FROM owner_sessions s JOIN owners o ON o.id = s.owner_id
                   WHERE s.hash = $1 AND s.expires_at > $2 AND o.suspended = 0";
        let row: Option<(String, String, i64)> = self.database.row(sql, &[hash.as_str().into(), now.into()]).await?;
        row.map(|(owner, owner_name, expires_at)| {
            let owner = owner.try_into().map_err(|_| StoreError::Unreadable("owner id"))?;
            Ok(OwnerSession { owner, owner_name, expires_at: UnixMillis::new(expires_at) })
        })
        .transpose()
    }

    /// Ends a session.
    pub(crate) async fn close_owner_session(&self, hash: &TokenHash) -> Result<(), StoreError> {
        let hash = hash.clone();
        self.database
            .write(move |tx| {
                let values: [Value; 1] = [hash.as_str().into()];
                Box::pin(
                    async move { tx.execute("DELETE FROM owner_sessions WHERE hash = $1", &values).await.map(drop) },
                )
            })
            .await
    }

    /// Deletes sessions that have expired, 1,000 at most. How many they were.
    pub(crate) async fn forget_owner_sessions(&self, now: UnixMillis) -> Result<u64, StoreError> {
        let sql = "DELETE FROM owner_sessions WHERE hash IN
                   (SELECT hash FROM owner_sessions WHERE expires_at <= $1 ORDER BY expires_at LIMIT 1000)";
        self.database.write(move |tx| Box::pin(async move { tx.execute(sql, &[now.into()]).await })).await
    }
}

async fn note_failure(tx: &mut Tx<'_>, owner: &OwnerId, now: UnixMillis) -> Result<UnixMillis, StoreError> {
    // The row stays locked until the commit: of many failures at once each counts.
    let sql = "UPDATE owner_access SET failed_at = failed_at WHERE owner_id = $1
               RETURNING failures, failed_at, locked_until";
    let found: Option<FoundFailures> = tx.row(sql, &[owner.as_str().into()]).await?;
    let Some(found) = found else { return Ok(now) };
    let Failures { count, last_at, locked_until } = failures(found).and_one(now);
    let sql = "UPDATE owner_access SET failures = $2, failed_at = $3, locked_until = $4 WHERE owner_id = $1";
    let values: [Value; 4] = [owner.as_str().into(), count.into(), last_at.into(), locked_until.into()];
    tx.execute(sql, &values).await?;
    Ok(locked_until)
}

type FoundFailures = (i64, i64, i64);

const fn failures((count, last_at, locked_until): FoundFailures) -> Failures {
    Failures { count, last_at: UnixMillis::new(last_at), locked_until: UnixMillis::new(locked_until) }
}

async fn set_password(
    tx: &mut Tx<'_>,
    owner: &OwnerId,
    user: &str,
    phc: &str,
    now: UnixMillis,
) -> Result<PasswordSet, StoreError> {
    let known: Option<(String,)> = tx.row("SELECT id FROM owners WHERE id = $1", &[owner.as_str().into()]).await?;
    if known.is_none() {
        return Ok(PasswordSet::UnknownOwner);
    }
    let sql = "INSERT INTO owner_access (owner_id, user_name, phc, failures, locked_until, changed_at)
               VALUES ($1, $2, $3, 0, 0, $4)
               ON CONFLICT (owner_id) DO UPDATE
               SET user_name = excluded.user_name, phc = excluded.phc, failures = 0, locked_until = 0,
                   changed_at = excluded.changed_at";
    tx.execute(sql, &[owner.as_str().into(), user.into(), phc.into(), now.into()]).await?;
    tx.execute("DELETE FROM owner_sessions WHERE owner_id = $1", &[owner.as_str().into()]).await?;
    let row = AuditRow {
        id: format!("password_set:{owner}:{}", now.get()),
        action: "owner.password_set",
        actor: "operator".to_owned(),
        subject: owner.to_string(),
        detail: user.to_owned(),
    };
    audit(tx, &row, now).await?;
    Ok(PasswordSet::Done)
}
