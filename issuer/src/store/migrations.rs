//! The schema's versions, in order. Each is applied once, in one transaction with the note that it was.

use super::database::{Database, StoreError, Tx};

/// Never change one that was released: add the next.
const VERSIONS: [(i64, &str); 3] =
    [(1, include_str!("schema.sql")), (2, include_str!("schema_oauth.sql")), (3, include_str!("schema_oauth_2.sql"))];

pub(super) async fn run(database: &Database) -> Result<(), StoreError> {
    // Two processes may start at once; the second waits here for the first one's commit.
    database
        .write(|tx| {
            Box::pin(async move {
                let sql = "CREATE TABLE IF NOT EXISTS lime_schema (version BIGINT PRIMARY KEY, holder TEXT NOT NULL)";
                tx.execute(sql, &[]).await.map(drop)
            })
        })
        .await
        .or_else(made_meanwhile)?;
    database
        .write(|tx| {
            Box::pin(async move {
                let sql = "INSERT INTO lime_schema (version, holder) VALUES (0, '') ON CONFLICT (version) DO NOTHING";
                tx.execute(sql, &[]).await?;
                tx.execute("UPDATE lime_schema SET holder = 'migrating' WHERE version = 0", &[]).await?;
                upgrade(tx).await
            })
        })
        .await
}

/// PostgreSQL's `IF NOT EXISTS` can lose a race with itself, and says so by a unique violation in its catalogue.
fn made_meanwhile(error: StoreError) -> Result<(), StoreError> {
    let lost = matches!(&error, StoreError::Database(sqlx::Error::Database(cause)) if cause.is_unique_violation());
    if lost { Ok(()) } else { Err(error) }
}

async fn upgrade(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    let found: Option<(Option<i64>,)> = tx.row("SELECT MAX(version) FROM lime_schema", &[]).await?;
    let found = found.and_then(|(version,)| version).unwrap_or(0);
    let known = VERSIONS.last().map_or(0, |(version, _)| *version);
    if found > known {
        return Err(StoreError::Schema { found, known });
    }
    for (version, text) in VERSIONS.iter().filter(|(version, _)| *version > found) {
        for statement in text.split("\n;") {
            if !statement.trim().is_empty() {
                tx.execute(statement, &[]).await?;
            }
        }
        tx.execute("INSERT INTO lime_schema (version, holder) VALUES ($1, 'done')", &[(*version).into()]).await?;
    }
    Ok(())
}
