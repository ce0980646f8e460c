//! The codec against a client that shares no code with it, over real sockets.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use campanile_ws::Limits;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Control, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{Frame, FrameHeader};
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

type Client = WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>;

/// An echo server with the default limits, for as long as the test process lives.
fn start() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a bound socket has an address");
    std::thread::spawn(move || crate::serve::serve(&listener, Limits::default()));
    address
}

async fn connect() -> Client {
    let (client, response) = connect_async(format!("ws://{}/", start())).await.expect("an upgrade");
    assert_eq!(response.status(), 101);
    client
}

async fn receive(client: &mut Client) -> Message {
    let next = tokio::time::timeout(Duration::from_secs(10), client.next());
    next.await.expect("an answer in time").expect("an open stream").expect("a valid frame")
}

async fn echoes(client: &mut Client, message: Message) {
    client.send(message.clone()).await.expect("sent");
    assert_eq!(receive(client).await, message);
}

/// Sends frames as they are and expects to be closed with `code`.
async fn closes(frames: impl IntoIterator<Item = Frame>, code: u16) {
    let mut client = connect().await;
    for frame in frames {
        client.send(Message::Frame(frame)).await.expect("sent");
    }
    match receive(&mut client).await {
        Message::Close(Some(close)) => assert_eq!(u16::from(close.code), code, "{}", close.reason),
        other => panic!("expected a close, got {other:?}"),
    }
}

fn data(kind: Data, payload: impl Into<Vec<u8>>, fin: bool) -> Frame {
    Frame::message(payload.into(), OpCode::Data(kind), fin)
}

/// A control frame, rightly or wrongly: the constructors refuse to make the wrong ones.
fn control(kind: Control, payload: impl Into<Vec<u8>>, fin: bool) -> Frame {
    let header = FrameHeader { is_final: fin, opcode: OpCode::Control(kind), ..FrameHeader::default() };
    Frame::from_payload(header, payload.into().into())
}

fn closing(body: impl Into<Vec<u8>>) -> Frame {
    control(Control::Close, body, true)
}

#[tokio::test]
async fn text_and_binary_of_every_length_form() {
    let mut client = connect().await;
    for len in [0, 1, 125, 126, 127, 65_535, 65_536] {
        echoes(&mut client, Message::binary(vec![0xA5; len])).await;
        echoes(&mut client, Message::text("x".repeat(len))).await;
    }
    echoes(&mut client, Message::text("Türme läuten 🔔")).await;
}

#[tokio::test]
async fn fragments_with_pings_between_them() {
    let mut client = connect().await;
    let bell = "🔔".as_bytes();
    client.send(Message::Frame(data(Data::Text, &bell[..1], false))).await.unwrap();
    client.send(Message::Ping(Bytes::from_static(b"between"))).await.unwrap();
    client.send(Message::Frame(data(Data::Continue, &bell[1..3], false))).await.unwrap();
    client.send(Message::Frame(data(Data::Continue, &b""[..], false))).await.unwrap();
    client.send(Message::Frame(data(Data::Continue, &bell[3..], true))).await.unwrap();
    assert_eq!(receive(&mut client).await, Message::Pong(Bytes::from_static(b"between")));
    assert_eq!(receive(&mut client).await, Message::text("🔔"));
}

#[tokio::test]
async fn pings_of_0_and_125_bytes() {
    let mut client = connect().await;
    for payload in [vec![], vec![7; 125]] {
        client.send(Message::Ping(payload.clone().into())).await.unwrap();
        assert_eq!(receive(&mut client).await, Message::Pong(payload.into()));
    }
    client.send(Message::Pong(Bytes::from_static(b"unasked"))).await.unwrap();
    echoes(&mut client, Message::text("still here")).await;
}

#[tokio::test]
async fn a_close_is_answered_with_its_code() {
    for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 3000, 3999, 4000, 4999] {
        let mut client = connect().await;
        client.close(Some(CloseFrame { code: CloseCode::from(code), reason: "bye".into() })).await.unwrap();
        match receive(&mut client).await {
            Message::Close(Some(close)) => assert_eq!(u16::from(close.code), code),
            other => panic!("expected a close, got {other:?}"),
        }
        assert!(client.next().await.is_none());
    }
    let mut client = connect().await;
    client.close(None).await.unwrap();
    assert_eq!(receive(&mut client).await, Message::Close(None));
}

#[tokio::test]
async fn invalid_closes() {
    closes([closing(b"\x03".as_slice())], 1002).await;
    for code in [0_u16, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000] {
        closes([closing(code.to_be_bytes())], 1002).await;
    }
    closes([closing(b"\x03\xE8\xFF".as_slice())], 1007).await;
}

#[tokio::test]
async fn text_that_is_not_utf8() {
    closes([data(Data::Text, b"\xCE\xBA\xED\xA0\x80".as_slice(), true)], 1007).await;
    // The message is not complete, and needs not be.
    closes(
        [data(Data::Text, b"fine".as_slice(), false), data(Data::Continue, b"\xF5".as_slice(), false)],
        1007,
    )
    .await;
}

#[tokio::test]
async fn messages_above_the_limit() {
    closes([data(Data::Binary, vec![0; 65_537], true)], 1009).await;
    let fragment = |i| data(if i == 0 { Data::Binary } else { Data::Continue }, vec![0; 1_025], i == 63);
    closes((0..64).map(fragment), 1009).await;
}

#[tokio::test]
async fn frames_against_the_rules() {
    let header = |change: fn(&mut FrameHeader)| {
        let mut header = FrameHeader { opcode: OpCode::Data(Data::Text), ..FrameHeader::default() };
        change(&mut header);
        Frame::from_payload(header, Bytes::from_static(b"hello"))
    };
    closes([header(|h| h.rsv1 = true)], 1002).await;
    closes([header(|h| h.rsv3 = true)], 1002).await;
    closes([header(|h| h.opcode = OpCode::Data(Data::Reserved(3)))], 1002).await;
    closes([header(|h| h.opcode = OpCode::Control(Control::Reserved(15)))], 1002).await;
    closes([data(Data::Continue, b"stray".as_slice(), true)], 1002).await;
    closes([data(Data::Text, b"a".as_slice(), false), data(Data::Text, b"b".as_slice(), true)], 1002).await;
    closes([control(Control::Ping, vec![0; 126], true)], 1002).await;
    closes([control(Control::Ping, vec![0; 5], false)], 1002).await;
}

#[tokio::test]
async fn a_subprotocol_and_an_extension_are_offered_and_not_selected() {
    let mut request = format!("ws://{}/", start()).into_client_request().unwrap();
    let headers = request.headers_mut();
    headers.insert("Sec-WebSocket-Extensions", "permessage-deflate".parse().unwrap());
    let (mut client, response) = connect_async(request).await.unwrap();
    assert!(!response.headers().contains_key("Sec-WebSocket-Extensions"));
    echoes(&mut client, Message::text("plain")).await;

    // This client refuses to go on without its subprotocol, so it is asked by hand.
    let response =
        ask(&UPGRADE.replace("\r\n\r\n", "\r\nSec-WebSocket-Protocol: chat\r\n\r\n"), b"\x88\x80mask");
    assert!(response.starts_with(b"HTTP/1.1 101 "));
    assert!(!String::from_utf8_lossy(&response).contains("Sec-WebSocket-Protocol"));
}

const UPGRADE: &str = "GET / HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// Sends a request and what follows it in one piece, and reads to the end.
fn ask(request: &str, then: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(start()).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout above zero");
    stream.write_all(&[request.as_bytes(), then].concat()).expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer, then the end");
    answer
}

#[test]
fn frames_that_come_with_the_request_are_read() {
    let answer = ask(UPGRADE, b"\x81\x82\0\0\0\0hi\x88\x80mask\x81\x82\0\0\0\0no");
    assert!(answer.ends_with(b"\r\n\r\n\x81\x02hi\x88\x00"), "{answer:?}");
    let unmasked = ask(UPGRADE, b"\x81\x02hi");
    assert!(unmasked.ends_with(b"\r\n\r\n\x88\x12\x03\xEAframe not masked"), "{unmasked:?}");
}

#[test]
fn refused_upgrades() {
    for (request, status, header) in [
        (UPGRADE.replace("Version: 13", "Version: 8"), 426, "Sec-WebSocket-Version: 13"),
        (UPGRADE.replace("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", ""), 400, ""),
        (UPGRADE.replace("dGhlIHNhbXBsZSBub25jZQ==", "c2hvcnQ="), 400, ""),
        (UPGRADE.replace("HTTP/1.1", "HTTP/1.0"), 400, ""),
        (UPGRADE.replace("Upgrade: websocket", "Upgrade: websocket\r\nUpgrade: websocket"), 400, ""),
        (UPGRADE.replace("Host: here", "Host: here\r\nTransfer-Encoding: chunked"), 400, ""),
        (UPGRADE.replace("Host: here", "Host: here\r\nContent-Length: 4"), 400, ""),
        (UPGRADE.replace("GET", "POST"), 405, "Allow: GET"),
        ("GET / HTTP/1.1\r\nHost: here\r\n\r\n".to_owned(), 426, "Upgrade: websocket"),
    ] {
        let answer = String::from_utf8(ask(&request, b"GET /second HTTP/1.1\r\n\r\n")).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}{answer}");
        assert!(answer.contains(header), "{answer}");
        assert_eq!(answer.matches("HTTP/1.1 4").count(), 1, "what follows is no request: {answer}");
    }
}
