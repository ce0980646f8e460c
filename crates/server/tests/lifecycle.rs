//! What becomes of a notification: seen for a while, sent later, superseded, said anew, taken back.

use std::time::Duration;

use campanile_model::limits::MAX_USERS_PER_ENTRY;
use campanile_model::{Slug, Timestamp};
use campanile_store::{Change, Contents, DocumentKind, DocumentWrite, Expect, Write};
use campanile_testkit::{Client, TestServer};
use serde_json::{Value, json};

use crate::backend::{call, done, each, inbox, refused, until};

const DAY: i64 = 24 * 3_600_000;

fn at(server: &TestServer, millis: i64) -> String {
    Timestamp::from_millis(server.now_ms().as_millis() + millis).to_string()
}

fn to_alice(more: Value) -> Value {
    let mut body = json!({"to": {"user": "alice"}, "title": "T", "message": "M"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

async fn publish(server: &TestServer, more: Value) -> Value {
    done(call(server, "POST", "/notifications", &to_alice(more)).await)
}

fn path(published: &Value) -> String {
    format!("/notifications/{}", published["id"].as_str().unwrap())
}

async fn read(server: &TestServer, user: &str, published: &Value) {
    let path = format!("/v1/workspaces/acme/inbox/{}/read", published["id"].as_str().unwrap());
    done(server.post(&path, &server.token(user).sign(), "").await);
}

/// What a client that comes now is replayed, up to a notification that is sent to end it.
async fn replayed(server: &TestServer, user: &str) -> Vec<String> {
    let unread = server.workspace_path(user) + "&replay=unread";
    let mut client = Client::connect(server.address, &unread).await;
    let end = server.publish("acme", json!({"to": {"user": user}, "title": "end", "message": ""})).await;
    let mut titles = vec![];
    loop {
        let title = client.json().await["title"].as_str().unwrap().to_owned();
        if title == "end" {
            client.leave().await;
            assert_eq!(call(server, "DELETE", &path(&end), &Value::Null).await.status, 204);
            return titles;
        }
        titles.push(title);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ttl_hides_at_its_instant() {
    let server = TestServer::start().await;
    publish(&server, json!({"title": "stays"})).await;
    let short = publish(&server, json!({"title": "short", "ttl": 60})).await;
    let read_one = publish(&server, json!({"title": "read", "ttl": "1m"})).await;
    read(&server, "alice", &read_one).await;
    let shown = inbox(&server, "alice").await;
    assert_eq!(each(&shown, "title"), ["read", "short", "stays"]);
    assert_eq!(shown["items"][1]["expiresAt"], at(&server, 60_000));
    server.clock.advance(Duration::from_millis(59_999));
    assert_eq!(inbox(&server, "alice").await["unread"], 2);
    assert_eq!(replayed(&server, "alice").await, ["stays", "short"]);
    server.clock.advance(Duration::from_millis(1));
    until("it is hidden", async || inbox(&server, "alice").await["unread"] == 1).await;
    assert_eq!(each(&inbox(&server, "alice").await, "title"), ["stays"], "read or not");
    assert_eq!(replayed(&server, "alice").await, ["stays"]);
    refused(call(&server, "GET", &path(&short), &Value::Null).await, 404, "not_found");
    let mark = format!("/v1/workspaces/acme/inbox/{}/read", short["id"].as_str().unwrap());
    refused(server.post(&mark, &server.token("alice").sign(), "").await, 404, "not_found");

    for (good, bad) in [(json!("1s"), json!("0s")), (json!("365d"), json!("366d")), (json!(1), json!(0))] {
        publish(&server, json!({"ttl": good})).await;
        let problem = refused(
            call(&server, "POST", "/notifications", &to_alice(json!({"ttl": bad}))).await,
            422,
            "invalid_request",
        );
        assert_eq!(problem["field"], "ttl");
    }
    for bad in [json!("soon"), json!(-1), json!(1.5), json!("1w"), json!([1])] {
        refused(
            call(&server, "POST", "/notifications", &to_alice(json!({"ttl": bad}))).await,
            422,
            "invalid_body",
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ttl_that_ran_out_while_the_server_was_down_is_over() {
    let mut server = TestServer::start().await;
    publish(&server, json!({"title": "short", "ttl": 60})).await;
    server.stop().await;
    server.clock.advance(Duration::from_secs(61));
    server.start_again().await;
    until("it is hidden", async || inbox(&server, "alice").await["items"] == json!([])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_sent_later_waits_its_time_across_restarts() {
    let mut server = TestServer::start().await;
    let send_at = at(&server, 3_600_000);
    let taken = publish(&server, json!({"title": "later", "sendAt": send_at, "ttl": "10m"})).await;
    assert_eq!((&taken["seq"], &taken["sendAt"]), (&Value::Null, &json!(send_at)));
    let kept = done(call(&server, "GET", &path(&taken), &Value::Null).await);
    assert_eq!(
        (&kept["state"], &kept["sendAt"], &kept["ttl"]),
        (&json!("scheduled"), &json!(send_at), &json!("10m"))
    );
    assert!(kept["seq"].is_null() && kept.get("expiresAt").is_none(), "{kept}");
    server.clock.advance(Duration::from_millis(3_599_999));
    assert_eq!(inbox(&server, "alice").await["items"], json!([]));
    server.restart().await;
    let mut alice = server.workspace("alice").await;
    server.clock.advance(Duration::from_millis(1));
    let frame = alice.json().await;
    assert_eq!((&frame["id"], &frame["timestamp"]), (&taken["id"], &json!(send_at)));
    alice.leave().await;
    server.restart().await;
    let sent = done(call(&server, "GET", &path(&taken), &Value::Null).await);
    assert_eq!((&sent["state"], &sent["expiresAt"]), (&json!("sent"), &json!(at(&server, 600_000))));
    assert_eq!(each(&inbox(&server, "alice").await, "title"), ["later"], "once");
    assert_eq!(done(call(&server, "GET", "/schedules", &Value::Null).await)["schedules"], json!([]));
    // One whose time came while the server was down is sent when it is back.
    publish(&server, json!({"title": "down", "sendAt": at(&server, 1_000)})).await;
    server.stop().await;
    server.clock.advance(Duration::from_secs(60));
    server.start_again().await;
    until("it is sent", async || each(&inbox(&server, "alice").await, "title") == ["down", "later"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_is_listed_moved_and_cancelled() {
    let server = TestServer::start().await;
    let mut waiting = vec![];
    for n in 0..3 {
        waiting.push(
            publish(&server, json!({"title": format!("n{n}"), "sendAt": at(&server, 10_000 + n)})).await,
        );
        server.clock.advance(Duration::from_millis(1));
    }
    let page = done(call(&server, "GET", "/schedules?limit=2", &Value::Null).await);
    let titles = |page: &Value| -> Vec<String> {
        let schedules = page["schedules"].as_array().unwrap().iter();
        schedules.map(|s| s["title"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(titles(&page), ["n0", "n1"]);
    let next = format!("/schedules?after={}", page["next"].as_str().unwrap());
    assert_eq!(titles(&done(call(&server, "GET", &next, &Value::Null).await)), ["n2"]);

    assert_eq!(call(&server, "DELETE", &path(&waiting[0]), &Value::Null).await.status, 204);
    refused(call(&server, "DELETE", &path(&waiting[0]), &Value::Null).await, 404, "not_found");
    let moved = json!({"title": "moved", "sendAt": at(&server, 60_000), "ttl": "1h"});
    let moved = done(call(&server, "PATCH", &path(&waiting[1]), &moved).await);
    assert_eq!(
        (&moved["state"], &moved["title"], &moved["ttl"]),
        (&json!("scheduled"), &json!("moved"), &json!("1h"))
    );
    server.clock.advance(Duration::from_secs(11));
    until("one is sent", async || each(&inbox(&server, "alice").await, "title") == ["n2"]).await;
    server.clock.advance(Duration::from_secs(60));
    until("the other is", async || each(&inbox(&server, "alice").await, "title") == ["moved", "n2"]).await;
    let sent = refused(
        call(&server, "PATCH", &path(&waiting[1]), &json!({"sendAt": at(&server, 60_000)})).await,
        422,
        "invalid_request",
    );
    assert_eq!(sent["field"], "sendAt");

    for (good, bad) in [(1_000, 999), (365 * DAY, 365 * DAY + 1)] {
        publish(&server, json!({"sendAt": at(&server, good)})).await;
        let late = to_alice(json!({"sendAt": at(&server, bad)}));
        let problem = refused(call(&server, "POST", "/notifications", &late).await, 422, "invalid_request");
        assert_eq!(problem["field"], "sendAt");
    }
    let mixed = json!([to_alice(json!({})), to_alice(json!({"sendAt": at(&server, 5_000)}))]);
    let problem = refused(call(&server, "POST", "/notifications", &mixed).await, 422, "invalid_request");
    assert_eq!((&problem["index"], &problem["field"]), (&json!(1), &json!("sendAt")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schedule_under_a_key_is_kept_once() {
    let mut server = TestServer::start().await;
    let body = to_alice(json!({"sendAt": at(&server, 10_000)})).to_string();
    let token = crate::backend::token(&server);
    let key = [("Idempotency-Key", "k")];
    let post = "/v1/workspaces/acme/notifications";
    let first = server.send_with("POST", post, &token, &key, &body).await;
    server.restart().await;
    let all =
        futures_util::future::join_all((0..8).map(|_| server.send_with("POST", post, &token, &key, &body)))
            .await;
    for again in all {
        assert_eq!((again.header("idempotent-replayed"), again.json()), (Some("true"), first.json()));
    }
    refused(
        server.send_with("POST", post, &token, &key, &format!("{body} ")).await,
        422,
        "idempotency_key_reused",
    );
    server.clock.advance(Duration::from_secs(10));
    until("it is sent", async || inbox(&server, "alice").await["unread"] == 1).await;
    // Its time has passed: it is the same request all the same, as long as the key is kept.
    server.clock.advance(Duration::from_secs(23 * 3_600));
    server.restart().await;
    let token = crate::backend::token(&server);
    let send = async |key: &str, body: &str| {
        server.send_with("POST", post, &token, &[("Idempotency-Key", key)], body).await
    };
    let again = send("k", &body).await;
    assert_eq!((again.header("idempotent-replayed"), again.json()), (Some("true"), first.json()));
    refused(send("k", &format!("{body} ")).await, 422, "idempotency_key_reused");
    refused(send("l", &body).await, 422, "invalid_request");
    assert_eq!(inbox(&server, "alice").await["items"].as_array().map(Vec::len), Some(1));
    server.clock.advance(Duration::from_secs(3_600));
    let token = crate::backend::token(&server);
    let late = server.send_with("POST", post, &token, &key, &body).await;
    refused(late, 422, "invalid_request");
}

/// What stands in the way of one that is due stands in the way of no other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_cannot_be_sent_keeps_no_other_waiting() {
    let server = TestServer::start().await;
    for n in 0..5 {
        publish(&server, json!({"title": format!("n{n}"), "sendAt": at(&server, 10_000)})).await;
    }
    let waiting = done(call(&server, "GET", "/schedules", &Value::Null).await);
    let broken = waiting["schedules"].as_array().unwrap().iter().find(|one| one["title"] == "n2").unwrap();
    let id = broken["id"].as_str().unwrap();
    let (engine, acme) = (&server.running().engine, Slug::new("acme").unwrap());
    let find = async || {
        let found = campanile_store::document(&*engine.store, &acme, DocumentKind::Schedule, id).await;
        found.unwrap().unwrap()
    };
    // More users than an entry may name.
    let found = find().await;
    let mut body: Value = serde_json::from_str(&found.contents.body).unwrap();
    body["notification"]["audience"] = json!({"users": vec!["alice"; MAX_USERS_PER_ENTRY + 1]});
    let put = Some(Contents { body: body.to_string().into(), ..found.contents });
    let expect = Expect::Version(found.version);
    let write = DocumentWrite { kind: DocumentKind::Schedule, id: found.id, expect, put };
    let change = Change { documents: vec![write], ..Change::default() };
    engine.store.append(&acme, Write::Change(change), server.now_ms()).await.unwrap();

    server.clock.advance(Duration::from_secs(10));
    until("the others are sent", async || inbox(&server, "alice").await["unread"] == 4).await;
    let shown = inbox(&server, "alice").await;
    let mut titles = each(&shown, "title");
    titles.sort_unstable();
    assert_eq!(titles, ["n0", "n1", "n3", "n4"]);
    until("it is put off", async || find().await.contents.due > Some(server.now_ms())).await;
    let later = Timestamp::from_millis(server.now_ms().as_millis() + 3_600_000);
    assert_eq!(find().await.contents.due, Some(later));
    done(call(&server, "DELETE", &format!("/notifications/{id}"), &Value::Null).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collapse_key_supersedes_and_readers_keep_what_they_read() {
    let server = TestServer::start().await;
    let say = async |title: &str, to: Value| {
        let body = json!({"to": to, "title": title, "message": "", "collapseKey": "stock:7"});
        done(call(&server, "POST", "/notifications", &body).await)
    };
    let both = json!({"users": ["alice", "bob"]});
    let first = say("10 left", both.clone()).await;
    read(&server, "bob", &first).await;
    say("5 left", both.clone()).await;
    say("for alice alone", json!({"user": "alice"})).await;
    let shown = inbox(&server, "alice").await;
    assert_eq!((each(&shown, "title"), &shown["unread"]), (vec!["for alice alone", "5 left"], &json!(2)));
    let shown = inbox(&server, "bob").await;
    assert_eq!((each(&shown, "title"), &shown["unread"]), (vec!["5 left", "10 left"], &json!(1)));
    assert_eq!((&shown["items"][1]["superseded"], shown["items"][0].get("superseded")), (&json!(true), None));
    let kept = done(call(&server, "GET", &path(&first), &Value::Null).await);
    assert_eq!((&kept["state"], &kept["collapseKey"]), (&json!("superseded"), &json!("stock:7")));
    assert_eq!(replayed(&server, "alice").await, ["5 left", "for alice alone"]);
    // Unread again it would come back as news: it does not.
    let unread = format!("/v1/workspaces/acme/inbox/{}/unread", first["id"].as_str().unwrap());
    done(server.post(&unread, &server.token("bob").sign(), "").await);
    assert_eq!(inbox(&server, "bob").await["unread"], 1);
    for bad in [json!(""), json!("k".repeat(129))] {
        let body = to_alice(json!({"collapseKey": bad}));
        let problem = refused(call(&server, "POST", "/notifications", &body).await, 422, "invalid_request");
        assert_eq!(problem["field"], "collapseKey");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_patch_changes_it_in_place_and_keeps_what_was_done_with_it() {
    let mut server = TestServer::start().await;
    let first = publish(&server, json!({"title": "first", "type": "warning", "metadata": {"a": 1}})).await;
    publish(&server, json!({"title": "second"})).await;
    read(&server, "alice", &first).await;
    server.clock.advance(Duration::from_secs(5));
    let patch = json!({"title": "anew", "message": "N", "level": "error", "metadata": {"b": 2}});
    let changed = done(call(&server, "PATCH", &path(&first), &patch).await);
    assert_eq!((&changed["seq"], &changed["updatedAt"]), (&first["seq"], &json!(at(&server, 0))));
    server.restart().await;
    let shown = inbox(&server, "alice").await;
    assert_eq!((each(&shown, "title"), &shown["unread"]), (vec!["second", "anew"], &json!(1)));
    let item = &shown["items"][1];
    assert_eq!(
        (&item["read"], &item["type"], &item["level"]),
        (&json!(true), &json!("error"), &json!("error"))
    );
    assert_eq!((&item["metadata"], &item["timestamp"]), (&json!({"b": 2}), &first["timestamp"]));
    assert_eq!(item["updatedAt"], changed["updatedAt"]);
    // A ttl counts from the change, and can be taken back.
    done(call(&server, "PATCH", &path(&first), &json!({"ttl": "1m"})).await);
    done(call(&server, "PATCH", &path(&first), &json!({"ttl": null})).await);
    server.clock.advance(Duration::from_secs(61));
    let last = publish(&server, json!({"title": "third", "ttl": 60})).await;
    server.clock.advance(Duration::from_secs(60));
    until("it is hidden", async || each(&inbox(&server, "alice").await, "title") == ["second", "anew"]).await;
    refused(call(&server, "PATCH", &path(&last), &json!({"title": "x"})).await, 404, "not_found");

    let long = "x".repeat(65_536);
    for (patch, status, code) in [
        (json!({"title": " "}), 422, "invalid_request"),
        (json!({"title": "x".repeat(201)}), 422, "invalid_request"),
        (json!({"ttl": "0s"}), 422, "invalid_request"),
        (json!({"metadata": {"password": 1}}), 422, "invalid_request"),
        (json!({"sendAt": at(&server, 5_000)}), 422, "invalid_request"),
        (json!({"message": long}), 413, "notification_too_large"),
        (json!({"to": {"user": "bob"}}), 422, "invalid_body"),
        (json!({"type": "info"}), 422, "invalid_body"),
        (json!([]), 422, "invalid_body"),
    ] {
        refused(call(&server, "PATCH", &path(&first), &patch).await, status, code);
    }
    let reader = server.token("alice").sign();
    let full = format!("/v1/workspaces/acme{}", path(&first));
    refused(server.send("PATCH", &full, &reader, r#"{"title":"x"}"#).await, 403, "scope_missing");
    refused(server.send("DELETE", &full, &reader, "").await, 403, "scope_missing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_of_different_members_at_once_all_survive() {
    let server = TestServer::start().await;
    let one = publish(&server, json!({"type": "record_created", "metadata": {"n": 0}})).await;
    let one = path(&one);
    for round in 1..=20 {
        let level = ["info", "success", "warning", "error", "alert"][round % 5];
        let members = [
            ("title", json!(format!("T{round}"))),
            ("message", json!(format!("M{round}"))),
            ("level", json!(level)),
            ("metadata", json!({ "n": round })),
        ];
        let patches = members.iter().map(|(member, value)| {
            let patch = json!({ *member: value });
            let (server, one) = (&server, &one);
            async move { done(call(server, "PATCH", one, &patch).await) }
        });
        futures_util::future::join_all(patches).await;
        let now = done(call(&server, "GET", &one, &Value::Null).await);
        for (member, value) in &members {
            assert_eq!(&now[*member], value, "{member} in round {round}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delete_hides_it_from_everybody() {
    let mut server = TestServer::start().await;
    let first = publish(&server, json!({"title": "first"})).await;
    let second = publish(&server, json!({"title": "second"})).await;
    read(&server, "alice", &second).await;
    for gone in [&first, &second] {
        assert_eq!(call(&server, "DELETE", &path(gone), &Value::Null).await.status, 204);
        refused(call(&server, "DELETE", &path(gone), &Value::Null).await, 404, "not_found");
        refused(call(&server, "GET", &path(gone), &Value::Null).await, 404, "not_found");
        refused(call(&server, "PATCH", &path(gone), &json!({"title": "x"})).await, 404, "not_found");
    }
    server.restart().await;
    let shown = inbox(&server, "alice").await;
    assert_eq!((&shown["items"], &shown["unread"]), (&json!([]), &json!(0)));
    assert!(replayed(&server, "alice").await.is_empty());
    refused(call(&server, "DELETE", "/notifications/x", &Value::Null).await, 404, "not_found");
}
