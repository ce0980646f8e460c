//! The binary `campanile`.

use std::process::ExitCode;

/// Holds least per idle connection and gives most back after a storm (docs/decisions/0003-allocator.md).
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    // Before anything else: a process for functions is to hold nothing that it does not need.
    if std::env::args_os().nth(1).is_some_and(|command| command == campanile_server::WORKER) {
        return campanile_functions::worker_main();
    }
    campanile_server::cli::main(std::env::args_os())
}
