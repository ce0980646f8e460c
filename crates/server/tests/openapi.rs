//! The documents that are written from the code: committed copies are what the code says.
//!
//! `UPDATE_DOCS=1 cargo test -p campanile-server openapi` writes them anew.

use std::collections::BTreeSet;
use std::path::Path;

use campanile_server::http::problem;
use campanile_server::routes::document;
use serde_json::{Value, json};

use crate::api::TestApi;

#[allow(clippy::disallowed_methods, reason = "the one switch of this test")]
fn is_committed(name: &str, text: &str) {
    // Tests run in their package's directory; the one it was compiled in may be another checkout's.
    let path = Path::new("../../docs").join(name);
    if std::env::var("UPDATE_DOCS").is_ok() {
        std::fs::write(&path, text).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == text, "docs/{name} is not what the code says: run again with UPDATE_DOCS=1");
}

fn operations() -> BTreeSet<(String, String)> {
    let document: Value = serde_json::from_str(&document()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let mut operations = BTreeSet::new();
    for (path, item) in paths {
        operations.extend(item.as_object().unwrap().keys().map(|m| (m.to_uppercase(), path.clone())));
    }
    operations
}

#[test]
fn docs_are_what_the_code_says() {
    is_committed("openapi.json", &document());
    is_committed("problems.md", &problem::document());
}

#[test]
fn every_route_of_the_table_is_in_the_document_and_no_other() {
    let table: BTreeSet<_> = include_str!("../src/routes.rs")
        .lines()
        .filter_map(|line| line.strip_prefix("//! | ")?.split_once(" | `"))
        .filter_map(|(method, rest)| Some((method.to_owned(), rest.split_once('`')?.0.to_owned())))
        .collect();
    assert_eq!(table, operations());
    assert!(table.len() > 10);
}

#[test]
fn operations_have_names_of_their_own() {
    let document: Value = serde_json::from_str(&document()).unwrap();
    let items = document["paths"].as_object().unwrap().values();
    let operations = items.flat_map(|item| item.as_object().unwrap().values());
    let mut names: Vec<_> = operations.map(|o| o["operationId"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert!(names.windows(2).all(|w| w[0] != w[1]), "{names:?}");
}

#[tokio::test]
async fn every_documented_route_answers() {
    let api = TestApi::new();
    for (method, path) in operations() {
        let path = path.replace("{workspace}", "acme").replace("{id}", "x").replace("{topic}", "t");
        let path = path.replace("{key}", "x").replace("{name}", "x");
        let answer = api.json(&method, &path.replace("{user}", "u"), "", "{}").await;
        assert_ne!(answer.status.as_u16(), 405, "{method} {path}");
        assert!(!answer.text.contains("route_not_found"), "{method} {path}");
    }
}

#[tokio::test]
async fn the_document_is_served() {
    let api = TestApi::new();
    let answer = api.get("/openapi.json", "").await.expect(200);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.text, document());
    let served = answer.json();
    assert!(served["openapi"].as_str().unwrap().starts_with("3.1"));
    assert!(no_dangling_references(&served, &served), "a $ref leads nowhere");
    for path in ["/v1/workspaces/{workspace}/inbox", "/api/notification/list"] {
        let problem = &served["paths"][path]["get"]["responses"]["default"];
        assert_eq!(
            problem["content"]["application/problem+json"]["schema"]["$ref"],
            "#/components/schemas/Problem"
        );
    }
}

fn no_dangling_references(value: &Value, document: &Value) -> bool {
    match value {
        Value::Object(members) => members.iter().all(|(name, value)| match (name.as_str(), value) {
            ("$ref", Value::String(link)) => document.pointer(&link[1..]).is_some(),
            _ => no_dangling_references(value, document),
        }),
        Value::Array(values) => values.iter().all(|value| no_dangling_references(value, document)),
        _ => true,
    }
}

/// The members of an answer are those of its schema: where a schema is written apart from its type, this
/// is what keeps the two together.
#[tokio::test]
async fn answers_have_the_members_of_their_schemas() {
    let api = TestApi::new();
    let now = json!({
        "to": {"user": "alice"}, "title": "T", "message": "M", "type": "info", "level": "info", "metadata": {},
        "event": "e", "productName": "p", "expiryDate": "2026-01-31", "durable": true, "except": ["bob"],
        "ttl": "1h", "collapseKey": "k",
    });
    let mut later = now.clone();
    later["sendAt"] = "2026-02-01T00:00:00Z".into();
    assert_eq!(keys(&later), schema("Notification"));
    let publish = async |workspace: &str, body: &Value| {
        let path = format!("/v1/workspaces/{workspace}/notifications");
        api.post_json(&path, &api.producer(), &body.to_string()).await.expect(201).json()
    };
    let published = publish("acme", &later).await;
    assert_eq!(keys(&published), schema("Published"));
    let path = |id: &Value| format!("/v1/workspaces/acme/notifications/{}", id.as_str().unwrap());
    let mut members = keys(&api.get(&path(&published["id"]), &api.producer()).await.json());
    let published = publish("acme", &now).await;
    let patch = api.json("PATCH", &path(&published["id"]), &api.producer(), r#"{"title":"U"}"#).await;
    members.append(&mut keys(&patch.expect(200).json()));
    assert_eq!(members, schema("Stored"));
    let inbox = api.get("/v1/workspaces/acme/inbox", &api.user("alice")).await.json();
    assert_eq!(keys(&inbox), schema("InboxPage"));
    let read = format!("/v1/workspaces/acme/inbox/{}/read", published["id"].as_str().unwrap());
    api.post(&read, &api.user("alice")).await.expect(200);
    publish("acme", &now).await;
    let inbox = api.get("/v1/workspaces/acme/inbox", &api.user("alice")).await.json();
    assert_eq!(keys(&inbox["items"][1]), schema("InboxItem"), "one that was superseded");
    publish("default", &now).await;
    let list = api.get("/api/notification/list", &api.token("alice", "", "")).await.json();
    assert_eq!(keys(&list), schema("ProductList"));
    assert_eq!(keys(&list["notifications"][0]), schema("ProductItem"));
}

fn keys(value: &Value) -> BTreeSet<String> {
    value.as_object().unwrap().keys().cloned().collect()
}

/// The members of a schema and of those it is composed of.
fn schema(name: &str) -> BTreeSet<String> {
    let document: Value = serde_json::from_str(&document()).unwrap();
    fn members(schema: &Value, document: &Value) -> BTreeSet<String> {
        let mut found: BTreeSet<_> =
            schema["properties"].as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect();
        for part in schema["allOf"].as_array().into_iter().flatten() {
            found.append(&mut members(part, document));
        }
        if let Some(link) = schema["$ref"].as_str() {
            found.append(&mut members(document.pointer(&link[1..]).unwrap(), document));
        }
        found
    }
    members(&document["components"]["schemas"][name], &document)
}
