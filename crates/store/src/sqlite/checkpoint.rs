//! Copies the WAL into the database, off the commit path, and flushes the witness.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use rusqlite::Connection;

use super::connect::PAGE_BYTES;
use super::handles::Slot;
use super::witness::Witness;

/// How often the WAL's length is asked for while there are commits.
const LOOK: Duration = Duration::from_millis(100);
/// How often the witness is flushed at most.
const FLUSH: Duration = Duration::from_secs(1);
/// The WAL is cut back to nothing once it holds this many times the configured growth. Writers wait while
/// the last of it is copied; that is little, as a passive checkpoint goes before.
const CUT_AT: u64 = 4;

/// The thread that looks after the files.
pub(super) struct Checkpointer {
    pub(super) slot: Arc<Slot>,
    pub(super) witness: Witness,
    /// Commits so far.
    pub(super) commits: Arc<AtomicU64>,
    /// Pages of growth that are worth a checkpoint.
    pub(super) growth: u64,
}

#[derive(Clone, Copy)]
struct Wal {
    pages: u64,
    copied: u64,
}

impl Checkpointer {
    pub(super) fn growth_of(mib: u64) -> u64 {
        (mib << 20) / PAGE_BYTES
    }

    /// Works until `stop` is dropped.
    pub(super) fn run(&self, stop: &Receiver<()>) {
        let (mut looked_at, mut cut_after, mut flushed) = (0, 0, Instant::now());
        while let Err(RecvTimeoutError::Timeout) = stop.recv_timeout(LOOK) {
            let commits = self.commits.load(Ordering::Acquire);
            if commits != looked_at {
                looked_at = commits;
                if let Err(error) = self.look(&mut cut_after) {
                    // The pages stay in the WAL, where they are safe; the next look tries again.
                    tracing::warn!(%error, "cannot copy the WAL into the database");
                }
            }
            if flushed.elapsed() >= FLUSH {
                self.witness.flush();
                flushed = Instant::now();
            }
        }
        self.witness.flush();
        *self.slot.lock() = None;
    }

    fn look(&self, cut_after: &mut u64) -> rusqlite::Result<()> {
        let conn = self.slot.lock();
        let Some(conn) = conn.as_ref() else { return Ok(()) };
        let wal = checkpoint(conn, "NOOP")?;
        if wal.pages - wal.copied < self.growth {
            return Ok(());
        }
        let wal = checkpoint(conn, "PASSIVE")?;
        if wal.pages < self.growth * CUT_AT {
            *cut_after = 0;
        } else if wal.pages >= *cut_after {
            // In vain while a long read (a backup) holds on to the WAL: then not again before it grew.
            let left = checkpoint(conn, "TRUNCATE")?;
            *cut_after = left.pages + self.growth;
        }
        Ok(())
    }
}

fn checkpoint(conn: &Connection, mode: &str) -> rusqlite::Result<Wal> {
    conn.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| {
        let pages = |n: i64| u64::try_from(n).unwrap_or(0);
        let wal = Wal { pages: pages(row.get(1)?), copied: pages(row.get(2)?) };
        Ok(Wal { copied: wal.copied.min(wal.pages), ..wal })
    })
}
