//! Events of Campanile's own that are run again: what is told then is taken back with the rest, and nobody is told of
//! what holds no longer.

use campanile_model::Timestamp;
use campanile_testkit::TestServer;
use serde_json::{Value, json};

use crate::backend::{call, done, each, inbox, refused};
use crate::shelf::{PRODUCTS, Shelf};

/// A rule in the place of a built-in one. Its title fails on every event.
async fn break_rule(server: &TestServer, name: &str, on: Value, to: Value) {
    let rule = json!({"name": name, "on": on, "to": to, "title": "{{ data.nothing }}", "message": "M", "type": name});
    done(call(server, "PUT", &format!("/rules/{name}"), &rule).await);
}

/// The built-in rule is in its place again.
async fn mend_rule(server: &TestServer, name: &str) {
    done(call(server, "DELETE", &format!("/rules/{name}"), &Value::Null).await);
}

/// Where the events on which something failed are run again, the newest first.
async fn failed(server: &TestServer) -> Vec<String> {
    let listed = done(call(server, "GET", "/events?failed=true", &Value::Null).await);
    let events = listed["events"].as_array().unwrap().iter();
    events.map(|event| format!("/events/{}/rerun", event["key"].as_str().unwrap())).collect()
}

async fn rerun(server: &TestServer, path: &str) {
    let again = done(call(server, "POST", path, &Value::Null).await);
    assert_eq!((&again["failed"], again["rules"].as_array().unwrap().len()), (&json!(0), 1), "{again}");
}

async fn told_no_more(server: &TestServer, path: &str) {
    let problem = refused(call(server, "POST", path, &Value::Null).await, 422, "invalid_request");
    assert_eq!(problem["field"], "state", "{problem}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rung_that_is_told_later_goes_with_its_product() {
    let shelf = Shelf::at("2026-01-01T00:00:00Z").await;
    let server = &shelf.server;
    let on = json!({"types": ["product_expiring", "product_expired"]});
    break_rule(server, "product-owners", on, json!({"users": "data.owners"})).await;
    for id in ["milk", "ham/1", "tea"] {
        let body = json!({"name": id, "owners": ["alice"], "expiryDate": "2026-01-31"});
        Shelf::expect(&shelf.send("PUT", &format!("{PRODUCTS}/{}", id.replace('/', "%2F")), body).await, 201);
    }
    shelf.until("2026-01-24T09:00:00Z").await;
    assert_eq!(shelf.told().await, [""; 0]);
    mend_rule(server, "product-owners").await;
    let [tea, ham, milk]: [String; 3] = failed(server).await.try_into().expect("three rungs failed");
    // The plan is another, but not what was told.
    done(call(server, "PUT", "/settings", &json!({"timeZone": "Europe/Berlin"})).await);
    shelf.settled().await;

    rerun(server, &milk).await;
    rerun(server, &milk).await;
    rerun(server, &ham).await;
    assert_eq!(shelf.told().await, ["milk expires in 7 days", "ham/1 expires in 7 days"]);
    let rung = &shelf.get("milk").await["rungs"][0];
    assert_eq!((&rung["state"], rung["notifications"].as_array().unwrap().len()), (&json!("fired"), 1));
    shelf.until("2026-01-29T09:00:00Z").await;
    assert_eq!(shelf.told().await.len(), 5, "the next rungs are told as ever");
    told_no_more(server, &tea).await;

    for id in ["milk", "ham%2F1"] {
        Shelf::expect(&shelf.send("DELETE", &format!("{PRODUCTS}/{id}"), Value::Null).await, 204);
    }
    assert_eq!(shelf.told().await, ["tea expires in 2 days"], "all of it is taken back");

    // Another date is another plan, and what is gone is gone.
    shelf.put("tea", "2026-02-28").await;
    told_no_more(server, &tea).await;
    Shelf::expect(&shelf.send("DELETE", &format!("{PRODUCTS}/tea"), Value::Null).await, 204);
    told_no_more(server, &tea).await;
    assert_eq!(shelf.told().await, [""; 0]);
    assert_eq!(failed(server).await, [tea], "the event is as it was");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_announcement_that_is_told_later_goes_when_it_is_withdrawn() {
    let server = TestServer::start().await;
    let at = |hours: i64| Timestamp::from_millis(server.now_ms().as_millis() + hours * 3_600_000).to_string();
    break_rule(&server, "maintenance", json!({"types": ["maintenance.*"]}), json!({"workspace": true})).await;
    let draft = json!({"message": "Faster disks.", "startsAt": at(1), "endsAt": at(2)});
    let made = done(call(&server, "POST", "/announcements", &draft).await);
    let path = format!("/announcements/{}", made["id"].as_str().unwrap());
    done(call(&server, "PATCH", &path, &json!({"message": "Much faster disks."})).await);
    mend_rule(&server, "maintenance").await;
    let [changed, scheduled]: [String; 2] = failed(&server).await.try_into().expect("two events failed");

    told_no_more(&server, &scheduled).await;
    rerun(&server, &changed).await;
    assert_eq!(each(&inbox(&server, "alice").await, "message"), ["Much faster disks."]);
    done(call(&server, "DELETE", &path, &Value::Null).await);
    assert_eq!(each(&inbox(&server, "alice").await, "type"), ["maintenance_cancelled"]);
    assert_eq!(failed(&server).await, [scheduled]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_that_is_told_later_goes_when_it_is_taken_back() {
    let server = TestServer::start().await;
    let operator = server.token("op").with("workspaces", json!(["*"])).with("scope", "operator").sign();
    let ask = async |method: &str, body: &str| done(server.send(method, "/v1/drain", &operator, body).await);
    server.notify("acme", "bob", "so that it exists").await;
    break_rule(&server, "drain", json!({"types": ["drain_*"]}), json!({"workspace": true})).await;
    ask("POST", r#"{"after": "10m"}"#).await;
    ask("POST", r#"{"after": "20m"}"#).await;
    mend_rule(&server, "drain").await;
    let [changed, planned]: [String; 2] = failed(&server).await.try_into().expect("two events failed");

    told_no_more(&server, &planned).await;
    rerun(&server, &changed).await;
    assert_eq!(each(&inbox(&server, "alice").await, "type"), ["drain_changed"]);
    ask("DELETE", "").await;
    assert_eq!(each(&inbox(&server, "alice").await, "type"), ["drain_cancelled"]);
    told_no_more(&server, &planned).await;
}
