//! Copies the WAL into the database, off the commit path, and flushes the witness.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use rusqlite::Connection;

use super::connect::{BUSY_TIMEOUT, PAGE_BYTES};
use super::fullness::Fullness;
use super::handles::Slot;
use super::seldom::Seldom;
use super::witness::Witness;

/// How often the WAL's length is asked for while there are commits.
const LOOK: Duration = Duration::from_millis(100);
/// How often the witness is flushed at most.
const FLUSH: Duration = Duration::from_secs(1);
/// The WAL begins anew once it holds this many times the configured growth. The writer does that between two turns,
/// as nobody else comes in between under load; little is left to copy by then.
const RESTART_AT: u64 = 4;
/// How long the writer waits for readers of the WAL's end before it gives up.
const RESTART_PATIENCE: Duration = Duration::from_millis(50);

/// The thread that looks after the files.
pub(super) struct Checkpointer {
    pub(super) slot: Arc<Slot>,
    pub(super) witness: Witness,
    /// Commits so far.
    pub(super) commits: Arc<AtomicU64>,
    /// Pages of growth that are worth a checkpoint.
    pub(super) growth: u64,
    /// Pages that the database may hold.
    pub(super) page_limit: Option<u32>,
    /// Set when the writer is to [`restart`] the WAL.
    pub(super) restart_wanted: Arc<AtomicBool>,
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
        let (mut looked_at, mut restart_after, mut flushed) = (0, 0, Instant::now());
        let (mut fullness, mut failing) = (Fullness::new(self.page_limit), Seldom::default());
        while let Err(RecvTimeoutError::Timeout) = stop.recv_timeout(LOOK) {
            let commits = self.commits.load(Ordering::Acquire);
            if commits != looked_at {
                looked_at = commits;
                report(self.look(&mut restart_after, &mut fullness), &mut failing);
            }
            if flushed.elapsed() >= FLUSH {
                self.witness.flush();
                flushed = Instant::now();
            }
        }
        self.witness.flush();
        *self.slot.lock() = None;
    }

    fn look(&self, restart_after: &mut u64, fullness: &mut Fullness) -> rusqlite::Result<()> {
        let conn = self.slot.lock();
        let Some(conn) = conn.as_ref() else { return Ok(()) };
        fullness.look(conn)?;
        let wal = checkpoint(conn, "NOOP")?;
        if wal.pages - wal.copied < self.growth {
            return Ok(());
        }
        let wal = checkpoint(conn, "PASSIVE")?;
        if wal.pages < self.growth * RESTART_AT {
            *restart_after = 0;
        } else if wal.pages >= *restart_after {
            // What was written meanwhile, so that the writer has less to do.
            let wal = checkpoint(conn, "PASSIVE")?;
            // In vain while a long read (a backup) holds on to the WAL: then not again before it grew.
            *restart_after = wal.pages + self.growth;
            self.restart_wanted.store(true, Ordering::Release);
        }
        Ok(())
    }
}

/// The pages stay in the WAL, where they are safe, and the next look tries again: ten times a second, as long as the
/// device is full.
fn report(outcome: rusqlite::Result<()>, failing: &mut Seldom) {
    match outcome {
        Ok(()) if failing.ended() => tracing::info!("the WAL can be copied into the database again"),
        Ok(()) => {}
        Err(error) => {
            if let Some(times) = failing.again(Instant::now()) {
                tracing::warn!(%error, times, "cannot copy the WAL into the database");
            }
        }
    }
}

/// Bytes that the file keeps when it begins anew, and somewhat more than it has then: written over, they cost a flush less than
/// those of a file that grows.
pub(super) fn kept_bytes(config_mib: u64) -> u64 {
    (config_mib << 20) * (RESTART_AT + 1)
}

/// Copies the rest of the WAL and begins it anew, if no reader holds on to it. Between two turns, on the writer's
/// connection.
pub(super) fn restart(conn: &Connection) -> rusqlite::Result<()> {
    complete(conn, "RESTART")
}

/// Copies the rest of the WAL and cuts it back to nothing, once nobody writes any more.
pub(super) fn cut(conn: &Connection) -> rusqlite::Result<()> {
    complete(conn, "TRUNCATE")
}

fn complete(conn: &Connection, mode: &str) -> rusqlite::Result<()> {
    conn.busy_timeout(RESTART_PATIENCE)?;
    let done = checkpoint(conn, mode);
    conn.busy_timeout(BUSY_TIMEOUT)?;
    done.map(drop)
}

fn checkpoint(conn: &Connection, mode: &str) -> rusqlite::Result<Wal> {
    conn.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| {
        let pages = |n: i64| u64::try_from(n).unwrap_or(0);
        let wal = Wal { pages: pages(row.get(1)?), copied: pages(row.get(2)?) };
        Ok(Wal { copied: wal.copied.min(wal.pages), ..wal })
    })
}
