//! Checks 104 to 106 and 108: the handshake, on both surfaces.

use campanile_testkit::{Answer, WAIT, raw_upgrade};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::raw::{PING, PONG, Raw, answer_to};
use super::*;

/// The request line and headers of a good handshake; `{}` stands for the path.
const GOOD: [&str; 6] = [
    "GET {} HTTP/1.1",
    "Host: campanile.example",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
];

fn paths(server: &TestServer) -> [String; 2] {
    [server.workspace_path("alice"), server.product_path("alice")]
}

/// The good handshake with line `index` replaced; an empty one is left out.
fn request(path: &str, index: usize, line: &str) -> String {
    let mut lines = GOOD.to_vec();
    lines[index] = line;
    let lines: Vec<_> = lines.into_iter().filter(|line| !line.is_empty()).collect();
    lines.join("\r\n").replace("{}", path) + "\r\n\r\n"
}

#[tokio::test]
async fn check_104_malformed_handshakes_are_refused_by_status() {
    let server = server().await;
    for path in paths(&server) {
        for (index, line, status) in [
            (4, "", 400),
            (4, "Sec-WebSocket-Key: ", 400),
            (4, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j", 400),
            (4, "Sec-WebSocket-Key: not base64 at all!!!", 400),
            (
                4,
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                400,
            ),
            (5, "", 426),
            (5, "Sec-WebSocket-Version: 8", 426),
            (5, "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Version: 13", 400),
            (0, "GET {} HTTP/1.0", 400),
            (0, "POST {} HTTP/1.1", 405),
            (2, "Upgrade: websocket\r\nUpgrade: websocket", 400),
            (2, "Upgrade: h2c", 426),
            (3, "Connection: keep-alive", 400),
            (1, "", 400),
            (1, "Host: a\r\nContent-Length: 5", 400),
        ] {
            let answer = answer_to(&server, &request(&path, index, line)).await;
            assert_eq!(answer.status, status, "{line}");
            assert_eq!(answer.header("sec-websocket-version"), Some("13"), "{line}");
            assert!(!String::from_utf8_lossy(&answer.body).contains("eyJ"), "{line}");
        }
    }
    until("nobody is left", || server.running().gauge.open() == 0).await;
    let mut client = server.workspace("alice").await;
    delivers(&server, "acme", "alice", &mut client).await;
}

/// Upgrades with a further header and sees that the connection works.
async fn with_header(server: &TestServer, path: &str, header: &str) -> (Answer, Raw) {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let last = format!("{}\r\n{header}", GOOD[5]);
    stream.write_all(request(path, 5, &last).as_bytes()).await.unwrap();
    let mut head = vec![];
    while !head.ends_with(b"\r\n\r\n") {
        head.push(tokio::time::timeout(WAIT, stream.read_u8()).await.unwrap().unwrap());
    }
    let answer = Answer::parse(&head);
    assert_eq!(answer.status, 101, "{header}");
    // Of the example in RFC 6455 §1.3; the head is in lower case here.
    assert_eq!(answer.header("sec-websocket-accept"), Some("s3pplmbitxaq9kygzzhzrbk+xoo="));
    let mut raw = Raw { stream };
    if path.starts_with("/api") {
        assert!(raw.text().await.contains("CONNECTION_ESTABLISHED"));
    }
    raw.is_open().await;
    (answer, raw)
}

#[tokio::test]
async fn check_105_subprotocols_offered_are_not_selected() {
    let server = server().await;
    for path in paths(&server) {
        for offered in ["chat", "chat, superchat", "graphql-ws", "v1\r\nSec-WebSocket-Protocol: v2"] {
            let header = format!("Sec-WebSocket-Protocol: {offered}");
            let (answer, _raw) = with_header(&server, &path, &header).await;
            assert_eq!(answer.header("sec-websocket-protocol"), None, "{offered}");
        }
    }
}

#[tokio::test]
async fn check_106_compression_offered_is_declined() {
    let server = server().await;
    for path in paths(&server) {
        let offers =
            "permessage-deflate; client_max_window_bits; server_no_context_takeover, x-webkit-deflate-frame";
        let header = format!("Sec-WebSocket-Extensions: {offers}");
        let (answer, mut raw) = with_header(&server, &path, &header).await;
        assert_eq!(answer.header("sec-websocket-extensions"), None);
        // A compressed message is therefore a breach: its reserved bit means nothing.
        raw.frame(0xc1, b"\xf2\xf4\xf3\x73\x07\x00").await;
        assert_eq!(raw.close().await, closed(1002, "protocol error"));
    }
}

#[tokio::test]
async fn check_108_a_handshake_has_ten_seconds() {
    let server = server().await;
    for path in paths(&server) {
        let whole = request(&path, 5, GOOD[5]);
        let (mut slow, mut late) = (
            TcpStream::connect(server.address).await.unwrap(),
            TcpStream::connect(server.address).await.unwrap(),
        );
        until("both are here", || server.running().gauge.open() == 2).await;
        // The other takes all but the whole of its ten seconds.
        let (most, last) = whole.as_bytes().split_at(whole.len() - 1);
        late.write_all(most).await.unwrap();
        for byte in &whole.as_bytes()[..9] {
            slow.write_all(&[*byte]).await.unwrap();
            server.pass(secs(1)).await;
        }
        late.write_all(last).await.unwrap();
        let mut status = [0; 12];
        late.read_exact(&mut status).await.unwrap();
        assert_eq!(&status, b"HTTP/1.1 101");
        slow.write_all(b"x").await.unwrap();
        server.pass(secs(1)).await;
        let mut answer = vec![];
        tokio::time::timeout(WAIT, slow.read_to_end(&mut answer)).await.unwrap().unwrap();
        assert_eq!(Answer::parse(&answer).status, 408);
        drop((slow, late));
        until("nobody is left", || server.running().gauge.open() == 0).await;
    }
    // A handshake in pieces is as good as a whole one.
    let (answer, stream) = raw_upgrade(server.address, &server.workspace_path("alice")).await;
    assert_eq!(answer.status, 101);
    let mut raw = Raw { stream };
    raw.frame(PING, b"").await;
    assert_eq!(raw.next().await, Some((PONG, vec![])));
}
