//! Writes to the log, each within the writer's transaction.
//!
//! Every function here checks all that it may refuse before its first write, so that a refusal leaves
//! nothing behind in a transaction it shares with others.

mod access;
mod change;
mod expire;
mod idempotency;
mod membership;
mod publish;
mod retract;
mod supersede;
mod update;

use campanile_model::{Cause, Entry, EntryKind, Seq, Slug, Timestamp};
use rusqlite::Connection;

use super::failure::Outcome;
use super::row::{self, Place};
use super::workspace::Workspace;
use crate::{Appended, Epochs, Idempotency, Published, StoreError, Write};

pub(super) use expire::{ROWS as EXPIRED_ROWS, expire, is_due};
pub(super) use idempotency::{kept, purge};

/// What one write appends, numbered and dated.
pub(super) struct Appending<'a> {
    conn: &'a Connection,
    workspace: Workspace,
    now: Timestamp,
    /// Of the last change of the database.
    counter: i64,
    entries: Vec<Entry>,
}

/// What a write did to the log.
pub(super) struct Done {
    pub(super) appended: Appended,
    /// What is to be told of it; none if it was a replay or changed nothing.
    pub(super) entries: Vec<Entry>,
    pub(super) counter: i64,
}

/// Does `write`, which passed `validate`. `counter` is that of the database's last change.
pub(super) fn append(
    conn: &Connection,
    epochs: &Epochs,
    counter: i64,
    slug: &Slug,
    write: Write,
    now: Timestamp,
) -> Outcome<Done> {
    let found = Workspace::load(conn, slug)?;
    let begin = |found: Option<Workspace>| -> Outcome<Appending<'_>> {
        let workspace = match found {
            Some(workspace) => workspace,
            None => Workspace::create(conn, slug, epochs.draw())?,
        };
        Ok(Appending { conn, workspace, now, counter, entries: Vec::new() })
    };
    let replayed = |found: &Option<Workspace>, request: Option<&Idempotency>| match (found, request) {
        (Some(ws), Some(request)) => idempotency::replay(conn, ws.id, request, now),
        _ => Ok(None),
    };
    match write {
        Write::Publish { notifications, idempotency } => {
            if let Some(appended) = replayed(&found, idempotency.as_ref())? {
                return Ok(Done { appended, entries: Vec::new(), counter });
            }
            publish::refuse_known_ids(conn, &notifications)?;
            let mut log = begin(found)?;
            let published = publish::publish(&mut log, notifications)?;
            let done = log.done(published);
            if let Some(request) = &idempotency {
                idempotency::keep(&log, request, &done)?;
            }
            Ok(log.told(done))
        }
        Write::Retract { id } => {
            let ws = found.ok_or(StoreError::NotFound)?;
            let target = super::read::retained(conn, &ws, id)?;
            let mut log = begin(Some(ws))?;
            retract::retract(&mut log, &target, Cause::Retracted)?;
            Ok(log.finish())
        }
        Write::Change(change) => {
            if let Some(appended) = replayed(&found, change.idempotency.as_deref())? {
                return Ok(Done { appended, entries: Vec::new(), counter });
            }
            let steps = change::judge(conn, found.as_ref().map(|ws| ws.id), &change.documents)?;
            publish::refuse_known_ids(conn, &change.notifications)?;
            change::change(begin(found)?, change, &steps)
        }
        Write::Update { notification, expected } => {
            let ws = found.ok_or(StoreError::NotFound)?;
            let target = update::target(conn, &ws, &notification, expected.as_deref())?;
            let mut log = begin(Some(ws))?;
            update::update(&mut log, &target, notification)?;
            Ok(log.finish())
        }
        Write::Subscribe { topic, users } => {
            if let Some(ws) = &found {
                membership::refuse_above_limit(conn, ws.id, &topic, &users)?;
            }
            let mut log = begin(found)?;
            membership::subscribe(&mut log, &topic, users)?;
            Ok(log.finish())
        }
        Write::Unsubscribe { topic, users } => {
            let mut log = begin(found)?;
            membership::unsubscribe(&mut log, &topic, users)?;
            Ok(log.finish())
        }
        Write::Grant { user } => {
            let mut log = begin(found)?;
            access::grant(&mut log, user)?;
            Ok(log.finish())
        }
        Write::Withdraw { user } => {
            let mut log = begin(found)?;
            access::withdraw(&mut log, user)?;
            Ok(log.finish())
        }
    }
}

impl Appending<'_> {
    /// Appends an entry that is no notification.
    fn push(&mut self, kind: EntryKind) -> Outcome<Seq> {
        self.push_from(kind, None, None)
    }

    fn push_from(&mut self, kind: EntryKind, source: Option<i64>, ord: Option<i64>) -> Outcome<Seq> {
        let seq = self.workspace.head.next();
        let place = Place { id: self.counter + 1, ws: self.workspace.id, seq, at: self.now, source, ord };
        row::insert(self.conn, &place, &kind)?;
        (self.counter, self.workspace.head) = (place.id, seq);
        self.entries.push(Entry { seq, kind });
        Ok(seq)
    }

    fn done(&self, published: Vec<Published>) -> Appended {
        Appended {
            epoch: self.workspace.epoch,
            published,
            versions: Vec::new(),
            head: self.workspace.head,
            replayed: false,
        }
    }

    fn told(self, appended: Appended) -> Done {
        Done { appended, entries: self.entries, counter: self.counter }
    }

    fn finish(self) -> Done {
        let appended = self.done(Vec::new());
        self.told(appended)
    }
}
