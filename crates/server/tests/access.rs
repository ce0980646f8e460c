//! Access that is granted and withdrawn, beside what tokens say.

use campanile_testkit::{Client, TestServer};
use serde_json::{Value, json};

use crate::backend::{call, done, each, inbox, refused, token};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grant_is_told_once() {
    let mut server = TestServer::start().await;
    let mut alice = server.workspace("alice").await;
    let mut product = server.product("alice").await;
    for workspace in ["acme", "default"] {
        let path = format!("/v1/workspaces/{workspace}/access/alice");
        let granted = done(server.send("PUT", &path, &token(&server), "").await);
        assert_eq!(granted, json!({"granted": true, "changed": true}));
    }
    let frame = alice.json().await;
    assert_eq!((&frame["type"], &frame["metadata"]["actor"]), (&json!("access_granted"), &json!("backend")));
    assert_eq!(product.json().await["title"], "Access granted");
    alice.leave().await;
    product.leave().await;
    server.restart().await;
    for _ in 0..2 {
        let again = done(call(&server, "PUT", "/access/alice", &Value::Null).await);
        assert_eq!(again, json!({"granted": true, "changed": false}));
    }
    assert_eq!(each(&inbox(&server, "alice").await, "type"), ["access_granted"]);
    assert_eq!(inbox(&server, "bob").await["items"], json!([]), "nobody else");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_withdrawal_ends_the_sockets_and_hides_everything() {
    let mut server = TestServer::start().await;
    server.notify("acme", "alice", "before").await;
    server.notify("default", "alice", "before").await;
    let mut alice = server.workspace("alice").await;
    let bob = server.workspace("bob").await;
    let path = server.product_path("alice") + "&replay=none";
    let mut product = Client::connect(server.address, &path).await;
    product.json().await;
    for workspace in ["acme", "default"] {
        let path = format!("/v1/workspaces/{workspace}/access/alice");
        let withdrawn = done(server.send("DELETE", &path, &token(&server), "").await);
        assert_eq!(withdrawn, json!({"granted": false, "changed": true}));
    }
    // Whoever is connected is told why, as the last thing; whoever is not sees nothing of the workspace any more.
    assert_eq!(alice.json().await["type"], "access_withdrawn");
    assert_eq!(alice.close().await, (4001, "unauthorized".into()));
    assert_eq!(product.json().await["title"], "Access withdrawn");
    assert_eq!(product.close().await.0, 1008);
    let scopes = "notifications:write records:write admin";
    let lost =
        server.token("alice").with("workspaces", json!(["acme", "default"])).with("scope", scopes).sign();
    for (method, path) in [
        ("GET", "/inbox"),
        ("POST", "/inbox/read-all"),
        ("GET", "/access"),
        ("PUT", "/access/alice"),
        ("POST", "/notifications"),
        ("POST", "/collections/orders/records"),
    ] {
        for workspace in ["acme", "default"] {
            let path = format!("/v1/workspaces/{workspace}{path}");
            refused(server.send(method, &path, &lost, "{}").await, 403, "workspace_refused");
        }
    }
    let listed = server.send("GET", "/api/notification/list", &lost, "").await;
    assert_eq!((listed.status, &listed.json()["detail"]), (401, &json!("Access token is invalid.")));
    bob.leave().await;
    server.restart().await;
    assert_eq!(server.workspace("alice").await.close().await.0, 4001);
    let again = done(call(&server, "DELETE", "/access/alice", &Value::Null).await);
    assert_eq!(again, json!({"granted": false, "changed": false}));
    server.publish("acme", json!({"to": {"workspace": true}, "title": "T", "message": "meanwhile"})).await;

    done(call(&server, "PUT", "/access/alice", &Value::Null).await);
    // What was sent meanwhile stays unseen; what stood there before is there again, the withdrawal too.
    let types = inbox(&server, "alice").await;
    assert_eq!(each(&types, "type"), ["access_granted", "access_withdrawn", "info"], "{types}");
    let mut alice = server.workspace("alice").await;
    server.notify("acme", "alice", "after").await;
    assert_eq!(alice.json().await["message"], "after");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn decisions_are_listed_and_made_once() {
    let server = TestServer::start().await;
    let grants = (0..16).map(|_| call(&server, "PUT", "/access/bob", &Value::Null));
    let changed =
        futures_util::future::join_all(grants).await.into_iter().filter(|a| a.json()["changed"] == true);
    assert_eq!(changed.count(), 1);
    assert_eq!(each(&inbox(&server, "bob").await, "type"), ["access_granted"]);
    done(call(&server, "DELETE", "/access/alice", &Value::Null).await);
    let page = done(call(&server, "GET", "/access?limit=1", &Value::Null).await);
    assert_eq!((&page["users"][0]["user"], &page["users"][0]["granted"]), (&json!("alice"), &json!(false)));
    let next = format!("/access?after={}", page["next"].as_str().unwrap());
    let page = done(call(&server, "GET", &next, &Value::Null).await);
    assert_eq!((&page["users"][0]["user"], &page["next"]), (&json!("bob"), &Value::Null));
    let long = "u".repeat(129);
    refused(call(&server, "PUT", &format!("/access/{long}"), &Value::Null).await, 422, "invalid_request");
    let user = server.token("carol").with("scope", "notifications:write").sign();
    for method in ["PUT", "DELETE"] {
        let path = "/v1/workspaces/acme/access/alice";
        refused(server.send(method, path, &user, "").await, 403, "scope_missing");
    }
}
