//! The store as its users see it: queues, and the threads behind them.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

use async_trait::async_trait;
use campanile_model::{Entry, NotificationId, Rev, Seq, Slug, Timestamp, Topic, UserId};
use crossbeam_channel::{Sender, TrySendError, bounded};
use rusqlite::Connection;
use tokio::sync::{broadcast, oneshot};

use super::check_full::{CheckReport, check_full};
use super::checkpoint::{Anew, Checkpointer, Commits, begin_anew, copies_all};
use super::config::Config;
use super::failure::{Outcome, store_error};
use super::handles::Handles;
use super::job::{Job, Reply};
use super::readers::Readers;
use super::sight::Window;
use super::status::{State, Status};
use super::witness::Witness;
use super::workspace::{self, Workspace};
use super::writer::Writer;
use super::{append, changes, check, connect, documents, lineage, list, read, receipts, schema};
use crate::{
    Appended, Commit, Document, DocumentKind, DocumentQuery, Documents, DuePlace, Head, Idempotency, Item,
    Mark, MarkKey, Marked, ReadState, Retention, Snapshot, Store, StoreError, VisibleChange, VisibleQuery,
    Write, validate,
};

/// A [`Store`] in one SQLite database file.
///
/// Dropping it waits for the turn under way and for what is queued (milliseconds), as
/// [`close`](Store::close) does without blocking.
pub struct SqliteStore {
    queues: Mutex<Option<Queues>>,
    readers: Readers,
    status: Arc<Status>,
    commits: broadcast::Sender<Arc<Commit>>,
    threads: tokio::sync::Mutex<Vec<JoinHandle<()>>>,
    dir: PathBuf,
}

/// To the writer. Dropping them ends it, once they are empty; likewise the checkpointer.
struct Queues {
    publishes: Sender<Job>,
    rest: Sender<Job>,
    _checkpointer: Sender<()>,
}

impl SqliteStore {
    /// Opens the database in `config.dir`, which is created where it is missing, checks its schema and the
    /// end of its log, and starts the threads. Blocks for milliseconds at any size.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if another process has it open, a newer program wrote it or the files
    /// cannot be used; [`StoreError::Corrupt`] or [`StoreError::Internal`] if the end of the log is damaged.
    pub fn open(config: Config) -> Result<Self, StoreError> {
        let sqlite = |error: rusqlite::Error| store_error(&error);
        connect::prepare_dir(&config.dir)?;
        let (witness, found) = Witness::open(&config.dir)?;
        let conn = connect::open_writer(&config).map_err(sqlite)?;
        schema::migrate(&conn, &config.epochs)?;
        // The WAL is there by now. What a process that was killed had not flushed of it counts from here on, and may be
        // acknowledged without another commit, so it is to survive the loss of power, and the WAL's name as well.
        connect::sync_wal(&config.dir)?;
        connect::sync_dir(&config.dir).map_err(|error| connect::cannot("flush", &config.dir, &error))?;
        check::tail(&conn)?;
        let record = lineage::judge(&conn, &found, &config.epochs)?;
        witness.write(record);
        witness.flush();
        let handles = Handles::new(config.readers);
        handles.open(&config).map_err(sqlite)?;

        let dir = config.dir.clone();
        let (publishes, publishes_waiting) = bounded(config.queue);
        let (rest, rest_waiting) = bounded(config.queue);
        let (checkpointer, stop) = bounded(0);
        let commits = broadcast::channel(config.broadcast.max(1)).0;
        let (status, committed) = (Arc::<Status>::default(), Arc::<Commits>::default());
        let ((anew, asked_for), (failed, failure)) = (bounded(1), bounded(1));
        let checkpoints = Checkpointer {
            slot: Arc::clone(&handles.checkpointer),
            witness: witness.clone(),
            commits: Arc::clone(&committed),
            growth: Checkpointer::growth_of(config.checkpoint_mib),
            page_limit: config.page_limit,
            wal_age: config.wal_age,
            anew: anew.clone(),
            failed: failed.clone(),
            status: Arc::clone(&status),
            faults: config.faults.clone(),
        };
        let thread = |error: std::io::Error| StoreError::Internal(format!("cannot start a thread: {error}"));
        let (readers, mut threads) = Readers::start(&handles, config.read_queue).map_err(thread)?;
        let writer = Writer {
            conn: Some(conn),
            handles,
            witness,
            lineage: record.lineage,
            counter: record.counter.cast_signed(),
            publishes: publishes_waiting,
            rest: rest_waiting,
            large: RefCell::default(),
            status: Arc::clone(&status),
            commits: commits.clone(),
            committed,
            anew: asked_for,
            failed: failure,
            _asking: (anew, failed),
            unsettled: true,
            failures: 0,
            config,
        };
        threads.push(
            Builder::new()
                .name("store-files".into())
                .spawn(move || checkpoints.run(&stop))
                .map_err(thread)?,
        );
        threads.push(Builder::new().name("store-write".into()).spawn(move || writer.run()).map_err(thread)?);
        Ok(Self {
            queues: Mutex::new(Some(Queues { publishes, rest, _checkpointer: checkpointer })),
            readers,
            status,
            commits,
            threads: tokio::sync::Mutex::new(threads),
            dir,
        })
    }

    /// Does what [`check_full`] does, while the store works on.
    ///
    /// # Errors
    /// Those of [`check_full`].
    pub async fn check_full(&self) -> Result<CheckReport, StoreError> {
        let dir = self.dir.clone();
        let ended = |_| StoreError::Internal("the check did not run to its end".into());
        tokio::task::spawn_blocking(move || check_full(&dir)).await.unwrap_or_else(|e| Err(ended(e)))
    }

    /// Queues a write and waits for its answer.
    async fn write<T>(&self, job: impl FnOnce(Reply<T>) -> Job) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.enqueue(job(reply))?;
        let lost = || StoreError::Unavailable { reason: "the write may or may not have happened".into() };
        answer.await.unwrap_or_else(|_| Err(lost()))
    }

    /// Removes up to `limit` of what is over at `now`, and says how many. One job is one bounded part of a turn, and
    /// others' writes come between two of them.
    async fn remove(
        &self,
        limit: usize,
        now: Timestamp,
        is_any: fn(&Connection, Timestamp) -> Outcome<bool>,
        job: impl Fn(usize, Reply<usize>) -> Job,
    ) -> Result<usize, StoreError> {
        let mut removed = 0;
        while removed < limit && self.readers.run(move |conn| is_any(conn, now)).await? {
            match self.write(|reply| job(limit - removed, reply)).await? {
                0 => break,
                count => removed += count,
            }
        }
        Ok(removed)
    }

    fn enqueue(&self, job: Job) -> Result<(), StoreError> {
        self.status.admit()?;
        let closed = || StoreError::Unavailable { reason: "closed".into() };
        let queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        let Queues { publishes, rest, .. } = queues.as_ref().ok_or_else(closed)?;
        let queue = if matches!(job, Job::Append { .. }) { publishes } else { rest };
        queue.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => StoreError::Busy { waiting: queue.len() },
            TrySendError::Disconnected(_) => closed(),
        })
    }

    /// Lets every thread finish what is queued.
    fn stop(&self) {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.readers.stop();
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.stop();
        end(self.threads.get_mut().drain(..).collect(), &self.dir, &self.status);
    }
}

/// Waits for the threads, then leaves one file behind in place of two. The log is as safe in the second.
fn end(threads: Vec<JoinHandle<()>>, dir: &Path, status: &Status) {
    if threads.is_empty() {
        return;
    }
    for thread in threads {
        // A thread that panicked has nothing left to finish.
        let _ = thread.join();
    }
    let cut = connect::open_last(dir).and_then(|conn| {
        // As in a recovery that was not to be waited for.
        let is_ready = !status.is_unflushed() || copies_all(&conn)?;
        let is_cut = is_ready && begin_anew(&conn, Anew::Cut)?;
        // Then the file goes as this one is closed.
        connect::copy_at_close(&conn, is_cut)?;
        Ok(is_cut)
    });
    match cut {
        Ok(true) => {}
        Ok(false) => tracing::info!("the write-ahead log stays beside the database: somebody reads from it"),
        Err(error) => tracing::info!(%error, "the write-ahead log stays beside the database"),
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn append(&self, workspace: &Slug, write: Write, now: Timestamp) -> Result<Appended, StoreError> {
        validate(&write)?;
        let workspace = workspace.clone();
        self.write(|reply| Job::Append { workspace, write, now, reply }).await
    }

    async fn kept(
        &self,
        workspace: &Slug,
        request: &Idempotency,
        now: Timestamp,
    ) -> Result<Option<Appended>, StoreError> {
        let (workspace, request) = (workspace.clone(), request.clone());
        self.readers.run(move |conn| append::kept(conn, &workspace, &request, now)).await
    }

    async fn snapshot(&self, workspace: &Slug, user: &UserId) -> Result<Snapshot, StoreError> {
        let (workspace, user) = (workspace.clone(), user.clone());
        self.readers.run(move |conn| read::snapshot(conn, &workspace, &user)).await
    }

    async fn entries(
        &self,
        workspace: &Slug,
        after: Seq,
        up_to: Seq,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let workspace = workspace.clone();
        self.readers
            .run(move |conn| match Workspace::load(conn, &workspace)? {
                Some(ws) => read::entries(conn, &ws, after, up_to, limit),
                None => Ok(Vec::new()),
            })
            .await
    }

    async fn changes(
        &self,
        workspace: &Slug,
        user: &UserId,
        after: Seq,
        up_to: Seq,
        limit: usize,
    ) -> Result<Vec<VisibleChange>, StoreError> {
        let (workspace, user) = (workspace.clone(), user.clone());
        self.readers
            .run(move |conn| match Workspace::load(conn, &workspace)? {
                Some(ws) => changes::changes(conn, &ws, &user, Window { after, up_to }, limit),
                None => Ok(Vec::new()),
            })
            .await
    }

    async fn visible(
        &self,
        workspace: &Slug,
        user: &UserId,
        query: VisibleQuery,
    ) -> Result<Vec<Item>, StoreError> {
        let (workspace, user) = (workspace.clone(), user.clone());
        self.readers
            .run(move |conn| match Workspace::load(conn, &workspace)? {
                Some(ws) => list::visible(conn, &ws, &user, &query),
                None => Ok(Vec::new()),
            })
            .await
    }

    async fn find(
        &self,
        workspace: &Slug,
        user: Option<&UserId>,
        id: NotificationId,
    ) -> Result<Item, StoreError> {
        let (workspace, user) = (workspace.clone(), user.cloned());
        self.readers.run(move |conn| read::find(conn, &workspace, user.as_ref(), id)).await
    }

    async fn mark(
        &self,
        workspace: &Slug,
        user: &UserId,
        mark: Mark,
        key: Option<&MarkKey>,
        now: Timestamp,
    ) -> Result<Marked, StoreError> {
        validate::mark_key(key)?;
        let (workspace, user, key) = (workspace.clone(), user.clone(), key.cloned());
        self.write(|reply| Job::Mark { workspace, user, mark, key, now, reply }).await
    }

    async fn receipts(
        &self,
        workspace: &Slug,
        user: &UserId,
        after: Rev,
        limit: usize,
    ) -> Result<ReadState, StoreError> {
        let (workspace, user) = (workspace.clone(), user.clone());
        self.readers.run(move |conn| receipts::receipts(conn, &workspace, &user, after, limit)).await
    }

    async fn subscribers(
        &self,
        workspace: &Slug,
        topic: &Topic,
        after: Option<&UserId>,
        limit: usize,
    ) -> Result<Vec<UserId>, StoreError> {
        let (workspace, topic, after) = (workspace.clone(), topic.clone(), after.cloned());
        self.readers.run(move |conn| read::subscribers(conn, &workspace, &topic, after.as_ref(), limit)).await
    }

    async fn prune(
        &self,
        workspace: &Slug,
        keep: Retention,
        limit: usize,
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        let workspace = workspace.clone();
        self.write(|reply| Job::Prune { workspace, keep, limit, now, reply }).await
    }

    async fn expire(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.remove(limit, now, append::is_due, |limit, reply| Job::Expire { limit, now, reply }).await
    }

    async fn heads(&self) -> Result<Vec<Head>, StoreError> {
        self.readers.run(workspace::heads).await
    }

    fn commits(&self) -> broadcast::Receiver<Arc<Commit>> {
        self.commits.subscribe()
    }

    fn health(&self) -> Result<(), StoreError> {
        self.status.health()
    }

    async fn close(&self) {
        self.stop();
        // Held until all have ended, so that a second close waits as well.
        let mut threads = self.threads.lock().await;
        let ended: Vec<_> = threads.drain(..).collect();
        let dir = self.dir.clone();
        let status = Arc::clone(&self.status);
        let join = move || end(ended, &dir, &status);
        // Fails only where the runtime itself is ending; the threads end by themselves all the same.
        let _ = tokio::task::spawn_blocking(join).await;
        self.status.set(State::Closed);
    }
}

#[async_trait]
impl Documents for SqliteStore {
    async fn documents(
        &self,
        workspace: &Slug,
        kind: DocumentKind,
        ids: &[Arc<str>],
    ) -> Result<Vec<Option<Document>>, StoreError> {
        validate::ids(ids)?;
        let (workspace, ids) = (workspace.clone(), ids.to_vec());
        self.readers.run(move |conn| documents::documents(conn, &workspace, kind, &ids)).await
    }

    async fn list_documents(
        &self,
        workspace: &Slug,
        query: DocumentQuery,
    ) -> Result<Vec<Document>, StoreError> {
        let workspace = workspace.clone();
        self.readers.run(move |conn| documents::list(conn, &workspace, &query)).await
    }

    async fn due(
        &self,
        kind: DocumentKind,
        up_to: Timestamp,
        after: Option<DuePlace>,
        limit: usize,
    ) -> Result<Vec<(Slug, Document)>, StoreError> {
        self.readers.run(move |conn| documents::due(conn, kind, up_to, after, limit)).await
    }

    async fn purge(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.remove(limit, now, documents::has_expired, |limit, reply| Job::Purge { limit, now, reply }).await
    }
}
