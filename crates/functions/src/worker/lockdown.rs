//! Gives up, for good, whatever a worker does not need.
//!
//! `unsafe` for one call: descriptors above 2 are closed by number, because nobody in this process owns them.
#![allow(unsafe_code)]

use std::io;

use rustix::process::{
    DumpableBehavior, Resource, Rlimit, Signal, nice, set_dumpable_behavior, set_parent_process_death_signal,
    setrlimit,
};
use rustix::thread::set_no_new_privs;

use super::{crypto, filter};

/// How far a process could be confined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confinement {
    /// Whether a system call filter is in force, besides everything else.
    pub filtered: bool,
}

/// Confines this process to memory, clocks, randomness and the descriptors 0 to 2, lets the server go first, and ties
/// its life to that of the thread that started it.
///
/// `memory_bytes` is the largest heap that a run may have, `cpu_seconds` a bound for the whole life of the process.
/// Everything but the filter must succeed; the filter needs Linux on x86-64 or AArch64.
///
/// # Errors
/// Where a limit could not be set. The process is then to end.
pub fn confine(memory_bytes: usize, cpu_seconds: u64) -> io::Result<Confinement> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    set_no_new_privs(true)?;
    close_strangers()?;
    nice(NICENESS)?;
    crypto::warm_up();

    let limit =
        |resource, value: u64| setrlimit(resource, Rlimit { current: Some(value), maximum: Some(value) });
    // Twice the heap, because a block that grows exists twice for a moment; and the texts of a call beside it.
    let address_space = address_space()? + 2 * memory_bytes as u64 + BESIDE_THE_HEAP;
    limit(Resource::As, address_space)?;
    limit(Resource::Data, address_space)?;
    limit(Resource::Cpu, cpu_seconds)?;
    limit(Resource::Core, 0)?;
    limit(Resource::Fsize, 0)?;
    limit(Resource::Nproc, 0)?;
    limit(Resource::Memlock, 0)?;
    // 0 to 2 stay open; there is no number for another one.
    limit(Resource::Nofile, 3)?;

    Ok(Confinement { filtered: filter::apply().is_ok() })
}

/// How far functions stand behind the server where there is not enough processor time for both: a busy function
/// gets a tenth of what a busy server thread does.
const NICENESS: i32 = 10;

/// Frames, texts on their way into and out of the engine, and the allocators' own.
const BESIDE_THE_HEAP: u64 = 64 << 20;

/// `std` opens everything close-on-exec; a library that the server uses may not.
fn close_strangers() -> io::Result<()> {
    // SAFETY: called before this process opened anything: what is open above 2 was inherited, and has no owner here.
    if unsafe { libc::close_range(3, libc::c_uint::MAX, 0) } == 0 {
        return Ok(());
    }
    // Before Linux 5.9 there is no such call.
    for descriptor in 3..4096 {
        // SAFETY: as above; a number that is not open is an error that is of no interest.
        unsafe { libc::close(descriptor) };
    }
    Ok(())
}

/// Bytes of address space in use.
fn address_space() -> io::Result<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm")?;
    let pages: u64 = statm
        .split_ascii_whitespace()
        .next()
        .and_then(|pages| pages.parse().ok())
        .ok_or(io::ErrorKind::InvalidData)?;
    Ok(pages * rustix::param::page_size() as u64)
}
