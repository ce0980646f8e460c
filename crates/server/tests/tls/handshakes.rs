//! TLS handshakes that do not go on, and those that come at the end.

use std::sync::Arc;

use campanile_testkit::{Answer, Client, connect_tls};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

use super::*;

/// What a client says first.
fn hello(config: ClientConfig) -> Vec<u8> {
    let name = ServerName::try_from("localhost").unwrap();
    let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut bytes = vec![];
    client.write_tls(&mut bytes).unwrap();
    bytes
}

/// A client that begins a handshake, hears the server's part of it, and says nothing more.
async fn stuck(tls: &Secured) -> TcpStream {
    let mut stream = TcpStream::connect(tls.server.address).await.unwrap();
    stream.write_all(&hello(tls.trusting())).await.unwrap();
    let kind = tokio::time::timeout(WAIT, stream.read_u8()).await.unwrap().unwrap();
    assert_eq!(kind, 0x16, "the server's part");
    stream
}

/// Whether it was cut off, with whatever it had been told before.
async fn ends(mut stream: TcpStream) {
    let mut rest = vec![];
    let _end = tokio::time::timeout(WAIT, stream.read_to_end(&mut rest)).await.expect("an end in time");
}

const FEW: &str = "[server.tls]\nmax_handshakes = 3\n";

/// A server that takes part in three handshakes at once.
async fn few() -> Secured {
    let (authority, files) = (Authority::new(), TempDir::new().unwrap());
    let tls = authority.server().write(files.path()).replacen("[server.tls]\n", FEW, 1);
    Secured { server: TestServer::configured(&tls).await, authority, files }
}

#[tokio::test]
async fn slow_ones_make_room_for_newcomers() {
    let tls = few().await;
    let mut served = tls.socket(&tls.server.workspace_path("alice")).await;
    let [first, second, third] = [stuck(&tls).await, stuck(&tls).await, stuck(&tls).await];
    // They are as new as whoever comes, who is cut off.
    ends_without_a_word(&tls).await;
    until("the newcomer is gone", || tls.server.running().gauge.open() == 4).await;
    tls.server.pass(Duration::from_millis(1_500)).await;
    // Each newcomer takes the place of the one that has waited longest, and gives it back once it is in.
    let mut bob = tls.socket(&tls.server.product_path("bob")).await;
    assert_eq!(bob.json().await["type"], "CONNECTION_ESTABLISHED");
    ends(first).await;
    assert_eq!(tls.answer(HEALTH).await.status, 200);
    let fourth = stuck(&tls).await;
    let fifth = stuck(&tls).await;
    ends(second).await;
    // Nobody who was let in, and no handshake that had not lasted as long, has noticed.
    for client in [&mut served, &mut bob] {
        client.send("PING").await;
        assert_eq!(client.text().await, r#"{"type":"pong"}"#);
    }
    assert_eq!(tls.server.running().gauge.open(), 5);
    // Then their time is over, as of every request's head.
    tls.server.pass(Duration::from_secs(11)).await;
    for stream in [third, fourth, fifth] {
        ends(stream).await;
    }
    until("only sockets are left", || tls.server.running().gauge.open() == 2).await;
    for _ in 0..4 {
        assert_eq!(tls.answer(HEALTH).await.status, 200);
    }
}

async fn ends_without_a_word(tls: &Secured) {
    let mut stream = TcpStream::connect(tls.server.address).await.unwrap();
    stream.write_all(&hello(tls.trusting())).await.unwrap();
    let mut rest = vec![];
    // Bytes left unread make the end a reset.
    let _end = tokio::time::timeout(WAIT, stream.read_to_end(&mut rest)).await.expect("an end in time");
    assert!(rest.is_empty(), "{rest:?}");
}

/// One thread takes part in all handshakes: one that comes byte by byte delays nobody.
#[tokio::test]
async fn one_that_drips_holds_nobody_up() {
    let tls = Secured::start().await;
    let mut slow = TcpStream::connect(tls.server.address).await.unwrap();
    slow.set_nodelay(true).unwrap();
    for byte in hello(tls.trusting()) {
        slow.write_all(&[byte]).await.unwrap();
        if byte % 32 == 0 {
            assert_eq!(tls.answer(HEALTH).await.status, 200);
        }
    }
    // It is served like any other in the end.
    let kind = tokio::time::timeout(WAIT, slow.read_u8()).await.unwrap().unwrap();
    assert_eq!(kind, 0x16);
}

/// Whoever is within TLS and has asked nothing yet when the server ends is told so, within TLS.
#[tokio::test]
async fn the_end_is_told_within_tls() {
    let mut tls = Secured::start().await;
    let mut waiting = connect_tls(tls.server.address, tls.trusting()).await.unwrap();
    waiting.write_all(b"GET /").await.unwrap();
    let handshaking = stuck(&tls).await;
    until("both are here", || tls.server.running().gauge.open() == 2).await;
    let told = async move {
        let mut answer = vec![];
        let read = tokio::time::timeout(WAIT, waiting.read_to_end(&mut answer)).await;
        read.expect("an end in time").expect("close_notify before the end");
        Answer::parse(&answer)
    };
    let (answer, ()) = tokio::join!(told, tls.server.stop());
    assert_eq!((answer.status, answer.json()["code"].as_str()), (503, Some("overloaded")));
    ends(handshaking).await;
}

/// No room: who would have to be told within TLS is cut off, and who is in stays.
#[tokio::test]
async fn no_room_is_told_to_nobody_within_tls() {
    let tls = Secured::configured("[server]\nmax_connections = 1\n").await;
    let mut alice: Client = tls.socket(&tls.server.workspace_path("alice")).await;
    ends_without_a_word(&tls).await;
    alice.send("PING").await;
    assert_eq!(alice.text().await, r#"{"type":"pong"}"#);
    alice.leave().await;
    until("there is room", || tls.server.running().gauge.open() == 0).await;
    assert_eq!(tls.answer(HEALTH).await.status, 200);
}
