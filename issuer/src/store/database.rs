//! Two engines under one text: what a statement is, how it runs, how a transaction commits.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use futures_util::future::BoxFuture;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgRow};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous};
use sqlx::{FromRow, PgConnection, PgPool, SqliteConnection, SqlitePool};

use super::writer::Writer;

/// Connections that read. SQLite readers never wait for the writer; PostgreSQL's serve writes too.
const SQLITE_READERS_MAX: u32 = 4;
const POSTGRES_CONNECTIONS_MAX: u32 = 16;

/// How long a call may wait for a connection, or for another process that writes to the same file.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// Attempts at a transaction that PostgreSQL broke off to let another go first.
const ATTEMPTS_MAX: u32 = 5;

/// The store did not do what was asked; nothing of the transaction was kept.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database answered with an error, or not at all.
    #[error("store unavailable")]
    Database(#[from] sqlx::Error),
    /// The writer of an embedded store has stopped.
    #[error("store closed")]
    Closed,
    /// A group of writes was not committed.
    #[error("store could not commit: {0}")]
    Commit(String),
    /// The schema is of a later version than this program.
    #[error("store has schema version {found}, this program knows {known}: upgrade it")]
    Schema {
        /// The version in the store.
        found: i64,
        /// The newest one known here.
        known: i64,
    },
    /// A row holds what no version of this program writes.
    #[error("store holds an unreadable {0}")]
    Unreadable(&'static str),
    /// The file of an embedded store, or its directory, cannot be made or opened.
    #[error("cannot make or open the file of the store")]
    File(#[source] std::io::Error),
}

/// One argument of a statement.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Text(Option<String>),
    Int(Option<i64>),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }
}

impl From<Option<&str>> for Value {
    fn from(text: Option<&str>) -> Self {
        Self::Text(text.map(str::to_owned))
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(Some(number))
    }
}

impl From<crate::time::UnixMillis> for Value {
    fn from(time: crate::time::UnixMillis) -> Self {
        Self::Int(Some(time.get()))
    }
}

impl From<Option<crate::time::UnixMillis>> for Value {
    fn from(time: Option<crate::time::UnixMillis>) -> Self {
        Self::Int(time.map(crate::time::UnixMillis::get))
    }
}

/// A row both engines can give: a tuple of `String`, `i64` and options of them.
pub(crate) trait Row: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin {}
impl<T> Row for T where T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin {}

/// The body once, compiled for each engine.
macro_rules! on {
    ($engines:expr, $name:ident, $connection:ident => $body:expr) => {
        match $engines {
            $name::Sqlite($connection) => $body,
            $name::Postgres($connection) => $body,
        }
    };
}

macro_rules! bound {
    ($query:expr, $values:expr) => {{
        let mut query = $query;
        for value in $values {
            query = match value {
                Value::Text(text) => query.bind(text.clone()),
                Value::Int(number) => query.bind(*number),
            };
        }
        query
    }};
}

/// An open transaction.
#[derive(Debug)]
pub(crate) enum Tx<'c> {
    Sqlite(&'c mut SqliteConnection),
    Postgres(&'c mut PgConnection),
}

impl Tx<'_> {
    /// Runs a statement; the number of rows it changed.
    pub(crate) async fn execute(&mut self, sql: &'static str, values: &[Value]) -> Result<u64, StoreError> {
        Ok(on!(self, Tx, connection => {
            bound!(sqlx::query(sql), values).execute(&mut **connection).await?.rows_affected()
        }))
    }

    /// Every row of a statement.
    pub(crate) async fn rows<T: Row>(&mut self, sql: &'static str, values: &[Value]) -> Result<Vec<T>, StoreError> {
        Ok(on!(self, Tx, connection => {
            bound!(sqlx::query_as::<_, T>(sql), values).fetch_all(&mut **connection).await?
        }))
    }

    /// The first row of a statement.
    pub(crate) async fn row<T: Row>(&mut self, sql: &'static str, values: &[Value]) -> Result<Option<T>, StoreError> {
        Ok(on!(self, Tx, connection => {
            bound!(sqlx::query_as::<_, T>(sql), values).fetch_optional(&mut **connection).await?
        }))
    }
}

/// What a write does inside its transaction. It may run more than once, so it has no other effect.
pub(crate) trait Work<T>:
    for<'t> Fn(&'t mut Tx<'_>) -> BoxFuture<'t, Result<T, StoreError>> + Send + Sync
{
}
impl<T, F> Work<T> for F where F: for<'t> Fn(&'t mut Tx<'_>) -> BoxFuture<'t, Result<T, StoreError>> + Send + Sync {}

/// The engine.
#[derive(Debug)]
pub(crate) enum Database {
    Sqlite { readers: SqlitePool, writer: Writer },
    Postgres(PgPool),
}

/// Where reads run.
enum Readers<'d> {
    Sqlite(&'d SqlitePool),
    Postgres(&'d PgPool),
}

impl Database {
    pub(crate) async fn sqlite(path: &Path) -> Result<Self, StoreError> {
        if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
            std::fs::create_dir_all(directory).map_err(StoreError::File)?;
        }
        // For its owner alone: names and hashes are nobody's business. The engine gives its other files the same mode.
        OpenOptions::new().append(true).create(true).mode(0o600).open(path).map_err(StoreError::File)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(WAIT_MAX);
        let writer = Writer::open(&options).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(SQLITE_READERS_MAX)
            .acquire_timeout(WAIT_MAX)
            .test_before_acquire(false)
            .connect_with(options.read_only(true))
            .await?;
        Ok(Self::Sqlite { readers, writer })
    }

    pub(crate) async fn postgres(url: &str) -> Result<Self, StoreError> {
        // An acknowledged approve must outlive the server, whatever its configuration says.
        let options = PgConnectOptions::from_str(url)?.options([("synchronous_commit", "on")]);
        let pool = PgPoolOptions::new()
            .max_connections(POSTGRES_CONNECTIONS_MAX)
            .acquire_timeout(WAIT_MAX)
            .connect_with(options)
            .await?;
        Ok(Self::Postgres(pool))
    }

    fn readers(&self) -> Readers<'_> {
        match self {
            Self::Sqlite { readers, .. } => Readers::Sqlite(readers),
            Self::Postgres(pool) => Readers::Postgres(pool),
        }
    }

    /// Every row of a statement that only reads.
    pub(crate) async fn rows<T: Row>(&self, sql: &'static str, values: &[Value]) -> Result<Vec<T>, StoreError> {
        Ok(on!(self.readers(), Readers, pool => {
            bound!(sqlx::query_as::<_, T>(sql), values).fetch_all(pool).await?
        }))
    }

    /// The first row of a statement that only reads.
    pub(crate) async fn row<T: Row>(&self, sql: &'static str, values: &[Value]) -> Result<Option<T>, StoreError> {
        Ok(on!(self.readers(), Readers, pool => {
            bound!(sqlx::query_as::<_, T>(sql), values).fetch_optional(pool).await?
        }))
    }

    /// Runs `work` in one transaction; returns after the commit.
    pub(crate) async fn write<T: Send + 'static>(&self, work: impl Work<T> + 'static) -> Result<T, StoreError> {
        match self {
            Self::Sqlite { writer, .. } => writer.write(work).await,
            Self::Postgres(pool) => {
                let mut attempt = 1;
                loop {
                    match write_postgres(pool, &work).await {
                        Err(error) if attempt < ATTEMPTS_MAX && is_retry(&error) => attempt += 1,
                        done => return done,
                    }
                }
            }
        }
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite { readers, writer } => {
                readers.close().await;
                writer.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

async fn write_postgres<T>(pool: &PgPool, work: &impl Work<T>) -> Result<T, StoreError> {
    let mut transaction = pool.begin().await?;
    let done = work(&mut Tx::Postgres(&mut transaction)).await?;
    transaction.commit().await?;
    Ok(done)
}

/// `serialization_failure` and `deadlock_detected`: PostgreSQL asks for the transaction to be tried again.
fn is_retry(error: &StoreError) -> bool {
    match error {
        StoreError::Database(sqlx::Error::Database(error)) => {
            error.code().is_some_and(|code| code == "40001" || code == "40P01")
        }
        StoreError::Database(_)
        | StoreError::Closed
        | StoreError::Commit(_)
        | StoreError::Schema { .. }
        | StoreError::Unreadable(_)
        | StoreError::File(_) => false,
    }
}
