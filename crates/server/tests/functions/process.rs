//! The real binary: its allocator, its processes for functions, its sudden end.

use std::path::Path;
use std::time::{Duration, Instant};

use campanile_testkit::{Answer, SECRET, Token, request};
use serde_json::{Value, json};

use crate::backend::done;
use crate::process::Process;
use crate::program::Program;

fn token() -> String {
    let now = campanile_server::clock::Clock::system().now().as_secs();
    Token::of("author", now).with("scope", super::SCOPES).sign()
}

async fn call(server: &Process, method: &str, path: &str, body: &Value) -> Answer {
    let (bearer, path) = (format!("Bearer {}", token()), format!("/v1/workspaces/acme{path}"));
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    let body = if body.is_null() { String::new() } else { body.to_string() };
    request(server.address, method, &path, &headers, body.as_bytes()).await
}

/// The processes that a process started.
fn children(of: u32) -> Vec<u32> {
    let all = std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let parent = |id: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse::<u32>().ok()
    };
    all.filter(|id| parent(id) == Some(of)).collect()
}

fn status(id: u32, name: &str) -> String {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let value = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.unwrap_or_else(|| panic!("no {name} in {status}")).trim().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_processes_run_functions_and_hold_nothing_else() {
    let program = Program::new().set("CAMPANILE_SECRET", SECRET);
    let mut server = Process::start(&program);
    let code = json!({"code": "async function run() { await api.sleep(700); return executionParams.n * 2 }"});
    done(call(&server, "PUT", "/functions/double", &code).await);
    let params = json!({"executionParams": {"n": 21}});
    let two = tokio::join!(
        call(&server, "POST", "/functions/double/run?wait=15", &params),
        call(&server, "POST", "/functions/double/run?wait=15", &params),
    );
    assert_eq!((&done(two.0)["result"], &done(two.1)["result"]), (&json!(42), &json!(42)));
    let workers = children(server.id());
    assert!(!workers.is_empty(), "no processes for functions");
    for id in &workers {
        assert_eq!(status(*id, "Seccomp"), "2", "no filter of system calls");
        assert_eq!(status(*id, "NoNewPrivs"), "1");
        let mut open: Vec<_> = std::fs::read_dir(format!("/proc/{id}/fd"))
            .unwrap()
            .filter_map(Result::ok)
            .map(|fd| fd.file_name())
            .collect();
        open.sort();
        assert_eq!(open, ["0", "1", "2"]);
        assert_eq!(std::fs::read_link(format!("/proc/{id}/fd/2")).unwrap(), Path::new("/dev/null"));
        assert_eq!(
            std::fs::read(format!("/proc/{id}/environ")).unwrap(),
            b"",
            "the environment is not empty"
        );
        assert_eq!(std::fs::read_link(format!("/proc/{id}/cwd")).unwrap(), Path::new("/"));
        let limits = std::fs::read_to_string(format!("/proc/{id}/limits")).unwrap();
        for limited in ["Max address space", "Max cpu time"] {
            let line = limits.lines().find(|line| line.starts_with(limited)).unwrap();
            assert!(!line.contains("unlimited"), "{line}");
        }
    }
    server.kill();
    let deadline = Instant::now() + Duration::from_secs(10);
    while workers.iter().any(|id| Path::new(&format!("/proc/{id}/fd/0")).exists()) {
        assert!(Instant::now() < deadline, "processes of a server that is gone");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_processes_are_of_the_binary_that_runs_though_another_was_installed() {
    let program = Program::new().set("CAMPANILE_SECRET", SECRET).copied();
    let server = Process::start(&program);
    // As installers do: written beside it, and put in its place.
    program.write("newer", "#!/bin/false\n");
    program.chmod("newer", 0o755);
    std::fs::rename(program.path("newer"), program.path("campanile")).unwrap();
    let code = json!({"code": "function run() { return 42 }"});
    done(call(&server, "PUT", "/functions/answer", &code).await);
    let ran = done(call(&server, "POST", "/functions/answer/run?wait=15", &Value::Null).await);
    assert_eq!(ran["result"], 42, "{ran}");
    for id in children(server.id()) {
        assert_eq!(status(id, "Name"), "campanile-js");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_sudden_end_it_is_told_as_interrupted_within_seconds_and_not_executed_again() {
    let program = Program::new().set("CAMPANILE_SECRET", SECRET);
    let mut server = Process::start(&program);
    let code = "async function run() { await api.createRecord('marks', {}); await api.sleep(60000) }";
    done(call(&server, "PUT", "/functions/slow", &json!({"code": code})).await);
    let id = done(call(&server, "POST", "/functions/slow/run", &Value::Null).await)["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let marks = async |server: &Process| {
        let listed = done(call(server, "GET", "/collections/marks/records", &Value::Null).await);
        listed["records"].as_array().unwrap().len()
    };
    crate::backend::until("its mark is there", async || marks(&server).await == 1).await;
    server.kill();
    server = Process::start(&program);
    let path = format!("/functions/slow/runs/{id}");
    let ended = async || done(call(&server, "GET", &path, &Value::Null).await);
    crate::backend::until("it is told", async || ended().await["status"] == "failed").await;
    assert_eq!(ended().await["error"]["name"], "Interrupted");
    assert_eq!(marks(&server).await, 1);
}
