//! The books of one run: its time, its calls, its log, and why it is to stop.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use rustix::time::{ClockId, Timespec, clock_gettime};

use super::channel::Channel;
use super::heap::Meter;
use crate::frame::{Budget, CallKind, FromWorker, Outcome};
use crate::limits::{MAX_LOG_BYTES, MAX_LOG_LINE_BYTES, MAX_LOG_LINES, cut};
use crate::{Level, Limit};

/// Shared by the runtime's interrupt handler, the functions of `api` and the loop around them.
pub(crate) struct Run {
    pub(crate) channel: Channel,
    pub(crate) meter: Rc<Meter>,
    budget: Cell<Option<Budget>>,
    cpu_start: Cell<Duration>,
    wall_start: Cell<Duration>,
    stop: Cell<Option<Stop>>,
    calls: Cell<u32>,
    unanswered: Cell<u32>,
    log_lines: Cell<usize>,
    log_bytes: Cell<usize>,
}

/// Why a run must not go on, whatever the function does about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    Cpu,
    Wall,
    Refused(Limit),
}

impl From<Stop> for Outcome {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Cpu => Outcome::Cpu,
            Stop::Wall => Outcome::Wall,
            Stop::Refused(limit) => Outcome::Refused(limit),
        }
    }
}

impl Run {
    pub(crate) fn new(channel: Channel, meter: Rc<Meter>) -> Self {
        Self {
            channel,
            meter,
            budget: Cell::new(None),
            cpu_start: Cell::default(),
            wall_start: Cell::default(),
            stop: Cell::new(None),
            calls: Cell::default(),
            unanswered: Cell::default(),
            log_lines: Cell::default(),
            log_bytes: Cell::default(),
        }
    }

    /// From here on the budget counts.
    pub(crate) fn begin(&self, budget: Budget) {
        self.meter.set_limit(budget.memory_bytes);
        self.cpu_start.set(now(ClockId::ThreadCPUTime));
        self.wall_start.set(now(ClockId::Monotonic));
        self.budget.set(Some(budget));
    }

    /// Whether the run must stop. Asked every few thousand steps of the engine.
    pub(crate) fn must_stop(&self) -> bool {
        if self.stop.get().is_some() {
            return true;
        }
        let Some(budget) = self.budget.get() else { return false };
        if self.cpu() > Duration::from_micros(budget.cpu_us) {
            self.stop.set(Some(Stop::Cpu));
        } else if self.wall() > Duration::from_micros(budget.wall_us) {
            self.stop.set(Some(Stop::Wall));
        }
        self.stop.get().is_some()
    }

    /// Why it must stop, if that is known.
    pub(crate) fn stop(&self) -> Option<Stop> {
        self.stop.get()
    }

    /// Ends it; the first reason counts.
    pub(crate) fn stop_for(&self, stop: Stop) {
        self.stop.set(self.stop.get().or(Some(stop)));
    }

    /// Counts one more call of the host; `false`: there were too many, and the run is to stop.
    pub(crate) fn count_call(&self) -> bool {
        let calls = self.calls.get() + 1;
        let allowed = self.budget.get().is_some_and(|budget| calls <= budget.host_calls);
        if allowed {
            self.calls.set(calls);
        } else {
            self.stop_for(Stop::Refused(Limit::HostCalls));
        }
        allowed
    }

    /// Sends a call that was counted.
    pub(crate) fn send_call(&self, call: u32, kind: CallKind, arguments: Box<serde_json::value::RawValue>) {
        self.unanswered.set(self.unanswered.get() + 1);
        self.say(&FromWorker::Call { call, kind, arguments });
    }

    /// An answer came.
    pub(crate) fn answered(&self) {
        self.unanswered.set(self.unanswered.get().saturating_sub(1));
    }

    /// Whether an answer is still to come.
    pub(crate) fn is_waiting(&self) -> bool {
        self.unanswered.get() > 0
    }

    /// Bytes that the result may have.
    pub(crate) fn result_bytes(&self) -> usize {
        self.budget.get().map_or(0, |budget| budget.result_bytes)
    }

    /// How long it may still wait.
    pub(crate) fn wall_left(&self) -> Duration {
        let wall = self.budget.get().map_or(0, |budget| budget.wall_us);
        Duration::from_micros(wall).saturating_sub(self.wall())
    }

    /// Processor time that it used.
    pub(crate) fn cpu(&self) -> Duration {
        now(ClockId::ThreadCPUTime).saturating_sub(self.cpu_start.get())
    }

    fn wall(&self) -> Duration {
        now(ClockId::Monotonic).saturating_sub(self.wall_start.get())
    }

    /// Logs a line, or that there is no more room, or nothing.
    pub(crate) fn log(&self, level: Level, text: &str) {
        let lines = self.log_lines.get();
        if lines >= MAX_LOG_LINES {
            return;
        }
        let mut text = match cut(text, MAX_LOG_LINE_BYTES - CUT.len()) {
            (whole, false) => whole.to_owned(),
            (_, true) if text.len() <= MAX_LOG_LINE_BYTES => text.to_owned(),
            (start, true) => format!("{start}{CUT}"),
        };
        let full =
            lines + 1 == MAX_LOG_LINES || self.log_bytes.get() + text.len() > MAX_LOG_BYTES - TRUNCATED.len();
        if full {
            TRUNCATED.clone_into(&mut text);
        }
        self.log_lines.set(if full { MAX_LOG_LINES } else { lines + 1 });
        self.log_bytes.set(self.log_bytes.get() + text.len());
        let at_ms = u32::try_from(self.wall().as_millis()).unwrap_or(u32::MAX);
        self.say(&FromWorker::Log { at_ms, level, text });
    }

    /// Without the server there is nobody to run for.
    fn say(&self, frame: &FromWorker) {
        if self.channel.send(frame).is_err() {
            std::process::exit(1);
        }
    }
}

const CUT: &str = " … (cut)";
const TRUNCATED: &str = "truncated";

fn now(clock: ClockId) -> Duration {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(clock);
    // Both clocks start at zero and only grow.
    Duration::new(tv_sec.unsigned_abs(), tv_nsec as u32)
}
