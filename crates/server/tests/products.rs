//! Products, and the expiry that is told of them.

use aws_lc_rs::digest;
use campanile_model::{Slug, Timestamp};
use campanile_store::{Change, Contents, DocumentKind, DocumentWrite, Expect, Write};
use campanile_testkit::{Client, Options, TestServer, WAIT};
use serde_json::{Value, json};

use crate::shelf::{PRODUCTS, Shelf, instant};

/// An owner's month: each rung at its hour, as a durable notification with all that is documented of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ladder_over_a_month() {
    let shelf = Shelf::at("2026-01-01T12:00:00Z").await;
    let body = json!({"id": "milk", "name": "Milk 3.5 %", "owners": ["alice"], "expiryDate": "2026-01-31",
        "quantity": 12.50, "notes": "behind the eggs"});
    let made = shelf.send("POST", PRODUCTS, body).await;
    assert_eq!(made.header("location"), Some("/v1/workspaces/acme/products/milk"));
    let made = Shelf::expect(&made, 201);
    assert_eq!((&made["status"], &made["endsAt"]), (&json!("active"), &json!("2026-02-01T00:00:00.000Z")));
    let instants: Vec<_> = made["rungs"].as_array().unwrap().iter().map(|rung| &rung["at"]).collect();
    let planned = ["2026-01-24T09:00:00.000Z", "2026-01-29T09:00:00.000Z", "2026-01-31T09:00:00.000Z"];
    assert_eq!(instants[..3], planned);

    shelf.until("2026-01-24T08:59:59.999Z").await;
    assert!(shelf.told().await.is_empty());
    shelf.until("2026-01-24T09:00:00Z").await;
    let inbox = shelf.inbox("alice").await;
    let [week] = inbox.as_slice() else { panic!("{inbox:?}") };
    assert_eq!(week["message"], "Milk 3.5 % expires in 7 days");
    assert_eq!((&week["type"], &week["level"]), (&json!("product_expiring"), &json!("info")));
    assert_eq!((&week["productName"], &week["expiryDate"]), (&json!("Milk 3.5 %"), &json!("2026-01-31")));
    assert_eq!(week["metadata"]["productId"], "milk");
    assert_eq!(week["metadata"]["rung"], "7d");
    assert!(!inbox[0].to_string().contains("behind the eggs"), "notes are told to nobody");
    let product = shelf.get("milk").await;
    assert_eq!(product["rungs"][0]["notifications"][0], week["id"]);
    assert_eq!((&product["notes"], &product["quantity"]), (&json!("behind the eggs"), &json!(12.5)));

    shelf.until("2026-01-29T09:00:00Z").await;
    shelf.until("2026-01-31T09:00:00Z").await;
    assert_eq!(shelf.get("milk").await["status"], "active");
    shelf.until("2026-02-01T00:00:00Z").await;
    let told = ["expires in 7 days", "expires in 2 days", "expires today", "has expired"];
    assert_eq!(shelf.told().await, told.map(|said| format!("Milk 3.5 % {said}")));
    let levels: Vec<Value> = shelf.inbox("alice").await.iter().map(|item| item["level"].clone()).collect();
    assert_eq!(levels, ["info", "warning", "warning", "error"]);
    assert_eq!(shelf.get("milk").await["status"], "expired");
    assert_eq!(shelf.rungs("milk").await, "7d fired, 2d fired, 0d fired, expired fired");
    shelf.until("2027-01-01T00:00:00Z").await;
    assert_eq!(shelf.told().await.len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_names_the_state_that_it_expects() {
    let shelf = Shelf::at("2026-01-01T12:00:00Z").await;
    let path = format!("{PRODUCTS}/milk");
    let body = json!({"name": "Milk", "topic": "dairy", "expiryDate": "2026-01-31"});
    let send = async |method: &str, header: (&str, &str), body: &Value| {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        shelf.server.send_with(method, &path, &shelf.keeper(), &[header], &body).await
    };
    assert_eq!(send("PUT", ("If-Match", "\"7\""), &body).await.status, 404);
    let made = send("PUT", ("If-None-Match", "*"), &body).await;
    let first = made.header("etag").unwrap().to_owned();
    assert_eq!(
        (made.status, &made.json()["version"].to_string()),
        (201, &first.trim_matches('"').to_owned())
    );
    assert_eq!(send("PUT", ("If-None-Match", "*"), &body).await.status, 412);
    let again = send("PUT", ("If-Match", &first), &body).await;
    assert_eq!((again.status, again.header("etag")), (200, Some(&*first)), "nothing is different");

    let patched = send("PATCH", ("If-Match", &first), &json!({"owners": ["bob"], "quantity": 3})).await;
    let now = Shelf::expect(&patched, 200);
    assert_eq!((&now["owners"], &now["topic"]), (&json!(["bob"]), &Value::Null));
    assert_eq!(now["planVersion"], 1, "the plan is the same");
    let stale = send("PATCH", ("If-Match", &first), &json!({"quantity": 4})).await;
    assert_eq!((stale.status, &stale.json()["code"]), (412, &json!("changed")));
    assert_eq!(send("DELETE", ("If-Match", &first), &Value::Null).await.status, 412);

    // Telling of it is a change too.
    let second = patched.header("etag").unwrap().to_owned();
    shelf.until("2026-01-24T09:00:00Z").await;
    assert_eq!(send("PATCH", ("If-Match", &second), &json!({"quantity": 4})).await.status, 412);
    assert_eq!(shelf.inbox("bob").await.len(), 1);

    let patched = shelf.send("PATCH", &path, json!({"status": "removed"})).await;
    assert_eq!(Shelf::expect(&patched, 200)["status"], "removed");
    assert_eq!(shelf.send("DELETE", &path, Value::Null).await.status, 204, "again");
    assert_eq!(shelf.send("PATCH", &path, json!({"quantity": 1})).await.status, 422);
    assert_eq!(shelf.send("DELETE", &format!("{PRODUCTS}/none"), Value::Null).await.status, 404);
    for bad in [json!({"status": "active"}), json!({"name": null}), json!({"id": "other"}), json!([])] {
        assert_eq!(shelf.send("PATCH", &path, bad).await.status, 422);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_are_made_at_once_and_listed() {
    let shelf = Shelf::at("2026-01-01T12:00:00Z").await;
    let product =
        |id: usize| json!({"id": format!("p{id:03}"), "name": "P", "topic": "t", "expiryDate": "2026-01-31"});
    let all: Vec<_> = (0..120).map(product).collect();
    let made = Shelf::expect(&shelf.send("POST", PRODUCTS, all.into()).await, 201);
    assert_eq!((made.as_array().unwrap().len(), &made[119]["id"]), (120, &json!("p119")));
    let taken = shelf.send("POST", PRODUCTS, json!([product(900), product(7)])).await;
    let taken = Shelf::expect(&taken, 409);
    assert_eq!((&taken["code"], &taken["index"]), (&json!("already_exists"), &json!(1)));
    assert_eq!(shelf.send("GET", &format!("{PRODUCTS}/p900"), Value::Null).await.status, 404, "none of them");
    let wrong =
        shelf.send("POST", PRODUCTS, json!([product(900), {"name": "P", "expiryDate": "2026-01-31"}])).await;
    assert_eq!((wrong.status, &wrong.json()["index"]), (422, &json!(1)));
    let unnamed = json!({"name": "P", "owners": ["a"], "expiryDate": "2026-01-31"});
    let unnamed = Shelf::expect(&shelf.send("POST", PRODUCTS, unnamed).await, 201);
    assert_eq!(unnamed["id"].as_str().unwrap().len(), 36);
    shelf.send("DELETE", &format!("{PRODUCTS}/p003"), Value::Null).await;

    let page = async |query: &str| {
        let page = Shelf::expect(&shelf.send("GET", &format!("{PRODUCTS}?{query}"), Value::Null).await, 200);
        let ids = page["products"].as_array().unwrap().iter().map(|p| p["id"].as_str().unwrap().to_owned());
        (ids.collect::<Vec<_>>(), page["next"].clone())
    };
    let (ids, next) = page("limit=100&status=active").await;
    assert_eq!((ids.len(), next.as_str()), (100, Some(ids[99].as_str())));
    let (rest, next) = page(&format!("limit=100&status=active&after={}", ids[99])).await;
    assert_eq!((rest.len(), next), (20, Value::Null));
    assert_eq!(page("status=removed").await.0, ["p003"]);
    assert_eq!(shelf.send("GET", &format!("{PRODUCTS}?status=gone"), Value::Null).await.status, 400);

    // Kept for 90 days.
    let removed = shelf.send("POST", PRODUCTS, product(3)).await;
    assert_eq!(removed.status, 409, "PUT brings it back");
    shelf.until("2026-04-01T12:00:00Z").await;
    let deadline = std::time::Instant::now() + WAIT;
    while !page("status=removed").await.0.is_empty() {
        assert!(std::time::Instant::now() < deadline);
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    assert_eq!(shelf.send("POST", PRODUCTS, product(3)).await.status, 201);
}

/// Berlin's clocks go forward on 2026-03-29 and back on 2026-10-25.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn local_days_at_both_edges_of_daylight_saving() {
    let shelf = Shelf::at("2026-03-01T00:00:00Z").await;
    let settings =
        json!({"timeZone": "Europe/Berlin", "ladder": {"rungs": ["1d", "0d", "24h"], "at": "02:30"}});
    Shelf::expect(&shelf.send("PUT", "/v1/workspaces/acme/settings", settings).await, 200);
    shelf.settled().await;
    for (date, told) in [
        // 02:30 does not exist on the day: one is told an hour later. The day has 23 hours.
        (
            "2026-03-29",
            ["2026-03-28T01:30:00Z", "2026-03-28T22:00:00Z", "2026-03-29T01:30:00Z", "2026-03-29T22:00:00Z"],
        ),
        // 02:30 comes twice: the first. The day has 25 hours.
        (
            "2026-10-25",
            ["2026-10-24T00:30:00Z", "2026-10-24T23:00:00Z", "2026-10-25T00:30:00Z", "2026-10-25T23:00:00Z"],
        ),
    ] {
        shelf.put(date, date).await;
        let mut before = shelf.told().await.len();
        for at in told {
            shelf.advance_to(Timestamp::from_millis(instant(at).as_millis() - 1)).await;
            assert_eq!(shelf.told().await.len(), before, "before {at}");
            shelf.until(at).await;
            before += 1;
            assert_eq!(shelf.told().await.len(), before, "at {at}");
        }
        assert_eq!(shelf.rungs(date).await.matches("fired").count(), 4);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_date_plans_anew_and_takes_back_what_is_unread() {
    let shelf = Shelf::at("2026-01-01T12:00:00Z").await;
    shelf.put("milk", "2026-01-31").await;
    shelf.until("2026-01-24T09:00:00Z").await;
    shelf.mark_read("alice", &shelf.inbox("alice").await[0]).await;
    shelf.until("2026-01-29T09:00:00Z").await;
    assert_eq!(shelf.told().await, ["milk expires in 7 days", "milk expires in 2 days"]);

    let patch = json!({"name": "Whole milk", "notes": "n"});
    Shelf::expect(&shelf.send("PATCH", &format!("{PRODUCTS}/milk"), patch).await, 200);
    assert_eq!(shelf.told().await.len(), 2, "another name takes nothing back");
    assert_eq!(shelf.get("milk").await["planVersion"], 1);

    let patch = json!({"expiryDate": "2026-02-07"});
    let now = Shelf::expect(&shelf.send("PATCH", &format!("{PRODUCTS}/milk"), patch).await, 200);
    assert_eq!(now["planVersion"], 2);
    assert_eq!(shelf.told().await, ["milk expires in 7 days"], "only what was read stays");
    shelf.until("2026-01-31T09:00:00Z").await;
    assert_eq!(shelf.told().await[1..], ["Whole milk expires in 7 days"]);

    let ladder = json!({"ladder": {"rungs": ["1d"], "expired": false}});
    let now = Shelf::expect(&shelf.send("PATCH", &format!("{PRODUCTS}/milk"), ladder).await, 200);
    assert_eq!((&now["planVersion"], shelf.told().await.len()), (&json!(3), 1));
    shelf.until("2026-02-08T00:00:00Z").await;
    assert_eq!(shelf.told().await[1..], ["Whole milk has expired"], "late, and so it says");
    assert_eq!(shelf.get("milk").await["status"], "expired");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_changes_the_status_even_where_nothing_is_told() {
    let shelf = Shelf::at("2026-01-01T12:00:00Z").await;
    let silent = json!({"name": "P", "owners": ["alice"], "expiryDate": "2026-01-01T13:00:00Z",
        "ladder": {"rungs": [], "expired": false}});
    Shelf::expect(&shelf.send("PUT", &format!("{PRODUCTS}/silent"), silent).await, 201);
    shelf.until("2026-01-01T13:00:00Z").await;
    assert_eq!(shelf.get("silent").await["status"], "expired");
    // An end in the past is told at once.
    assert_eq!(shelf.put("late", "2025-12-31").await["status"], "expired");
    shelf.server.clock.advance(std::time::Duration::from_millis(1));
    shelf.settled().await;
    assert_eq!(shelf.told().await, ["late has expired"]);
    assert_eq!(shelf.rungs("late").await, "7d skipped, 2d skipped, 0d skipped, expired fired");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn removing_a_product_takes_back_what_is_unread_and_tells_no_more() {
    let shelf = Shelf::at("2026-01-01T12:00:00Z").await;
    let body = json!({"name": "milk", "owners": ["alice", "bob"], "expiryDate": "2026-01-31"});
    Shelf::expect(&shelf.send("PUT", &format!("{PRODUCTS}/milk"), body).await, 201);
    shelf.until("2026-01-24T09:00:00Z").await;
    shelf.mark_read("alice", &shelf.inbox("alice").await[0]).await;
    shelf.until("2026-01-29T09:00:00Z").await;
    assert_eq!(shelf.send("DELETE", &format!("{PRODUCTS}/milk"), Value::Null).await.status, 204);
    assert_eq!(shelf.told().await, ["milk expires in 7 days"], "what was read stays");
    assert_eq!(shelf.inbox("bob").await, Vec::<Value>::new());
    shelf.until("2026-02-02T00:00:00Z").await;
    assert_eq!((shelf.told().await.len(), shelf.inbox("bob").await.len()), (1, 0));
    let product = shelf.get("milk").await;
    assert_eq!((&product["status"], &product["rungs"][3]["state"]), (&json!("removed"), &json!("cancelled")));

    // It comes back, by another plan.
    assert_eq!(shelf.put("milk", "2026-02-10").await["planVersion"], 2);
    shelf.until("2026-02-11T00:00:00Z").await;
    assert_eq!(shelf.told().await.len(), 2, "what was missed is told as one");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_rung_once_over_restarts_and_missed_ones_collapse() {
    let mut shelf = Shelf::on_disk(instant("2026-01-01T12:00:00Z"), None).await;
    shelf.put("milk", "2026-01-31").await;
    shelf.until("2026-01-24T09:00:00Z").await;
    shelf.server.restart().await;
    shelf.settled().await;
    assert_eq!(shelf.told().await, ["milk expires in 7 days"]);

    // Down over two rungs.
    shelf.server.stop().await;
    let down = instant("2026-01-31T12:00:00Z").as_millis() - shelf.server.now_ms().as_millis();
    shelf.server.clock.advance(std::time::Duration::from_millis(down.try_into().unwrap()));
    shelf.server.start_again().await;
    shelf.settled().await;
    assert_eq!(shelf.told().await, ["milk expires in 7 days", "milk expires today"]);
    assert_eq!(shelf.rungs("milk").await, "7d fired, 2d collapsed, 0d fired, expired pending");
    shelf.server.restart().await;
    shelf.until("2026-02-01T00:00:00Z").await;
    shelf.server.restart().await;
    shelf.settled().await;
    assert_eq!(shelf.told().await.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workspaces_do_not_meet() {
    let shelf = Shelf::at("2026-01-01T12:00:00Z").await;
    shelf.put("milk", "2026-01-31").await;
    let body = json!({"name": "Other milk", "owners": ["alice"], "expiryDate": "2026-01-09"});
    let path = "/v1/workspaces/other/products/milk";
    Shelf::expect(&shelf.send("PUT", path, body).await, 201);
    shelf.until("2026-01-02T09:00:00Z").await;
    assert_eq!((shelf.told().await.len(), shelf.inbox_of("alice", "other").await.len()), (0, 1));
    assert_eq!(shelf.send("DELETE", path, Value::Null).await.status, 204);
    shelf.until("2026-01-24T09:00:00Z").await;
    assert_eq!((shelf.told().await.len(), shelf.inbox_of("alice", "other").await.len()), (1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn products_follow_the_settings_and_tell_nothing_twice() {
    let shelf = Shelf::at("2026-01-01T12:00:00Z").await;
    // More than one slice of the job.
    let rows: String = (0..1_200).map(|n| format!("p{n:04},P,bob,2026-01-31\n")).collect();
    let rows = format!("id,name,owners,expiryDate\n{rows}");
    assert_eq!(Shelf::expect(&shelf.import("", &rows).await, 200)["created"], 1_200);
    shelf.put("milk", "2026-01-31").await;
    shelf.until("2026-01-24T09:00:00Z").await;
    let set = async |settings: Value| {
        Shelf::expect(&shelf.send("PUT", "/v1/workspaces/acme/settings", settings).await, 200);
        shelf.server.clock.advance(std::time::Duration::from_millis(1));
        shelf.settled().await;
    };
    set(json!({"timeZone": "America/New_York"})).await;
    for id in ["p0000", "p0777", "p1199", "milk"] {
        let product = shelf.get(id).await;
        assert_eq!(
            (&product["planVersion"], &product["endsAt"]),
            (&json!(2), &json!("2026-02-01T05:00:00.000Z"))
        );
    }
    // 09:00 in New York is later on the same day.
    shelf.until("2026-01-29T13:59:59Z").await;
    assert_eq!(shelf.told().await, ["milk expires in 7 days"]);
    shelf.until("2026-01-29T14:00:00Z").await;
    assert_eq!(shelf.told().await[1..], ["milk expires in 2 days"]);
    set(json!({"timeZone": "America/New_York", "ladder": {"rungs": ["1h"]}})).await;
    shelf.until("2026-02-01T04:00:00Z").await;
    shelf.until("2026-02-01T05:00:00Z").await;
    assert_eq!(shelf.told().await[2..], ["milk expires today", "milk has expired"]);
    assert_eq!(shelf.inbox("bob").await.len(), 4 * 1_200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_the_product_surface_as_documented() {
    let shelf = Shelf::at("2026-01-01T12:00:00Z").await;
    let mut alice = shelf.server.product("alice").await;
    let body = json!({"name": "Milk", "owners": ["alice"], "expiryDate": "2026-01-01T15:00:00Z",
        "ladder": {"rungs": ["1h"]}});
    Shelf::expect(&shelf.send("PUT", "/v1/workspaces/default/products/milk", body).await, 201);
    shelf.server.clock.advance(std::time::Duration::from_secs(4 * 60));
    alice.send("PING").await;
    assert_eq!(alice.json().await, json!({"type": "pong"}));
    shelf.until("2026-01-01T14:00:00Z").await;
    drop(alice);
    let mut alice = shelf.server.product("alice").await;
    let frame = alice.json().await;
    assert_eq!(
        (&frame["type"], &frame["message"], &frame["productName"]),
        (&json!("warning"), &json!("Milk expires today"), &json!("Milk"))
    );
    assert_eq!(
        (&frame["event"], &frame["expiryDate"]),
        (&json!("product_expiration"), &json!("2026-01-01T15:00:00Z"))
    );
    shelf.until("2026-01-01T14:59:59.999Z").await;
    drop(alice);
    let mut alice = shelf.server.product("alice").await;
    alice.json().await;
    shelf.until("2026-01-01T15:00:00Z").await;
    let frame = alice.json().await;
    assert_eq!((&frame["type"], &frame["message"]), (&json!("error"), &json!("Milk has expired")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_realtime_mode_whoever_is_connected_is_told() {
    let start = instant("2026-01-01T12:00:00Z");
    let config = "[workspaces.live]\nmode = \"realtime\"\n".to_owned();
    let options = Options { config, memory: true, at: Some(start), ..Options::default() };
    let shelf = Shelf { server: TestServer::with(options).await };
    let body = json!({"name": "Milk", "owners": ["alice"], "expiryDate": "2026-01-01T12:01:00Z"});
    let path = "/v1/workspaces/live/products/milk";
    Shelf::expect(&shelf.send("PUT", path, body).await, 201);
    let token = shelf.server.token("alice").with("workspaces", json!(["live"])).sign();
    let mut alice =
        Client::connect(shelf.server.address, &format!("/?token={token}&workspaceSlug=live")).await;
    shelf.until("2026-01-01T12:01:00Z").await;
    let frame = alice.json().await;
    assert_eq!((&frame["type"], &frame["message"]), (&json!("product_expired"), &json!("Milk has expired")));
    assert_eq!(shelf.inbox_of("alice", "live").await, Vec::<Value>::new());
    let product = Shelf::expect(&shelf.send("GET", path, Value::Null).await, 200);
    assert_eq!(product["rungs"][2]["notifications"], json!([frame["id"]]));
    // Nothing is left that could be taken back.
    assert_eq!(shelf.send("DELETE", path, Value::Null).await.status, 204);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_decide_who_is_told() {
    let shelf = Shelf::at("2026-01-01T12:00:00Z").await;
    let rules = "/v1/workspaces/acme/rules";
    let own = json!({"name": "managers", "on": {"types": ["product_*"]}, "to": {"user": "'boss'"},
        "title": "T", "type": "{{ type }}", "message": "{{ data.productName }} {{ data.phrase }}: {{ data.quantity }}",
        "event": "product_expiration"});
    Shelf::expect(&shelf.send("PUT", &format!("{rules}/managers"), own).await, 200);
    let body = json!({"name": "Milk", "owners": ["alice"], "expiryDate": "2026-01-31", "quantity": 3});
    Shelf::expect(&shelf.send("PUT", &format!("{PRODUCTS}/milk"), body).await, 201);
    shelf.until("2026-01-24T09:00:00Z").await;
    assert_eq!(shelf.inbox("boss").await[0]["message"], "Milk expires in 7 days: 3");
    assert_eq!(shelf.get("milk").await["rungs"][0]["notifications"].as_array().unwrap().len(), 2);

    // With no rule left, the rung has fired all the same.
    Shelf::expect(&shelf.send("DELETE", &format!("{rules}/managers"), Value::Null).await, 204);
    let built_in =
        Shelf::expect(&shelf.send("GET", &format!("{rules}/product-owners"), Value::Null).await, 200);
    let mut off = built_in["rule"].clone();
    off["enabled"] = json!(false);
    Shelf::expect(&shelf.send("PUT", &format!("{rules}/product-owners"), off).await, 200);
    shelf.until("2026-01-29T09:00:00Z").await;
    assert_eq!(shelf.rungs("milk").await, "7d fired, 2d fired, 0d pending, expired pending");
    assert_eq!(shelf.told().await.len(), 1);
    shelf.send("DELETE", &format!("{PRODUCTS}/milk"), Value::Null).await;
    assert_eq!(
        (shelf.told().await.len(), shelf.inbox("boss").await.len()),
        (0, 0),
        "all of it is taken back"
    );
}

/// What stands in the way of one product stands in the way of no other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_cannot_be_told_blocks_nobody() {
    let shelf = Shelf::at("2026-01-01T12:00:00Z").await;
    let engine = &shelf.server.running().engine;
    let acme = Slug::new("acme").unwrap();
    let write = async |kind, id: &str, due: Option<&str>| {
        let (group, due) = ("active".into(), due.map(instant));
        let put = Contents { group, due, expires: None, body: "{}".into() };
        let write = DocumentWrite { kind, id: id.into(), expect: Expect::Absent, put: Some(put) };
        let change = Change { documents: vec![write], ..Change::default() };
        engine.store.append(&acme, Write::Change(change), shelf.server.now_ms()).await.unwrap();
    };
    // The name of an event of milk is taken by something else.
    let name = digest::digest(&digest::SHA256, b"/products/milk\0milk/1/7d");
    let name: String = name.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    write(DocumentKind::Event, &name, None).await;
    // Nobody can read this one.
    write(DocumentKind::Product, "broken", Some("2026-01-02T00:00:00Z")).await;
    shelf.put("milk", "2026-01-31").await;
    shelf.put("eggs", "2026-01-31").await;
    // A crowd of owners.
    let owners: Vec<_> = (0..1_000).map(|n| format!("user-{n}-{}", "\"".repeat(110))).collect();
    let body = json!({"name": "crowd", "owners": owners, "expiryDate": "2026-01-31"});
    Shelf::expect(&shelf.send("PUT", &format!("{PRODUCTS}/crowd"), body).await, 201);

    shelf.until("2026-01-24T09:00:00Z").await;
    let mut told = shelf.told().await;
    told.sort();
    assert_eq!(told, ["eggs expires in 7 days", "milk expires in 7 days"]);
    assert_eq!(shelf.inbox(&owners[999]).await.len(), 1);
    let broken =
        campanile_store::document(&*engine.store, &acme, DocumentKind::Product, "broken").await.unwrap();
    assert_eq!(broken.unwrap().contents.due, Some(instant("2026-01-24T10:00:00Z")), "put off for an hour");
}

/// Changes that meet the firing of the same products: nothing is lost, told twice, or told of what is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_while_a_wave_is_told() {
    let shelf = Shelf::at("2026-01-01T12:00:00Z").await;
    let rows: String = (0..1_500).map(|n| format!("p{n:04},p{n:04},alice,2026-01-31\n")).collect();
    let rows = format!("id,name,owners,expiryDate\n{rows}");
    assert_eq!(Shelf::expect(&shelf.import("", &rows).await, 200)["created"], 1_500);
    let wave = instant("2026-01-24T09:00:00Z").as_millis() - shelf.server.now_ms().as_millis();
    shelf.server.clock.advance(std::time::Duration::from_millis(wave.try_into().unwrap()));
    let path = |n: usize| format!("{PRODUCTS}/p{n:04}");
    let patch = async {
        for n in (0..1_500).step_by(15) {
            let answer = shelf.send("PATCH", &path(n), json!({"quantity": n})).await;
            assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        }
    };
    let sell = async {
        for n in (1..1_500).step_by(15) {
            assert_eq!(shelf.send("DELETE", &path(n), Value::Null).await.status, 204);
        }
    };
    tokio::join!(patch, sell);
    shelf.settled().await;
    let mut told = shelf.told().await;
    told.sort();
    let kept = (0..1_500).filter(|n| n % 15 != 1);
    assert_eq!(told, kept.map(|n| format!("p{n:04} expires in 7 days")).collect::<Vec<_>>());
    for n in (0..1_500).step_by(15) {
        let product = shelf.get(&format!("p{n:04}")).await;
        assert_eq!((&product["quantity"], &product["rungs"][0]["state"]), (&json!(n), &json!("fired")));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_that_take_all_they_can_take_no_rung_from_anybody() {
    let shelf = Shelf::at("2026-01-01T12:00:00Z").await;
    let many: Vec<String> = (0..40).map(|n| n.to_string()).collect();
    let many = many.join(",");
    for n in 0..20 {
        let rule = json!({"name": format!("greedy-{n}"), "to": {"workspace": true}, "title": "t", "message": "m", "type": "x",
            "on": {"types": ["product_*"], "when": format!("[{many}].all(a, [{many}].all(b, [{many}].all(c, a + b + c >= 0)))")}});
        let path = format!("/v1/workspaces/acme/rules/greedy-{n}");
        Shelf::expect(&shelf.send("PUT", &path, rule).await, 200);
    }
    let products: Vec<Value> = (0..40)
        .map(|n| json!({"id": format!("p{n}"), "name": format!("P{n}"), "owners": ["alice"], "expiryDate": "2026-01-31"}))
        .collect();
    for product in products {
        Shelf::expect(&shelf.send("POST", PRODUCTS, product).await, 201);
    }
    shelf.until("2026-01-24T09:00:00Z").await;
    let told = shelf.told().await;
    assert_eq!(told.len(), 40, "{told:?}");
    assert!(told.iter().all(|said| said.ends_with("expires in 7 days")));
    let failed =
        shelf.send("GET", "/v1/workspaces/acme/events?failed=true&limit=1000", Value::Null).await.json();
    assert_eq!(
        failed["events"].as_array().unwrap().len(),
        40,
        "what the greedy ones wanted is on the events"
    );
}
