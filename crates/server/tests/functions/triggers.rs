//! What makes functions run: events, schedules, other functions.

use std::time::Duration;

use campanile_engine::function;
use campanile_model::{Slug, Timestamp, UserId};
use campanile_testkit::{Options, TestServer};
use serde_json::{Value, json};

use super::{begin, call, ended, order, put, put_as, reaches, read, run, runs};
use crate::backend::{done, event, report, until};

const HOUR: Duration = Duration::from_secs(3_600);
const HOUR_MS: i64 = 3_600_000;
const QUICK: &str = "function run() { return executionParams.scheduledFor ?? null }";

async fn started_at(time: &str) -> TestServer {
    let at: Timestamp = serde_json::from_value(json!(time)).unwrap();
    // Runs of a month are kept.
    let config = "[workspaces]\nevent_retention = \"30d\"\n".to_owned();
    TestServer::with(Options { at: Some(at), config, ..Options::default() }).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_runs_a_function_once() {
    let server = TestServer::start().await;
    let code = "function run() { return executionParams.event }";
    put_as(&server, "seen", code, json!({"on": {"types": ["record_created"]}})).await;
    let when = json!({"types": ["order.*"], "when": "data.total > 5"});
    put_as(&server, "large", code, json!({"on": when})).await;
    for id in ["a", "b", "c"] {
        order(&server, id, json!({"total": 7})).await;
    }
    let runs = ended(&server, "seen", 3).await;
    for (run, id) in runs.iter().zip(["c", "b", "a"]) {
        let run = read(&server, "seen", &run["id"]).await;
        assert_eq!((&run["status"], &run["origin"]), (&json!("completed"), &json!("event")), "{run}");
        let event = &run["executionParams"]["event"];
        assert_eq!((&event["type"], &event["data"]["recordId"]), (&json!("record_created"), &json!(id)));
        assert_eq!((&event["actor"], &event["data"]["after"]), (&json!("author"), &json!({"total": 7})));
        assert_eq!(&run["result"], event);
        assert!(run.get("startedBy").is_none());
    }

    // An event that is reported again happened once; one that the condition is not for did not happen to it.
    let paid = event("1", "order.paid", json!({"total": 9}));
    for event in
        [&paid, &paid, &event("2", "order.paid", json!({"total": 3})), &event("3", "order.paid", json!({}))]
    {
        done(report(&server, "acme", event).await);
    }
    done(report(&server, "acme", &event("4", "order.sent", json!({"total": 6}))).await);
    // A condition that can't be asked is told, as a rule's is.
    let failed = done(call(&server, "GET", "/events?failed=true", &Value::Null).await);
    let told: Vec<_> = failed["events"].as_array().unwrap().iter().map(|event| &event["functions"]).collect();
    let error = told[0][0]["error"].as_str().unwrap();
    assert!(told.len() == 1 && told[0][0]["function"] == "large" && error.contains("when"), "{told:?}");
    let large = ended(&server, "large", 2).await;
    let ids: Vec<Value> = [&large[0], &large[1]].map(|run| run["id"].clone()).to_vec();
    assert_eq!(read(&server, "large", &ids[0]).await["result"]["id"], "4");
    assert_eq!(read(&server, "large", &ids[1]).await["result"]["id"], "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_a_function_caused_has_the_members_of_any_other() {
    let server = TestServer::start().await;
    let code = "function run() { return executionParams.event }";
    put_as(&server, "seen", code, json!({"on": {"types": ["record_created"]}})).await;
    put(&server, "maker", "async function run() { await api.createRecord('orders', {}) }").await;
    order(&server, "a", json!({})).await;
    run(&server, "maker", json!({})).await;
    for (ended, hops) in ended(&server, "seen", 2).await.iter().zip([2, 1]) {
        let ended = read(&server, "seen", &ended["id"]).await;
        assert_eq!(ended["hops"], hops, "{ended}");
        assert_eq!(ended["result"], ended["executionParams"]["event"]);
        let members: Vec<_> = ended["result"].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(members, ["actor", "data", "id", "source", "subject", "time", "type"], "{ended}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_that_is_off_or_gone_is_not_triggered() {
    let server = TestServer::start().await;
    let on = json!({"types": ["record_created"]});
    for name in ["off", "gone", "changed"] {
        put_as(&server, name, QUICK, json!({"on": on})).await;
    }
    put_as(&server, "off", QUICK, json!({"on": on, "enabled": false})).await;
    put_as(&server, "changed", QUICK, json!({})).await;
    assert_eq!(call(&server, "DELETE", "/functions/gone", &Value::Null).await.status, 204);
    put_as(&server, "last", QUICK, json!({"on": on})).await;
    order(&server, "a", json!({})).await;
    ended(&server, "last", 1).await;
    for name in ["off", "gone", "changed"] {
        assert!(runs(&server, name).await.is_empty(), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schedule_runs_it_once_at_each_of_its_times() {
    let mut server = started_at("2026-03-28T12:00:00Z").await;
    let schedule = json!({"schedule": {"cron": "30 2 * * *", "timeZone": "Europe/Berlin"}});
    put_as(&server, "nightly", QUICK, schedule.clone()).await;
    let mut off = schedule.clone();
    off["enabled"] = false.into();
    put_as(&server, "off", QUICK, off).await;
    let read_newest = async |server: &TestServer, count| {
        let runs = ended(server, "nightly", count).await;
        read(server, "nightly", &runs[0]["id"]).await
    };
    server.clock.advance(12 * HOUR);
    assert!(runs(&server, "nightly").await.is_empty());
    // 02:30 does not exist that night: it is made up for at 03:00.
    server.clock.advance(HOUR);
    let run = read_newest(&server, 1).await;
    assert_eq!((&run["origin"], &run["result"]), (&json!("schedule"), &json!("2026-03-29T01:00:00.000Z")));
    // What was missed while the server was down is one run.
    server.stop().await;
    server.clock.advance(72 * HOUR);
    server.start_again().await;
    assert_eq!(read_newest(&server, 2).await["result"], "2026-03-30T00:30:00.000Z");
    server.clock.advance(24 * HOUR);
    assert_eq!(read_newest(&server, 3).await["result"], "2026-04-02T00:30:00.000Z");
    // Off, and on again: nothing is made up for.
    put_as(&server, "nightly", QUICK, json!({})).await;
    server.clock.advance(48 * HOUR);
    put_as(&server, "nightly", QUICK, schedule).await;
    server.clock.advance(24 * HOUR);
    assert_eq!(read_newest(&server, 4).await["result"], "2026-04-05T00:30:00.000Z");
    assert!(runs(&server, "off").await.is_empty());
    assert_eq!(call(&server, "DELETE", "/functions/nightly", &Value::Null).await.status, 204);
    put_as(&server, "hourly", QUICK, json!({"schedule": {"cron": "0 * * * *"}})).await;
    server.clock.advance(24 * HOUR);
    ended(&server, "hourly", 1).await;
    assert_eq!(runs(&server, "nightly").await.len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schedule_that_stays_is_neither_missed_nor_run_twice_by_a_change() {
    let server = started_at("2026-03-28T12:00:00Z").await;
    let hourly = json!({"schedule": {"cron": "0 * * * *"}});
    put_as(&server, "hourly", QUICK, hourly).await;
    let engine = &server.running().engine;
    let anew = async |now: Timestamp, cron: &str| {
        let source = json!({"code": QUICK, "schedule": {"cron": cron}, "description": "Anew"});
        let source = serde_json::from_value(source).unwrap();
        let acme = Slug::new("acme").unwrap();
        let author = UserId::new("author").unwrap();
        function::put(engine, &acme, "hourly", source, None, &author, now).await.unwrap();
    };
    // At its instant, before it was run; and by somebody who looked at the clock before that.
    let (before, due) = (server.now_ms(), Timestamp::from_millis(server.now_ms().as_millis() + HOUR_MS));
    anew(due, "0 * * * *").await;
    server.clock.advance(HOUR);
    let first = ended(&server, "hourly", 1).await;
    assert_eq!(read(&server, "hourly", &first[0]["id"]).await["result"], "2026-03-28T13:00:00.000Z");
    anew(before, "0 * * * *").await;
    server.clock.advance(HOUR);
    let second = ended(&server, "hourly", 2).await;
    assert_eq!(read(&server, "hourly", &second[0]["id"]).await["result"], "2026-03-28T14:00:00.000Z");
    // Another schedule begins anew.
    anew(Timestamp::from_millis(server.now_ms().as_millis() + HOUR_MS), "30 * * * *").await;
    server.clock.advance(HOUR + HOUR / 2);
    let third = ended(&server, "hourly", 3).await;
    assert_eq!(read(&server, "hourly", &third[0]["id"]).await["result"], "2026-03-28T15:30:00.000Z");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_hour_that_comes_twice_counts_once() {
    let server = started_at("2026-10-24T12:00:00Z").await;
    let schedule = json!({"schedule": {"cron": "30 2 * * *", "timeZone": "Europe/Berlin"}});
    put_as(&server, "nightly", QUICK, schedule).await;
    put_as(&server, "witness", QUICK, json!({"schedule": {"cron": "0 * * * *"}})).await;
    for hours in 1..=24 {
        server.clock.advance(HOUR);
        ended(&server, "witness", hours).await;
    }
    let runs = ended(&server, "nightly", 1).await;
    assert_eq!(read(&server, "nightly", &runs[0]["id"]).await["result"], "2026-10-25T00:30:00.000Z");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn functions_that_follow_from_each_other_come_to_an_end() {
    let server = TestServer::start().await;
    let code = "async function run() { await api.createRecord('loop', {}) }";
    put_as(
        &server,
        "itself",
        code,
        json!({"on": {"types": ["record_created"], "when": "data.collection == 'loop'"}}),
    )
    .await;
    done(call(&server, "POST", "/collections/loop/records", &json!({"data": {}})).await);
    ended(&server, "itself", 8).await;
    assert_eq!(super::records(&server, "loop").await, 9);

    let ping = "async function run() { await api.deleteRecord(executionParams.event.data.recordId) }";
    let pong = "async function run() { await api.createRecord('court', {}) }";
    let on = |kind: &str| json!({"on": {"types": [kind], "when": "data.collection == 'court'"}});
    put_as(&server, "ping", ping, on("record_created")).await;
    put_as(&server, "pong", pong, on("record_deleted")).await;
    done(call(&server, "POST", "/collections/court/records", &json!({"data": {}})).await);
    let both = async || (runs(&server, "ping").await.len(), runs(&server, "pong").await.len());
    until("eight runs", async || both().await == (4, 4)).await;
    ended(&server, "ping", 4).await;
    ended(&server, "pong", 4).await;
    // What a person starts is one of them.
    run(&server, "itself", json!({})).await;
    ended(&server, "itself", 16).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_tells_which_functions_it_runs_and_a_run_names_its_event() {
    let server = TestServer::start().await;
    let code = "function run() { return executionParams.event.data.total }";
    put_as(&server, "first", code, json!({"on": {"types": ["order.paid"]}})).await;
    let taken = done(report(&server, "acme", &event("1", "order.paid", json!({"total": 9}))).await);
    let key = taken["events"][0]["key"].as_str().unwrap();
    let kept = async || done(call(&server, "GET", &format!("/events/{key}"), &Value::Null).await);
    let run = ended(&server, "first", 1).await.remove(0);
    assert_eq!(kept().await["functions"], json!([{"function": "first", "run": run["id"]}]));
    let run = read(&server, "first", &run["id"]).await;
    assert_eq!((&run["event"], &run["result"]), (&json!(key), &json!(9)));

    // Repeated, it gets the same event.
    let path = format!("/functions/first/runs/{}/repeat?wait=15", run["id"].as_str().unwrap());
    let again = done(call(&server, "POST", &path, &Value::Null).await);
    assert_eq!((&again["event"], &again["result"], &again["repeats"]), (&json!(key), &json!(9), &run["id"]));

    // Run again, the event runs what it has not run yet.
    put_as(&server, "second", code, json!({"on": {"types": ["order.*"]}})).await;
    for _ in 0..2 {
        let rerun = done(call(&server, "POST", &format!("/events/{key}/rerun"), &Value::Null).await);
        assert_eq!(rerun["functions"].as_array().unwrap().len(), 2, "{rerun}");
    }
    assert_eq!(ended(&server, "second", 1).await.len(), 1);
    assert_eq!(runs(&server, "first").await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_request_runs_is_bounded_and_the_rest_can_be_run_again() {
    let server = TestServer::configured("[functions]\nworkers = 1\n").await;
    for name in 0..6 {
        put_as(&server, &format!("f{name}"), QUICK, json!({"on": {"types": ["tick"]}})).await;
    }
    // Nothing else is run meanwhile.
    put(&server, "endless", "async function run() { await api.sleep(60000) }").await;
    let busy = begin(&server, "endless").await;
    reaches(&server, "endless", &busy, "running").await;
    let batch: Vec<_> = (0..1_000).map(|n| event(&n.to_string(), "tick", json!({}))).collect();
    let taken = done(report(&server, "acme", &json!(batch)).await);
    let taken = taken["events"].as_array().unwrap();
    let failed: u64 = taken.iter().map(|event| event["failed"].as_u64().unwrap()).sum();
    assert_eq!(failed, 1_000, "six thousand runs are asked for, and five thousand are made");
    let key = taken[999]["key"].as_str().unwrap();
    let kept = done(call(&server, "GET", &format!("/events/{key}"), &Value::Null).await);
    assert!(kept["functions"][5]["error"].as_str().unwrap().contains("run the event again"), "{kept}");
    let listed = done(call(&server, "GET", "/events?failed=true&limit=1", &Value::Null).await);
    assert_eq!(listed["events"][0]["key"], key);
    let rerun = done(call(&server, "POST", &format!("/events/{key}/rerun"), &Value::Null).await);
    assert_eq!(rerun["failed"], 0, "{rerun}");
    assert!(rerun["functions"].as_array().unwrap().iter().all(|tried| tried["run"].is_string()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_whose_event_is_not_kept_any_more_fails() {
    let config = "[workspaces]\nevent_retention = \"1d\"\n[functions]\nworkers = 1\n".to_owned();
    let server = TestServer::with(Options { config, ..Options::default() }).await;
    put(&server, "gate", "async function run() { while (true) { try { await api.fetchRecord('open'); return } catch { await api.sleep(20) } } }").await;
    put_as(&server, "late", QUICK, json!({"on": {"types": ["tick"]}})).await;
    let gate = begin(&server, "gate").await;
    reaches(&server, "gate", &gate, "running").await;
    let taken = done(report(&server, "acme", &event("1", "tick", json!({}))).await);
    let path = format!("/events/{}", taken["events"][0]["key"].as_str().unwrap());
    server.clock.advance(48 * HOUR);
    until("the event is gone", async || call(&server, "GET", &path, &Value::Null).await.status == 404).await;
    order(&server, "open", json!({})).await;
    let run = ended(&server, "late", 1).await.remove(0);
    assert_eq!(run["error"], "Missing");
    let run = read(&server, "late", &run["id"]).await;
    assert!(run.get("executionParams").is_none(), "{run}");
    let path = format!("/functions/late/runs/{}/repeat", run["id"].as_str().unwrap());
    assert_eq!(call(&server, "POST", &path, &Value::Null).await.status, 404);
}
