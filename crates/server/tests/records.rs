//! Records over HTTP: one at a time, with what they expect, in pages.

mod bulk;
mod told;

use axum::body::Body;
use campanile_engine::event::{self, Event};
use serde_json::{Value, json};

use crate::api::{Answer, TestApi, W, request, slug};

/// The collection that most of these tests play in.
pub const ORDERS: &str = "/v1/workspaces/acme/collections/orders/records";

/// A token that may write records of `acme` and `other`.
pub fn writer(api: &TestApi, user: &str) -> String {
    api.token(user, &format!("{W} other"), "records:write")
}

/// What happened in `acme`, in order.
async fn happened(api: &TestApi) -> Vec<Event> {
    let listed = event::list(&api.engine, &slug(W), &event::Filter::default(), None, 1_000).await.unwrap();
    listed.items.into_iter().rev().map(|found| found.stored.event).collect()
}

/// A request with one more header.
async fn with(api: &TestApi, method: &str, path: &str, header: (&str, &str), body: &str) -> Answer {
    let request = request(method, path, &writer(api, "alice")).header("content-type", "application/json");
    let request = request.header(header.0, header.1).body(Body::from(body.to_owned()));
    api.send(request.unwrap()).await
}

#[tokio::test]
async fn a_record_is_created_read_replaced_updated_and_deleted() {
    let api = TestApi::new();
    let token = writer(&api, "alice");
    let answer =
        api.post_json(ORDERS, &token, r#"{"id":"Zoë's #1","data":{"total":5,"a":[1]}}"#).await.expect(201);
    let path = answer.header("location").to_owned();
    assert_eq!(path, format!("{ORDERS}/Zo%C3%AB%27s%20%231"));
    let made = answer.json();
    let version = made["version"].as_u64().unwrap();
    assert_eq!(answer.header("etag"), format!("\"{version}\""));
    let shown = json!({
        "id": "Zoë's #1", "collection": "orders", "version": version, "data": {"total": 5, "a": [1]},
        "createdAt": "2026-01-01T00:00:00.123Z", "updatedAt": "2026-01-01T00:00:00.123Z",
    });
    assert_eq!(made, shown);
    for path in [&path, "/v1/workspaces/acme/records/Zo%C3%AB's%20%231"] {
        let answer = api.get(path, &token).await.expect(200);
        assert_eq!((answer.json(), answer.header("etag")), (shown.clone(), &*format!("\"{version}\"")));
    }
    api.get(&path.replace("orders", "carts"), &token).await.problem(404, "not_found");
    let again = api.post_json(ORDERS, &token, r#"{"id":"Zoë's #1","data":{}}"#).await;
    again.problem(409, "already_exists");
    let elsewhere = api.json("PUT", &path.replace("orders", "carts"), &token, r#"{"data":{}}"#).await;
    elsewhere.problem(409, "already_exists");

    api.clock.advance(std::time::Duration::from_secs(1));
    let token = writer(&api, "bob");
    let put = api.json("PUT", &path, &token, r#"{"data":{"total":6,"b":{"c":1,"d":2}}}"#).await.expect(200);
    let put = put.json();
    assert_eq!(put["data"], json!({"total": 6, "b": {"c": 1, "d": 2}}));
    assert_eq!(put["createdAt"], "2026-01-01T00:00:00.123Z");
    assert_eq!(put["updatedAt"], "2026-01-01T00:00:01.123Z");
    assert!(put["version"].as_u64().unwrap() > version);
    let patch = r#"{"total":null,"b":{"c":null,"e":3},"f":"x"}"#;
    let patched = api.json("PATCH", &path, &token, patch).await.expect(200).json();
    assert_eq!(patched["data"], json!({"b": {"d": 2, "e": 3}, "f": "x"}));
    // What changes nothing is no change.
    let same = api.json("PATCH", &path, &token, r#"{"f":"x","absent":null}"#).await.expect(200).json();
    assert_eq!(same, patched);
    let same =
        api.json("PUT", &path, &token, &json!({"data": patched["data"]}).to_string()).await.expect(200);
    assert_eq!(same.json(), patched);
    api.json("DELETE", &path, &token, "").await.expect(204);
    api.json("DELETE", &path, &token, "").await.problem(404, "not_found");
    api.get(&path, &token).await.problem(404, "not_found");
    api.json("PATCH", &path, &token, "{}").await.problem(404, "not_found");
    let anew = api.json("PUT", &path, &token, r#"{"data":{}}"#).await.expect(201);
    assert_eq!(anew.header("location"), path);

    let events = happened(&api).await;
    let kinds: Vec<_> = events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(
        kinds,
        ["record_created", "record_updated", "record_updated", "record_deleted", "record_created"]
    );
    let actors: Vec<_> = events.iter().map(|event| event.actor.as_ref().unwrap().as_str()).collect();
    assert_eq!(actors, ["alice", "bob", "bob", "bob", "bob"]);
    for event in &events {
        assert_eq!(
            (event.source.as_str(), event.subject.as_deref()),
            ("/collections/orders", Some("Zoë's #1"))
        );
    }
    let with = |more: Value| {
        let mut data = json!({"collection": "orders", "recordId": "Zoë's #1"});
        data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        data
    };
    assert_eq!(*events[0].data, with(json!({"after": {"total": 5, "a": [1]}})));
    let changed = json!({
        "before": {"total": 5, "a": [1]}, "after": {"total": 6, "b": {"c": 1, "d": 2}},
        "changed": ["a", "b", "total"], "changedCount": 3,
    });
    assert_eq!(*events[1].data, with(changed));
    assert_eq!(events[2].data["changed"], json!(["b", "f", "total"]));
    assert_eq!(*events[3].data, with(json!({"before": {"b": {"d": 2, "e": 3}, "f": "x"}})));
}

#[tokio::test]
async fn a_record_without_an_id_gets_one() {
    let api = TestApi::new();
    let token = writer(&api, "alice");
    let made = api.post_json(ORDERS, &token, r#"{"data":{}}"#).await.expect(201);
    let id = made.json()["id"].as_str().unwrap().to_owned();
    assert!(id.len() == 36 && id.as_bytes()[14] == b'7', "a UUIDv7: {id}");
    assert_eq!(made.header("location"), format!("{ORDERS}/{id}"));
}

#[tokio::test]
async fn a_change_is_made_to_the_state_it_expects() {
    let api = TestApi::new();
    let path = format!("{ORDERS}/1");
    with(&api, "PUT", &path, ("if-match", "\"1\""), r#"{"data":{}}"#).await.problem(412, "changed");
    let made = with(&api, "PUT", &path, ("if-none-match", "*"), r#"{"data":{"n":0}}"#).await.expect(201);
    let first = made.header("etag").to_owned();
    with(&api, "PUT", &path, ("if-none-match", "*"), r#"{"data":{}}"#).await.problem(412, "changed");
    let patched = with(&api, "PATCH", &path, ("if-match", &first), r#"{"n":1}"#).await.expect(200);
    let second = patched.header("etag").to_owned();
    assert_ne!(first, second);
    for (method, body) in [("PUT", r#"{"data":{"n":9}}"#), ("PATCH", r#"{"n":9}"#), ("DELETE", "")] {
        with(&api, method, &path, ("if-match", &first), body).await.problem(412, "changed");
        let problem =
            with(&api, method, &path, ("if-match", "W/\"1\""), body).await.problem(422, "invalid_request");
        assert_eq!(problem["field"], "If-Match");
    }
    with(&api, "PUT", &path, ("if-match", &second), r#"{"data":{"n":2}}"#).await.expect(200);
    with(&api, "DELETE", &path, ("if-match", &second), "").await.problem(412, "changed");
    let third = api.get(&path, &writer(&api, "alice")).await.expect(200).header("etag").to_owned();
    with(&api, "DELETE", &path, ("if-match", &third), "").await.expect(204);
    // One that is made again is told from the first.
    let anew = with(&api, "PUT", &path, ("if-none-match", "*"), r#"{"data":{"n":0}}"#).await.expect(201);
    assert!(![first, second, third].contains(&anew.header("etag").to_owned()));
    assert_eq!(happened(&api).await.len(), 5);
}

#[tokio::test]
async fn a_merge_patch_may_be_declared_as_one() {
    let api = TestApi::new();
    let token = writer(&api, "alice");
    let path = format!("{ORDERS}/1");
    api.json("PUT", &path, &token, r#"{"data":{"a":1}}"#).await.expect(201);
    let send = async |method: &str, media: &str| {
        let request = request(method, &path, &token).header("content-type", media);
        api.send(request.body(Body::from(r#"{"a":2}"#)).unwrap()).await
    };
    send("PATCH", "application/merge-patch+json; charset=utf-8").await.expect(200);
    send("PATCH", "application/json-patch+json").await.problem(415, "unsupported_media_type");
    send("PUT", "application/merge-patch+json").await.problem(415, "unsupported_media_type");
}

#[tokio::test]
async fn what_a_record_can_not_be_is_refused() {
    let api = TestApi::new();
    let token = writer(&api, "alice");
    let long = |bytes: usize| json!({"data": {"a": "x".repeat(bytes)}}).to_string();
    let deep = |levels: usize| format!(r#"{{"data":{}1{}}}"#, "{\"a\":".repeat(levels), "}".repeat(levels));
    for (body, code, field) in [
        (r#"{"id":"","data":{}}"#, "invalid_request", "id"),
        (r#"{"id":"a/b","data":{}}"#, "invalid_request", "id"),
        (r#"{"id":"a\nb","data":{}}"#, "invalid_request", "id"),
        (r#"{"id":"bulk","data":{}}"#, "invalid_request", "id"),
        (&json!({"id": "x".repeat(129), "data": {}}).to_string(), "invalid_request", "id"),
        (r#"{"data":[]}"#, "invalid_request", "data"),
        (r#"{"data":null}"#, "invalid_request", "data"),
        (r#"{"data":{"a":1,"a":2}}"#, "invalid_request", "data"),
        (r#"{"data":{"a":{"b":1,"\u0062":2}}}"#, "invalid_request", "data"),
        (&long(65_536), "invalid_request", "data"),
        (&deep(32), "invalid_request", "data"),
        (r#"{"id":"1"}"#, "invalid_body", ""),
        (r#"{"id":1,"data":{}}"#, "invalid_body", ""),
        (r#"{"data":{},"dat":{}}"#, "invalid_body", ""),
        ("[]", "invalid_body", ""),
    ] {
        let problem = api.post_json(ORDERS, &token, body).await.problem(422, code);
        assert_eq!(problem["field"].as_str().unwrap_or_default(), field, "{body}: {problem}");
    }
    api.post_json(ORDERS, &token, &long(65_528)).await.expect(201);
    api.post_json(ORDERS, &token, &deep(31)).await.expect(201);
    for collection in ["-a", "a.b", "a%20b", &"a".repeat(65)] {
        let path = format!("/v1/workspaces/acme/collections/{collection}/records");
        let problem = api.post_json(&path, &token, r#"{"data":{}}"#).await.problem(422, "invalid_request");
        assert_eq!(problem["field"], "collection");
    }
    let problem = api.get(&format!("{ORDERS}/a%2Fb"), &token).await.problem(422, "invalid_request");
    assert_eq!(problem["field"], "id");
    // A patch is bounded by what comes of it.
    let path = format!("{ORDERS}/grows");
    api.json("PUT", &path, &token, &long(40_000)).await.expect(201);
    let patch = json!({"b": "x".repeat(40_000)}).to_string();
    assert_eq!(
        api.json("PATCH", &path, &token, &patch).await.problem(422, "invalid_request")["field"],
        "data"
    );
    for patch in ["[]", "null", r#"{"a":1,"a":2}"#] {
        let problem = api.json("PATCH", &path, &token, patch).await.problem(422, "invalid_request");
        assert_eq!(problem["field"], "patch");
    }
    assert_eq!(happened(&api).await.len(), 3, "what was refused did not happen");
}

#[tokio::test]
async fn a_collection_is_listed_in_pages_and_by_a_condition() {
    let api = TestApi::new();
    let token = writer(&api, "alice");
    for n in 0..25 {
        let data = if n % 5 == 0 { json!({"n": n}) } else { json!({"n": n, "odd": n % 2 == 1}) };
        let body = json!({"id": format!("r{n:02}"), "data": data}).to_string();
        api.post_json(ORDERS, &token, &body).await.expect(201);
    }
    let carts = ORDERS.replace("orders", "carts");
    api.post_json(&carts, &token, r#"{"id":"r03b","data":{"n":1}}"#).await.expect(201);
    let list = async |query: &str| {
        let page = api.get(&format!("{ORDERS}{query}"), &token).await.expect(200).json();
        let ids = page["records"].as_array().unwrap().iter().map(|r| r["id"].as_str().unwrap().to_owned());
        (ids.collect::<Vec<_>>(), page["next"].as_str().map(str::to_owned))
    };
    let (mut all, mut after, mut pages) = (vec![], String::new(), 0);
    loop {
        let (ids, next) = list(&format!("?limit=10{after}")).await;
        all.extend(ids);
        pages += 1;
        match next {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!(pages, 3);
    assert_eq!(all, (0..25).map(|n| format!("r{n:02}")).collect::<Vec<_>>());
    assert_eq!(list("?after=r24").await, (vec![], None));
    // Records that lack the member are left out.
    assert_eq!(
        list("?where=data.odd").await.0,
        ["r01", "r03", "r07", "r09", "r11", "r13", "r17", "r19", "r21", "r23"]
    );
    assert_eq!(list("?where=data.n%20%3E%2022").await.0, ["r23", "r24"]);
    let (first, next) = list("?where=data.odd&limit=3").await;
    assert_eq!(first, ["r01", "r03", "r07"]);
    assert_eq!(
        list(&format!("?where=data.odd&limit=3&after={}", next.unwrap())).await.0,
        ["r09", "r11", "r13"]
    );
    let (subject, _) = list("?where=subject.startsWith('r1')%20%26%26%20!has(data.odd)").await;
    assert_eq!(subject, ["r10", "r15"]);
    assert_eq!(list("?where=data.n").await.0, [""; 0], "what is neither true nor false does not hold");

    for query in ["limit=0", "limit=201"] {
        let problem = api.get(&format!("{ORDERS}?{query}"), &token).await.problem(422, "invalid_request");
        assert_eq!(problem["field"], "limit");
    }
    for (query, says) in
        [("data.n%20%3E", "line 1, column"), ("nothing%20%3D%3D%201", "nothing"), (&"x".repeat(8_000), "")]
    {
        let answer = api.get(&format!("{ORDERS}?where={query}"), &token).await;
        let problem = answer.problem(422, "invalid_request");
        assert_eq!(problem["field"], "where", "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(says), "{problem}");
    }
    for query in ["wher=true", "limit=x", "where=true&where=true"] {
        api.get(&format!("{ORDERS}?{query}"), &token).await.problem(400, "invalid_query");
    }
}

#[tokio::test]
async fn a_filter_that_costs_too_much_ends() {
    let api = TestApi::new();
    let token = writer(&api, "alice");
    let create: Vec<_> = (0..200).map(|_| json!({"data": {"n": (0..300).collect::<Vec<_>>()}})).collect();
    api.post_json(&format!("{ORDERS}/bulk"), &token, &json!({"create": create}).to_string())
        .await
        .expect(200);
    let costly = "data.n.all(a,data.n.all(b,a%2Bb%3E%3D0))";
    let problem = api.get(&format!("{ORDERS}?where={costly}"), &token).await.problem(422, "invalid_request");
    assert!(problem["detail"].as_str().unwrap().contains("too costly"), "{problem}");
    let cheap = api.get(&format!("{ORDERS}?where=size(data.n)%3D%3D300&limit=200"), &token).await.expect(200);
    assert_eq!(cheap.json()["records"].as_array().unwrap().len(), 200);
}

#[tokio::test]
async fn workspaces_share_nothing() {
    let api = TestApi::new();
    let token = writer(&api, "alice");
    let (here, there) = (format!("{ORDERS}/1"), format!("{}/1", ORDERS.replace("acme", "other")));
    api.json("PUT", &here, &token, r#"{"data":{"in":"acme"}}"#).await.expect(201);
    api.get(&there, &token).await.problem(404, "not_found");
    api.get("/v1/workspaces/other/records/1", &token).await.problem(404, "not_found");
    api.json("PATCH", &there, &token, "{}").await.problem(404, "not_found");
    api.json("DELETE", &there, &token, "").await.problem(404, "not_found");
    let bulk = api.post_json(&there.replace("/1", "/bulk"), &token, r#"{"delete":["1"]}"#).await;
    bulk.problem(404, "not_found");
    api.json("PUT", &there, &token, r#"{"data":{"in":"other"}}"#).await.expect(201);
    api.json("DELETE", &there, &token, "").await.expect(204);
    assert_eq!(api.get(&here, &token).await.expect(200).json()["data"]["in"], "acme");
    let listed = api.get(&ORDERS.replace("acme", "other"), &token).await.expect(200).json();
    assert_eq!(listed, json!({"records": [], "next": null}));
    assert_eq!(happened(&api).await.len(), 1);
}

#[tokio::test]
async fn only_who_may_write_records_gets_to_them() {
    let api = TestApi::new();
    let path = format!("{ORDERS}/1");
    api.json("PUT", &path, &writer(&api, "alice"), r#"{"data":{}}"#).await.expect(201);
    let (without, elsewhere) = (api.user("bob"), api.token("bob", "other", "records:write"));
    for (method, path) in [
        ("GET", ORDERS),
        ("POST", ORDERS),
        ("POST", &format!("{ORDERS}/bulk")),
        ("GET", &path),
        ("PUT", &path),
        ("PATCH", &path),
        ("DELETE", &path),
        ("GET", "/v1/workspaces/acme/records/1"),
    ] {
        api.json(method, path, &without, "{}").await.problem(403, "scope_missing");
        api.json(method, path, &elsewhere, "{}").await.problem(403, "workspace_refused");
        api.json(method, path, "", "{}").await.problem(401, "token_missing");
    }
}
