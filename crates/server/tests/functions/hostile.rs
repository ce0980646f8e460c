//! Functions that mean harm: each ends with a word, the next one runs, and nobody else notices.

use std::time::{Duration, Instant};

use campanile_testkit::TestServer;
use serde_json::json;

use super::{put, put_as, run};

/// What becomes of each: the names its error may have, where the machine's speed decides which limit it meets.
const HOSTILE: &[(&str, &[&str], &str)] = &[
    ("endless loop", &["CpuTimeout"], "function run() { for (;;); }"),
    ("endless loop at the top", &["CpuTimeout"], "for (;;); function run() {}"),
    ("endless microtasks", &["CpuTimeout", "MemoryExceeded"], "async function run() { for (;;) await null }"),
    (
        "memory bomb",
        &["MemoryExceeded", "CpuTimeout"],
        "function run() { const a = []; for (;;) a.push(new Array(1000).fill(a)) }",
    ),
    (
        "text bomb",
        &["MemoryExceeded", "RangeError", "InternalError"],
        "function run() { let s = 'x'; for (;;) { s += s; s.charCodeAt(0) } }",
    ),
    (
        "regular expression bomb",
        &["CpuTimeout"],
        "function run() { return /^(a+)+$/.test('a'.repeat(40) + 'b') }",
    ),
    (
        "sort that never ends",
        &["CpuTimeout", "MemoryExceeded"],
        "function run() { for (;;) Array.from({ length: 1e5 }, Math.random).sort() }",
    ),
    ("recursion", &["RangeError", "InternalError"], "function run() { return 1 + run() }"),
    ("never settles", &["Error"], "function run() { return new Promise(() => {}) }"),
    ("sleeps for ever", &["WallTimeout"], "async function run() { await api.sleep(1e9) }"),
    ("huge log", &["CpuTimeout"], "function run() { for (;;) api.log('x'.repeat(10000)) }"),
    ("huge result", &["LimitExceeded"], "function run() { return 'x'.repeat(300 * 1024) }"),
    ("huge error", &["Error"], "function run() { throw new Error('x'.repeat(4e6)) }"),
    (
        "calls without end",
        &["LimitExceeded", "CpuTimeout"],
        "async function run() { for (;;) await api.fetchRecord('a').catch(() => 1) }",
    ),
    (
        "throwing proxy",
        &["*"],
        "function run() { throw new Proxy(new Error('x'), new Proxy({}, { get() { throw new Error('trap') } })) }",
    ),
    ("result that throws", &["*"], "function run() { return { get a() { throw new Error('bite') } } }"),
    (
        "prototype of everything",
        &["*", ""],
        "Object.prototype.then = (f) => { throw 1 }; Object.prototype.toJSON = () => { throw 2 }; async function run() { return {} }",
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn hostile_functions_end_with_a_word_while_sockets_receive() {
    let server = TestServer::start().await;
    put(&server, "good", "function run() { return executionParams.n }").await;
    let mut alice = server.workspace("alice").await;
    let harm = async {
        for (n, (what, names, code)) in HOSTILE.iter().enumerate() {
            put_as(&server, "harm", code, json!({"limits": {"cpuMs": 400, "wallMs": 1500, "memoryMib": 16}}))
                .await;
            let ended = run(&server, "harm", json!({})).await;
            let name = ended["error"]["name"].as_str().unwrap_or_default();
            assert!(
                names.contains(&name) || names[0] == "*" && (!name.is_empty() || names.len() > 1),
                "{what}: {ended}"
            );
            let timeout = name == "CpuTimeout" || name == "WallTimeout";
            let status = if name.is_empty() {
                "completed"
            } else if timeout {
                "timeout"
            } else {
                "failed"
            };
            assert_eq!(ended["status"], status, "{what}");
            assert!(ended.to_string().len() < 400_000, "{what}");
            let good = run(&server, "good", json!({"n": n})).await;
            assert_eq!(good["result"], n, "after {what}: {good}");
        }
    };
    let mut received = 0;
    let mut slowest = Duration::ZERO;
    let receives = async {
        loop {
            let asked = Instant::now();
            server.notify("acme", "alice", &format!("still here {received}")).await;
            assert_eq!(alice.json().await["message"], format!("still here {received}"));
            slowest = slowest.max(asked.elapsed());
            received += 1;
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = harm => {}
        () = receives => {}
    }
    assert!(received > 100, "{received} notifications meanwhile");
    assert!(slowest < Duration::from_secs(2), "one took {slowest:?}");
}
