//! The documented shape of a function, and every call of `api`.

use std::sync::Arc;

use campanile_functions::{CheckError, HostCall, Level, Pool, Verdict};
use serde_json::json;

use crate::support::{Recorder, call, call_with, config, failure, result, run};

#[tokio::test]
async fn the_documented_sample_runs_unchanged() {
    let pool = Pool::new(config()).unwrap();
    let sample = "
async function run() {
const orderId = executionParams.orderId;
// Process something
const order = await api.fetchRecord(orderId);
// Your processing logic here
api.log({ message: 'Order processed', orderId });
return { success: true, orderId };
}
";
    let host = Arc::new(Recorder::default());
    let finished = pool.run(call_with(sample, &json!({ "orderId": "o-7" })), host.clone()).await.unwrap();
    assert_eq!(result(&finished), json!({ "success": true, "orderId": "o-7" }));
    assert_eq!(*host.calls.lock().unwrap(), [HostCall::FetchRecord { id: "o-7".into() }]);
    assert_eq!(finished.log.len(), 1);
    assert_eq!(finished.log[0].text, r#"{"message":"Order processed","orderId":"o-7"}"#);
    assert_eq!(finished.log[0].level, Level::Info);
    assert_eq!(finished.usage.host_calls, 1);
    assert!(finished.usage.memory_peak_bytes > 100_000);
    pool.shutdown(std::time::Duration::ZERO).await;
}
