//! What a workspace is set to, and who is told of it.

use campanile_testkit::TestServer;
use serde_json::{Value, json};

use crate::backend::{call, done, each, inbox, inbox_of, refused, token};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_are_replaced_and_everybody_else_is_told() {
    let mut server = TestServer::start().await;
    let admin = token(&server);
    let mut alice = server.workspace("alice").await;
    let mut product = server.product("alice").await;
    let unset = call(&server, "GET", "/settings", &Value::Null).await;
    assert_eq!((unset.header("etag"), &unset.json()["timeZone"]), (Some("\"0\""), &json!("UTC")));
    let berlin = json!({"timeZone": "Europe/Berlin"}).to_string();
    for workspace in ["acme", "default"] {
        let path = format!("/v1/workspaces/{workspace}/settings");
        let put = server.send_with("PUT", &path, &admin, &[("If-Match", "\"0\"")], &berlin).await;
        assert_eq!(done(put)["timeZone"], "Europe/Berlin");
    }
    let frame = alice.json().await;
    assert_eq!(frame["type"], "workspace_updated", "{frame}");
    assert_eq!(frame["metadata"], json!({"actor": "backend", "changed": ["timeZone"], "level": "info"}));
    assert_eq!(product.json().await["title"], "Workspace updated");
    assert_eq!(inbox(&server, "backend").await["items"], json!([]), "who did it knows");

    alice.leave().await;
    product.leave().await;
    server.restart().await;
    let read = call(&server, "GET", "/settings", &Value::Null).await;
    let tag = read.header("etag").unwrap().to_owned();
    assert_eq!(read.json()["timeZone"], "Europe/Berlin");
    let path = "/v1/workspaces/acme/settings";
    refused(server.send_with("PUT", path, &admin, &[("If-Match", "\"0\"")], &berlin).await, 412, "changed");
    // What changes nothing is told to nobody.
    done(server.send_with("PUT", path, &admin, &[("If-Match", &tag)], &berlin).await);
    assert_eq!(each(&inbox(&server, "alice").await, "type"), ["workspace_updated"]);
    assert_eq!(each(&inbox_of(&server, "default", "alice").await, "type"), ["workspace_updated"]);
    for bad in [
        json!({"timeZone": "Europe/Atlantis"}),
        json!({"timezone": "UTC"}),
        json!({"timeZone": 1}),
        json!([]),
    ] {
        let problem = refused(call(&server, "PUT", "/settings", &bad).await, 422, "invalid_body");
        assert!(!problem.to_string().contains("Atlantis"), "{problem}");
    }
    let user = server.token("alice").with("scope", "notifications:write").sign();
    refused(server.get(path, &user).await, 403, "scope_missing");
    refused(server.send("PUT", path, &user, &berlin).await, 403, "scope_missing");
}
