//! How a run ended.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// All that is known of a run that ended.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub verdict: Verdict,
    /// What it logged before, in order. Where a bound was reached, the last line is `truncated`.
    pub log: Vec<LogLine>,
    /// What it used.
    pub usage: Usage,
}

/// How a run ended. Texts come from the function, and may hold anything that it knows.
#[derive(Debug)]
pub enum Verdict {
    /// `run` returned; this is the JSON of its value, `null` for `undefined`. It parses as a
    /// [`serde_json::Value`], so it is at most 127 levels deep and holds no lone surrogates.
    Completed(Box<RawValue>),
    /// The function did not parse, defines no `run`, threw or rejected, never settles, or returned what JSON has
    /// no word for.
    Failed {
        /// The error's name, such as `TypeError`; `Thrown` where what was thrown is no error.
        name: String,
        /// Its message, cut to 4 KiB.
        message: String,
        /// Where it was made in the function's source, counted from 1, if that is known.
        line: Option<u32>,
        /// Its stack, cut to 4 KiB; empty if there is none.
        stack: String,
    },
    /// The time was up.
    TimedOut(Spent),
    /// The heap was full, and the function did not go on without.
    MemoryExceeded,
    /// The worker died without a word, or said what no worker says and was killed.
    Crashed,
    /// It asked for more than a run may.
    Refused(Limit),
}

/// Which time was up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spent {
    /// [`Limits::cpu`](crate::Limits::cpu).
    Cpu,
    /// [`Limits::wall`](crate::Limits::wall).
    Wall,
}

/// What a run asked too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Limit {
    /// Its source is longer than [`MAX_CODE_BYTES`](crate::MAX_CODE_BYTES).
    Code,
    /// `executionParams` or `triggerParams` are longer than [`MAX_PARAMS_BYTES`](crate::MAX_PARAMS_BYTES).
    Params,
    /// [`Limits::host_calls`](crate::Limits::host_calls).
    HostCalls,
    /// [`Limits::result_bytes`](crate::Limits::result_bytes).
    Result,
}

/// One line that a function logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// Milliseconds since the start of the run.
    pub at_ms: u32,
    /// `log` or `logError`.
    pub level: Level,
    /// At most [`MAX_LOG_LINE_BYTES`](crate::MAX_LOG_LINE_BYTES); a cut one ends with ` … (cut)`.
    pub text: String,
}

/// How loud a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// `api.log`.
    Info,
    /// `api.logError`.
    Error,
}

/// What a run used. Of a run that was killed, `cpu_ms` is known to 10 ms and `memory_peak_bytes` is 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Processor time in milliseconds, rounded down.
    pub cpu_ms: u64,
    /// Time in milliseconds from its start to its end, calls that it did not await included.
    pub wall_ms: u64,
    /// The most bytes its heap held at once.
    pub memory_peak_bytes: u64,
    /// Calls of the host that were made.
    pub host_calls: u32,
}

/// Where a source does not parse.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message} at line {line}, column {column}")]
pub struct SyntaxError {
    /// Counted from 1.
    pub line: u32,
    /// Counted from 1, in characters.
    pub column: u32,
    /// What is wrong, as the engine says it.
    pub message: String,
}
