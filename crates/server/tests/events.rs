//! Events from outside: the three modes of CloudEvents, once each, whatever comes.

use std::time::Duration;

use campanile_testkit::{Answer, TestServer, request};
use serde_json::{Value, json};

use crate::backend::{call, done, each, event, inbox, inbox_of, refused, report, rule, token};

const PATH: &str = "/v1/workspaces/acme/events";

async fn post(server: &TestServer, headers: &[(&str, &str)], body: &str) -> Answer {
    let bearer = format!("Bearer {}", token(server));
    let mut all = vec![("Authorization", bearer.as_str())];
    all.extend(headers);
    request(server.address, "POST", PATH, &all, body.as_bytes()).await
}

async fn with_rule() -> TestServer {
    let server = TestServer::start().await;
    done(call(&server, "PUT", "/rules/paid", &rule("paid", "order_paid")).await);
    server
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_event_in_each_mode() {
    let server = with_rule().await;
    let mut alice = server.workspace("alice").await;
    let text = r#"{
        "specversion": "1.0", "type": "order_paid", "source": "https://shop.example/orders", "id": "A1",
        "subject": "4711", "time": "2026-01-02T03:04:05.678+01:00", "datacontenttype": "application/json",
        "dataschema": "https://shop.example/schema", "traceparent": "00-0af7651916cd43dd8448eb211c80319c-01",
        "actor": "bob", "data": {"user": "alice", "title": "structured", "amount": 10.50}
    }"#;
    let typed = [("Content-Type", "application/cloudevents+json; charset=UTF-8")];
    let taken = done(post(&server, &typed, text).await);
    let one = &taken["events"][0];
    assert_eq!((&one["id"], &one["duplicate"], &one["failed"]), (&json!("A1"), &json!(false), &json!(0)));
    assert_eq!(one["notifications"].as_array().unwrap().len(), 1);
    let frame = alice.json().await;
    assert_eq!((&frame["title"], &frame["id"]), (&json!("structured"), &one["notifications"][0]));

    let kept =
        done(call(&server, "GET", &format!("/events/{}", one["key"].as_str().unwrap()), &Value::Null).await);
    assert_eq!(kept["time"], "2026-01-02T02:04:05.678Z");
    assert_eq!(
        (&kept["subject"], &kept["actor"], &kept["type"]),
        (&json!("4711"), &json!("bob"), &json!("order_paid"))
    );
    assert_eq!(kept["data"]["amount"], 10.5);
    assert_eq!(kept["rules"], json!([{"rule": "paid", "notification": one["notifications"][0]}]));

    let binary = [
        ("ce-specversion", "1.0"),
        ("CE-Type", "order_paid"),
        ("ce-source", "https://shop.example/orders"),
        ("ce-id", "B%201"),
        ("ce-subject", "Euro%20%E2%82%AC"),
        ("ce-traceparent", "00-1"),
        ("Content-Type", "application/vnd.shop+json"),
    ];
    let taken = done(post(&server, &binary, r#"{"user": "alice", "title": "binary"}"#).await);
    assert_eq!(taken["events"][0]["id"], "B 1");
    assert_eq!(alice.json().await["title"], "binary");
    let key = taken["events"][0]["key"].as_str().unwrap();
    assert_eq!(
        done(call(&server, "GET", &format!("/events/{key}"), &Value::Null).await)["subject"],
        "Euro €"
    );

    let data = |n: usize| json!({"user": "alice", "title": format!("batched {n}")});
    let batch: Vec<_> = (0..3).map(|n| event(&format!("C{n}"), "order_paid", data(n))).collect();
    let taken = done(report(&server, "acme", &json!(batch)).await);
    assert_eq!(taken["events"].as_array().unwrap().len(), 3);
    for n in 0..3 {
        assert_eq!(alice.json().await["title"], format!("batched {n}"), "in their order");
    }
    // Plain JSON that says that it is an event is one.
    let plain = event("D1", "order_paid", data(9)).to_string();
    done(post(&server, &[("Content-Type", "application/json")], &plain).await);
    assert_eq!(alice.json().await["title"], "batched 9");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_is_taken_once() {
    let mut server = with_rule().await;
    let one = event("1", "order_paid", json!({"user": "alice", "title": "once"}));
    let first = done(report(&server, "acme", &one).await)["events"][0].clone();
    server.restart().await;
    let again = done(report(&server, "acme", &one).await)["events"][0].clone();
    assert_eq!((&again["duplicate"], &again["key"]), (&json!(true), &first["key"]));
    assert_eq!(again["notifications"], json!([]));
    let batch = json!([one, event("2", "order_paid", json!({"user": "alice", "title": "twice"})), one]);
    let mut twice = batch.clone();
    twice[2] = batch[1].clone();
    let taken = done(report(&server, "acme", &twice).await);
    let duplicates: Vec<_> =
        taken["events"].as_array().unwrap().iter().map(|e| e["duplicate"].clone()).collect();
    assert_eq!(duplicates, [json!(true), json!(false), json!(true)]);
    // The same id from elsewhere is another event.
    let mut other = one.clone();
    other["source"] = "https://other.example".into();
    assert_eq!(done(report(&server, "acme", &other).await)["events"][0]["duplicate"], false);
    assert_eq!(each(&inbox(&server, "alice").await, "title"), ["once", "twice", "once"]);
    assert_eq!(
        done(report(&server, "default", &one).await)["events"][0]["duplicate"],
        false,
        "nothing crosses"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_at_once_make_one_notification() {
    let server = with_rule().await;
    let one = event("same", "order_paid", json!({"user": "alice", "title": "once"}));
    let answers = futures_util::future::join_all((0..16).map(|_| report(&server, "acme", &one))).await;
    let fresh =
        answers.into_iter().map(done).filter(|taken| taken["events"][0]["duplicate"] == false).count();
    assert_eq!(fresh, 1);
    assert_eq!(each(&inbox(&server, "alice").await, "title"), ["once"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_event_is_refused_and_says_why() {
    let server = with_rule().await;
    let good = event("1", "order_paid", json!({"user": "alice", "title": "T"}));
    let with = |member: &str, value: Value| {
        let mut event = good.clone();
        event[member] = value;
        event
    };
    let long = "x".repeat(1_025);
    let mut deep = json!(1);
    for _ in 0..33 {
        deep = json!([deep]);
    }
    for (event, code, field) in [
        (with("specversion", json!("0.3")), "invalid_request", "specversion"),
        (with("specversion", Value::Null), "invalid_request", "specversion"),
        (with("specversion", json!(1.0)), "invalid_body", ""),
        (with("id", json!("")), "invalid_request", "id"),
        (with("id", json!(long)), "invalid_request", "id"),
        (with("id", json!("a\u{0}b")), "invalid_request", "id"),
        (with("id", json!("a\r\nSet-Cookie: x")), "invalid_request", "id"),
        (with("id", Value::Null), "invalid_request", "id"),
        (with("source", json!("")), "invalid_request", "source"),
        (with("source", json!(7)), "invalid_body", ""),
        (with("type", json!("t".repeat(257))), "invalid_request", "type"),
        (with("type", json!(["t"])), "invalid_body", ""),
        (with("subject", json!("\u{7f}")), "invalid_request", "subject"),
        (with("time", json!("2026-13-01T00:00:00Z")), "invalid_request", "time"),
        (with("time", json!("now")), "invalid_request", "time"),
        (with("datacontenttype", json!("application/xml")), "invalid_request", "datacontenttype"),
        (with("data_base64", json!("AAAA")), "invalid_request", "data_base64"),
        (with("actor", json!("")), "invalid_request", "actor"),
        (with("actor", json!("u".repeat(129))), "invalid_request", "actor"),
        (with("Data", json!(1)), "invalid_body", ""),
        (with("nested", json!({"a": 1})), "invalid_body", ""),
        (with("data", deep), "invalid_request", "data"),
        (with("data", json!("x".repeat(256 * 1024))), "invalid_request", "data"),
        (with("source", json!("/collections/orders")), "invalid_request", "source"),
        (with("source", json!("/products/1")), "invalid_request", "source"),
        (with("source", json!("/functions/f")), "invalid_request", "source"),
        (with("source", json!("/workspace")), "invalid_request", "source"),
        (with("source", json!("/access")), "invalid_request", "source"),
        (with("source", json!("/maintenance")), "invalid_request", "source"),
    ] {
        let problem = refused(report(&server, "acme", &event).await, 422, code);
        assert_eq!(problem["field"].as_str().unwrap_or_default(), field, "{problem}");
        // In a batch, the place is named, and nothing of it is taken.
        let problem = refused(report(&server, "acme", &json!([good, event])).await, 422, code);
        assert_eq!(problem["index"], 1, "{problem}");
    }
    assert_eq!(inbox(&server, "alice").await["items"], json!([]));
    // A relative source of the user's own is theirs.
    done(report(&server, "acme", &with("source", json!("/orders"))).await);
    done(report(&server, "acme", &with("source", json!("/collectionsx"))).await);

    let many: Vec<_> = (0..1_001).map(|n| event(&n.to_string(), "t", Value::Null)).collect();
    refused(report(&server, "acme", &json!(many)).await, 422, "invalid_body");
    refused(report(&server, "acme", &json!([])).await, 422, "invalid_request");
    done(report(&server, "acme", &json!(many[..1_000])).await);

    let typed = |media: &'static str| [("Content-Type", media)];
    for (headers, body, status) in [
        (typed("application/json").to_vec(), r#"{"user":"alice"}"#, 415),
        (typed("application/json").to_vec(), "[]", 415),
        (typed("application/json").to_vec(), "{", 400),
        (typed("text/xml").to_vec(), "<a/>", 415),
        (typed("application/cloudevents+xml").to_vec(), "<a/>", 415),
        (typed("application/cloudevents").to_vec(), "{}", 415),
        (typed("application/cloudevents+json").to_vec(), "", 400),
        (typed("application/cloudevents+json").to_vec(), "[]", 422),
        (typed("application/cloudevents-batch+json").to_vec(), "{}", 422),
        (typed("application/cloudevents+json").to_vec(), r#"{"specversion":"1.0","specversion":"1.0"}"#, 422),
        (typed("application/cloudevents+json").to_vec(), r#"{"id":"\ud800"}"#, 400),
        ([typed("application/cloudevents+json"), [("Content-Encoding", "gzip")]].concat(), "{}", 415),
        (vec![], "{}", 415),
    ] {
        let answer = post(&server, &headers, body).await;
        assert_eq!(answer.status, status, "{headers:?} {body}: {}", String::from_utf8_lossy(&answer.body));
    }
    let too_long = " ".repeat(4 * 1024 * 1024 + 1);
    refused(post(&server, &typed("application/cloudevents+json"), &too_long).await, 413, "body_too_large");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_that_are_no_attributes_are_refused() {
    let server = with_rule().await;
    let good = [("ce-specversion", "1.0"), ("ce-type", "t"), ("ce-source", "s"), ("ce-id", "1")];
    let json = ("Content-Type", "application/json");
    done(post(&server, &[&good[..], &[json]].concat(), "1").await);
    // Without a body there are no data.
    done(post(&server, &[&good[..3], &[("ce-id", "none")]].concat(), "").await);
    for (extra, field) in [
        (("ce-subject", "%C0%A0"), "ce-subject"),
        (("ce-subject", "%"), "ce-subject"),
        (("ce-subject", "caf\u{e9}"), "ce-subject"),
        (("ce-subject", "a%0d%0aSet-Cookie:%20x"), "subject"),
        (("ce-subject", "%00"), "subject"),
        (("ce-id", "2"), "ce-id"),
        (("ce-time", "today"), "time"),
        (("ce-actor", "%20%09"), "actor"),
        (("ce-datacontenttype", "application/json"), "ce-datacontenttype"),
        (("ce-not_a_name", "x"), "ce-"),
    ] {
        let problem =
            refused(post(&server, &[&good[..], &[json, extra]].concat(), "1").await, 422, "invalid_request");
        assert_eq!(problem["field"], field, "{extra:?}: {problem}");
    }
    refused(post(&server, &[&good[..], &[json]].concat(), "{").await, 400, "invalid_json");
    refused(post(&server, &[&good[1..], &[json]].concat(), "1").await, 415, "unsupported_media_type");
    let xml = [&good[..], &[("Content-Type", "application/xml")]].concat();
    refused(post(&server, &xml, "<a/>").await, 415, "unsupported_media_type");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may() {
    let server = TestServer::start().await;
    let with = |scope: &str| server.token("backend").with("scope", scope).sign();
    let one = event("1", "t", Value::Null).to_string();
    for scope in ["notifications:write admin", ""] {
        refused(server.send("POST", PATH, &with(scope), &one).await, 403, "scope_missing");
    }
    done(server.send("POST", PATH, &with("events:write"), &one).await);
    // What was reported holds values: to read it takes more than to report it.
    refused(server.get(PATH, &with("events:write")).await, 403, "scope_missing");
    let listed = done(server.get(PATH, &with("admin")).await);
    let path = format!("{PATH}/{}", listed["events"][0]["key"].as_str().unwrap());
    refused(server.get(&path, &with("events:write")).await, 403, "scope_missing");
    refused(
        server.send("POST", &format!("{path}/rerun"), &with("events:write"), "").await,
        403,
        "scope_missing",
    );
    refused(
        server.send("POST", "/v1/workspaces/other/events", &with("events:write"), &one).await,
        403,
        "workspace_refused",
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_rule_keeps_the_event_and_a_rerun_tells_it_once() {
    let mut server = TestServer::start().await;
    let mut broken = rule("paid", "order_paid");
    broken["title"] = "Order\n{{ data.titel }}".into();
    done(call(&server, "PUT", "/rules/paid", &broken).await);
    done(call(&server, "PUT", "/rules/paid-too", &rule("paid-too", "order_paid")).await);
    let one = event("1", "order_paid", json!({"user": "alice", "title": "canary-4711"}));
    let taken = done(report(&server, "acme", &one).await)["events"][0].clone();
    assert_eq!(taken["failed"], 1);
    assert_eq!(taken["notifications"].as_array().unwrap().len(), 1, "one rule does not stop another");
    done(report(&server, "acme", &event("2", "other", Value::Null)).await);

    let listed = done(call(&server, "GET", "/events?failed=true", &Value::Null).await);
    assert_eq!(listed["events"].as_array().unwrap().len(), 1);
    let kept = &listed["events"][0];
    assert_eq!(kept["key"], taken["key"]);
    assert!(kept.get("data").is_none());
    let error = kept["rules"].as_array().unwrap().iter().find_map(|tried| tried["error"].as_str()).unwrap();
    assert!(error.contains("title") && error.contains("line 2") && !error.contains("canary"), "{error}");

    done(call(&server, "PUT", "/rules/paid", &rule("paid", "order_paid")).await);
    server.restart().await;
    let rerun = format!("/events/{}/rerun", taken["key"].as_str().unwrap());
    for _ in 0..2 {
        let again = done(call(&server, "POST", &rerun, &Value::Null).await);
        assert_eq!((&again["failed"], again["rules"].as_array().unwrap().len()), (&json!(0), 2));
    }
    let reruns =
        futures_util::future::join_all((0..8).map(|_| call(&server, "POST", &rerun, &Value::Null))).await;
    assert!(reruns.iter().all(|answer| [200, 412].contains(&answer.status)));
    assert_eq!(
        each(&inbox(&server, "alice").await, "title"),
        ["canary-4711", "canary-4711"],
        "one of each rule"
    );
    for missing in ["x", &"0".repeat(64)] {
        refused(call(&server, "GET", &format!("/events/{missing}"), &Value::Null).await, 404, "not_found");
        refused(
            call(&server, "POST", &format!("/events/{missing}/rerun"), &Value::Null).await,
            404,
            "not_found",
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_are_listed_and_go_in_time() {
    let server = TestServer::start().await;
    for n in 0..5 {
        let kind = if n % 2 == 0 { "even" } else { "odd" };
        done(report(&server, "acme", &event(&n.to_string(), kind, json!({"n": n}))).await);
    }
    let ids = |page: &Value| -> Vec<String> {
        page["events"].as_array().unwrap().iter().map(|e| e["id"].as_str().unwrap().to_owned()).collect()
    };
    let page = done(call(&server, "GET", "/events?limit=2&type=even", &Value::Null).await);
    assert_eq!(ids(&page), ["4", "2"]);
    let next = format!("/events?limit=2&type=even&before={}", page["next"]);
    let page = done(call(&server, "GET", &next, &Value::Null).await);
    assert_eq!((ids(&page), &page["next"]), (vec!["0".to_owned()], &Value::Null));
    for bad in ["limit=0", "limit=1001", "kind=even", "failed=maybe"] {
        refused(call(&server, "GET", &format!("/events?{bad}"), &Value::Null).await, 400, "invalid_query");
    }
    // An event is known for seven days: then the same one would be a new one.
    server.clock.advance(Duration::from_secs(7 * 24 * 3600 + 1));
    crate::backend::until("events past their time go", async || {
        done(call(&server, "GET", "/events", &Value::Null).await)["events"] == json!([])
    })
    .await;
}

/// The documents' types, from events that a user's own backend reports.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn documented_types_arrive_on_both_surfaces() {
    let server = TestServer::start().await;
    let admin = token(&server);
    for workspace in ["acme", "default"] {
        for topic in ["collection:orders", "function:invoice"] {
            let path = format!("/v1/workspaces/{workspace}/topics/{topic}/subscribers");
            done(server.post(&path, &admin, r#"{"users":["alice"]}"#).await);
        }
    }
    let mut workspace = server.workspace("alice").await;
    let mut product = server.product("alice").await;
    let record =
        json!({"collection": "orders", "recordId": "r1", "changed": ["total"], "after": {"total": "canary"}});
    let bulk = json!({"collection": "orders", "count": 3, "sample": ["r1", "r2"], "after": "canary"});
    let run = json!({"function": "invoice", "runId": "run1", "startedBy": "alice", "error": "canary"});
    for (kind, data, wanted) in [
        ("record_created", &record, "record_created"),
        ("record_updated", &record, "record_updated"),
        ("record_deleted", &record, "record_deleted"),
        ("records_bulk_created", &bulk, "bulk_complete"),
        ("function_complete", &run, "function_complete"),
        ("function_failed", &run, "function_failed"),
        ("function_timeout", &run, "function_timeout"),
        ("user.updated", &json!({"user": "alice", "changed": ["name"]}), "user_updated"),
        ("maintenance.scheduled", &json!({"message": "Back at noon"}), "maintenance_scheduled"),
    ] {
        for name in ["acme", "default"] {
            let mut one = event(kind, kind, data.clone());
            one["actor"] = "bob".into();
            let taken = done(report(&server, name, &one).await);
            assert_eq!(taken["events"][0]["failed"], 0, "{kind}: {taken}");
        }
        let frame = workspace.text().await;
        assert!(!frame.contains("canary"), "{frame}");
        let frame: Value = serde_json::from_str(&frame).unwrap();
        assert_eq!(frame["type"], wanted, "{frame}");
        assert!(frame["metadata"]["level"].is_string(), "{frame}");
        let frame = product.text().await;
        assert!(!frame.contains("canary"), "{frame}");
        let frame: Value = serde_json::from_str(&frame).unwrap();
        assert!(["info", "warning", "error"].contains(&frame["type"].as_str().unwrap()), "{frame}");
    }
    for name in ["acme", "default"] {
        let shown = inbox_of(&server, name, "alice").await;
        assert!(!shown.to_string().contains("canary"), "{shown}");
        assert_eq!(shown["unread"], 9, "{shown}");
    }
}
