//! The worker process: one thread, one function at a time, a new runtime for each.

mod base64;
mod bytes;
mod channel;
mod crypto;
mod filter;
mod heap;
mod lockdown;
mod natives;
mod parse;
mod realm;
mod run;

use std::io;
use std::process::ExitCode;

pub use lockdown::{Confinement, confine};

use crate::frame::{FromWorker, ToWorker};
use channel::Channel;

/// Serves the pool that started this process on standard input and output, until it goes away.
///
/// To be called first thing in `main` by the sub-command that [`PoolConfig::args`](crate::PoolConfig::args) names,
/// before any thread is started and any file opened: the process gives up all it could do besides, for good.
/// Fails where it cannot.
pub fn worker_main() -> ExitCode {
    // It is started by a path that says nothing to whoever lists processes.
    #[cfg(target_os = "linux")]
    let _for_people = rustix::thread::set_name(NAME);
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// At most 15 bytes.
#[cfg(target_os = "linux")]
const NAME: &std::ffi::CStr = c"campanile-js";

fn serve() -> io::Result<()> {
    let channel = Channel::new();
    let Some(ToWorker::Setup { memory_bytes, cpu_seconds }) = channel.receive()? else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    let confinement = confine(memory_bytes, cpu_seconds)?;
    channel.send(&FromWorker::Hello { filtered: confinement.filtered })?;
    while realm::live(&channel)? {}
    Ok(())
}
