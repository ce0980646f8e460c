//! The one thread that writes: it gathers whatever waits, commits it with one flush, and tells.
//!
//! There is no timer: while one turn is being flushed the next gathers behind it, so that a turn is as
//! large as the load makes it.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, select};
use rusqlite::Connection;
use tokio::sync::broadcast;

use super::checkpoint::{Anew, Commits, begin_anew, met};
use super::config::Config;
use super::failure::{Failure, defect, is_io, store_error};
use super::faults::Fault;
use super::handles::Handles;
use super::job::{Answer, Job};
use super::status::{State, Status};
use super::turn::{Filled, Lost, Turn};
use super::witness::{Record, Witness};
use crate::{Commit, StoreError};

/// Rows of a turn, and how long it is filled (the design, §5).
const ROWS: usize = 1000;
const FILLING: Duration = Duration::from_millis(20);
/// The share of both that is left for other writes when publishes alone would take it all.
const RESERVED: usize = 4;
/// How often a full device is tried without being asked to.
const PROBE: Duration = Duration::from_secs(1);

/// Everything the writing thread owns.
pub(super) struct Writer {
    pub(super) config: Config,
    /// `None` only while it is being opened again.
    pub(super) conn: Option<Connection>,
    pub(super) handles: Handles,
    pub(super) witness: Witness,
    pub(super) lineage: u64,
    /// The number of the last change whose commit was acknowledged.
    pub(super) counter: i64,
    pub(super) publishes: Receiver<Job>,
    pub(super) rest: Receiver<Job>,
    /// Waits for a turn of its own, the next one.
    pub(super) large: RefCell<Option<Job>>,
    pub(super) status: Arc<Status>,
    pub(super) commits: broadcast::Sender<Arc<Commit>>,
    pub(super) committed: Arc<Commits>,
    /// What the checkpointer asks for.
    pub(super) anew: Receiver<Anew>,
    /// What the device refused it.
    pub(super) failed: Receiver<rusqlite::Error>,
    /// Hold both open, whatever becomes of the checkpointer.
    pub(super) _asking: (Sender<Anew>, Sender<rusqlite::Error>),
    pub(super) unsettled: bool,
    /// Recoveries since a turn last worked.
    pub(super) failures: u32,
}

#[allow(clippy::large_enum_variant, reason = "one at a time, on the stack of the writer")]
enum Next {
    Job(Job),
    /// Nothing waits, and the WAL is to begin anew.
    Anew(Anew),
    /// The WAL could not be copied.
    Failed(rusqlite::Error),
    /// Nothing waits, but there is something to clean up or a full device to try.
    Idle,
    Closed,
}

impl Writer {
    /// Works until the queues are closed and empty.
    pub(super) fn run(mut self) {
        loop {
            let first = match self.next() {
                Next::Job(job) => Some(job),
                Next::Anew(how) => {
                    self.begin_anew(how);
                    continue;
                }
                Next::Failed(error) => {
                    self.lose(Lost::empty(error, Vec::new()));
                    continue;
                }
                Next::Idle => None,
                Next::Closed => break,
            };
            // A defect met in one operation must not end all writing: its turn is lost, as if the disk had failed.
            let turn = catch_unwind(AssertUnwindSafe(|| self.turn(first)));
            let panicked = |_| Err(Lost::empty(defect("an operation panicked"), Vec::new()));
            if let Err(lost) = turn.unwrap_or_else(panicked) {
                self.lose(lost);
            }
            if let Ok(error) = self.failed.try_recv() {
                self.lose(Lost::empty(error, Vec::new()));
            }
            if let Ok(how) = self.anew.try_recv() {
                self.begin_anew(how);
            }
        }
        self.witness.flush();
        self.status.set(State::Closed);
    }

    fn next(&self) -> Next {
        if let Some(job) = self.large.take() {
            return Next::Job(job);
        }
        let either = || self.publishes.try_recv().or_else(|_| self.rest.try_recv());
        match either() {
            // However many large ones follow each other, others get every second turn.
            Ok(job) if is_large(&job) => {
                let Ok(other) = self.rest.try_recv() else { return Next::Job(job) };
                self.large.replace(Some(job));
                return Next::Job(other);
            }
            Ok(job) => return Next::Job(job),
            Err(TryRecvError::Disconnected) => return Next::Closed,
            Err(TryRecvError::Empty) if self.unsettled => return Next::Idle,
            Err(TryRecvError::Empty) => {}
        }
        let patience = if self.status.is_full() { PROBE } else { Duration::MAX };
        let received = select! {
            recv(self.publishes) -> job => job.map_err(|_| RecvTimeoutError::Disconnected),
            recv(self.rest) -> job => job.map_err(|_| RecvTimeoutError::Disconnected),
            recv(self.anew) -> how => match how {
                Ok(how) => return Next::Anew(how),
                // Never: this thread holds a sender.
                Err(_) => Err(RecvTimeoutError::Timeout),
            },
            recv(self.failed) -> error => match error {
                Ok(error) => return Next::Failed(error),
                Err(_) => Err(RecvTimeoutError::Timeout),
            },
            default(patience) => Err(RecvTimeoutError::Timeout),
        };
        match received {
            Ok(job) => Next::Job(job),
            Err(RecvTimeoutError::Timeout) => Next::Idle,
            // Both queues are closed together, but one of them may still hold something.
            Err(RecvTimeoutError::Disconnected) => either().map_or(Next::Closed, Next::Job),
        }
    }

    fn turn(&mut self, first: Option<Job>) -> Result<(), Lost> {
        let refused = |first: Option<Job>, error: &rusqlite::Error| {
            first.into_iter().map(|job| job.refuse(store_error(error))).collect()
        };
        let Some(conn) = &self.conn else {
            let error = defect("the database is closed");
            let waiting = refused(first, &error);
            return Err(Lost::empty(error, waiting));
        };
        let idle = first.is_none();
        let mut turn = match Turn::begin(conn, &self.config.epochs, self.counter) {
            Ok(turn) => turn,
            Err(error) => {
                let waiting = refused(first, &error);
                return Err(Lost::empty(error, waiting));
            }
        };
        let filled = self.fill(&mut turn, first).and_then(|()| {
            if idle && self.status.is_full() {
                probe(conn)?;
            }
            turn.clean_up(self.unsettled, self.config.slice).map_err(database)
        });
        let filled = match filled {
            Ok(unsettled) => turn.filled(unsettled),
            Err(error) => return Err(turn.lost(error)),
        };
        match self.commit(conn) {
            Ok(()) => {
                self.tell(filled);
                Ok(())
            }
            Err(error) => Err(filled.lost(error)),
        }
    }

    /// Takes what waits into the turn, publishes first, until it is full. A large operation gets a turn of its
    /// own, so that nobody else waits for it and its commit.
    fn fill(&self, turn: &mut Turn<'_>, first: Option<Job>) -> Result<(), rusqlite::Error> {
        let began = Instant::now();
        let mut rows = 0;
        let mut run = |job: Job| -> Result<usize, rusqlite::Error> {
            if rows > 0 && is_large(&job) && self.large.borrow().is_none() {
                self.large.replace(Some(job));
                return Ok(rows);
            }
            rows += job.rows();
            turn.run(job)?;
            Ok(rows)
        };
        let has_room = |rows: usize, share: usize| {
            rows < ROWS / RESERVED * share && began.elapsed() < FILLING / RESERVED as u32 * share as u32
        };
        // Those behind a large one stay behind it.
        let publish = || {
            if self.large.borrow().is_some() { Err(TryRecvError::Empty) } else { self.publishes.try_recv() }
        };
        let mut taken = first.map_or(Ok(0), &mut run)?;
        while has_room(taken, RESERVED - 1)
            && let Ok(job) = publish()
        {
            taken = run(job)?;
        }
        while has_room(taken, RESERVED)
            && let Ok(job) = self.rest.try_recv().or_else(|_| publish())
        {
            taken = run(job)?;
        }
        Ok(())
    }

    fn commit(&self, conn: &Connection) -> Result<(), rusqlite::Error> {
        let faults = self.config.faults.as_deref();
        faults.and_then(|f| f.before_commit()).map_or(Ok(()), |fault| Err(as_error(fault)))?;
        conn.prepare_cached("COMMIT")?.execute([])?;
        faults.and_then(|f| f.after_commit()).map_or(Ok(()), |fault| Err(as_error(fault)))
    }

    /// What was committed is remembered, sent on and acknowledged, in this order.
    fn tell(&mut self, filled: Filled) {
        self.counter = filled.counter;
        self.unsettled = filled.unsettled;
        self.failures = 0;
        self.witness.write(Record { lineage: self.lineage, counter: self.counter.cast_unsigned() });
        self.committed.count();
        for commit in filled.commits {
            // No receiver is no failure.
            let _ = self.commits.send(commit);
        }
        if self.status.is_full() {
            tracing::info!("there is space for the log again");
        }
        self.status.set(State::Ready);
        filled.answers.into_iter().for_each(Answer::send);
    }

    /// Nothing of the turn happened, as far as is known: its waiters are told, once the status says so too.
    fn lose(&mut self, lost: Lost) {
        let Lost { error, before, waiting } = lost;
        let told = store_error(&error);
        let full = matches!(told, StoreError::Full) && self.roll_back();
        if full {
            if !self.status.is_full() {
                tracing::error!("no space is left for the log: writes are refused until there is");
            }
            self.status.set(State::Full);
        } else {
            self.status.set(State::Down(format!("the log is being recovered after: {error}")));
        }
        waiting.into_iter().for_each(|answer| answer.fail(told.clone()));
        if !full {
            self.recover(&error, &before);
        }
    }

    /// Between two turns, as the checkpointer asked.
    fn begin_anew(&mut self, how: Anew) {
        // What could not be copied is not all there: the WAL is what there is of it.
        if self.status.is_unflushed() {
            return;
        }
        let Some(conn) = &self.conn else { return };
        let faults = self.config.faults.as_deref();
        match met(faults).and_then(|()| begin_anew(conn, how)) {
            Ok(true) if how == Anew::Cut => self.committed.cut(),
            // Somebody still reads from it: the checkpointer asks again.
            Ok(false) if how == Anew::Cut => self.committed.not_cut(),
            Ok(_) => {}
            // What was copied before may not be on the device, and passes for flushed from now on.
            Err(error) if is_io(&error) => self.lose(Lost::empty(error, Vec::new())),
            // The pages stay in the WAL, where they are safe.
            Err(error) => {
                if how == Anew::Cut {
                    self.committed.not_cut();
                }
                tracing::warn!(%error, "cannot begin the WAL anew");
            }
        }
    }

    /// Whether the connection is as if the turn had never begun.
    fn roll_back(&self) -> bool {
        let Some(conn) = &self.conn else { return false };
        conn.is_autocommit() || conn.execute_batch("ROLLBACK").is_ok()
    }
}

/// Whether it fills a turn by itself.
fn is_large(job: &Job) -> bool {
    matches!(job, Job::Append { .. }) && job.rows() >= ROWS
}

/// Needs as much space as a large entry, and gives it back.
fn probe(conn: &Connection) -> Result<(), rusqlite::Error> {
    conn.execute_batch(
        "INSERT INTO idempotency (ws, publisher, key, fingerprint, at, outcome) VALUES (0, '', '', x'', 0, zeroblob(65536));
         DELETE FROM idempotency WHERE ws = 0",
    )
}

/// Cleaning up refuses nobody; what it may find damaged is the database's failure.
fn database(failure: Failure) -> rusqlite::Error {
    match failure {
        Failure::Database(error) => error,
        Failure::Refused(error) => defect(error),
    }
}

pub(super) fn as_error(fault: Fault) -> rusqlite::Error {
    let code = match fault {
        Fault::Full => rusqlite::ffi::SQLITE_FULL,
        Fault::Io => rusqlite::ffi::SQLITE_IOERR_FSYNC,
    };
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None)
}
