//! What a run may use.

use std::time::Duration;

/// What one run may use. A call's own limits can only be lower than those of its pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the JavaScript heap, the 200 KiB of the built-in objects included. Default 64 MiB, at least 2 MiB.
    pub memory_bytes: usize,
    /// Processor time of the worker's thread. Default 10 s.
    pub cpu: Duration,
    /// Time from the start of the run, not of the wait for a worker, to its end. Default 5 min.
    pub wall: Duration,
    /// Bytes of the result's JSON. Default and highest value 256 KiB.
    pub result_bytes: usize,
    /// Calls of the host, HTTP requests and timers included. Default 1,000.
    pub host_calls: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 64 << 20,
            cpu: Duration::from_secs(10),
            wall: Duration::from_secs(300),
            result_bytes: MAX_RESULT_BYTES,
            host_calls: 1000,
        }
    }
}

impl Limits {
    /// The lower of both, limit by limit.
    #[must_use]
    pub fn within(&self, bound: &Self) -> Self {
        Self {
            memory_bytes: self.memory_bytes.min(bound.memory_bytes).max(MIN_MEMORY_BYTES),
            cpu: self.cpu.min(bound.cpu),
            wall: self.wall.min(bound.wall),
            result_bytes: self.result_bytes.min(bound.result_bytes).min(MAX_RESULT_BYTES),
            host_calls: self.host_calls.min(bound.host_calls),
        }
    }
}

/// How long after [`Limits::cpu`] and [`Limits::wall`] a worker is killed that did not stop by itself.
pub const GRACE: Duration = Duration::from_millis(100);

/// Bytes of a function's source. The largest that people write by hand is a tenth of it.
pub const MAX_CODE_BYTES: usize = 512 << 10;

/// Bytes of JSON in `executionParams`, and in `triggerParams`.
pub const MAX_PARAMS_BYTES: usize = 1 << 20;

/// Bytes of JSON in the arguments of one call of the host.
pub const MAX_ARGUMENT_BYTES: usize = 256 << 10;

/// Bytes of JSON in the host's answer to one call.
pub const MAX_ANSWER_BYTES: usize = 1 << 20;

/// Calls of the host under way at once. Further ones wait inside the worker.
pub const MAX_CALLS_IN_FLIGHT: usize = 32;

/// Lines of a run's log.
pub const MAX_LOG_LINES: usize = 1000;

/// Bytes of text in a run's log.
pub const MAX_LOG_BYTES: usize = 64 << 10;

/// Bytes of one line, the mark of a cut included.
pub const MAX_LOG_LINE_BYTES: usize = 4 << 10;

/// Bytes of the result's JSON.
pub(crate) const MAX_RESULT_BYTES: usize = 256 << 10;

/// The built-in objects need 200 KiB; less than this would refuse every function.
pub(crate) const MIN_MEMORY_BYTES: usize = 2 << 20;

/// Stack of JavaScript. What is recursive in the engine checks it.
pub(crate) const STACK_BYTES: usize = 256 << 10;

/// Bytes of an error's message, and of its stack.
pub(crate) const MAX_ERROR_BYTES: usize = 4 << 10;

/// A frame to a worker: source and parameters, each escaped at worst six times its size where it is a string.
pub(crate) const MAX_FRAME_TO_WORKER: usize = 8 << 20;

/// A frame from a worker: the result or the arguments of a call, and the names around them.
pub(crate) const MAX_FRAME_FROM_WORKER: usize = 1 << 20;

/// `text` cut to at most `bytes` bytes at a character's border; whether it was cut.
pub(crate) fn cut(text: &str, bytes: usize) -> (&str, bool) {
    if text.len() <= bytes { (text, false) } else { (&text[..text.floor_char_boundary(bytes)], true) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_of_a_call_only_lower_those_of_the_pool() {
        let pool = Limits { host_calls: 10, ..Limits::default() };
        let call =
            Limits { memory_bytes: 1, cpu: Duration::from_secs(99), host_calls: 5, ..Limits::default() };
        let both = call.within(&pool);
        assert_eq!(both.memory_bytes, MIN_MEMORY_BYTES);
        assert_eq!((both.cpu, both.host_calls), (Duration::from_secs(10), 5));
    }

    #[test]
    fn a_cut_keeps_characters_whole() {
        assert_eq!(cut("aä", 2), ("a", true));
        assert_eq!(cut("aä", 3), ("aä", false));
    }
}
