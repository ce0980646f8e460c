//! Who is told of a change, of what, and of what not; and that no change is lost.

use std::sync::Arc;

use campanile_server::clock::Clock;
use campanile_testkit::{Answer, Client, SECRET, TestServer, Token, request};
use serde_json::{Value, json};

use crate::native::stream::Events;
use crate::process::Process;
use crate::program::Program;

const ORDERS: &str = "/v1/workspaces/acme/collections/orders/records";

fn writer(server: &TestServer, user: &str) -> String {
    let token = server.token(user).with("workspaces", json!(["acme", "default"]));
    token.with("scope", "records:write admin").sign()
}

#[track_caller]
fn expect(status: u16, answer: &Answer) -> Value {
    assert_eq!(answer.status, status, "{}", String::from_utf8_lossy(&answer.body));
    if answer.body.is_empty() { Value::Null } else { answer.json() }
}

async fn subscribe(server: &TestServer, workspace: &str, users: &[&str]) {
    let path = format!("/v1/workspaces/{workspace}/topics/collection:orders/subscribers");
    let body = json!({ "users": users }).to_string();
    expect(200, &server.post(&path, &writer(server, "root"), &body).await);
}

/// What a client was told until a notification that is published now.
async fn told(server: &TestServer, workspace: &str, user: &str, client: &mut Client) -> Vec<Value> {
    let marker = server.notify(workspace, user, "marker").await;
    let mut told = vec![];
    loop {
        let frame = client.json().await;
        if frame["id"] == marker {
            return told;
        }
        told.push(frame);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscribers_are_told_of_each_change_and_its_author_is_not() {
    let server = TestServer::start().await;
    subscribe(&server, "acme", &["alice", "bob"]).await;
    let (mut alice, mut bob) = (server.workspace("alice").await, server.workspace("bob").await);
    let mut carol = server.workspace("carol").await;
    let token = writer(&server, "alice");
    let path = format!("{ORDERS}/o-1");
    expect(201, &server.send("PUT", &path, &token, r#"{"data":{"total":5,"state":"open"}}"#).await);
    expect(200, &server.send("PATCH", &path, &token, r#"{"state":"paid","at":"noon"}"#).await);
    expect(200, &server.send("PATCH", &path, &token, r#"{"state":"paid"}"#).await);
    expect(204, &server.send("DELETE", &path, &token, "").await);
    let told_bob = told(&server, "acme", "bob", &mut bob).await;
    let about = json!({"collection": "orders", "recordId": "o-1", "actor": "alice", "level": "info"});
    let mut updated = about.clone();
    updated["changed"] = json!(["at", "state"]);
    let said: Vec<_> = told_bob.iter().map(|f| (f["type"].as_str().unwrap(), &f["metadata"])).collect();
    assert_eq!(said, [("record_created", &about), ("record_updated", &updated), ("record_deleted", &about)]);
    assert_eq!(told_bob[1]["title"], "Record updated in orders");
    assert_eq!(told_bob[1]["message"], "o-1 by alice");
    assert_eq!(told(&server, "acme", "alice", &mut alice).await, [Value::Null; 0], "who did it");
    assert_eq!(told(&server, "acme", "carol", &mut carol).await, [Value::Null; 0], "who did not subscribe");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_records_are_one_notification_on_both_surfaces() {
    let server = TestServer::start().await;
    for workspace in ["acme", "default"] {
        subscribe(&server, workspace, &["alice", "bob"]).await;
    }
    let mut workspace = [server.workspace("alice").await, server.workspace("bob").await];
    let mut product = [server.product("alice").await, server.product("bob").await];
    let token = writer(&server, "alice");
    let create: Vec<_> = (0..10_000).map(|n| json!({"id": format!("o-{n:05}"), "data": {"n": n}})).collect();
    let delete: Vec<_> = (0..10_000).map(|n| format!("o-{n:05}")).collect();
    for place in ["acme", "default"] {
        let path = format!("/v1/workspaces/{place}/collections/orders/records/bulk");
        for body in [json!({"create": create}), json!({"delete": delete})] {
            let answer = server.post(&path, &token, &body.to_string()).await;
            assert_eq!(expect(200, &answer)["changed"], 10_000);
        }
    }
    let told_bob = told(&server, "acme", "bob", &mut workspace[1]).await;
    assert_eq!(told_bob.len(), 2, "{told_bob:?}");
    assert_eq!(
        (&told_bob[0]["type"], &told_bob[1]["type"]),
        (&json!("bulk_complete"), &json!("bulk_complete"))
    );
    let sample: Vec<_> = (0..10).map(|n| format!("o-{n:05}")).collect();
    let metadata = json!({
        "operation": "created", "collection": "orders", "count": 10_000, "sample": sample, "actor": "alice",
        "level": "success",
    });
    assert_eq!(told_bob[0]["metadata"], metadata);
    assert_eq!(told_bob[1]["metadata"]["operation"], "deleted");
    assert_eq!(told_bob[0]["title"], "10000 records created in orders");
    let told_bob = told(&server, "default", "bob", &mut product[1]).await;
    let titles: Vec<_> = told_bob.iter().map(|frame| frame["title"].as_str().unwrap()).collect();
    assert_eq!(titles, ["10000 records created in orders", "10000 records deleted in orders"]);
    assert_eq!(told_bob[0]["message"], "10000 records were created by alice");
    for (place, client) in [("acme", &mut workspace[0]), ("default", &mut product[0])] {
        assert_eq!(told(&server, place, "alice", client).await, [Value::Null; 0], "who did it");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_update_is_lost() {
    let server = Arc::new(TestServer::start().await);
    let token = writer(&server, "alice");
    let path = format!("{ORDERS}/counter");
    expect(201, &server.send("PUT", &path, &token, r#"{"data":{"n":0}}"#).await);
    let tasks: Vec<_> = (0..16)
        .map(|task| {
            let (server, token, path) = (Arc::clone(&server), token.clone(), path.clone());
            tokio::spawn(async move {
                for _ in 0..5 {
                    // What was read is what is changed.
                    loop {
                        let read = server.get(&path, &token).await;
                        let n = expect(200, &read)["data"]["n"].as_u64().unwrap();
                        let tag = [("If-Match", read.header("etag").unwrap())];
                        let patch = json!({"n": n + 1}).to_string();
                        let answer = server.send_with("PATCH", &path, &token, &tag, &patch).await;
                        match answer.status {
                            412 => {}
                            _ => break drop(expect(200, &answer)),
                        }
                    }
                }
                // Nothing was read: each member is somebody's own.
                let patch = json!({ format!("task {task}"): true }).to_string();
                loop {
                    let answer = server.send("PATCH", &path, &token, &patch).await;
                    match answer.status {
                        503 => assert!(answer.header("retry-after").is_some()),
                        _ => break drop(expect(200, &answer)),
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let data = expect(200, &server.get(&path, &token).await)["data"].clone();
    assert_eq!(data["n"], 80);
    assert_eq!(data.as_object().unwrap().len(), 17);
}

/// A value that must not be met again but by who may read the record.
const CANARY: &str = "canary-7f3a9c";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_reaches_no_frame_no_other_user_and_no_log() {
    // All surfaces show the same workspace, and nothing is left out of the log.
    let program = Program::new().set("CAMPANILE_SECRET", SECRET).set("CAMPANILE_LOG__LEVEL", "trace");
    let program = program.set("CAMPANILE_SURFACES__PRODUCT__WORKSPACE", "acme");
    let server = Process::start(&program);
    let token = |user: &str, scope: &str| {
        Token::of(user, Clock::system().now().as_secs()).with("scope", scope).sign()
    };
    let send = async |method: &str, path: &str, token: &str, body: &str| {
        let bearer = format!("Bearer {token}");
        let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
        request(server.address, method, path, &headers, body.as_bytes()).await
    };
    let (alice, admin) = (token("alice", "records:write"), token("root", "admin notifications:write"));
    let subscribers = "/v1/workspaces/acme/topics/collection:orders/subscribers";
    expect(200, &send("POST", subscribers, &admin, r#"{"users":["bob"]}"#).await);
    let path = format!("/?token={}&workspaceSlug=acme", token("bob", ""));
    let mut bob = Client::connect(server.address, &path).await;
    let path = format!("/api/ws/notification?access_token={}", token("bob", ""));
    let mut product = Client::connect(server.address, &path).await;
    assert_eq!(product.json().await["type"], "CONNECTION_ESTABLISHED");
    let path = format!("/v1/connect?workspace=acme&token={}", token("bob", ""));
    let mut native = Client::connect(server.address, &path).await;
    assert_eq!(native.json().await["type"], "hello");
    let bearer = format!("Authorization: Bearer {}\r\n", token("bob", ""));
    let (status, mut stream) = Events::open(server.address, "", &bearer).await;
    assert_eq!((status, &*stream.event().await["event"]), (200, "hello"));

    // Every way of changing records, with the value in each place that a value has.
    let data = json!({"secret": CANARY, "list": [{"of": CANARY}], "n": 1});
    let record = format!("{ORDERS}/o-1");
    let bulk = format!("{ORDERS}/bulk");
    expect(201, &send("POST", ORDERS, &alice, &json!({"id": "o-1", "data": data}).to_string()).await);
    let other = json!({"data": {"secret": format!("{CANARY}!"), "list": [CANARY]}}).to_string();
    expect(200, &send("PUT", &record, &alice, &other).await);
    expect(200, &send("PATCH", &record, &alice, &json!({"further": CANARY}).to_string()).await);
    let create = json!({"create": [{"id": "o-2", "data": data}, {"data": data}]}).to_string();
    expect(200, &send("POST", &bulk, &alice, &create).await);
    let update = json!({"update": [{"id": "o-2", "patch": {"secret": [CANARY]}}]}).to_string();
    expect(200, &send("POST", &bulk, &alice, &update).await);
    expect(200, &send("POST", &bulk, &alice, r#"{"delete":["o-2"]}"#).await);

    // Others who ask, and changes that fail on what is there.
    let mut answers = vec![];
    let (without, elsewhere) = (
        token("bob", ""),
        Token::of("eve", Clock::system().now().as_secs()).with("workspaces", json!(["other"])),
    );
    let elsewhere = elsewhere.with("scope", "records:write").sign();
    let writer = token("carol", "records:write");
    for token in [&without, &elsewhere] {
        for path in [&record, ORDERS, "/v1/workspaces/acme/records/o-1", "/v1/workspaces/acme/inbox"] {
            answers.push(send("GET", path, token, "").await);
        }
        answers.push(send("PATCH", &record, token, "{}").await);
    }
    answers.push(send("GET", "/v1/workspaces/other/records/o-1", &elsewhere, "").await);
    answers.push(send("POST", ORDERS, &writer, r#"{"id":"o-1","data":{}}"#).await);
    answers.push(send("PUT", &record.replace("orders", "carts"), &writer, r#"{"data":{}}"#).await);
    let long = json!({"long": "x".repeat(65_520)}).to_string();
    answers.push(send("PATCH", &record, &writer, &long).await);
    answers.push(send("POST", &bulk, &writer, r#"{"create":[{"id":"o-1","data":{}}]}"#).await);
    answers.push(send("GET", &format!("{ORDERS}?where=data.secret%20%3E%201"), &writer, "").await);
    answers.push(send("GET", &format!("{ORDERS}?where=data.secret.n%20%2B"), &writer, "").await);
    for answer in &answers {
        let text = String::from_utf8_lossy(&answer.body);
        assert!(!text.contains(CANARY) && !answer.head.contains(CANARY), "{text}");
    }

    // All that bob is told, up to a mark, and what he can read of it later.
    let mark = json!({"to": {"user": "bob"}, "title": "T", "message": "the mark"}).to_string();
    expect(201, &send("POST", "/v1/workspaces/acme/notifications", &admin, &mark).await);
    let [mut frames, mut shown, mut items, mut streamed] = [vec![], vec![], vec![], vec![]];
    for (client, told) in [(&mut bob, &mut frames), (&mut product, &mut shown), (&mut native, &mut items)] {
        loop {
            let frame = client.text().await;
            assert!(!frame.contains(CANARY), "{frame}");
            if frame.contains("the mark") {
                break;
            }
            told.push(serde_json::from_str::<Value>(&frame).unwrap());
        }
    }
    loop {
        let fields = stream.event().await;
        assert!(!format!("{fields:?}").contains(CANARY), "{fields:?}");
        if fields["data"].contains("the mark") {
            break;
        }
        streamed.push(serde_json::from_str::<Value>(&fields["data"]).unwrap());
    }
    let kinds = [
        "record_created",
        "record_updated",
        "record_updated",
        "bulk_complete",
        "bulk_complete",
        "bulk_complete",
    ];
    assert_eq!(frames.iter().map(|frame| &frame["type"]).collect::<Vec<_>>(), kinds);
    let ids = |told: &[Value]| told.iter().map(|frame| frame["id"].clone()).collect::<Vec<_>>();
    assert_eq!(ids(&shown), ids(&frames));
    for told in [items, streamed] {
        let told: Vec<_> = told.iter().filter(|frame| frame["type"] != "heartbeat").collect();
        assert!(told.iter().all(|frame| frame["type"] == "notification"), "{told:?}");
        assert_eq!(told.iter().map(|frame| frame["item"]["id"].clone()).collect::<Vec<_>>(), ids(&frames));
    }
    for (path, list) in [("/api/notification/list", "notifications"), ("/v1/workspaces/acme/inbox", "items")]
    {
        let page = expect(200, &send("GET", path, &token("bob", ""), "").await);
        assert!(!page.to_string().contains(CANARY), "{page}");
        let listed = page[list].as_array().unwrap();
        assert_eq!(listed.len(), kinds.len() + 1, "{page}");
    }
    // The value is where it belongs.
    assert!(String::from_utf8_lossy(&send("GET", &record, &alice, "").await.body).contains(CANARY));

    let written = server.written();
    assert!(written.contains("listening"), "the log was read");
    assert!(!written.contains(CANARY), "{written}");
}
