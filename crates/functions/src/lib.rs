//! JavaScript functions of a workspace, run in locked-down worker processes.
//!
//! A [`Pool`] keeps processes of the server's own binary (a hidden sub-command that calls
//! [`worker_main`]) and runs functions of the documented shape in them: the source defines
//! `async function run()`, reads the globals `executionParams`, `triggerParams` and `api`, and what it returns is
//! the run's result. Whatever a function does, its run ends with a [`Verdict`].
//!
//! # What a function may use
//! | what | limit, default |
//! |---|---|
//! | memory of the JavaScript heap | [`Limits::memory_bytes`], 64 MiB, exact |
//! | processor time | [`Limits::cpu`], 10 s of the worker's thread; killed [`GRACE`] later where a built-in does not listen |
//! | time | [`Limits::wall`], 5 min, waiting for the host included; killed [`GRACE`] later |
//! | stack | 256 KiB, then a `RangeError` that can be caught |
//! | source, parameters, result | 512 KiB, 1 MiB each, 256 KiB ([`Limits::result_bytes`]) of JSON |
//! | calls of the host | [`Limits::host_calls`], 1,000 a run; 32 at once, the next ones wait inside the worker |
//! | arguments and answer of a call | 256 KiB and 1 MiB of JSON |
//! | log | 1,000 lines, 64 KiB in all, 4 KiB a line |
//! | HTTP | hosts of an [`AllowList`] only, 1 MiB a response, 10 s unless asked for up to 30 s |
//!
//! # What is promised
//! - Every run has a runtime of its own, made new and thrown away: nothing passes from one run to the next, or from
//!   one workspace to another.
//! - A function's source is parsed and run in a worker only, never in the server's process. What a worker says is
//!   bounded and checked as a stranger's bytes are; one that breaks the protocol is killed.
//! - A worker that was killed, crashed or ran into a limit is replaced, and that run alone ends.
//! - A worker has no environment, no descriptors besides its channel, no privileges to gain, limits on address space,
//!   descriptors, files, core dumps and processes, and dies with the server. On Linux on x86-64 and AArch64 a system
//!   call filter leaves it memory, its channel, clocks, randomness and its end: no files, sockets, processes or
//!   executable pages. Where the kernel has no such filter, the worker runs with the rest, and [`Pool::confined`] says so.
//!
//! # What is not
//! - A flaw in QuickJS *and* in the kernel together is an escape. The filter is one layer, not a virtual machine: who
//!   runs code of hostile strangers puts the server itself into one.
//! - Side channels between processes of one machine (timing, caches) are not closed.
//! - What a function began and did not await may not happen. Calls of the host that were already sent are
//!   finished before the run is reported.
//! - Local time is UTC, there are no modules, no `Intl`, and no new code from elsewhere. `setTimeout` costs a call of the host.

mod frame;
mod host;
mod http;
mod limits;
mod pool;
mod verdict;
mod worker;

pub use host::{Host, HostCall, HostError};
pub use http::{AllowEntry, AllowError, AllowList, HttpClient, HttpRequest};
pub use limits::{
    GRACE, Limits, MAX_ANSWER_BYTES, MAX_ARGUMENT_BYTES, MAX_CALLS_IN_FLIGHT, MAX_CODE_BYTES, MAX_LOG_BYTES,
    MAX_LOG_LINE_BYTES, MAX_LOG_LINES, MAX_PARAMS_BYTES,
};
pub use pool::{CHECKERS, Call, CheckError, Pool, PoolConfig, PoolError};
pub use verdict::{Finished, Level, Limit, LogLine, Spent, SyntaxError, Usage, Verdict};
pub use worker::{Confinement, confine, worker_main};
