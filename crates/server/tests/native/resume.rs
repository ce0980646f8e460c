//! Going on from where a client was.

use campanile_testkit::{Client, Options, TestServer};
use serde_json::{Value, json};

use super::{Native, number, path};

#[tokio::test]
async fn everything_since_comes_once_in_order_and_then_a_heartbeat() {
    let server = TestServer::start().await;
    let ids: Vec<String> = {
        let mut ids = vec![];
        for n in 0..4 {
            ids.push(server.notify("acme", "alice", &format!("{n}")).await);
        }
        ids
    };
    let first = Native::open(&server, "alice", "").await;
    let (epoch, seq) = (first.hello["epoch"].clone(), number(&first.hello, "seq"));
    first.client.vanish();
    // Away: two new, one changed, one taken back, one read elsewhere, one that came and went.
    let fifth = server.notify("acme", "alice", "4").await;
    let gone = server.notify("acme", "alice", "came and went").await;
    let at = |id: &str| format!("/v1/workspaces/acme/notifications/{id}");
    server.send("PATCH", &at(&ids[0]), &server.publisher(), r#"{"title":"Anew"}"#).await;
    server.send("DELETE", &at(&ids[1]), &server.publisher(), "").await;
    server.send("DELETE", &at(&gone), &server.publisher(), "").await;
    server
        .post(&format!("/v1/workspaces/acme/inbox/{}/read", ids[2]), &server.token("alice").sign(), "")
        .await;
    let sixth = server.notify("acme", "alice", "5").await;

    let mut back = Native::resume(&server, "alice", &epoch, seq, 0).await;
    assert_eq!((&back.hello["resumed"], number(&back.hello, "seq")), (&json!(true), seq));
    assert_eq!(number(&back.hello, "unread"), 4);
    let new = back.next("notification").await;
    assert_eq!((&new["item"]["id"], new["item"]["read"].as_bool()), (&json!(fifth), Some(false)));
    let update = back.next("update").await;
    assert_eq!((&update["item"]["id"], &update["item"]["title"]), (&json!(ids[0]), &json!("Anew")));
    assert_eq!((number(&update["item"], "seq"), update["item"].get("read")), (1, None));
    let retract = back.next("retract").await;
    assert_eq!((&retract["id"], &retract["cause"]), (&json!(ids[1]), &json!("retracted")));
    assert_eq!(number(&retract, "itemSeq"), 2);
    let newest = back.next("notification").await;
    assert_eq!(newest["item"]["id"], json!(sixth));
    let seqs = [&new, &update, &retract, &newest].map(|told| number(told, "seq"));
    assert!(seqs.windows(2).all(|w| w[0] < w[1]), "{seqs:?}");
    let receipts = back.next("receipts").await;
    assert_eq!((number(&receipts, "rev"), &receipts["items"][0]["id"]), (1, &json!(ids[2])));
    let beat = back.next("heartbeat").await;
    assert_eq!((number(&beat, "seq"), number(&beat, "unread"), number(&beat, "rev")), (seqs[3], 4, 1));
    // From here on it is live.
    server.notify("acme", "alice", "live").await;
    assert_eq!(back.next("notification").await["item"]["message"], "live");
}

#[tokio::test]
async fn from_the_very_beginning_without_a_lineage() {
    let server = TestServer::start().await;
    let mut empty = Native::open(&server, "alice", "&since=0").await;
    assert_eq!(empty.hello["resumed"], true);
    let beat = empty.next("heartbeat").await;
    assert_eq!((&beat["epoch"], number(&beat, "seq")), (&json!(null), 0));
    server.notify("acme", "alice", "one").await;
    empty.next("notification").await;
    let mut late = Native::open(&server, "alice", "&since=0").await;
    assert_eq!(late.next("notification").await["item"]["message"], "one");
    late.next("heartbeat").await;
}

#[tokio::test]
async fn a_position_that_cannot_be_honoured_is_answered_by_its_reason() {
    let server = TestServer::start().await;
    server.notify("acme", "alice", "one").await;
    let epoch = Native::open(&server, "alice", "").await.hello["epoch"].clone();
    let epoch = epoch.as_str().unwrap();
    for (further, reason) in [
        ("&epoch=0000000000000001&since=1".to_owned(), "epoch"),
        (format!("&epoch={epoch}&since=2"), "position"),
        (format!("&epoch={epoch}&since=x"), "position"),
        (format!("&epoch={epoch}&since=1&since=1"), "position"),
        ("&since=1".to_owned(), "position"),
    ] {
        let mut told = Native::open(&server, "alice", &further).await;
        assert_eq!(told.hello["resumed"], false, "{further}");
        let resync = told.next("resync").await;
        assert_eq!((&resync["reason"], number(&resync, "seq")), (&json!(reason), 1), "{further}");
    }
}

#[tokio::test]
async fn more_than_a_thousand_entries_end_in_a_resync() {
    let server = TestServer::with(Options { memory: true, ..Options::default() }).await;
    server.notify("acme", "alice", "before").await;
    let first = Native::open(&server, "alice", "").await;
    let batch: Vec<Value> =
        (0..600).map(|n| json!({"to": {"user": "alice"}, "title": "T", "message": n.to_string()})).collect();
    server.publish("acme", json!(batch)).await;
    server.publish("acme", json!(batch)).await;
    let mut back = Native::resume(&server, "alice", &first.hello["epoch"], 1, 0).await;
    assert_eq!(back.hello["resumed"], true);
    let mut last = 1;
    let resync = loop {
        let message = back.client.json().await;
        if message["type"] != "notification" {
            break message;
        }
        assert_eq!(number(&message, "seq"), last + 1);
        last += 1;
    };
    assert_eq!((&resync["type"], &resync["reason"]), (&json!("resync"), &json!("too_many")), "{resync}");
    assert_eq!(number(&resync, "seq"), 1201);
    assert_eq!(last, 1001, "a thousand");
    server.notify("acme", "alice", "live").await;
    assert_eq!(back.past_heartbeats("notification").await["item"]["message"], "live");
}

#[tokio::test]
async fn a_restart_is_resumed_like_any_other_break() {
    let mut server = TestServer::start().await;
    let mut alice = Native::open(&server, "alice", "").await;
    server.notify("acme", "alice", "one").await;
    let one = alice.next("notification").await;
    tokio::join!(server.stop(), async {
        let drain = alice.past_heartbeats("drain").await;
        assert!(number(&drain, "retryAfterMs") >= 1_000, "{drain}");
        assert_eq!(alice.client.close().await.0, 1001);
    });
    server.start_again().await;
    server.notify("acme", "alice", "two").await;
    let again = Native::open(&server, "alice", "").await;
    let epoch = again.hello["epoch"].clone();
    let mut back = Native::resume(&server, "alice", &epoch, number(&one, "seq"), 0).await;
    assert_eq!(back.next("notification").await["item"]["message"], "two");
    back.next("heartbeat").await;
}

#[tokio::test]
async fn drains_give_every_client_a_time_of_its_own() {
    let mut server = TestServer::start().await;
    let mut clients = vec![];
    for n in 0..8 {
        clients.push(Native::open(&server, &format!("user{n}"), "").await);
    }
    let mut times = vec![];
    tokio::join!(server.stop(), async {
        for client in &mut clients {
            times.push(number(&client.past_heartbeats("drain").await, "retryAfterMs"));
            assert_eq!(client.client.close().await, (1001, "server shutting down".into()));
        }
    });
    times.sort_unstable();
    assert!(times.iter().all(|ms| (1_000..=11_000).contains(ms)), "{times:?}");
}

#[tokio::test]
async fn a_client_that_does_not_read_is_told_to_read_again() {
    let server = TestServer::configured("[connection]\noutbox_bytes = 131072\n").await;
    let mut alice = Native::open(&server, "alice", "").await;
    let text = "x".repeat(30_000);
    let mut last = 0;
    // More than both ends' buffers of the kernel take, while nobody reads.
    for _ in 0..60 {
        let batch: Vec<Value> =
            (0..10).map(|_| json!({"to": {"user": "alice"}, "title": "T", "message": text})).collect();
        last = number(&server.publish("acme", json!(batch)).await[9], "seq");
    }
    let (mut seen, mut resyncs, mut horizon) = (0, 0, 0);
    while horizon < last {
        let message = alice.client.json().await;
        match message["type"].as_str() {
            Some("notification") => {
                assert!(number(&message, "seq") > horizon, "in order: {}", message["seq"]);
                horizon = number(&message, "seq");
                seen += 1;
            }
            Some("resync") => {
                assert_eq!(message["reason"], "overflow");
                assert!(number(&message, "seq") >= horizon);
                horizon = number(&message, "seq");
                resyncs += 1;
            }
            Some("heartbeat") => {}
            _ => panic!("{message}"),
        }
    }
    assert!(resyncs > 0 && seen < last, "{seen} of {last}, {resyncs} resyncs");
    server.notify("acme", "alice", "and on").await;
    assert_eq!(alice.past_heartbeats("notification").await["item"]["message"], "and on");
}

#[tokio::test]
async fn commands_before_the_first_message_are_answered_after_it() {
    let server = TestServer::start().await;
    let mut client = Client::connect(server.address, &path(&server, "alice", "")).await;
    client.send("PING").await;
    assert_eq!(client.json().await["type"], "hello");
    assert_eq!(client.json().await["type"], "pong");
}
