//! What functions cost: `cargo run --release -p campanile-functions --example figures`.
//!
//! Prints the time from nothing to a first result, runs per second on one and two processes that are there already,
//! with and without a call of the host, and what a process holds. It is its own worker.
#![allow(clippy::print_stdout)]

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use campanile_functions::{Call, Host, HostCall, HostError, Pool, PoolConfig, Verdict, worker_main};
use serde_json::value::RawValue;
use serde_json::{Value, json};

struct Records;

#[async_trait]
impl Host for Records {
    async fn call(&self, _: HostCall) -> Result<Value, HostError> {
        Ok(json!({ "id": "o-7", "data": { "total": 12.5, "items": [1, 2, 3] } }))
    }
}

const PLAIN: &str = "async function run() { return { orderId: executionParams.orderId } }";
const FETCHES: &str = "async function run() {
    const order = await api.fetchRecord(executionParams.orderId);
    api.log({ message: 'Order processed', id: order.id });
    return { success: true, orderId: order.id };
}";

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("internal-js-worker") {
        return worker_main();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(figures());
    ExitCode::SUCCESS
}

async fn figures() {
    let mut cold = Vec::new();
    for _ in 0..30 {
        let started = Instant::now();
        let pool = pool(1);
        run(&pool, FETCHES).await;
        cold.push(started.elapsed());
        pool.shutdown(Duration::ZERO).await;
    }
    cold.sort_unstable();
    println!("cold, pool to result: median {:?}, worst {:?}", cold[15], cold[29]);

    for (workers, code, what) in [
        (1, PLAIN, "plain"),
        (1, FETCHES, "one fetch, one log line"),
        (2, FETCHES, "one fetch, one log line"),
    ] {
        warm(workers, code, what).await;
    }

    let pool = pool(1);
    run(&pool, FETCHES).await;
    // The runtime for the next run is made after the answer.
    tokio::time::sleep(Duration::from_millis(100)).await;
    for (name, kib) in memory_of_child() {
        println!("idle process: {name} {kib} KiB");
    }
}

async fn warm(workers: usize, code: &'static str, what: &str) {
    const RUNS: usize = 4000;
    let pool = Arc::new(pool(workers));
    run(&pool, code).await;
    let started = Instant::now();
    let tasks: Vec<_> = (0..workers)
        .map(|_| {
            let pool = Arc::clone(&pool);
            tokio::spawn(async move {
                let mut times = Vec::new();
                for _ in 0..RUNS / workers {
                    let started = Instant::now();
                    run(&pool, code).await;
                    times.push(started.elapsed());
                }
                times
            })
        })
        .collect();
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await.expect("no panic"));
    }
    let rate = RUNS as f64 / started.elapsed().as_secs_f64();
    times.sort_unstable();
    let (median, p99) = (times[times.len() / 2], times[times.len() * 99 / 100]);
    println!("warm, {workers} process(es), {what}: {rate:.0} runs/s, median {median:?}, p99 {p99:?}");
}

fn pool(workers: usize) -> Pool {
    let program = std::env::current_exe().expect("this program");
    Pool::new(PoolConfig { workers, runs: u32::MAX, ..PoolConfig::new(program) }).expect("a pool")
}

async fn run(pool: &Pool, code: &str) {
    let raw = |value: Value| RawValue::from_string(value.to_string()).expect("JSON");
    let call = Call {
        code: code.into(),
        execution_params: raw(json!({ "orderId": "o-7" })),
        trigger_params: raw(json!({})),
        limits: None,
    };
    let finished = pool.run(call, Arc::new(Records)).await.expect("a process");
    assert!(matches!(finished.verdict, Verdict::Completed(_)), "{finished:?}");
}

/// Resident memory of this process's one child, as the kernel counts it.
fn memory_of_child() -> Vec<(String, u64)> {
    let own = std::process::id().to_string();
    let status = std::fs::read_dir("/proc")
        .expect("/proc")
        .filter_map(|entry| std::fs::read_to_string(entry.ok()?.path().join("status")).ok())
        .find(|status| {
            status.lines().any(|line| line.strip_prefix("PPid:").is_some_and(|id| id.trim() == own))
        })
        .expect("a child");
    status
        .lines()
        .filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            let kib = value.trim().strip_suffix(" kB")?.parse().ok()?;
            ["VmRSS", "RssAnon", "RssFile", "VmSize"].contains(&name).then(|| (name.to_owned(), kib))
        })
        .collect()
}
