//! The real binary, serving.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::Child;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::program::Program;

/// The longest a start may take, recovery included.
const START: Duration = Duration::from_secs(2);

/// A server process.
pub struct Process {
    child: Child,
    /// Reads standard error to its end.
    log: Option<JoinHandle<String>>,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Process {
    /// Starts `campanile serve` on a free port, with its data beside the program.
    pub fn start(program: &Program) -> Self {
        let started = Instant::now();
        let mut child = program.start(["serve", "--listen", "127.0.0.1:0", "--data", "data"]);
        let stderr = child.stderr.take().expect("standard error is piped");
        let mut lines = BufReader::new(stderr).lines().map_while(Result::ok);
        let mut log = String::new();
        let address = lines
            .by_ref()
            .find_map(|line| {
                log += &(line.clone() + "\n");
                let (_, rest) = line.split_once("\"address\":\"")?;
                rest.split_once('"')?.0.parse().ok()
            })
            .expect("the server says where it listens");
        assert!(started.elapsed() < START, "the start took {:?}", started.elapsed());
        let log = std::thread::spawn(move || lines.fold(log, |log, line| log + &line + "\n"));
        Self { child, log: Some(log), address }
    }

    /// Kills it, and gives everything that it wrote.
    pub fn written(mut self) -> String {
        let mut stdout = self.child.stdout.take().expect("standard output is piped");
        self.kill();
        let log = self.log.take().expect("the log is read once").join().expect("the log is text");
        let mut written = String::new();
        stdout.read_to_string(&mut written).expect("standard output is text");
        log + &written
    }

    /// Kills it as nothing else would.
    pub fn kill(&mut self) {
        self.child.kill().expect("the process is killed");
        self.child.wait().expect("the process is gone");
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end; its exit status, unless a signal ended it.
    pub fn wait(&mut self) -> Option<i32> {
        self.child.wait().expect("the process can be waited for").code()
    }

    /// Resident memory, in KiB.
    pub fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.expect("the process runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Killed before, mostly.
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}
