//! Durable truth. Verbs of the domain, each one atomic; SQLite and PostgreSQL run the same text and pass the same
//! conformance suite.
//!
//! Everything that may happen once is decided here, by the `WHERE` of one `UPDATE`, never by reading first. Times and ids
//! are arguments. Nothing above this floor knows SQL.

mod agents;
mod clients;
mod consents;
mod database;
mod grants;
mod keys;
mod lockout;
mod logins;
mod migrations;
mod owner_access;
mod registry;
mod resources;
mod revocations;
mod writer;

#[cfg(test)]
pub(crate) mod conformance;

use std::path::PathBuf;
use std::time::Duration;

pub(crate) use clients::{ClientAuth, ClientRecord, ClientRegistration, RefreshTokens};
pub(crate) use consents::{ConsentRecord, NewConsent, Remembered};
pub use database::StoreError;
pub(crate) use grants::{Grant, NewCode, NewRefresh, Redeemed, Rotated};
pub(crate) use keys::{KeyRecord, KeyState, NewKey};
pub(crate) use lockout::Failures;
pub(crate) use logins::{Approval, LoginRecord, LoginState, Mintable, NewLogin, Opened, PAGE_ROWS, Page};
pub(crate) use owner_access::{AccessRecord, PasswordSet};
pub(crate) use registry::{Caller, CallerRecord, NewSubject, Registration, SiteAt, Standing, SubjectRow};
pub use registry::{Kind, Sites};
pub use resources::Scope;
pub(crate) use resources::{NewResource, ResourceRecord, ResourceRegistration, scope_names};
pub(crate) use revocations::{Change, Revocation, Revocations};

use database::Database;

/// Where an issuer keeps what must last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Location {
    /// A file of an embedded store.
    Sqlite(PathBuf),
    /// A PostgreSQL server.
    Postgres(String),
}

/// The store.
#[derive(Debug)]
pub(crate) struct Store {
    database: Database,
}

/// The log's position and how often keys and credentials have changed: what a running issuer polls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Generations {
    pub(crate) revocations: i64,
    pub(crate) keys: i64,
    pub(crate) credentials: i64,
}

impl Store {
    /// Opens the store and brings its schema up to date.
    pub(crate) async fn open(location: &Location) -> Result<Self, StoreError> {
        let database = match location {
            Location::Sqlite(path) => Database::sqlite(path).await?,
            Location::Postgres(url) => Database::postgres(url).await?,
        };
        migrations::run(&database).await?;
        Ok(Self { database })
    }

    pub(crate) async fn generations(&self) -> Result<Generations, StoreError> {
        let rows: Vec<(String, i64)> = self.database.rows("SELECT name, value FROM counters", &[]).await?;
        let mut generations = Generations::default();
        for (name, value) in rows {
            match name.as_str() {
                "revocations" => generations.revocations = value,
                "keys" => generations.keys = value,
                "credentials" => generations.credentials = value,
                // Counters that only the store itself reads.
                _ => {}
            }
        }
        Ok(generations)
    }

    /// Waits for queued writes and lets go of the database.
    pub(crate) async fn close(&self) {
        self.database.close().await;
    }
}

/// One more change of what `counter` counts. The row stays locked until the commit, so values commit in order.
async fn bump(tx: &mut database::Tx<'_>, counter: &'static str) -> Result<i64, StoreError> {
    let row: Option<(i64,)> =
        tx.row("UPDATE counters SET value = value + 1 WHERE name = $1 RETURNING value", &[counter.into()]).await?;
    row.map(|(value,)| value).ok_or(StoreError::Unreadable("counter"))
}

/// Long enough to look into last year's incident; more is somebody's archive.
const AUDIT_KEPT_FOR: Duration = Duration::from_secs(366 * 24 * 3600);

/// A line of the audit table.
#[derive(Clone, Debug)]
pub(crate) struct AuditRow {
    /// A second row with the same id is not written: it says which fact this is.
    pub(crate) id: String,
    pub(crate) action: &'static str,
    pub(crate) actor: String,
    pub(crate) subject: String,
    pub(crate) detail: String,
}

async fn audit(tx: &mut database::Tx<'_>, row: &AuditRow, now: crate::time::UnixMillis) -> Result<(), StoreError> {
    let values = [
        row.id.as_str().into(),
        now.into(),
        row.action.into(),
        row.actor.as_str().into(),
        row.subject.as_str().into(),
        row.detail.as_str().into(),
    ];
    tx.execute(
        "INSERT INTO audit (id, at, action, actor, subject, detail) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (id) DO NOTHING",
        &values,
    )
    .await?;
    Ok(())
}

impl Store {
    /// Notes a fact that changed nothing else.
    pub(crate) async fn audit(&self, row: AuditRow, now: crate::time::UnixMillis) -> Result<(), StoreError> {
        self.database
            .write(move |tx| {
                let row = row.clone();
                Box::pin(async move { audit(tx, &row, now).await })
            })
            .await
    }

    /// Deletes lines older than a year.
    pub(crate) async fn forget_audit(&self, now: crate::time::UnixMillis) -> Result<(), StoreError> {
        let before = now.minus(AUDIT_KEPT_FOR);
        self.database
            .write(move |tx| {
                Box::pin(async move { tx.execute("DELETE FROM audit WHERE at < $1", &[before.into()]).await.map(drop) })
            })
            .await
    }

    #[cfg(test)]
    pub(crate) async fn audited(&self, action: &str) -> Vec<(String, String)> {
        let sql = "SELECT actor, subject FROM audit WHERE action = $1 ORDER BY at";
        self.database.rows(sql, &[action.into()]).await.unwrap()
    }
}
