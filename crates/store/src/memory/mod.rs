//! The reference backend: vectors, brute force and the predicate itself.
//!
//! It answers by asking [`Visibility::sees`](campanile_model::Visibility::sees) about every entry, so that
//! it is right by reading it. For tests and for judging other backends; nothing survives the process.

mod changes;
mod documents;
mod life;
mod log;
mod receipts;

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use campanile_model::{
    Cause, Counts, Entry, Epoch, NotificationId, Rev, Seq, Slug, Timestamp, Topic, UserId, Visibility,
};
use tokio::sync::broadcast;

use crate::documents::ReadBytes;
use crate::{
    Appended, Commit, Document, DocumentKind, DocumentQuery, Documents, DuePlace, Epochs, Head, Idempotency,
    Item, Mark, MarkKey, Marked, Marking, ReadState, Retention, Snapshot, Store, StoreError, VisibleChange,
    VisibleQuery, Write, validate,
};
use documents::Shelf;
use log::Log;

/// Commits a slow reader may fall behind before it is told so.
const BROADCAST: usize = 4096;

/// A [`Store`] in the process's memory, behind one lock.
pub struct MemoryStore {
    inner: Mutex<Inner>,
    commits: broadcast::Sender<Arc<Commit>>,
    epochs: Epochs,
}

#[derive(Default)]
struct Inner {
    logs: BTreeMap<Slug, Log>,
    shelf: Shelf,
    /// Of every retained notification of the installation.
    ids: HashSet<NotificationId>,
    closed: bool,
}

impl MemoryStore {
    /// An empty store that draws the epochs of its workspaces from `epochs`.
    pub fn new(epochs: Epochs) -> Self {
        Self { inner: Mutex::default(), commits: broadcast::channel(BROADCAST).0, epochs }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Every change below is checked before it begins, so a panic elsewhere left nothing half done.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Call it under the lock, so that commits come in their order.
    fn tell(&self, workspace: &Slug, epoch: Epoch, entries: Vec<Entry>, marks: Vec<Marking>) {
        let commit = Commit { workspace: workspace.clone(), epoch, entries, marks };
        // No receiver is no failure.
        let _ = self.commits.send(Arc::new(commit));
    }

    fn lock_for_writing(&self) -> Result<MutexGuard<'_, Inner>, StoreError> {
        let inner = self.lock();
        if inner.closed { Err(StoreError::Unavailable { reason: "closed".into() }) } else { Ok(inner) }
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn append(
        &self,
        workspace: &Slug,
        mut write: Write,
        now: Timestamp,
    ) -> Result<Appended, StoreError> {
        validate(&write)?;
        let mut inner = self.lock_for_writing()?;
        let inner = &mut *inner;
        if let (Some(log), Some(request)) = (inner.logs.get(workspace), idempotency(&write))
            && let Some(appended) = log.kept(request, now)?
        {
            return Ok(appended);
        }
        let documents = match &mut write {
            Write::Change(change) => std::mem::take(&mut change.documents),
            _ => Vec::new(),
        };
        inner.shelf.judge(workspace, &documents)?;
        // A refused write brings no workspace into being, so a new log is kept only once it was accepted.
        let mut fresh = None;
        let log = match inner.logs.get_mut(workspace) {
            Some(log) => log,
            None => fresh.insert(Log::new(self.epochs.draw())),
        };
        let mut appended = log.append(write, now, &mut inner.ids)?;
        appended.versions = inner.shelf.write(workspace, documents, now);
        let entries = log.take_untold();
        if let Some(log) = fresh {
            inner.logs.insert(workspace.clone(), log);
        }
        if !entries.is_empty() {
            self.tell(workspace, appended.epoch, entries, Vec::new());
        }
        Ok(appended)
    }

    async fn kept(
        &self,
        workspace: &Slug,
        request: &Idempotency,
        now: Timestamp,
    ) -> Result<Option<Appended>, StoreError> {
        self.lock().logs.get(workspace).map_or(Ok(None), |log| log.kept(request, now))
    }

    async fn snapshot(&self, workspace: &Slug, user: &UserId) -> Result<Snapshot, StoreError> {
        let inner = self.lock();
        Ok(inner.logs.get(workspace).map_or_else(
            || Snapshot { first: Seq(1), counts: Counts::default(), visibility: Visibility::default() },
            |log| log.snapshot(user),
        ))
    }

    async fn entries(
        &self,
        workspace: &Slug,
        after: Seq,
        up_to: Seq,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let inner = self.lock();
        Ok(inner.logs.get(workspace).map_or_else(Vec::new, |log| log.entries(after, up_to, limit)))
    }

    async fn changes(
        &self,
        workspace: &Slug,
        user: &UserId,
        after: Seq,
        up_to: Seq,
        limit: usize,
    ) -> Result<Vec<VisibleChange>, StoreError> {
        let inner = self.lock();
        inner.logs.get(workspace).map_or(Ok(Vec::new()), |log| log.changes(user, after, up_to, limit))
    }

    async fn visible(
        &self,
        workspace: &Slug,
        user: &UserId,
        query: VisibleQuery,
    ) -> Result<Vec<Item>, StoreError> {
        let inner = self.lock();
        Ok(inner.logs.get(workspace).map_or_else(Vec::new, |log| log.visible(user, query)))
    }

    async fn find(
        &self,
        workspace: &Slug,
        user: Option<&UserId>,
        id: NotificationId,
    ) -> Result<Item, StoreError> {
        let inner = self.lock();
        inner.logs.get(workspace).and_then(|log| log.find(user, id)).ok_or(StoreError::NotFound)
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
        let mut inner = self.lock_for_writing()?;
        match (inner.logs.get_mut(workspace), mark) {
            (Some(log), mark) => {
                let marked = log.mark(user, mark, key, now)?;
                if marked.changed {
                    let marking = Marking { user: user.clone(), rev: marked.rev };
                    self.tell(workspace, log.epoch(), Vec::new(), vec![marking]);
                }
                Ok(marked)
            }
            (None, Mark::ReadAll(_) | Mark::Seen(_)) => {
                Ok(Marked { changed: false, rev: Rev(0), unread: 0, head: Seq::ZERO })
            }
            (None, _) => Err(StoreError::NotFound),
        }
    }

    async fn receipts(
        &self,
        workspace: &Slug,
        user: &UserId,
        after: Rev,
        limit: usize,
    ) -> Result<ReadState, StoreError> {
        let inner = self.lock();
        Ok(inner.logs.get(workspace).map_or_else(ReadState::default, |log| log.receipts(user, after, limit)))
    }

    async fn subscribers(
        &self,
        workspace: &Slug,
        topic: &Topic,
        after: Option<&UserId>,
        limit: usize,
    ) -> Result<Vec<UserId>, StoreError> {
        let inner = self.lock();
        Ok(inner.logs.get(workspace).map_or_else(Vec::new, |log| log.subscribers(topic, after, limit)))
    }

    async fn prune(
        &self,
        workspace: &Slug,
        keep: Retention,
        limit: usize,
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        let mut inner = self.lock_for_writing()?;
        let inner = &mut *inner;
        Ok(inner.logs.get_mut(workspace).map_or(0, |log| log.prune(keep, limit, now, &mut inner.ids)))
    }

    async fn expire(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let mut inner = self.lock_for_writing()?;
        let of = |(slug, log): (&Slug, &Log)| {
            log.due(now).map(|(at, seq, id)| (at, slug.clone(), seq, id)).collect::<Vec<_>>()
        };
        let mut due: Vec<_> = inner.logs.iter().flat_map(of).collect();
        due.sort();
        due.truncate(limit);
        for (_, slug, _, id) in &due {
            if let Some(log) = inner.logs.get_mut(slug) {
                log.retract(*id, Cause::Expired, now)?;
            }
        }
        for (workspace, log) in &mut inner.logs {
            let entries = log.take_untold();
            if !entries.is_empty() {
                self.tell(workspace, log.epoch(), entries, Vec::new());
            }
        }
        Ok(due.len())
    }

    async fn heads(&self) -> Result<Vec<Head>, StoreError> {
        let inner = self.lock();
        Ok(inner
            .logs
            .iter()
            .map(|(slug, log)| Head {
                workspace: slug.clone(),
                epoch: log.epoch(),
                first: log.first(),
                seq: log.head(),
            })
            .collect())
    }

    fn commits(&self) -> broadcast::Receiver<Arc<Commit>> {
        self.commits.subscribe()
    }

    fn health(&self) -> Result<(), StoreError> {
        self.lock_for_writing().map(drop)
    }

    async fn close(&self) {
        self.lock().closed = true;
    }
}

#[async_trait]
impl Documents for MemoryStore {
    async fn documents(
        &self,
        workspace: &Slug,
        kind: DocumentKind,
        ids: &[Arc<str>],
    ) -> Result<Vec<Option<Document>>, StoreError> {
        validate::ids(ids)?;
        let inner = self.lock();
        let found: Vec<_> = ids.iter().map(|id| inner.shelf.get(workspace, kind, id)).collect();
        let mut bytes = ReadBytes::default();
        found.iter().flatten().try_for_each(|document| bytes.add(document))?;
        Ok(found.into_iter().map(|document| document.cloned()).collect())
    }

    async fn list_documents(
        &self,
        workspace: &Slug,
        query: DocumentQuery,
    ) -> Result<Vec<Document>, StoreError> {
        Ok(self.lock().shelf.list(workspace, &query))
    }

    async fn due(
        &self,
        kind: DocumentKind,
        up_to: Timestamp,
        after: Option<DuePlace>,
        limit: usize,
    ) -> Result<Vec<(Slug, Document)>, StoreError> {
        Ok(self.lock().shelf.due(kind, up_to, after, limit))
    }

    async fn purge(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        Ok(self.lock_for_writing()?.shelf.purge(now, limit))
    }
}

fn idempotency(write: &Write) -> Option<&Idempotency> {
    match write {
        Write::Publish { idempotency, .. } => idempotency.as_ref(),
        Write::Change(change) => change.idempotency.as_deref(),
        _ => None,
    }
}
