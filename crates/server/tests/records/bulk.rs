//! Many records at once.

use serde_json::{Value, json};

use super::{ORDERS, happened, writer};
use crate::api::TestApi;

const BULK: &str = "/v1/workspaces/acme/collections/orders/records/bulk";

async fn ids(api: &TestApi) -> Vec<String> {
    let page = api.get(&format!("{ORDERS}?limit=200"), &writer(api, "alice")).await.expect(200).json();
    page["records"].as_array().unwrap().iter().map(|r| r["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn many_are_created_updated_and_deleted_each_by_one_event() {
    let api = TestApi::new();
    let token = writer(&api, "alice");
    let bulk = async |body: Value| api.post_json(BULK, &token, &body.to_string()).await;
    let create: Vec<_> = (0..12).map(|n| json!({"id": format!("r{n:02}"), "data": {"n": n}})).collect();
    let created = bulk(json!({"create": create})).await.expect(200).json();
    assert_eq!(created["changed"], 12);
    let version = |place: usize| created["records"][place]["version"].clone();
    assert_eq!(created["records"][3], json!({"id": "r03", "version": version(3)}));
    let update = json!({"update": [
        {"id": "r00", "patch": {"n": 100}},
        {"id": "r01", "data": {"m": 1}, "ifVersion": version(1)},
        {"id": "r02", "patch": {"n": 2}},
    ]});
    let updated = bulk(update.clone()).await.expect(200).json();
    assert_eq!(updated["changed"], 2);
    assert_eq!(updated["records"][2], json!({"id": "r02", "version": version(2)}), "it is as it was");
    let read = async |id: &str| api.get(&format!("{ORDERS}/{id}"), &token).await.expect(200).json();
    assert_eq!(read("r00").await["data"], json!({"n": 100}));
    assert_eq!(read("r01").await["data"], json!({"m": 1}));
    assert_eq!(read("r01").await["version"], updated["records"][1]["version"]);
    let same = bulk(json!({"update": [{"id": "r02", "data": {"n": 2}}]})).await.expect(200).json();
    assert_eq!(same["changed"], 0);
    let deleted = bulk(json!({"delete": ["r00", "r11"]})).await.expect(200).json();
    assert_eq!(deleted, json!({"changed": 2}));
    assert_eq!(ids(&api).await.len(), 10);

    let events = happened(&api).await;
    let kinds: Vec<_> = events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["records_bulk_created", "records_bulk_updated", "records_bulk_deleted"]);
    let sample: Vec<_> = (0..10).map(|n| format!("r{n:02}")).collect();
    assert_eq!(*events[0].data, json!({"collection": "orders", "count": 12, "sample": sample}));
    assert_eq!(*events[1].data, json!({"collection": "orders", "count": 2, "sample": ["r00", "r01"]}));
    assert_eq!(*events[2].data, json!({"collection": "orders", "count": 2, "sample": ["r00", "r11"]}));
    assert!(events.iter().all(|event| event.subject.is_none() && event.source == "/collections/orders"));
}

#[tokio::test]
async fn what_fails_names_the_entry_and_nothing_is_done() {
    let api = TestApi::new();
    let token = writer(&api, "alice");
    let create = json!({"create": [{"id": "a", "data": {}}, {"id": "b", "data": {"n": 1}}]}).to_string();
    let made = api.post_json(BULK, &token, &create).await.expect(200).json();
    let carts = ORDERS.replace("orders", "carts");
    api.post_json(&carts, &token, r#"{"id":"elsewhere","data":{}}"#).await.expect(201);
    let version = made["records"][1]["version"].as_u64().unwrap();
    let long = "x".repeat(65_530);
    for (body, status, code, index) in [
        (json!({"create": [{"data": {}}, {"id": "b", "data": {}}]}), 409, "already_exists", json!(1)),
        (json!({"create": [{"data": {}}, {"id": "elsewhere", "data": {}}]}), 409, "already_exists", json!(1)),
        (
            json!({"create": [{"id": "c", "data": {}}, {"id": "c", "data": {}}]}),
            422,
            "invalid_request",
            json!(1),
        ),
        (json!({"create": [{"id": "c", "data": {}}, {"data": []}]}), 422, "invalid_request", json!(1)),
        (
            json!({"create": [{"id": "c", "data": {}}, {"id": "/", "data": {}}]}),
            422,
            "invalid_request",
            json!(1),
        ),
        (json!({"create": [{"id": "c", "data": {}}, {}]}), 422, "invalid_body", json!(1)),
        (json!({"create": [{"id": "c", "data": {}}, 7]}), 422, "invalid_body", json!(1)),
        (json!({"create": []}), 422, "invalid_request", Value::Null),
        (json!({"create": {}}), 422, "invalid_body", Value::Null),
        (json!({}), 422, "invalid_body", Value::Null),
        (json!({"create": [{"data": {}}], "delete": ["a"]}), 422, "invalid_body", Value::Null),
        (
            json!({"update": [{"id": "a", "data": {"n": 1}}, {"id": "x", "data": {}}]}),
            404,
            "not_found",
            json!(1),
        ),
        (json!({"update": [{"id": "elsewhere", "data": {"n": 1}}]}), 404, "not_found", json!(0)),
        (
            json!({"update": [{"id": "a", "data": {"n": 1}}, {"id": "b", "data": {}, "ifVersion": version + 1}]}),
            412,
            "changed",
            json!(1),
        ),
        (json!({"update": [{"id": "a", "data": {}, "patch": {}}]}), 422, "invalid_body", json!(0)),
        (json!({"update": [{"id": "a"}]}), 422, "invalid_body", json!(0)),
        (
            json!({"update": [{"id": "a", "data": {"n": 1}}, {"id": "b", "patch": {"l": long}}]}),
            422,
            "invalid_request",
            json!(1),
        ),
        (json!({"delete": ["a", "x"]}), 404, "not_found", json!(1)),
        (json!({"delete": ["a", "a"]}), 422, "invalid_request", json!(1)),
        (json!({"delete": ["a", 1]}), 422, "invalid_body", json!(1)),
    ] {
        let problem = api.post_json(BULK, &token, &body.to_string()).await.problem(status, code);
        assert_eq!(problem["index"], index, "{problem}");
    }
    assert_eq!(ids(&api).await, ["a", "b"]);
    assert_eq!(happened(&api).await.len(), 2);
    // A repeated member is one where it stands, and more than 10,000 entries are too many.
    let problem = api.post_json(BULK, &token, r#"{"create":[{"data":{"a":1,"a":2}}]}"#).await;
    assert_eq!(problem.problem(422, "invalid_request")["index"], 0);
    let many = format!(r#"{{"create":[{}]}}"#, [r#"{"data":{}}"#].repeat(10_001).join(","));
    let problem = api.post_json(BULK, &token, &many).await.problem(422, "invalid_body");
    assert!(problem["detail"].as_str().unwrap().contains("at most 10000"), "{problem}");
}
