//! What clients say.

use campanile_testkit::{Client, TestServer};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::{Native, number, path};

#[tokio::test]
async fn marks_in_all_their_forms() {
    let server = TestServer::start().await;
    let mut ids = vec![];
    for n in 0..3 {
        ids.push(server.notify("acme", "alice", &format!("{n}")).await);
    }
    let mut alice = Native::open(&server, "alice", "").await;
    let (ok, receipts) = alice.mark(json!({"action": "seen"})).await;
    assert_eq!((&ok["changed"], number(&ok, "unread")), (&json!(true), 3));
    assert_eq!((number(&receipts, "seenUpTo"), number(&receipts, "unseen")), (3, 0));
    let (_, receipts) = alice.mark(json!({"action": "archive", "id": ids[2]})).await;
    assert_eq!(receipts["items"][0]["archived"], true);
    let (ok, _) = alice.mark(json!({"action": "unread", "id": ids[2]})).await;
    assert_eq!(number(&ok, "unread"), 3);
    let (ok, receipts) = alice.mark(json!({"action": "read_all", "upTo": 2})).await;
    assert_eq!((number(&ok, "unread"), number(&receipts, "readUpTo")), (1, 2));
    let (ok, _) = alice.mark(json!({"action": "read_all"})).await;
    assert_eq!((number(&ok, "unread"), number(&ok, "head")), (0, 3));
    // Doing it again changes nothing, and causes nothing.
    alice.say(json!({"action": "read_all", "ref": "again"})).await;
    let ok = alice.past_heartbeats("ok").await;
    assert_eq!((&ok["changed"], &ok["ref"]), (&json!(false), &json!("again")));
}

#[tokio::test]
async fn a_command_under_a_key_is_done_once() {
    let server = TestServer::start().await;
    let id = server.notify("acme", "alice", "one").await;
    let mut alice = Native::open(&server, "alice", "").await;
    let read = json!({"action": "read", "id": id, "key": "k1"});
    alice.mark(read.clone()).await;
    alice.mark(json!({"action": "unread", "id": id, "key": "k2"})).await;
    // As after a connection that broke before the answer.
    alice.client.vanish();
    let mut alice = Native::open(&server, "alice", "").await;
    alice.say(read).await;
    let ok = alice.past_heartbeats("ok").await;
    assert_eq!((&ok["changed"], number(&ok, "unread")), (&json!(false), 1));
    alice.say(json!({"action": "archive", "id": id, "key": "k1", "ref": "x"})).await;
    let error = alice.past_heartbeats("error").await;
    assert_eq!((&error["code"], &error["ref"]), (&json!("key_reused"), &json!("x")));
}

#[tokio::test]
async fn what_is_not_hers_and_what_is_not_there_are_answered_alike() {
    let server = TestServer::start().await;
    let his = server.notify("acme", "bob", "his").await;
    let mut alice = Native::open(&server, "alice", "").await;
    let mut answers = vec![];
    for id in [his.as_str(), "01890a5d-ac96-774b-bcce-b302099a8057", "no id at all"] {
        alice.say(json!({"action": "read", "id": id, "ref": "r"})).await;
        answers.push(alice.past_heartbeats("error").await);
    }
    assert_eq!(answers[0]["code"], "not_found");
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    for odd in ["{}", "[]", "x", r#"{"action":"mark_read"}"#, r#"{"action":"read"}"#] {
        alice.client.send(odd).await;
        assert_eq!(alice.past_heartbeats("error").await["code"], "bad_request", "{odd}");
    }
    alice.say(json!({"action": "ping", "ref": "p"})).await;
    assert_eq!(alice.past_heartbeats("pong").await["ref"], "p");
    alice.client.send_message(Message::binary(vec![1])).await.unwrap();
    assert_eq!(alice.client.close().await.0, 1003);
}

#[tokio::test]
async fn a_token_is_exchanged_on_the_live_socket() {
    let server = TestServer::start().await;
    let soon = server.token("alice").with("exp", json!(server.now() + 10));
    let address = format!("/v1/connect?workspace=acme&token={}", soon.sign());
    let mut client = Client::connect(server.address, &address).await;
    let hello = client.json().await;
    let refresh = |token: String| json!({"action": "refresh", "token": token, "ref": "t"}).to_string();
    for (token, code) in [
        (server.token("bob").sign(), "token_mismatch"),
        (server.token("alice").with("workspaces", json!(["other"])).sign(), "token_mismatch"),
        (server.token("alice").with("exp", json!(server.now() - 1)).sign(), "token_expired"),
        ("x.y.z".into(), "token_invalid"),
    ] {
        client.send(&refresh(token)).await;
        let error = client.json().await;
        assert_eq!(
            (&error["type"], &error["code"], &error["ref"]),
            (&json!("error"), &json!(code), &json!("t"))
        );
    }
    client.send(&refresh(server.token("alice").sign())).await;
    let ok = client.json().await;
    assert_eq!((&ok["type"], &ok["ref"]), (&json!("ok"), &json!("t")));
    assert!(ok["expiresAt"].as_str().unwrap() > hello["expiresAt"].as_str().unwrap());
    server.pass(std::time::Duration::from_secs(15)).await;
    server.notify("acme", "alice", "still here").await;
    assert_eq!(client.json().await["item"]["message"], "still here");
}

#[tokio::test]
async fn a_client_is_told_the_end_of_its_token_and_not_of_the_leeway() {
    let server = TestServer::configured("[auth]\nleeway = \"5s\"\n").await;
    let ends = server.now() + 60;
    let soon = server.token("alice").with("exp", json!(ends)).sign();
    let mut client =
        Client::connect(server.address, &format!("/v1/connect?workspace=acme&token={soon}")).await;
    let told = |message: &serde_json::Value| message["expiresAt"].as_str().unwrap().to_owned();
    let hello = told(&client.json().await);
    client.send(&json!({"action": "refresh", "token": soon, "ref": "t"}).to_string()).await;
    assert_eq!(told(&client.json().await), hello);
    let seconds: i64 = hello[17..19].parse().unwrap();
    assert_eq!(seconds, ends % 60, "{hello}");
}

#[tokio::test]
async fn refusals_are_closes_and_say_which() {
    let server = TestServer::start().await;
    let good = server.token("alice").sign();
    let expired = server.token("alice").with("exp", json!(server.now() - 1)).sign();
    let elsewhere = server.token("alice").with("workspaces", json!(["other"])).sign();
    for (address, code) in [
        ("/v1/connect?workspace=acme".to_owned(), 4001),
        ("/v1/connect?workspace=acme&token=x".to_owned(), 4001),
        (format!("/v1/connect?token={good}"), 4002),
        (format!("/v1/connect?workspace=acme&token={expired}"), 4003),
        (format!("/v1/connect?workspace=acme&token={elsewhere}"), 4001),
        (format!("/v1/connect?workspace=acme&token={good}&ticket=x"), 4001),
    ] {
        let mut client = Client::connect(server.address, &address).await;
        assert_eq!(client.close().await.0, code, "{address}");
    }
    // An expiry on the live socket.
    let soon = server.token("alice").with("exp", json!(server.now() + 5)).sign();
    let mut client =
        Client::connect(server.address, &format!("/v1/connect?workspace=acme&token={soon}")).await;
    client.json().await;
    server.pass(std::time::Duration::from_secs(7)).await;
    assert_eq!(client.close().await, (4003, "token expired".into()));
}

#[tokio::test]
async fn a_ticket_and_a_header_open_it_too() {
    let server = TestServer::start().await;
    let answer = server.post("/v1/tickets", &server.token("alice").sign(), "").await;
    let ticket = answer.json()["ticket"].as_str().unwrap().to_owned();
    let address = format!("/v1/connect?workspace=acme&ticket={ticket}");
    assert_eq!(Client::connect(server.address, &address).await.json().await["user"], "alice");
    assert_eq!(Client::connect(server.address, &address).await.close().await.0, 4001, "used");
}

#[tokio::test]
async fn the_seventeenth_socket_closes_the_one_that_was_silent_longest() {
    let server = TestServer::start().await;
    let mut sockets = vec![];
    for _ in 0..16 {
        sockets.push(Native::open(&server, "alice", "").await);
        server.pass(std::time::Duration::from_millis(200)).await;
    }
    let _one_more = Client::connect(server.address, &path(&server, "alice", "")).await;
    assert_eq!(sockets[0].client.close().await, (1008, "Too many connections".into()));
}
