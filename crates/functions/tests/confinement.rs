//! What a worker process cannot do, asked of the kernel from inside.

use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use campanile_functions::Pool;
use serde_json::json;

use crate::support::{Spied, WORKER, config, result, run};

/// What the kernel answered to an attempt: its words, or the signal that ended it.
fn attempt(what: &str) -> Result<String, i32> {
    let output = Command::new(WORKER).args(["probe", what]).output().unwrap();
    match output.status.signal() {
        Some(signal) => Err(signal),
        None => Ok(String::from_utf8(output.stdout).unwrap().trim().to_owned()),
    }
}

#[test]
fn a_confined_process_can_do_nothing_but_compute() {
    assert_eq!(
        attempt("nothing").as_deref(),
        Ok("filtered=true done"),
        "this kernel has no system call filters"
    );
    let forbidden = format!("filtered=true {}", libc::EPERM);
    for what in ["open", "create", "list", "spawn", "thread", "executable", "signal", "dup", "fork"] {
        assert_eq!(attempt(what).as_deref(), Ok(forbidden.as_str()), "{what}");
    }
    for what in ["tcp", "udp", "exec", "ptrace"] {
        assert_eq!(attempt(what), Err(libc::SIGSYS), "{what}");
    }
}

#[test]
fn threads_that_are_just_starting_survive_the_filter() {
    for _ in 0..10 {
        assert_eq!(attempt("late threads").as_deref(), Ok("filtered=true done"));
    }
}

#[tokio::test]
async fn a_worker_starts_with_nothing_and_keeps_less() {
    // Not close-on-exec: what a careless library would leave open.
    let leaked = rustix::io::dup(rustix::stdio::stdin()).unwrap();
    let spied = Spied::new();
    let pool = Pool::new(spied.config(config())).unwrap();
    assert_eq!(result(&run(&pool, "function run() { return 1 }").await), json!(1));
    assert!(pool.confined());
    let starts = spied.starts();
    let [start] = &starts[..] else { panic!("{starts:?}") };
    assert!(start.descriptors >= 4, "the leaked descriptor {leaked:?} came along");
    assert_eq!((start.variables, start.directory.as_str()), (0, "/"));

    let pid = start.pid;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    assert!(status.contains("NoNewPrivs:\t1") && status.contains("Seccomp:\t2"), "{status}");
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let limit = |name: &str| {
        let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
        line[name.len()..].split_ascii_whitespace().nth(1).unwrap().to_owned()
    };
    for (name, value) in
        [("Max core file size", "0"), ("Max file size", "0"), ("Max open files", "3"), ("Max processes", "0")]
    {
        assert_eq!(limit(name), value, "{name}");
    }
    assert!(limit("Max address space").parse::<u64>().unwrap() < 1 << 30);
    // Only root may look into a process that is not dumpable.
    if let Ok(open) = std::fs::read_dir(format!("/proc/{pid}/fd")) {
        assert_eq!(open.count(), 3);
    }
    pool.shutdown(std::time::Duration::ZERO).await;
}
