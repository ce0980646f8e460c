//! The first message, live entries, heartbeats, and read state on all of a user's sockets.

use std::time::Duration;

use campanile_testkit::TestServer;
use serde_json::json;

use super::{Native, number};

#[tokio::test]
async fn the_first_message_says_where_the_client_stands() {
    let server = TestServer::start().await;
    let fresh = Native::open(&server, "alice", "").await;
    assert_eq!((&fresh.hello["epoch"], number(&fresh.hello, "seq")), (&json!(null), 0));
    assert_eq!(fresh.hello["resumed"], false);
    assert_eq!(number(&fresh.hello, "heartbeatMs"), 25_000);
    server.notify("acme", "alice", "one").await;
    server.notify("acme", "bob", "not hers").await;
    let known = Native::open(&server, "alice", "").await;
    assert_eq!((number(&known.hello, "seq"), number(&known.hello, "head")), (2, 2));
    assert_eq!((number(&known.hello, "unread"), number(&known.hello, "unseen")), (1, 1));
    assert_eq!(known.hello["epoch"].as_str().unwrap().len(), 16);
    assert_ne!(known.hello["session"], fresh.hello["session"]);
    let expires = known.hello["expiresAt"].as_str().unwrap();
    assert!(expires.ends_with('Z'), "{expires}");
}

#[tokio::test]
async fn a_live_entry_looks_as_in_the_inbox() {
    let server = TestServer::start().await;
    let mut alice = Native::open(&server, "alice", "").await;
    let body = json!({"to": {"user": "alice"}, "title": "T", "message": "M", "type": "order_shipped",
                      "level": "success", "metadata": {"a": 1}, "event": "order.shipped"});
    let published = server.publish("acme", body).await;
    let told = alice.next("notification").await;
    assert_eq!(told["seq"], published["seq"]);
    let inbox = server.get("/v1/workspaces/acme/inbox", &server.token("alice").sign()).await.json();
    assert_eq!(told["item"], inbox["items"][0]);
    // One that is in no log has no place.
    let body = json!({"to": {"user": "alice"}, "title": "T", "message": "now", "durable": false});
    server.publish("acme", body).await;
    let told = alice.next("notification").await;
    assert_eq!((&told["seq"], &told["item"]["seq"]), (&json!(null), &json!(null)));
    assert_eq!(told["item"]["message"], "now");
}

#[tokio::test]
async fn heartbeats_carry_the_horizon_and_the_counts() {
    let server = TestServer::start().await;
    let mut alice = Native::open(&server, "alice", "").await;
    server.notify("acme", "alice", "one").await;
    alice.next("notification").await;
    server.notify("acme", "bob", "not hers").await;
    // Somebody who sees all of it says that it has gone through the log's stream.
    let mut bob = Native::open(&server, "bob", "").await;
    server.notify("acme", "bob", "nor this").await;
    bob.next("notification").await;
    server.pass(Duration::from_secs(26)).await;
    let beat = alice.next("heartbeat").await;
    assert_eq!((number(&beat, "unread"), number(&beat, "rev")), (1, 0));
    assert!((1..=3).contains(&number(&beat, "seq")) && number(&beat, "head") <= 3, "{beat}");
    assert_eq!(beat["epoch"].as_str().unwrap().len(), 16, "the log has come to be meanwhile");
    server.pass(Duration::from_secs(26)).await;
    let next = alice.next("heartbeat").await;
    assert_eq!(number(&next, "unread"), 1);
}

#[tokio::test]
async fn what_a_user_does_comes_to_all_of_the_users_sockets() {
    let server = TestServer::start().await;
    let ids = [server.notify("acme", "alice", "a").await, server.notify("acme", "alice", "b").await];
    let mut here = Native::open(&server, "alice", "").await;
    let mut there = Native::open(&server, "alice", "").await;
    let mut bob = Native::open(&server, "bob", "").await;
    let (ok, receipts) = here.mark(json!({"action": "read", "id": ids[0], "ref": "r1"})).await;
    assert_eq!((&ok["ref"], &ok["changed"], number(&ok, "unread")), (&json!("r1"), &json!(true), 1));
    assert_eq!((number(&receipts, "rev"), number(&receipts, "unread")), (number(&ok, "rev"), 1));
    let item = json!([{"id": ids[0], "seq": 1, "seen": true, "read": true, "archived": false}]);
    assert_eq!(receipts["items"], item);
    let elsewhere = there.next("receipts").await;
    assert_eq!(elsewhere, receipts, "every socket is told alike");
    // By REST, and by another surface.
    let token = server.token("alice").sign();
    server.post(&format!("/v1/workspaces/acme/inbox/{}/archive", ids[0]), &token, "").await;
    for socket in [&mut here, &mut there] {
        let told = socket.next("receipts").await;
        assert_eq!(told["items"][0]["archived"], true, "{told}");
    }
    let mut documented = server.workspace("alice").await;
    documented.send(&json!({"action": "mark_read", "id": ids[1]}).to_string()).await;
    for socket in [&mut here, &mut there] {
        let told = socket.next("receipts").await;
        assert_eq!((number(&told, "unread"), number(&told, "rev")), (0, 3), "{told}");
    }
    // Nobody else hears of it.
    server.notify("acme", "bob", "his").await;
    bob.next("notification").await;
}

#[tokio::test]
async fn a_receipt_never_overtakes_its_entry() {
    let server = TestServer::start().await;
    let mut alice = Native::open(&server, "alice", "").await;
    let token = server.token("alice").sign();
    for round in 0..20 {
        let id = server.notify("acme", "alice", &format!("{round}")).await;
        server.post(&format!("/v1/workspaces/acme/inbox/{id}/read"), &token, "").await;
        let told = alice.next("notification").await;
        assert_eq!(told["item"]["id"], json!(id));
        let receipts = alice.next("receipts").await;
        assert_eq!((&receipts["items"][0]["id"], number(&receipts, "unread")), (&json!(id), 0));
    }
}
