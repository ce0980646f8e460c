//! A pool of the test's worker program, a host that remembers, and questions about what a run left.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use campanile_functions::{Call, Finished, Host, HostCall, HostError, Limits, Pool, PoolConfig, Verdict};
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// The program, started as the server starts itself.
pub const WORKER: &str = env!("CARGO_BIN_EXE_js_worker");

/// Small enough that a run against its limits costs a test little.
pub fn small() -> Limits {
    Limits {
        memory_bytes: 16 << 20,
        cpu: Duration::from_millis(200),
        wall: Duration::from_secs(2),
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
