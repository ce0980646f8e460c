//! A pool of the test's worker program, a host that remembers, and questions about what a run left.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use campanile_functions::{Call, Finished, Host, HostCall, HostError, Limits, Pool, PoolConfig, Verdict};
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// The program, started as the server starts itself.
pub const WORKER: &str = env!("CARGO_BIN_EXE_js_worker");

/// Small enough that a run against its limits costs a test little. The wall is far away: on a busy machine 200 ms of
/// processor time take seconds.
pub fn small() -> Limits {
    Limits {
        memory_bytes: 16 << 20,
        cpu: Duration::from_millis(200),
        wall: Duration::from_secs(30),
        ..Limits::default()
    }
}

pub fn config() -> PoolConfig {
    PoolConfig { workers: 1, limits: small(), ..PoolConfig::new(WORKER) }
}

pub fn call(code: &str) -> Call {
    call_with(code, &json!({}))
}

pub fn call_with(code: &str, execution: &Value) -> Call {
    Call {
        code: code.into(),
        execution_params: raw(execution),
        trigger_params: raw(&json!({ "collection": "orders", "nested": { "list": [1, 2] } })),
        limits: None,
    }
}

pub fn raw(value: &Value) -> Box<RawValue> {
    RawValue::from_string(value.to_string()).unwrap()
}

/// Runs a function in a pool.
pub async fn run(pool: &Pool, code: &str) -> Finished {
    pool.run(call(code), Arc::new(Recorder::default())).await.unwrap()
}

/// Its result, or what went wrong instead.
pub fn result(finished: &Finished) -> Value {
    match &finished.verdict {
        Verdict::Completed(result) => serde_json::from_str(result.get()).unwrap(),
        other => panic!("{other:?}, log {:?}", finished.log),
    }
}

/// Name and message of a failure.
pub fn failure(finished: &Finished) -> (&str, &str) {
    match &finished.verdict {
        Verdict::Failed { name, message, .. } => (name, message),
        other => panic!("{other:?}"),
    }
}

/// Remembers what it was asked, and answers as a server with one order would.
#[derive(Default)]
pub struct Recorder {
    pub calls: Mutex<Vec<HostCall>>,
}

#[async_trait]
impl Host for Recorder {
    async fn call(&self, call: HostCall) -> Result<Value, HostError> {
        self.calls.lock().unwrap().push(call.clone());
        match call {
            HostCall::FetchRecord { id } if id == "missing" => {
                Err(HostError::new("not_found", "there is no record `missing`"))
            }
            HostCall::FetchRecord { id } if id == "huge" => Ok(json!("x".repeat(2 << 20))),
            HostCall::FetchRecord { id } if id == "never" => std::future::pending().await,
            HostCall::FetchRecord { id } => Ok(json!({ "id": id, "data": { "total": 12.5 } })),
            HostCall::QueryRecords { .. } => Ok(json!({ "records": [], "next": null })),
            HostCall::CreateRecord { id, data, .. } => Ok(json!({ "id": id, "data": data })),
            HostCall::UpdateRecord { .. } | HostCall::DeleteRecord { .. } => Ok(Value::Null),
            HostCall::Notify(_) => Ok(json!({ "id": "n1" })),
        }
    }
}

/// Processes that say how they were started.
pub struct Spied {
    directory: tempfile::TempDir,
}

/// One of them.
#[derive(Debug)]
pub struct Start {
    pub pid: u32,
    pub descriptors: usize,
    pub variables: usize,
    pub directory: String,
}

impl Spied {
    pub fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    pub fn file(&self) -> String {
        self.directory.path().join("starts").to_str().unwrap().to_owned()
    }

    pub fn config(&self, config: PoolConfig) -> PoolConfig {
        PoolConfig { args: vec!["spied".to_owned(), self.file()], ..config }
    }

    /// All of them, in order.
    pub fn starts(&self) -> Vec<Start> {
        let lines = std::fs::read_to_string(self.file()).unwrap_or_default();
        let start = |line: &str| {
            let mut fields = line.split(' ');
            let mut next = || fields.next().unwrap();
            Start {
                pid: next().parse().unwrap(),
                descriptors: next().parse().unwrap(),
                variables: next().parse().unwrap(),
                directory: next().to_owned(),
            }
        };
        lines.lines().map(start).collect()
    }

    /// Those of which the kernel still knows, zombies included.
    pub fn left(&self) -> Vec<u32> {
        let known = |pid: &u32| std::path::Path::new(&format!("/proc/{pid}")).exists();
        self.starts().iter().map(|start| start.pid).filter(known).collect()
    }
}
