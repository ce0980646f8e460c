//! A worker alone, for the tests of this crate: the server has the same behind a hidden sub-command.
//!
//! - `internal-js-worker`: a worker.
//! - `spied <file>`: appends what the process was started with to the file, then is a worker.
//! - `rogue <file>`: greets as a worker does, and answers the first run with the bytes of the file.
//! - `server <file>`: a server of two spied workers, one of them at work for ever.
//! - `probe <attempt>`: confines itself as a worker does, tries one thing, and says what the kernel answered.
//!
//! `unsafe` for the attempts that `std` has no safe word for; their outcome is looked at, and no memory is used.
#![allow(unsafe_code)]

use std::fs::{File, OpenOptions, read_dir};
use std::io::{self, Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};
use std::sync::Arc;

use campanile_functions::{Call, Host, HostCall, HostError, Pool, PoolConfig, confine, worker_main};

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    match (args.next().as_deref(), args.next()) {
        (Some("spied"), Some(file)) => match tell(&file) {
            Ok(()) => worker_main(),
            Err(_) => ExitCode::FAILURE,
        },
        (Some("rogue"), Some(file)) => said(rogue(&file)),
        (Some("server"), Some(file)) => said(serve(file)),
        (Some("probe"), Some(attempt)) => probe(&attempt),
        _ => worker_main(),
    }
}

/// One line: process id, open descriptors, variables of the environment, working directory.
fn tell(file: &str) -> io::Result<()> {
    // The directory that is read is open while it is read.
    let descriptors = read_dir("/proc/self/fd")?.count() - 1;
    let variables = std::env::vars_os().count();
    let directory = std::env::current_dir()?;
    let line = format!("{} {descriptors} {variables} {}\n", std::process::id(), directory.display());
    OpenOptions::new().create(true).append(true).open(file)?.write_all(line.as_bytes())
}

/// What a worker says that somebody else has taken over.
fn rogue(file: &str) -> io::Result<()> {
    let bytes = std::fs::read(file)?;
    let mut input = io::stdin().lock();
    let mut output = io::stdout().lock();
    skip_frame(&mut input)?;
    for greeting in [r#"{"Hello":{"filtered":true}}"#, r#""Ready""#] {
        output.write_all(&(greeting.len() as u32).to_le_bytes())?;
        output.write_all(greeting.as_bytes())?;
    }
    output.flush()?;
    skip_frame(&mut input)?;
    output.write_all(&bytes)?;
    output.flush()?;
    // Until it is killed, if it said anything at all.
    if bytes.is_empty() { Ok(()) } else { io::copy(&mut input, &mut io::sink()).map(drop) }
}

fn skip_frame(input: &mut impl Read) -> io::Result<()> {
    let mut length = [0; 4];
    input.read_exact(&mut length)?;
    io::copy(&mut input.take(u32::from_le_bytes(length).into()), &mut io::sink()).map(drop)
}

struct Nobody;

#[async_trait::async_trait]
impl Host for Nobody {
    async fn call(&self, _: HostCall) -> Result<serde_json::Value, HostError> {
        Ok(serde_json::Value::Null)
    }
}

fn serve(file: String) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let args = vec!["spied".to_owned(), file];
        let config = PoolConfig { args, workers: 2, ..PoolConfig::new(std::env::current_exe()?) };
        let pool = Pool::new(config).map_err(io::Error::other)?;
        let run = |code: &str| {
            let nothing = serde_json::value::RawValue::NULL;
            let (execution_params, trigger_params) = (nothing.to_owned(), nothing.to_owned());
            pool.run(
                Call { code: code.into(), execution_params, trigger_params, limits: None },
                Arc::new(Nobody),
            )
        };
        let (one, other) = tokio::join!(run("function run() {}"), run("function run() { for (;;) {} }"));
        one.and(other).map_err(io::Error::other)?;
        Ok(())
    })
}

fn said(outcome: io::Result<()>) -> ExitCode {
    if outcome.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn probe(attempt: &str) -> ExitCode {
    if attempt == "late threads" {
        // As an allocator does that works in the background: they are on their way when the filter comes.
        for _ in 0..64 {
            std::thread::spawn(|| ());
        }
    }
    let filtered = match confine(16 << 20, 60) {
        Ok(confinement) => confinement.filtered,
        Err(_) => return ExitCode::FAILURE,
    };
    let answer = match attempt {
        "nothing" | "late threads" => Ok(()),
        "open" => File::open("/etc/passwd").map(drop),
        "create" => File::create("/tmp/campanile-probe").map(drop),
        "list" => read_dir("/").map(drop),
        "tcp" => TcpListener::bind("127.0.0.1:0").map(drop),
        "udp" => UdpSocket::bind("127.0.0.1:0").map(drop),
        "exec" => Err(Command::new("/bin/true").exec()),
        "spawn" => Command::new("/bin/true").spawn().map(drop),
        "thread" => std::thread::Builder::new().spawn(|| ()).map(drop),
        // SAFETY: asks only; what is mapped is not touched.
        "executable" => answer(unsafe {
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            libc::mmap(std::ptr::null_mut(), 4096, libc::PROT_READ | libc::PROT_EXEC, flags, -1, 0)
        } as i64),
        // SAFETY: signal 0 only asks whether the process is there.
        "signal" => answer(unsafe { libc::kill(libc::getppid(), 0) }.into()),
        // SAFETY: a number, and no memory.
        "dup" => answer(unsafe { libc::dup(0) }.into()),
        // SAFETY: reads nothing of this process.
        "ptrace" => answer(unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) }),
        // SAFETY: the child, if there were one, is this program and ends.
        "fork" => answer(unsafe { libc::fork() }.into()),
        _ => return ExitCode::FAILURE,
    };
    let said = match answer {
        Ok(()) => "done".to_owned(),
        Err(error) => error.raw_os_error().map_or_else(|| error.to_string(), |number| number.to_string()),
    };
    match writeln!(io::stdout(), "filtered={filtered} {said}") {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn answer(returned: i64) -> io::Result<()> {
    if returned == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
