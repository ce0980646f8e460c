//! The main job, end to end, on both documented surfaces.

use campanile_testkit::TestServer;
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notification_reaches_its_user_on_both_surfaces_and_is_still_there_when_away() {
    let server = TestServer::start().await;
    let mut alice = server.workspace("alice").await;
    let mut bob = server.product("bob").await;
    let to_alice = server.notify("acme", "alice", "hello").await;
    let frame = alice.json().await;
    assert_eq!(
        (&frame["id"], &frame["message"], &frame["read"]),
        (&json!(to_alice), &json!("hello"), &json!(false))
    );

    let to_bob = server.notify("default", "bob", "milk").await;
    assert_eq!(bob.json().await["id"], to_bob);
    bob.vanish();
    let missed = server.notify("default", "bob", "eggs").await;
    let mut bob = server.product("bob").await;
    assert_eq!(bob.json().await["id"], to_bob);
    assert_eq!(bob.json().await["id"], missed);
    bob.send(&json!({"action": "mark_read", "id": to_bob}).to_string()).await;
    assert_eq!(bob.json().await, json!({"type": "marked_read", "id": to_bob}));
    bob.leave().await;
    let mut bob = server.product("bob").await;
    assert_eq!(bob.json().await["id"], missed);
}
