//! The binary `campanile`.

use std::process::ExitCode;

/// Holds least per idle connection and gives most back after a storm (docs/decisions/0003-allocator.md).
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    campanile_server::cli::main(std::env::args_os())
}
