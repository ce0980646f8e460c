//! Where clients are, behind proxies: seen by the guard against hammering, which counts by address.

use campanile_testkit::{Answer, TestServer, WAIT, read_head};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const TRUSTED: &str = "[server]\ntrusted_proxies = [\"127.0.0.1\", \"10.0.0.0/8\"]\n";
const PROTOCOL: &str = "[server]\ntrusted_proxies = [\"127.0.0.1\"]\nproxy_protocol = true\n";
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// A handshake with a token that is refused.
fn hammer(forwarded: &str) -> String {
    format!(
        "GET /?token=refused&workspaceSlug=acme HTTP/1.1\r\nHost: n\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         {forwarded}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
}

/// The status of a refused handshake: 101 until the guard turns the address away, then 429.
async fn status(server: &TestServer, before: &[u8], forwarded: &str) -> u16 {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(&[before, hammer(forwarded).as_bytes()].concat()).await.unwrap();
    read_head(&mut stream).await.status
}

fn from(address: &str) -> String {
    format!("X-Forwarded-For: {address}\r\n")
}

fn header(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [SIGNATURE, &[command, family], &length, rest].concat()
}

fn v4(last: u8) -> Vec<u8> {
    header(0x21, 0x11, &[203, 0, 113, last, 127, 0, 0, 1, 1, 1, 2, 2])
}

/// Sends `bytes` and reads to the end.
async fn answer(server: &TestServer, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = vec![];
    // Where the rest of the bytes was not read, the end may be a reset.
    let _end = tokio::time::timeout(WAIT, stream.read_to_end(&mut answer)).await.expect("an end in time");
    answer
}

#[tokio::test]
async fn each_client_behind_a_trusted_proxy_counts_for_itself() {
    let server = TestServer::configured(TRUSTED).await;
    for _ in 0..5 {
        assert_eq!(status(&server, b"", &from("203.0.113.5")).await, 101);
    }
    assert_eq!(status(&server, b"", &from("203.0.113.5")).await, 429);
    assert_eq!(status(&server, b"", &from("203.0.113.6")).await, 101, "somebody else");
    // The same client, however it lies about where it is and whichever proxies are between.
    for same in ["1.2.3.4, 203.0.113.5", "203.0.113.5, 10.3.3.3", "[::ffff:203.0.113.5]:4711, 10.0.0.1"] {
        assert_eq!(status(&server, b"", &from(same)).await, 429, "{same}");
    }
    let twice = from("1.2.3.4") + &from("203.0.113.5");
    assert_eq!(status(&server, b"", &twice).await, 429, "the last header counts");
}

#[tokio::test]
async fn whoever_is_not_trusted_is_where_its_connection_comes_from() {
    let server = TestServer::configured("[server]\ntrusted_proxies = [\"10.0.0.0/8\"]\n").await;
    for last in 0..5 {
        assert_eq!(status(&server, b"", &from(&format!("203.0.113.{last}"))).await, 101);
    }
    assert_eq!(status(&server, b"", &from("203.0.113.99")).await, 429);
    assert_eq!(status(&server, b"", &from("10.0.0.1")).await, 429);
}

#[tokio::test]
async fn a_pooled_connection_brings_several_clients() {
    let server = TestServer::configured(TRUSTED).await;
    for _ in 0..5 {
        assert_eq!(status(&server, b"", &from("203.0.113.5")).await, 101);
    }
    for (address, expected) in [("203.0.113.6", 101), ("203.0.113.5", 429)] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: n\r\n\r\n").await.unwrap();
        let health = read_head(&mut stream).await;
        let mut body = vec![0; health.header("content-length").unwrap().parse().unwrap()];
        stream.read_exact(&mut body).await.unwrap();
        stream.write_all(hammer(&from(address)).as_bytes()).await.unwrap();
        assert_eq!(read_head(&mut stream).await.status, expected, "{address}");
    }
}

#[tokio::test]
async fn a_proxy_header_says_where_the_client_is() {
    let server = TestServer::configured(PROTOCOL).await;
    for _ in 0..5 {
        assert_eq!(status(&server, &v4(5), "").await, 101);
    }
    assert_eq!(status(&server, &v4(5), "").await, 429);
    assert_eq!(status(&server, &v4(6), "").await, 101);
    // The client itself is not trusted, whatever it writes.
    assert_eq!(status(&server, &v4(5), &from("203.0.113.6")).await, 429);
    // The proxy's own, a family without addresses, and a UNIX socket: all from the proxy's address.
    let own = [header(0x20, 0, b""), header(0x21, 0, b"any"), header(0x21, 0x31, &[0; 216])];
    for before in own.iter().chain(&own[..2]) {
        assert_eq!(status(&server, before, "").await, 101);
    }
    assert_eq!(status(&server, &own[0], "").await, 429);
}

#[tokio::test]
async fn a_proxy_header_in_pieces_and_before_plain_requests() {
    let server = TestServer::configured(PROTOCOL).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    for byte in v4(5) {
        stream.write_all(&[byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: n\r\n\r\n").await.unwrap();
    assert_eq!(read_head(&mut stream).await.status, 200);
}

#[tokio::test]
async fn what_is_no_proxy_header_ends_a_trusted_connection() {
    let server = TestServer::configured(PROTOCOL).await;
    let request = b"GET /healthz HTTP/1.1\r\nHost: n\r\nConnection: close\r\n\r\n";
    for garbage in [
        &b""[..],
        b"PROXY TCP4 203.0.113.5 127.0.0.1 4660 443\r\n",
        b"PROXY UNKNOWN\r\n",
        &SIGNATURE[..11],
        &header(0x11, 0x11, &[0; 12]),
        &header(0x2f, 0x11, &[0; 12]),
        &header(0x21, 0x12, &[0; 12]),
        &header(0x21, 0x11, &[0; 11]),
        &header(0x21, 0x11, &[&[0; 12][..], &[4, 0xff, 0xff]].concat()),
        &header(0x21, 0x11, &[0; 65_535]),
    ] {
        let got = answer(&server, &[garbage, request].concat()).await;
        assert!(got.is_empty(), "{garbage:?}: {}", String::from_utf8_lossy(&got));
    }
    let whole = [&v4(5)[..], request].concat();
    assert_eq!(Answer::parse(&answer(&server, &whole).await).status, 200, "it goes on");
    let twice = [&v4(5)[..], &whole].concat();
    assert_eq!(Answer::parse(&answer(&server, &twice).await).status, 400, "one header, no more");
}

#[tokio::test]
async fn a_proxy_header_has_the_time_of_a_handshake() {
    let server = TestServer::configured(PROTOCOL).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(&SIGNATURE[..5]).await.unwrap();
    crate::conformance::until("it is here", || server.running().gauge.open() == 1).await;
    server.pass(std::time::Duration::from_secs(11)).await;
    let mut rest = vec![];
    tokio::time::timeout(WAIT, stream.read_to_end(&mut rest)).await.unwrap().unwrap();
    assert_eq!(Answer::parse(&rest).status, 408);
}

#[tokio::test]
async fn nobody_else_may_bring_a_proxy_header() {
    for config in ["", "[server]\ntrusted_proxies = [\"10.0.0.0/8\"]\nproxy_protocol = true\n"] {
        let server = TestServer::configured(config).await;
        let whole = [&v4(5)[..], b"GET /healthz HTTP/1.1\r\nHost: n\r\n\r\n"].concat();
        assert_eq!(Answer::parse(&answer(&server, &whole).await).status, 400);
        assert_eq!(status(&server, b"", "").await, 101, "without one it is served");
    }
}
