//! After an I/O error: every handle is closed and opened again, and the log compared with what was
//! acknowledged. What a failed flush left in the page cache is not to be trusted through a handle that
//! has already forgotten the failure.

use std::sync::Arc;
use std::time::Duration;

use campanile_model::{Seq, Slug};
use rusqlite::Connection;

use super::connect::{self, in_snapshot};
use super::failure::{Outcome, store_error};
use super::status::State;
use super::turn::Before;
use super::writer::Writer;
use super::{check, lineage, names, read};
use crate::{Commit, StoreError};

/// Pauses between attempts: doubled from the first to the last.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

impl Writer {
    /// Returns once writes are taken again, or the store is closed. `before` says where the workspaces of
    /// the lost turn stood: whatever of it became durable all the same is sent on, so that the commits
    /// have no gap.
    pub(super) fn recover(&mut self, error: &rusqlite::Error, before: &Before) {
        let mut reason = format!("the log is being recovered after: {error}");
        tracing::error!(%error, "writing failed: the database is closed and opened again");
        let mut pause = PAUSES.0;
        loop {
            self.status.set(State::Down(reason.clone()));
            self.refuse_waiting(&StoreError::Unavailable { reason: reason.clone() });
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
            if self.is_closed() {
                return;
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(PAUSES.1);
        }
        tracing::info!(rows = self.counter, "the log is as acknowledged: writes are taken again");
        self.status.set(State::Ready);
    }

    fn reopen(&mut self, before: &Before) -> Result<(), StoreError> {
        self.handles.close();
        self.conn = None;
        if let Some(faults) = &self.config.faults {
            faults.while_closed(&self.config.dir);
        }
        let conn = connect::open_writer(&self.config).map_err(|e| store_error(&e))?;
        check::tail(&conn)?;
        let counter = lineage::counter(&conn).map_err(|e| store_error(&e))?;
        if counter < self.counter {
            let reason = format!(
                "the log ends at row {counter}, but row {} was acknowledged: acknowledged entries are gone",
                self.counter
            );
            return Err(StoreError::Unavailable { reason });
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
        let Some(ws) = names::workspace(conn, slug)? else { continue };
        let entries = read::entries(conn, &ws, *place, ws.head, usize::MAX)?;
        if !entries.is_empty() {
            commits.push(Commit { workspace: slug.clone(), epoch: ws.epoch, entries });
        }
    }
    Ok(commits)
}
