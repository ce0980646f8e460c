//! After an I/O error: every handle is closed and opened again, and the log compared with what was
//! acknowledged. What a failed flush left in the page cache is not to be trusted through a handle that
//! has already forgotten the failure.

use std::sync::Arc;
use std::time::{Duration, Instant};

use campanile_model::{Seq, Slug};
use crossbeam_channel::RecvTimeoutError;
use rusqlite::Connection;

use super::checkpoint::{Anew, begin_anew, copies_all};
use super::connect::{self, in_snapshot};
use super::failure::{Outcome, is_io, store_error};
use super::job::Job;
use super::status::State;
use super::turn::Before;
use super::workspace::Workspace;
use super::writer::Writer;
use super::{check, lineage, read};
use crate::{Commit, StoreError};

/// Pauses between attempts: doubled from the first to the last.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

impl Writer {
    /// Returns once the database is open again, or the store is closed. `before` says where the workspaces of
    /// the lost turn stood: whatever of it became durable all the same is sent on, so that the commits
    /// have no gap.
    pub(super) fn recover(&mut self, error: &rusqlite::Error, before: &Before) {
        self.heed(error);
        let mut reason = format!("the log is being recovered after: {error}");
        tracing::error!(%error, "writing failed: the database is closed and opened again");
        // Opening it may work and the next turn fail again: then the pauses grow all the same.
        let mut pause = PAUSES.0 * self.failures.min(100);
        self.failures += 1;
        loop {
            self.status.set(State::Down(reason.clone()));
            if self.pause(pause, &reason) {
                return;
            }
            match self.reopen(before) {
                Ok(()) => break,
                Err(again) => {
                    let again = again.to_string();
                    if again != reason {
                        tracing::error!(reason = again, "writes stay unavailable");
                    }
                    reason = again;
                }
            }
            pause = (pause * 2).clamp(PAUSES.0, PAUSES.1);
        }
        tracing::info!(changes = self.counter, "the log is as acknowledged: writes are taken again");
        self.status.set(State::Ready);
    }

    fn heed(&self, error: &rusqlite::Error) {
        if is_io(error) {
            self.status.set_unflushed(true);
        }
    }

    /// Waits, and refuses whatever else does; whether the store was closed meanwhile.
    fn pause(&self, pause: Duration, reason: &str) -> bool {
        let refuse = |job: Job| job.refuse(StoreError::Unavailable { reason: reason.into() }).send();
        self.large.take().into_iter().for_each(refuse);
        let until = Instant::now() + pause;
        loop {
            self.rest.try_iter().for_each(refuse);
            match self.publishes.recv_deadline(until) {
                Ok(job) => refuse(job),
                Err(RecvTimeoutError::Timeout) => return false,
                Err(RecvTimeoutError::Disconnected) => return true,
            }
        }
    }

    fn reopen(&mut self, before: &Before) -> Result<(), StoreError> {
        self.handles.close();
        // Whatever a checkpoint met is mended with the rest.
        self.failed.try_iter().for_each(drop);
        self.conn = None;
        if let Some(faults) = &self.config.faults {
            faults.while_closed(&self.config.dir);
        }
        let conn = connect::open_writer(&self.config).map_err(|e| store_error(&e))?;
        let held = || {
            let reason = "the write-ahead log may not be on disk, and cannot be copied while a backup or a check reads from it";
            StoreError::Unavailable { reason: reason.into() }
        };
        // While somebody else has the database open, SQLite remembers how much of the WAL it has copied, and would leave that out.
        if self.status.is_unflushed() && !copies_all(&conn).map_err(|e| store_error(&e))? {
            return Err(held());
        }
        check::tail(&conn)?;
        let counter = lineage::counter(&conn).map_err(|e| store_error(&e))?;
        if counter < self.counter {
            let reason = format!(
                "the log ends at change {counter}, but change {} was acknowledged: what was acknowledged is gone",
                self.counter
            );
            return Err(StoreError::Unavailable { reason });
        }
        // What a failed flush left in the page cache counts as flushed to whoever asks again, and what is written behind it in
        // the WAL would be lost with it. So all of it is written once more, into the database, and the WAL begins anew.
        match begin_anew(&conn, Anew::Cut).inspect_err(|error| self.heed(error)) {
            Ok(true) => self.status.set_unflushed(false),
            Ok(false) if self.status.is_unflushed() => return Err(held()),
            Err(error) if self.status.is_unflushed() => return Err(store_error(&error)),
            // No flush failed: all of it is where it was.
            Ok(false) | Err(_) => {}
        }
        self.handles.open(&self.config).map_err(|e| store_error(&e))?;
        self.unsettled = true;
        let missed = in_snapshot(&conn, |conn| missed(conn, before))?;
        self.counter = counter;
        self.conn = Some(conn);
        for commit in missed {
            let _ = self.commits.send(Arc::new(commit));
        }
        Ok(())
    }
}

/// What stands in the log after the given places.
fn missed(conn: &Connection, before: &[(Slug, Seq)]) -> Outcome<Vec<Commit>> {
    let mut commits = Vec::new();
    for (slug, place) in before {
        let Some(ws) = Workspace::load(conn, slug)? else { continue };
        let entries = read::entries(conn, &ws, *place, ws.head, usize::MAX)?;
        if !entries.is_empty() {
            // Which marks became durable with them is not known: they are hints.
            commits.push(Commit { workspace: slug.clone(), epoch: ws.epoch, entries, marks: Vec::new() });
        }
    }
    Ok(commits)
}
