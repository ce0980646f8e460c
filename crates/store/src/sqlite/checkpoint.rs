//! Copies the WAL into the database, off the commit path, and flushes the witness.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use rusqlite::Connection;

use super::connect::{BUSY_TIMEOUT, PAGE_BYTES};
use super::failure::is_io;
use super::faults::Faults;
use super::fullness::Fullness;
use super::handles::Slot;
use super::seldom::Seldom;
use super::status::Status;
use super::witness::Witness;
use super::writer::as_error;

/// How often the WAL's length is asked for while there are commits.
const LOOK: Duration = Duration::from_millis(100);
/// How often the witness is flushed at most.
const FLUSH: Duration = Duration::from_secs(1);
/// When the WAL is to be cut again after that was in vain.
const AGAIN: Duration = Duration::from_secs(30);
/// The WAL begins anew once it holds this many times the configured growth. The writer does that between two turns,
/// as nobody else comes in between under load; little is left to copy by then.
const RESTART_AT: u64 = 4;
/// How long the writer waits for readers of the WAL's end before it gives up.
const RESTART_PATIENCE: Duration = Duration::from_millis(50);

/// The thread that looks after the files.
pub(super) struct Checkpointer {
    pub(super) slot: Arc<Slot>,
    pub(super) witness: Witness,
    pub(super) commits: Arc<Commits>,
    /// Pages of growth that are worth a checkpoint.
    pub(super) growth: u64,
    /// Pages that the database may hold.
    pub(super) page_limit: Option<u32>,
    /// How long a commit may stay in the WAL.
    pub(super) wal_age: Duration,
    /// Asks the writer to begin the WAL anew; one that was asked for already is not asked for again.
    pub(super) anew: Sender<Anew>,
    /// Tells the writer of what the device refused.
    pub(super) failed: Sender<rusqlite::Error>,
    pub(super) status: Arc<Status>,
    pub(super) faults: Option<Arc<dyn Faults>>,
}

/// How the WAL is to begin anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anew {
    /// Over what it holds, as it has grown long.
    Over,
    /// Cut back to nothing, as it holds what is old: what was erased since stands there still.
    Cut,
}

/// Counts commits, and tells whether any are in the WAL.
#[derive(Debug)]
pub(super) struct Commits {
    made: AtomicU64,
    /// Of those, as many as there were when the WAL was last cut.
    cut: AtomicU64,
    /// Whether it could not be cut when that was asked for last.
    in_vain: AtomicBool,
}

impl Default for Commits {
    /// A WAL that was found may hold some.
    fn default() -> Self {
        Self { made: AtomicU64::new(1), cut: AtomicU64::new(0), in_vain: AtomicBool::new(false) }
    }
}

impl Commits {
    /// One more was made.
    pub(super) fn count(&self) {
        self.made.fetch_add(1, Ordering::Release);
    }

    /// The WAL was cut after the last one. Of the thread that makes them.
    pub(super) fn cut(&self) {
        self.cut.store(self.made.load(Ordering::Acquire), Ordering::Release);
        self.in_vain.store(false, Ordering::Release);
    }

    /// The WAL could not be cut: somebody reads from it, perhaps not for long.
    pub(super) fn not_cut(&self) {
        self.in_vain.store(true, Ordering::Release);
    }

    /// How long they may stay in the WAL before it is to be cut, or cut again.
    fn patience(&self, wal_age: Duration) -> Duration {
        if self.in_vain.load(Ordering::Acquire) { wal_age.min(AGAIN) } else { wal_age }
    }

    fn made(&self) -> u64 {
        self.made.load(Ordering::Acquire)
    }

    fn are_in_wal(&self) -> bool {
        self.cut.load(Ordering::Acquire) != self.made()
    }
}

#[derive(Clone, Copy)]
struct Wal {
    /// Whether all of what was asked for was done; otherwise somebody reads from the WAL.
    is_done: bool,
    pages: u64,
    copied: u64,
}

#[derive(Default)]
struct Asked {
    is_heard: bool,
    /// Whether anything was copied before.
    copied: bool,
}

impl Checkpointer {
    pub(super) fn growth_of(mib: u64) -> u64 {
        (mib << 20) / PAGE_BYTES
    }

    /// Works until `stop` is dropped.
    pub(super) fn run(&self, stop: &Receiver<()>) {
        let (mut looked_at, mut restart_after, mut flushed) = (0, 0, Instant::now());
        let (mut fullness, mut failing) = (Fullness::new(self.page_limit), Seldom::default());
        // Since when it is known that the WAL holds commits, or that it was to be cut.
        let mut held_since = None;
        while let Err(RecvTimeoutError::Timeout) = stop.recv_timeout(LOOK) {
            let commits = self.commits.made();
            if commits != looked_at {
                looked_at = commits;
                let looked = self.work(|conn| self.look(conn, &mut restart_after, &mut fullness));
                report(looked, &mut failing);
            }
            if !self.commits.are_in_wal() {
                held_since = None;
            } else if held_since.get_or_insert_with(Instant::now).elapsed()
                >= self.commits.patience(self.wal_age)
            {
                let asked = self.work(|conn| self.ask_for_cut(conn));
                if !matches!(asked, Ok(Asked { is_heard: false, .. })) {
                    // Perhaps in vain: then not again at once, as the writer waits for those who read.
                    held_since = None;
                }
                if asked.is_err() {
                    self.commits.not_cut();
                }
                report(asked.map(|asked| asked.copied), &mut failing);
            }
            if flushed.elapsed() >= FLUSH {
                self.witness.flush();
                flushed = Instant::now();
            }
        }
        self.witness.flush();
        *self.slot.lock() = None;
    }

    /// Works on the connection, while it is there. Where the device fails, what was copied before may not be on it, and passes
    /// for flushed from now on: the writer closes every handle, and all of the WAL is copied again.
    fn work<T: Default>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        let conn = self.slot.lock();
        let Some(conn) = conn.as_ref() else { return Ok(T::default()) };
        // Until then nothing is copied: a WAL of which all is copied is written over.
        if self.status.is_unflushed() {
            return Ok(T::default());
        }
        match work(conn) {
            Err(error) if is_io(&error) => {
                // While the connection is held: whoever closes it knows of it.
                self.status.set_unflushed(true);
                let _ = self.failed.try_send(error);
                Ok(T::default())
            }
            done => done,
        }
    }

    fn copy(&self, conn: &Connection) -> rusqlite::Result<Wal> {
        met(self.faults.as_deref())?;
        checkpoint(conn, "PASSIVE")
    }

    /// Whether anything was copied.
    fn look(
        &self,
        conn: &Connection,
        restart_after: &mut u64,
        fullness: &mut Fullness,
    ) -> rusqlite::Result<bool> {
        fullness.look(conn)?;
        let before = checkpoint(conn, "NOOP")?;
        if before.pages - before.copied < self.growth {
            return Ok(false);
        }
        let wal = self.copy(conn)?;
        let copied = wal.copied > before.copied;
        if wal.pages < self.growth * RESTART_AT {
            *restart_after = 0;
        } else if wal.pages >= *restart_after {
            // What was written meanwhile, so that the writer has less to do.
            let wal = self.copy(conn)?;
            // In vain while a long read (a backup) holds on to the WAL: then not again before it grew.
            *restart_after = wal.pages + self.growth;
            // Nothing is lost where the writer was asked already: it begins anew.
            let _ = self.anew.try_send(Anew::Over);
        }
        Ok(copied)
    }

    /// Whether the writer will hear of it: not before it did what it was asked for last.
    fn ask_for_cut(&self, conn: &Connection) -> rusqlite::Result<Asked> {
        let before = checkpoint(conn, "NOOP")?;
        // So that the writer has less to do.
        let copied = self.copy(conn)?.copied > before.copied;
        Ok(Asked { is_heard: self.anew.try_send(Anew::Cut).is_ok(), copied })
    }
}

/// What is told here is no failure of the device: the pages stay in the WAL, where they are safe, and the next look tries
/// again, ten times a second as long as the device is full.
/// `Ok`: whether it copied anything.
fn report(outcome: rusqlite::Result<bool>, failing: &mut Seldom) {
    match outcome {
        Ok(true) if failing.ended() => tracing::info!("the WAL can be copied into the database again"),
        Ok(_) => {}
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

/// Copies the rest of the WAL and begins it anew; whether no reader held on to it. On the writer's connection, between
/// two turns.
pub(super) fn begin_anew(conn: &Connection, how: Anew) -> rusqlite::Result<bool> {
    let mode = match how {
        Anew::Over => "RESTART",
        Anew::Cut => "TRUNCATE",
    };
    conn.busy_timeout(RESTART_PATIENCE)?;
    let done = checkpoint(conn, mode);
    conn.busy_timeout(BUSY_TIMEOUT)?;
    done.map(|wal| wal.is_done)
}

/// Whether a checkpoint copies the WAL from its first page on. SQLite remembers how far the last one came as long as anybody
/// has the database open.
pub(super) fn copies_all(conn: &Connection) -> rusqlite::Result<bool> {
    Ok(checkpoint(conn, "NOOP")?.copied == 0)
}

/// What a test has in store for a checkpoint.
pub(super) fn met(faults: Option<&dyn Faults>) -> rusqlite::Result<()> {
    faults.and_then(Faults::checkpoint).map_or(Ok(()), |fault| Err(as_error(fault)))
}

fn checkpoint(conn: &Connection, mode: &str) -> rusqlite::Result<Wal> {
    conn.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| {
        let pages = |n: i64| u64::try_from(n).unwrap_or(0);
        let is_done = !row.get::<_, bool>(0)?;
        let wal = Wal { is_done, pages: pages(row.get(1)?), copied: pages(row.get(2)?) };
        Ok(Wal { copied: wal.copied.min(wal.pages), ..wal })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_in_vain_is_asked_for_again_soon() {
        let (commits, wal_age) = (Commits::default(), Duration::from_secs(600));
        assert_eq!(commits.patience(wal_age), wal_age);
        commits.not_cut();
        assert!(commits.are_in_wal());
        assert_eq!(commits.patience(wal_age), AGAIN);
        assert_eq!(commits.patience(Duration::from_secs(1)), Duration::from_secs(1));
        commits.cut();
        assert!(!commits.are_in_wal());
        commits.count();
        assert!(commits.are_in_wal());
        assert_eq!(commits.patience(wal_age), wal_age);
    }

    #[test]
    fn a_failure_has_ended_once_something_is_copied() {
        let mut failing = Seldom::default();
        let full = || as_error(crate::Fault::Full);
        report(Err(full()), &mut failing);
        report(Ok(false), &mut failing);
        assert_eq!(failing.again(Instant::now()), None, "it was only looked at");
        report(Ok(true), &mut failing);
        assert_eq!(failing.again(Instant::now()), Some(1));
    }
}
