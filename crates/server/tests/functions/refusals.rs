//! Functions that are not taken, and states that have passed.

use campanile_testkit::TestServer;
use serde_json::{Value, json};

use super::{call, put, token};
use crate::backend::{done, refused};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_name_the_member_and_the_place() {
    let server = TestServer::start().await;
    let with = |member: &str, value: Value| {
        let mut function = json!({"code": "function run() {}"});
        function[member] = value;
        function
    };
    for (function, code, field, part) in [
        (
            with("code", json!("async function run() {\n  return 1 +;\n}")),
            "invalid_request",
            "code",
            "line 2, column 13",
        ),
        (with("code", json!("x".repeat(600_000))), "invalid_request", "code", "524288"),
        (with("description", json!("x".repeat(1_001))), "invalid_request", "description", "1000"),
        (with("triggerParams", json!([1])), "invalid_request", "triggerParams", "object"),
        (
            with("triggerParams", json!({"a": "x".repeat(17_000)})),
            "invalid_request",
            "triggerParams",
            "16384",
        ),
        (with("limits", json!({"memoryMib": 1})), "invalid_request", "limits", "memoryMib is at least 2"),
        (with("limits", json!({"cpuMs": 0})), "invalid_request", "limits", "cpuMs"),
        (with("limits", json!({"wallMs": 0})), "invalid_request", "limits", "wallMs"),
        (with("on", json!({"types": []})), "invalid_rule", "on.types", "1 to 32"),
        (
            with("on", json!({"types": ["a"], "when": "data.a ==\n == 1"})),
            "invalid_rule",
            "on.when",
            "line 2",
        ),
        (with("schedule", json!({"cron": "61 * * * *"})), "invalid_body", "", "five fields"),
        (with("schedule", json!({"cron": "* * * * * *"})), "invalid_body", "", "five fields"),
        (
            with("schedule", json!({"cron": "0 9 * * *", "timeZone": "Mars/Olympus"})),
            "invalid_body",
            "",
            "IANA",
        ),
        (with("schedul", json!({})), "invalid_body", "", "schedul"),
        (json!({"description": "nothing to run"}), "invalid_body", "", "code"),
    ] {
        let problem = refused(call(&server, "PUT", "/functions/bad", &function).await, 422, code);
        assert!(field.is_empty() || problem["field"] == field, "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(part), "{part}: {problem}");
    }
    refused(call(&server, "GET", "/functions/bad", &Value::Null).await, 404, "not_found");
    for name in ["a b", "x%2Fy", &"n".repeat(65)] {
        let path = format!("/functions/{}", name.replace(' ', "%20"));
        let problem =
            refused(call(&server, "PUT", &path, &with("enabled", json!(true))).await, 422, "invalid_request");
        assert_eq!(problem["field"], "name");
    }
    put(&server, "good", "function run() {}").await;
    for (params, code) in [
        (json!([1]), "invalid_request"),
        (json!("x"), "invalid_request"),
        (json!({"a": "x".repeat(1 << 20)}), "invalid_request"),
    ] {
        let body = json!({"executionParams": params});
        let problem = refused(call(&server, "POST", "/functions/good/run", &body).await, 422, code);
        assert_eq!(problem["field"], "executionParams");
    }
    refused(call(&server, "POST", "/functions/good/run", &json!({"params": {}})).await, 422, "invalid_body");
    refused(
        call(&server, "GET", "/functions/good/runs?limit=1001", &Value::Null).await,
        422,
        "invalid_request",
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn functions_are_kept_by_name_and_state() {
    let mut server = TestServer::start().await;
    let (path, author) = ("/v1/workspaces/acme/functions/one", token(&server, "author"));
    let function = json!({
        "description": "One of them", "code": "function run() { return 1 }", "triggerParams": {"a": 1.50},
        "on": {"types": ["a"]}, "schedule": {"cron": "0 9 * * MON", "timeZone": "Europe/Berlin"},
        "limits": {"cpuMs": 100}, "enabled": true,
    });
    let body = function.to_string();
    let put = server.send_with("PUT", path, &author, &[("If-None-Match", "*")], &body).await;
    let tag = put.header("etag").unwrap().to_owned();
    done(put);
    refused(server.send_with("PUT", path, &author, &[("If-None-Match", "*")], &body).await, 412, "changed");
    server.restart().await;
    let read = server.get(path, &author).await;
    assert_eq!(read.header("etag"), Some(tag.as_str()));
    let read = done(read);
    for (name, value) in function.as_object().unwrap() {
        assert_eq!(&read[name], value, "{name}");
    }
    // That it runs does not change it.
    server.clock.advance(std::time::Duration::from_secs(8 * 24 * 3_600));
    super::ended(&server, "one", 1).await;
    let author = token(&server, "author");
    let newer = server.send_with("PUT", path, &author, &[("If-Match", &tag)], &body).await;
    let newer_tag = newer.header("etag").unwrap().to_owned();
    assert_eq!(done(newer)["createdAt"], read["createdAt"]);
    refused(server.send_with("PUT", path, &author, &[("If-Match", &tag)], &body).await, 412, "changed");
    refused(server.send_with("DELETE", path, &author, &[("If-Match", &tag)], "").await, 412, "changed");

    for name in ["three", "two"] {
        super::put(&server, name, "function run() {}").await;
    }
    let page = done(call(&server, "GET", "/functions?limit=2", &Value::Null).await);
    let names = |page: &Value| -> Vec<String> {
        page["functions"].as_array().unwrap().iter().map(|f| f["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!((names(&page), &page["next"]), (vec!["one".into(), "three".into()], &json!("three")));
    let rest = done(call(&server, "GET", "/functions?after=three", &Value::Null).await);
    assert_eq!((names(&rest), &rest["next"]), (vec!["two".into()], &Value::Null));

    assert_eq!(server.send_with("DELETE", path, &author, &[("If-Match", &newer_tag)], "").await.status, 204);
    refused(server.get(path, &author).await, 404, "not_found");
    refused(server.send("DELETE", path, &author, "").await, 404, "not_found");
}
