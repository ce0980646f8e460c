//! One worker process, as the server sees it: nothing that it says is believed without a bound.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::time::{Instant, timeout};

use crate::Limits;
use crate::frame::{FromWorker, Inbox, ToWorker, encode};
use crate::limits::{MAX_FRAME_FROM_WORKER, MAX_FRAME_TO_WORKER};

pub(super) struct Worker {
    child: Child,
    pid: u32,
    pub(super) stdin: ChildStdin,
    pub(super) frames: Frames,
    /// Whether its system call filter is in force.
    pub(super) filtered: bool,
    /// Whether it said that it has a fresh runtime.
    ready: bool,
    pub(super) runs: u32,
    pub(super) idle_since: Instant,
}

impl Worker {
    /// Tells a process its bounds, and waits until it is confined and ready.
    pub(super) async fn new(mut child: Child, bound: &Limits, runs: u32) -> io::Result<Self> {
        let missing = || io::Error::from(io::ErrorKind::NotFound);
        let stdin = child.stdin.take().ok_or_else(missing)?;
        let stdout = child.stdout.take().ok_or_else(missing)?;
        let pid = child.id().ok_or_else(missing)?;
        let frames = Frames { stdout, inbox: Inbox::default() };
        let now = Instant::now();
        let mut worker =
            Self { child, pid, stdin, frames, filtered: false, ready: false, runs: 0, idle_since: now };
        // For all its runs together: a backstop where nobody is left to kill it.
        let cpu_seconds = bound.cpu.as_secs().saturating_add(1).saturating_mul(u64::from(runs) + 1);
        let mut setup = Vec::new();
        encode(
            &ToWorker::Setup { memory_bytes: bound.memory_bytes, cpu_seconds },
            MAX_FRAME_TO_WORKER,
            &mut setup,
        )?;
        worker.stdin.write_all(&setup).await?;
        match timeout(START, worker.frames.next()).await?? {
            Some(FromWorker::Hello { filtered }) => worker.filtered = filtered,
            _ => return Err(io::ErrorKind::InvalidData.into()),
        }
        if worker.is_ready(START).await { Ok(worker) } else { Err(io::ErrorKind::InvalidData.into()) }
    }

    /// Whether it has a fresh runtime and waits for work, or will have one in `wait`. If not, it is to end.
    pub(super) async fn is_ready(&mut self, wait: Duration) -> bool {
        if !self.ready {
            let next = timeout(wait, self.frames.next()).await;
            self.ready = matches!(next, Ok(Ok(Some(FromWorker::Ready))));
        }
        self.ready && self.frames.inbox.is_empty() && matches!(self.child.try_wait(), Ok(None))
    }

    /// It is given work: its runtime is no longer fresh.
    pub(super) fn begin(&mut self) {
        self.ready = false;
        self.runs += 1;
    }

    /// Whether it is to be replaced: too many runs, or more than `resident` bytes.
    pub(super) fn is_worn(&self, runs: u32, resident: u64) -> bool {
        self.runs >= runs || self.resident().is_none_or(|bytes| bytes > resident)
    }

    /// Processor time of all its life, exact to 10 ms; `None` where the kernel does not say.
    pub(super) fn cpu(&self) -> Option<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).ok()?;
        // The name in parentheses may hold anything; user and system time are the 12th and 13th field after it.
        let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
        let ticks = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
        Some(Duration::from_millis(ticks * MS_PER_TICK))
    }

    fn resident(&self) -> Option<u64> {
        let statm = std::fs::read_to_string(format!("/proc/{}/statm", self.pid)).ok()?;
        let pages: u64 = statm.split_ascii_whitespace().nth(1)?.parse().ok()?;
        Some(pages * rustix::param::page_size() as u64)
    }

    /// Kills it, and returns when the kernel has forgotten it.
    pub(super) async fn end(mut self) {
        // It may have died before; then there is nothing to kill, and only the wait counts.
        let _ = self.child.start_kill();
        let _ = self.child.wait().await;
    }
}

/// What it says.
pub(super) struct Frames {
    stdout: ChildStdout,
    inbox: Inbox,
}

impl Frames {
    /// The next frame; `None`: it is gone.
    ///
    /// # Errors
    /// Where what it said is no frame.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub(super) async fn next(&mut self) -> io::Result<Option<FromWorker>> {
        loop {
            if let Some(frame) = self.inbox.next(MAX_FRAME_FROM_WORKER)? {
                return Ok(Some(frame));
            }
            let bytes = self.inbox.buffer();
            bytes.reserve(4096);
            if self.stdout.read_buf(bytes).await? == 0 {
                return Ok(None);
            }
        }
    }
}

/// A process starts in milliseconds. A machine may be busy.
const START: Duration = Duration::from_secs(10);

/// Throwing a runtime away takes a millisecond, or a few where its heap was full. Nobody waits for longer: starting
/// another process is quicker.
pub(super) const REFRESH: Duration = Duration::from_secs(1);

/// The kernel counts in hundredths of a second for programs, on every architecture.
const MS_PER_TICK: u64 = 10;
