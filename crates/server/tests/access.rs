//! Access that is granted and withdrawn, beside what tokens say.

use campanile_testkit::{Client, TestServer};
use serde_json::{Value, json};

use crate::backend::{call, done, each, inbox, inbox_of, refused, token};

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
    // One shard: what it sends to several sockets, it sends in the order of the log.
    let mut server = TestServer::configured("[server]\nshards = 1\n").await;
    server.notify("acme", "alice", "before").await;
    server.notify("default", "alice", "before").await;
    let mut alice = server.workspace("alice").await;
    let mut bob = server.workspace("bob").await;
    let path = server.product_path("alice") + "&replay=none";
    let mut product = Client::connect(server.address, &path).await;
    product.json().await;
    for workspace in ["acme", "default"] {
        let path = format!("/v1/workspaces/{workspace}/access/alice");
        let withdrawn = done(server.send("DELETE", &path, &token(&server), "").await);
        assert_eq!(withdrawn, json!({"granted": false, "changed": true}));
    }
    // The closes wait for nothing: the server's clock stands, and what is published after the withdrawals is delivered
    // after them.
    server.notify("acme", "bob", "later").await;
    assert_eq!(bob.json().await["message"], "later");
    // Whoever is connected is told why, as the last thing; whoever is not sees nothing of the workspace any more.
    assert_eq!(alice.json().await["type"], "access_withdrawn");
    assert_eq!(alice.close_by_now().await, (4001, "unauthorized".into()));
    assert_eq!(product.json().await["title"], "Access withdrawn");
    assert_eq!(product.close_by_now().await.0, 1008);
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

/// Publishes to alice in every way there is; the ids.
async fn to_alice(server: &TestServer, workspace: &str, message: &str) -> Vec<String> {
    let mut ids = vec![];
    for to in [json!({"user": "alice"}), json!({"workspace": true}), json!({"topic": "t"})] {
        let told = server.publish(workspace, json!({"to": to, "title": "T", "message": message})).await;
        ids.push(told["id"].as_str().unwrap().to_owned());
    }
    ids
}

/// Whatever a user can ask shows what stood there before and what comes after, and nothing in between.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_sent_meanwhile_stays_unseen_on_every_way() {
    let server = TestServer::start().await;
    let mut before = vec![];
    for workspace in ["acme", "default"] {
        let path = format!("/v1/workspaces/{workspace}/topics/t/subscribers");
        done(server.post(&path, &token(&server), r#"{"users": ["alice"]}"#).await);
        before.push(to_alice(&server, workspace, "before").await);
    }
    let access = async |method: &str| {
        for workspace in ["acme", "default"] {
            let path = format!("/v1/workspaces/{workspace}/access/alice");
            done(server.send(method, &path, &token(&server), "").await);
        }
    };
    access("DELETE").await;
    let mut meanwhile = vec![];
    for workspace in ["acme", "default"] {
        meanwhile.push(to_alice(&server, workspace, "meanwhile").await);
    }
    access("PUT").await;

    let alice = server.token("alice").with("workspaces", json!(["acme", "default"])).sign();
    let told = ["access_granted", "access_withdrawn"];
    for (n, workspace) in ["acme", "default"].iter().enumerate() {
        let page = inbox_of(&server, workspace, "alice").await;
        let seen: Vec<_> = [&told[..], &["info"; 3]].concat();
        assert_eq!((each(&page, "type"), &page["unread"], &page["unseen"]), (seen, &json!(5), &json!(5)));
        assert!(!page.to_string().contains("meanwhile"), "{page}");
        for id in &meanwhile[n] {
            for what in ["read", "unread", "archive"] {
                let path = format!("/v1/workspaces/{workspace}/inbox/{id}/{what}");
                refused(server.post(&path, &alice, "").await, 404, "not_found");
            }
        }
    }
    // The documents' REST calls.
    let list = done(server.get("/api/notification/list", &alice).await);
    assert_eq!(list["notifications"].as_array().unwrap().len(), 5);
    assert!(!list.to_string().contains("meanwhile"), "{list}");
    let path = format!("/api/notification/mark-read/{}", meanwhile[1][0]);
    assert_eq!(server.post(&path, &alice, "").await.status, 404);
    // Replays, by place and of what is unread, and live delivery behind them.
    let on = async |path: String| Client::connect(server.address, &path).await;
    let replayed = async |client: &mut Client, count: usize| {
        let mut frames = vec![];
        for _ in 0..count {
            frames.push(client.json().await);
        }
        assert!(!frames.iter().any(|frame| frame["message"] == "meanwhile"), "{frames:?}");
    };
    let path = server.workspace_path("alice");
    for (query, count) in [("&replay=unread".to_owned(), 5), (format!("&since={}", before[0][1]), 4)] {
        let mut client = on(format!("{path}{query}")).await;
        replayed(&mut client, count).await;
        server.notify("acme", "alice", "live").await;
        assert_eq!(client.json().await["message"], "live");
        client.leave().await;
        done(server.post("/v1/workspaces/acme/inbox/read-all", &alice, "{}").await);
    }
    // What they never saw is no place to go on from.
    let mut client = on(format!("{path}&since={}", meanwhile[0][0])).await;
    assert_eq!(client.json().await["metadata"]["event"], "resync");
    client.leave().await;
    let mut client = server.product("alice").await;
    replayed(&mut client, 5).await;
    client.send(&json!({"action": "mark_read", "id": meanwhile[1][1]}).to_string()).await;
    assert_eq!(client.json().await["code"], "not_found");
    assert_eq!(inbox_of(&server, "acme", "alice").await["unread"], 0);
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
