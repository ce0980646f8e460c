//! One turn of the writer: several operations, one transaction, one flush.

use std::sync::Arc;

use campanile_model::{Epoch, Seq, Slug, Timestamp};
use rusqlite::Connection;

use super::failure::{Failure, Outcome, defect};
use super::job::{Answer, Job};
use super::{append, documents, mark, mark_key, prune, settle};
use crate::{Commit, Epochs, Marking, StoreError};

/// Outcomes of requests that are forgotten in one turn, once their time has passed; keys of marks as many.
const PURGED: usize = 64;
/// Rows that one call of prune or purge removes at most, whatever it asks for.
const PRUNED: usize = 1000;
/// Bytes of bodies that one call of prune, purge or expire removes at most, or else one body: what is removed is overwritten,
/// and every page of it stands in the turn's commit.
const REMOVED_BYTES: usize = 4 << 20;
/// Free pages from which on the file is made smaller, and by how many at a time.
const FREE: i64 = 1024;
const RETURNED: i64 = 128;

/// What is left of [`REMOVED_BYTES`].
#[derive(Default)]
pub(super) struct Removed(usize);

impl Removed {
    /// Whether a body of this length may go as well. The first may, whatever its length.
    pub(super) fn has_room(&mut self, bytes: usize) -> bool {
        let (was_empty, bytes) = (self.0 == 0, self.0.saturating_add(bytes.max(1)));
        let fits = was_empty || bytes <= REMOVED_BYTES;
        if fits {
            self.0 = bytes;
        }
        fits
    }
}

/// A transaction that is being filled.
pub(super) struct Turn<'a> {
    conn: &'a Connection,
    epochs: &'a Epochs,
    /// Of the database's last durable change, this transaction's included.
    counter: i64,
    /// Whether the newest row of the log does not say so: then it is recorded apart.
    uncounted: bool,
    answers: Vec<Answer>,
    commits: Vec<Commit>,
    latest: Option<Timestamp>,
}

/// What a turn did, to be told once it is durable.
pub(super) struct Filled {
    pub(super) counter: i64,
    pub(super) answers: Vec<Answer>,
    /// One for each workspace that got entries or marks, in the order of their first.
    pub(super) commits: Vec<Arc<Commit>>,
    /// Whether receipts of retracted or superseded entries are left to settle.
    pub(super) unsettled: bool,
}

impl Filled {
    /// What is left if its commit failed.
    pub(super) fn lost(self, error: rusqlite::Error) -> Lost {
        Lost { error, before: before(self.commits.iter().map(Arc::as_ref)), waiting: self.answers }
    }
}

/// A turn of which nothing is known to have happened.
pub(super) struct Lost {
    pub(super) error: rusqlite::Error,
    /// Where the workspaces it wrote to stood before it.
    pub(super) before: Before,
    /// Whoever waits for it.
    pub(super) waiting: Vec<Answer>,
}

impl Lost {
    /// A turn that had written nothing.
    pub(super) fn empty(error: rusqlite::Error, waiting: Vec<Answer>) -> Self {
        Self { error, before: Before::new(), waiting }
    }
}

pub(super) type Before = Vec<(Slug, Seq)>;

impl<'a> Turn<'a> {
    pub(super) fn begin(conn: &'a Connection, epochs: &'a Epochs, counter: i64) -> rusqlite::Result<Self> {
        conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        Ok(Self {
            conn,
            epochs,
            counter,
            uncounted: false,
            answers: Vec::new(),
            commits: Vec::new(),
            latest: None,
        })
    }

    /// Does one operation. A refusal is that operation's answer; the others do not notice it.
    ///
    /// # Errors
    /// The database failed, and the turn with it: it is [lost](Self::lost).
    pub(super) fn run(&mut self, job: Job) -> Result<(), rusqlite::Error> {
        match job {
            Job::Append { workspace, write, now, reply } => {
                self.latest = self.latest.max(Some(now));
                let outcome = self.guarded(|turn| turn.append(&workspace, write, now));
                let (result, error) = split(outcome);
                self.answers.push(Answer::Append(reply, result));
                error
            }
            Job::Mark { workspace, user, mark, key, now, reply } => {
                if key.is_some() {
                    self.latest = self.latest.max(Some(now));
                }
                let outcome = self.guarded(|turn| {
                    let done = mark::mark(turn.conn, &workspace, &user, &mark, key.as_ref(), now)?;
                    let mark::Done { marked, epoch, counts } = done;
                    turn.counter += i64::from(counts);
                    turn.uncounted |= counts;
                    if let (true, Some(epoch)) = (marked.changed, epoch) {
                        turn.commit_of(&workspace, epoch).marks.push(Marking { user, rev: marked.rev });
                    }
                    Ok(marked)
                });
                let (result, error) = split(outcome);
                self.answers.push(Answer::Mark(reply, result));
                error
            }
            Job::Prune { workspace, keep, limit, now, reply } => {
                let outcome = self.guarded(|turn| {
                    let limit = limit.min(PRUNED);
                    let gone = prune::prune(turn.conn, &workspace, keep, limit, now)?;
                    // The newest row may be among what went.
                    turn.uncounted |= gone > 0;
                    turn.return_pages()?;
                    Ok(gone)
                });
                let (result, error) = split(outcome);
                self.answers.push(Answer::Removed(reply, result));
                error
            }
            Job::Expire { limit, now, reply } => {
                let outcome = self.guarded(|turn| {
                    let expired = append::expire(turn.conn, turn.counter, now, limit)?;
                    for (slug, done) in expired.done {
                        turn.take(&slug, done);
                    }
                    Ok(expired.count)
                });
                let (result, error) = split(outcome);
                self.answers.push(Answer::Removed(reply, result));
                error
            }
            Job::Purge { limit, now, reply } => {
                let outcome = self.guarded(|turn| {
                    let gone = documents::purge(turn.conn, now, limit.min(PRUNED))?;
                    turn.return_pages()?;
                    Ok(gone)
                });
                let (result, error) = split(outcome);
                self.answers.push(Answer::Removed(reply, result));
                error
            }
        }
    }

    /// Does a slice of what is to be cleaned up. Call it last.
    pub(super) fn clean_up(&mut self, unsettled: bool, slice: usize) -> Outcome<bool> {
        if self.uncounted {
            self.conn
                .prepare_cached("UPDATE meta SET value = ?1 WHERE name = 'counter'")?
                .execute([self.counter])?;
        }
        if let Some(now) = self.latest {
            append::purge(self.conn, now, PURGED)?;
            mark_key::purge(self.conn, now, PURGED)?;
        }
        // A retraction or supersession in this very turn may have begun something, so ask the table.
        let has_entries = self.commits.iter().any(|commit| !commit.entries.is_empty());
        if unsettled || has_entries { settle::go_on(self.conn, slice) } else { Ok(false) }
    }

    pub(super) fn filled(self, unsettled: bool) -> Filled {
        Filled {
            counter: self.counter,
            answers: self.answers,
            commits: self.commits.into_iter().map(Arc::new).collect(),
            unsettled,
        }
    }

    /// What is left of a turn that the database failed.
    pub(super) fn lost(self, error: rusqlite::Error) -> Lost {
        Lost { error, before: before(self.commits.iter()), waiting: self.answers }
    }

    fn append(&mut self, slug: &Slug, write: crate::Write, now: Timestamp) -> Outcome<crate::Appended> {
        let done = append::append(self.conn, self.epochs, self.counter, slug, write, now)?;
        Ok(self.take(slug, done))
    }

    /// Gathers what a write did.
    fn take(&mut self, slug: &Slug, done: append::Done) -> crate::Appended {
        self.counter = done.counter;
        self.uncounted |= !done.appended.versions.is_empty();
        if !done.entries.is_empty() {
            self.commit_of(slug, done.appended.epoch).entries.extend(done.entries);
        }
        done.appended
    }

    /// What is told of the workspace once the turn is durable.
    fn commit_of(&mut self, slug: &Slug, epoch: Epoch) -> &mut Commit {
        let known = self.commits.iter().position(|commit| commit.workspace == *slug);
        let place = known.unwrap_or_else(|| {
            let (entries, marks) = (Vec::new(), Vec::new());
            self.commits.push(Commit { workspace: slug.clone(), epoch, entries, marks });
            self.commits.len() - 1
        });
        &mut self.commits[place]
    }

    /// Runs an operation that must refuse before it writes: one that did not would leave half of itself in
    /// a transaction that others share, and costs them the turn instead.
    fn guarded<T>(&mut self, operation: impl FnOnce(&mut Self) -> Outcome<T>) -> Outcome<T> {
        let before = self.conn.total_changes();
        let outcome = operation(self);
        if let Err(Failure::Refused(error)) = &outcome
            && self.conn.total_changes() != before
        {
            tracing::error!(%error, "an operation was refused after it had written: the turn is lost");
            return Err(Failure::Database(defect("an operation was refused after it had written")));
        }
        outcome
    }

    /// Gives freed pages back to the file system, a few at a time.
    fn return_pages(&self) -> Outcome<()> {
        let free: i64 = self.conn.pragma_query_value(None, "freelist_count", |row| row.get(0))?;
        if free > FREE {
            self.conn.execute_batch(&format!("PRAGMA incremental_vacuum({RETURNED})"))?;
        }
        Ok(())
    }
}

/// The places before the first entries of `commits`.
fn before<'a>(commits: impl Iterator<Item = &'a Commit>) -> Before {
    let place = |commit: &Commit| commit.entries.first().map(|e| Seq(e.seq.0.saturating_sub(1)));
    commits.filter_map(|commit| Some((commit.workspace.clone(), place(commit)?))).collect()
}

/// The answer to one waiter, and whether the turn is lost.
fn split<T>(outcome: Outcome<T>) -> (Result<T, StoreError>, Result<(), rusqlite::Error>) {
    match outcome {
        Ok(value) => (Ok(value), Ok(())),
        Err(Failure::Refused(error)) => (Err(error), Ok(())),
        Err(Failure::Database(error)) => {
            let lost = StoreError::Unavailable { reason: error.to_string() };
            (Err(lost), Err(error))
        }
    }
}
