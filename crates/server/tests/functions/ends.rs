//! Ends of the server while functions wait and run.

use std::time::{Duration, Instant};

use campanile_testkit::TestServer;
use serde_json::{Value, json};

use super::{begin, call, ended, put, reaches, read, records, runs};
use crate::backend::done;

/// Leaves a mark each time it is executed, and then takes its time.
const SLOW: &str = "async function run() { await api.createRecord('marks', {}); await api.sleep(60000) }";
const QUICK: &str = "async function run() { await api.createRecord('quick', {}); return 7 }";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_runs_afterwards_and_what_ran_is_told_as_interrupted() {
    let mut server = TestServer::configured("[functions]\nworkers = 1\n").await;
    put(&server, "slow", SLOW).await;
    put(&server, "quick", QUICK).await;
    let slow = begin(&server, "slow").await;
    reaches(&server, "slow", &slow, "running").await;
    crate::backend::until("its mark is there", async || records(&server, "marks").await == 1).await;
    for _ in 0..3 {
        begin(&server, "quick").await;
    }
    assert!(runs(&server, "quick").await.iter().all(|run| run["status"] == "queued"));

    let asked = Instant::now();
    server.restart().await;
    assert!(asked.elapsed() < Duration::from_secs(15), "the end took {:?}", asked.elapsed());
    for run in ended(&server, "quick", 3).await {
        let run = read(&server, "quick", &run["id"]).await;
        assert_eq!((&run["status"], &run["result"]), (&json!("completed"), &json!(7)));
    }
    assert_eq!(records(&server, "quick").await, 3);
    let interrupted = read(&server, "slow", &slow.into()).await;
    assert_eq!(
        (&interrupted["status"], &interrupted["error"]["name"]),
        (&json!("failed"), &json!("Interrupted"))
    );
    assert_eq!(records(&server, "marks").await, 1, "it was executed again");
    let inbox = crate::backend::inbox(&server, "author").await;
    let told = crate::backend::each(&inbox, "type");
    assert_eq!(told, ["function_complete", "function_complete", "function_complete", "function_failed"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_ends_soon_may_do_so_when_the_server_ends() {
    let mut server = TestServer::start().await;
    put(
        &server,
        "soon",
        "async function run() { await api.sleep(1000); await api.createRecord('soon', {}); return 1 }",
    )
    .await;
    let id = begin(&server, "soon").await;
    reaches(&server, "soon", &id, "running").await;
    server.restart().await;
    let run = read(&server, "soon", &id.into()).await;
    assert_eq!((&run["status"], &run["result"]), (&json!("completed"), &json!(1)), "{run}");
    assert_eq!(records(&server, "soon").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_under_way_is_not_taken_for_lost() {
    let server = TestServer::start().await;
    put(&server, "slow", "async function run() { await api.sleep(1500); return 1 }").await;
    let id = begin(&server, "slow").await;
    reaches(&server, "slow", &id, "running").await;
    for _ in 0..20 {
        server.clock.advance(Duration::from_secs(20));
        tokio::task::yield_now().await;
        assert!(matches!(status(&server, &id).await.as_str(), "running" | "completed"));
    }
    let run = &ended(&server, "slow", 1).await[0];
    assert_eq!(run["status"], "completed");
}

async fn status(server: &TestServer, id: &str) -> String {
    let run: Value = done(call(server, "GET", &format!("/functions/slow/runs/{id}"), &Value::Null).await);
    run["status"].as_str().unwrap().to_owned()
}
