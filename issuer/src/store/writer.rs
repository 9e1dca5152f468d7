//! The one writer of an embedded store: a task that owns the connection and commits many callers' work at once. Each
//! runs inside a savepoint, so that one failure leaves the others alone; all are answered after the common COMMIT.

use std::mem;

use futures_util::future::BoxFuture;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection as _, Executor as _};
use tokio::sync::{mpsc, oneshot};

use super::database::{StoreError, Tx, Work};

/// Callers that may wait; the next one waits to be queued. A caller waits one commit for each group before it.
const QUEUE_MAX: usize = 1024;

/// Most callers in one commit: past 64 a commit costs nearly nothing a caller, and the first one waits for all.
const GROUP_MAX: usize = 64;

#[derive(Debug)]
pub(crate) struct Writer {
    queue: mpsc::Sender<Message>,
}

enum Message {
    Write(Box<dyn Job>),
    Close(oneshot::Sender<()>),
}

trait Job: Send {
    /// Does the work and keeps its result; whether its changes are to be kept.
    fn run<'j>(&'j mut self, tx: &'j mut Tx<'_>) -> BoxFuture<'j, Keep>;
    /// Answers the caller.
    fn answer(self: Box<Self>, committed: Result<(), StoreError>);
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    Changes,
    Nothing,
}

struct Pending<T, W> {
    work: W,
    result: Option<Result<T, StoreError>>,
    caller: oneshot::Sender<Result<T, StoreError>>,
}

impl<T: Send, W: Work<T>> Job for Pending<T, W> {
    fn run<'j>(&'j mut self, tx: &'j mut Tx<'_>) -> BoxFuture<'j, Keep> {
        Box::pin(async move {
            let result = (self.work)(tx).await;
            let keep = if result.is_ok() { Keep::Changes } else { Keep::Nothing };
            self.result = Some(result);
            keep
        })
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>) {
        let result = match committed {
            Ok(()) => self.result.unwrap_or(Err(StoreError::Closed)),
            Err(error) => Err(error),
        };
        // The caller may have gone; its work is done all the same.
        drop(self.caller.send(result));
    }
}

impl Writer {
    pub(crate) async fn open(options: &SqliteConnectOptions) -> Result<Self, StoreError> {
        let connection = SqliteConnection::connect_with(options).await?;
        let (queue, messages) = mpsc::channel(QUEUE_MAX);
        tokio::spawn(serve(connection, messages));
        Ok(Self { queue })
    }

    pub(crate) async fn write<T: Send + 'static>(&self, work: impl Work<T> + 'static) -> Result<T, StoreError> {
        let (caller, answer) = oneshot::channel();
        let job = Box::new(Pending { work, result: None, caller });
        self.queue.send(Message::Write(job)).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Waits for what is queued, then lets go of the file.
    pub(crate) async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.queue.send(Message::Close(done)).await.is_ok() {
            drop(closed.await);
        }
    }
}

async fn serve(mut connection: SqliteConnection, mut messages: mpsc::Receiver<Message>) {
    let mut closing = None;
    while closing.is_none() {
        let mut group: Vec<Box<dyn Job>> = Vec::new();
        match messages.recv().await {
            Some(Message::Write(job)) => group.push(job),
            Some(Message::Close(done)) => closing = Some(done),
            None => break,
        }
        while closing.is_none() && group.len() < GROUP_MAX {
            match messages.try_recv() {
                Ok(Message::Write(job)) => group.push(job),
                Ok(Message::Close(done)) => closing = Some(done),
                Err(_) => break,
            }
        }
        if !group.is_empty() {
            commit(&mut connection, group).await;
        }
    }
    if let Err(error) = connection.close().await {
        tracing::warn!(%error, "store was not closed cleanly");
    }
    if let Some(done) = closing {
        // Who asked may have gone.
        let _told = done.send(());
    }
}

async fn commit(connection: &mut SqliteConnection, mut group: Vec<Box<dyn Job>>) {
    let committed = run_group(connection, &mut group).await.map_err(|error| error.to_string());
    if committed.is_err() {
        // Nothing is open any more when BEGIN itself failed; then this fails too, and rightly.
        if let Err(error) = connection.execute("ROLLBACK").await {
            tracing::debug!(%error, "nothing to roll back");
        }
    }
    for job in mem::take(&mut group) {
        job.answer(committed.clone().map_err(StoreError::Commit));
    }
}

async fn run_group(connection: &mut SqliteConnection, group: &mut [Box<dyn Job>]) -> Result<(), sqlx::Error> {
    // IMMEDIATE: a transaction that reads first and then finds another process's writer in its way cannot wait.
    connection.execute("BEGIN IMMEDIATE").await?;
    for job in group {
        connection.execute("SAVEPOINT job").await?;
        if job.run(&mut Tx::Sqlite(connection)).await == Keep::Nothing {
            connection.execute("ROLLBACK TO job").await?;
        }
        connection.execute("RELEASE job").await?;
    }
    connection.execute("COMMIT").await?;
    Ok(())
}
