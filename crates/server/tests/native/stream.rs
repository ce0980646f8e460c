//! The same as Server-Sent Events.

use std::collections::HashMap;
use std::net::SocketAddr;

use campanile_testkit::TestServer;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::number;

/// A client that shares nothing with the server.
pub(crate) struct Events {
    lines: BufReader<TcpStream>,
}

impl Events {
    /// The status of the answer, and the stream.
    pub(crate) async fn open(address: SocketAddr, query: &str, headers: &str) -> (u16, Self) {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET /v1/workspaces/acme/stream{query} HTTP/1.1\r\nHost: x\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut lines = BufReader::new(stream);
        let mut line = String::new();
        lines.read_line(&mut line).await.unwrap();
        let status = line.split(' ').nth(1).unwrap().parse().unwrap();
        if status == 200 {
            let mut head = String::new();
            while lines.read_line(&mut head).await.unwrap() > 2 {}
            let head = head.to_ascii_lowercase();
            assert!(head.contains("content-type: text/event-stream"), "{head}");
            assert!(head.contains("cache-control: no-store"), "{head}");
        }
        (status, Self { lines })
    }

    async fn of(server: &TestServer, user: &str, query: &str) -> Self {
        let headers = format!("Authorization: Bearer {}\r\n", server.token(user).sign());
        let (status, events) = Self::open(server.address, query, &headers).await;
        assert_eq!(status, 200);
        events
    }

    /// The fields of the next event. Chunk sizes are no fields, as they hold no colon.
    pub(crate) async fn event(&mut self) -> HashMap<String, String> {
        let mut fields = HashMap::<String, String>::new();
        loop {
            let mut line = String::new();
            let read = tokio::time::timeout(campanile_testkit::WAIT, self.lines.read_line(&mut line));
            assert!(read.await.expect("an event in time").unwrap() > 0, "the stream ended");
            match line.trim_end_matches(['\r', '\n']).split_once(": ") {
                Some((field, value)) => fields.entry(field.into()).or_default().push_str(value),
                None if line == "\n" && !fields.is_empty() => return fields,
                None => {}
            }
        }
    }

    async fn next(&mut self, kind: &str) -> (Value, Option<String>) {
        let fields = self.event().await;
        assert_eq!(fields["event"], kind, "{fields:?}");
        let data: Value = serde_json::from_str(&fields["data"]).unwrap();
        assert_eq!(data["type"], kind);
        (data, fields.get("id").cloned())
    }
}

#[tokio::test]
async fn tells_what_the_socket_tells_and_resumes_by_the_last_event() {
    let server = TestServer::start().await;
    server.notify("acme", "alice", "zero").await;
    let mut events = Events::of(&server, "alice", "").await;
    let (hello, id) = events.next("hello").await;
    let epoch = hello["epoch"].as_str().unwrap().to_owned();
    assert_eq!(id, Some(format!("{epoch}:1")));
    let sent = server.notify("acme", "alice", "one").await;
    let (told, id) = events.next("notification").await;
    assert_eq!((&told["item"]["id"], id.as_deref()), (&json!(sent), Some(format!("{epoch}:2").as_str())));
    let path = format!("/v1/workspaces/acme/inbox/{sent}/read");
    server.post(&path, &server.token("alice").sign(), "").await;
    let (receipts, id) = events.next("receipts").await;
    assert_eq!((receipts["items"][0]["read"].as_bool(), id), (Some(true), None));
    server.pass(std::time::Duration::from_secs(26)).await;
    let (beat, id) = events.next("heartbeat").await;
    assert_eq!((number(&beat, "unread"), id), (1, Some(format!("{epoch}:2"))));
    drop(events);
    server.notify("acme", "alice", "two").await;
    let token = server.token("alice").sign();
    let headers = format!("Authorization: Bearer {token}\r\nLast-Event-ID: {epoch}:2\r\n");
    let (status, mut events) = Events::open(server.address, "", &headers).await;
    assert_eq!(status, 200);
    assert_eq!(events.next("hello").await.0["resumed"], true);
    assert_eq!(events.next("notification").await.0["item"]["message"], "two");
}

#[tokio::test]
async fn lines_of_a_producer_are_lines_of_data() {
    let server = TestServer::start().await;
    let mut events = Events::of(&server, "alice", "").await;
    events.next("hello").await;
    let body =
        "{\"to\":{\"user\":\"alice\"},\"title\":\"T\",\"message\":\"M\",\"metadata\":{\n \"a\":\r\n1}}";
    let answer = server.post("/v1/workspaces/acme/notifications", &server.publisher(), body).await;
    assert_eq!(answer.status, 201);
    assert_eq!(events.next("notification").await.0["item"]["metadata"], json!({"a": 1}));
}

#[tokio::test]
async fn refusals_are_answers_and_ends_are_events() {
    let server = TestServer::start().await;
    let bearer = |token: String| format!("Authorization: Bearer {token}\r\n");
    let expired = server.token("alice").with("exp", json!(server.now() - 1)).sign();
    let elsewhere = server.token("alice").with("workspaces", json!(["other"])).sign();
    for (headers, status) in [
        (String::new(), 401),
        (bearer("x.y.z".into()), 401),
        (bearer(expired), 401),
        (bearer(elsewhere), 403),
    ] {
        assert_eq!(Events::open(server.address, "", &headers).await.0, status);
    }
    let soon = server.token("alice").with("exp", json!(server.now() + 5)).sign();
    let (status, mut events) = Events::open(server.address, "", &bearer(soon)).await;
    assert_eq!(status, 200);
    events.next("hello").await;
    server.pass(std::time::Duration::from_secs(7)).await;
    let (close, _) = events.next("close").await;
    assert_eq!((number(&close, "code"), &close["reason"]), (4003, &json!("token expired")));
}

#[tokio::test]
async fn a_ticket_opens_it_and_a_shutdown_ends_it() {
    let mut server = TestServer::start().await;
    let ticket = server.post("/v1/tickets", &server.token("alice").sign(), "").await.json();
    let query = format!("?ticket={}", ticket["ticket"].as_str().unwrap());
    let (status, mut events) = Events::open(server.address, &query, "").await;
    assert_eq!(status, 200);
    events.next("hello").await;
    tokio::join!(server.stop(), async {
        let (drain, _) = events.next("drain").await;
        assert!(number(&drain, "retryAfterMs") >= 1_000);
        assert_eq!(number(&events.next("close").await.0, "code"), 1001);
        drop(events);
    });
}

#[tokio::test]
async fn a_client_that_goes_is_noticed() {
    let server = TestServer::start().await;
    let mut events = Events::of(&server, "alice", "").await;
    events.next("hello").await;
    server.sockets(1).await;
    drop(events);
    // The next thing told finds out.
    server.notify("acme", "alice", "one").await;
    server.sockets(0).await;
}
