//! Check 95, and what else holds where the server speaks TLS itself.

mod certificates;
mod handshakes;
mod rotation;

use std::time::Duration;

use campanile_testkit::{Answer, Authority, Client, TestServer, WAIT, connect_tls, frame};
use rustls::ClientConfig;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::Message;

use crate::conformance::until;

/// A server with a certificate of an authority of its own.
pub struct Secured {
    pub server: TestServer,
    pub authority: Authority,
    pub files: TempDir,
}

impl Secured {
    pub async fn start() -> Self {
        Self::configured("").await
    }

    /// With further configuration.
    pub async fn configured(more: &str) -> Self {
        let (authority, files) = (Authority::new(), TempDir::new().unwrap());
        let tls = authority.server().write(files.path());
        let server = TestServer::configured(&(more.to_owned() + &tls)).await;
        Self { server, authority, files }
    }

    pub fn trusting(&self) -> ClientConfig {
        self.authority.trusting(None)
    }

    pub async fn connect(&self) -> TlsStream<TcpStream> {
        connect_tls(self.server.address, self.trusting()).await.expect("a TLS handshake")
    }

    pub async fn socket(&self, path: &str) -> Client {
        let refused = "an upgrade";
        Client::try_over(Box::new(self.connect().await), path).await.expect(refused)
    }

    /// Sends a request of HTTP and reads to the end, which TLS must have announced.
    pub async fn answer(&self, request: &[u8]) -> Answer {
        let mut stream = self.connect().await;
        stream.write_all(request).await.unwrap();
        let mut answer = vec![];
        let read = tokio::time::timeout(WAIT, stream.read_to_end(&mut answer)).await;
        read.expect("an end in time").expect("close_notify before the end");
        Answer::parse(&answer)
    }
}

const HEALTH: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: n\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn both_surfaces_and_the_api_within_tls() {
    let tls = Secured::start().await;
    let mut alice = tls.socket(&tls.server.workspace_path("alice")).await;
    let mut bob = tls.socket(&tls.server.product_path("bob")).await;
    assert_eq!(bob.json().await["type"], "CONNECTION_ESTABLISHED");
    let body =
        json!({"to": {"users": ["alice", "bob"]}, "title": "T", "message": "m".repeat(50_000)}).to_string();
    for workspace in ["acme", "default"] {
        let answer = tls
            .answer(
                format!(
                    "POST /v1/workspaces/{workspace}/notifications HTTP/1.1\r\nHost: n\r\nConnection: close\r\n\
                     Authorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                    tls.server.publisher(),
                    body.len()
                )
                .as_bytes(),
            )
            .await;
        assert_eq!(answer.status, 201);
        let client = if workspace == "acme" { &mut alice } else { &mut bob };
        assert_eq!(client.json().await["id"], answer.json()["id"]);
    }
    alice.send("PING").await;
    assert_eq!(alice.text().await, r#"{"type":"pong"}"#);
    // Sees the end as well, which TLS announces.
    let refused = tls.socket("/?token=x&workspaceSlug=acme").await.close().await;
    assert_eq!(refused.0, 4001);
    alice.leave().await;
    bob.leave().await;
    tls.server.sockets(0).await;
}

#[tokio::test]
async fn versions_and_protocols() {
    let tls = Secured::start().await;
    let handshake = async |version, alpn: &[&str]| {
        let mut config = ClientConfig::builder_with_provider(tls.trusting().crypto_provider().clone())
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(tls.authority.roots())
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        connect_tls(tls.server.address, config).await
    };
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let stream = handshake(version, &["h2", "http/1.1"]).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
        assert_eq!(stream.get_ref().1.protocol_version(), Some(version.version));
        assert!(handshake(version, &[]).await.is_ok(), "no protocol is asked for");
        assert!(handshake(version, &["h2"]).await.is_err(), "another is not spoken");
    }
    assert!(connect_tls(tls.server.address, Authority::new().trusting(None)).await.is_err(), "not trusted");
}

#[tokio::test]
async fn plain_http_gets_an_answer_that_says_so() {
    let tls = Secured::start().await;
    let mut stream = TcpStream::connect(tls.server.address).await.unwrap();
    stream.write_all(HEALTH).await.unwrap();
    let mut answer = vec![];
    tokio::time::timeout(WAIT, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
    let answer = Answer::parse(&answer);
    assert_eq!((answer.status, answer.json()["code"].as_str()), (400, Some("tls_required")));
}

#[tokio::test]
async fn what_is_no_tls_ends_the_connection_and_costs_nobody() {
    let tls = Secured::start().await;
    let record = |kind: u8, payload: &[u8]| {
        [&[kind, 3, 1][..], &u16::try_from(payload.len()).unwrap().to_be_bytes(), payload].concat()
    };
    for hostile in [
        record(0x16, &[0; 100]),
        record(0x16, &[1, 0xff, 0xff, 0xff]),
        record(0x16, &[1; 16_384]),
        [0x16; 4000].to_vec(),
        [0x16, 3, 1, 0xff, 0xff].repeat(20),
    ] {
        let mut stream = TcpStream::connect(tls.server.address).await.unwrap();
        stream.write_all(&hostile).await.unwrap();
        let mut rest = vec![];
        // Bytes left unread make the end a reset.
        let _end = tokio::time::timeout(WAIT, stream.read_to_end(&mut rest)).await.expect("an end in time");
        assert!(rest.len() < 100, "an alert at the most");
    }
    until("all are gone", || tls.server.running().gauge.open() == 0).await;
    assert_eq!(tls.answer(HEALTH).await.status, 200);
}

#[tokio::test]
async fn a_handshake_has_the_time_of_a_request_head() {
    let tls = Secured::start().await;
    let silent = TcpStream::connect(tls.server.address).await.unwrap();
    let mut begun = TcpStream::connect(tls.server.address).await.unwrap();
    begun.write_all(&[0x16, 3, 1, 2, 0, 1]).await.unwrap();
    let mut headless = tls.connect().await;
    headless.write_all(b"GET / HT").await.unwrap();
    until("all are here", || tls.server.running().gauge.open() == 3).await;
    tls.server.pass(Duration::from_secs(11)).await;
    for mut stream in [silent, begun] {
        let mut rest = vec![];
        tokio::time::timeout(WAIT, stream.read_to_end(&mut rest)).await.unwrap().unwrap();
        assert!(rest.is_empty(), "nothing that a TLS client could read");
    }
    let mut answer = vec![];
    tokio::time::timeout(WAIT, headless.read_to_end(&mut answer)).await.unwrap().unwrap();
    assert_eq!(Answer::parse(&answer).status, 408);
    drop(headless);
    until("nobody is left", || tls.server.running().gauge.open() == 0).await;
}

#[tokio::test]
async fn frames_behind_the_handshake_are_not_forgotten() {
    let tls = Secured::start().await;
    let path = tls.server.workspace_path("alice");
    let ping = frame(0x81, b"PING");
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: n\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    );
    // The first record is full, and all that the door reads at once; the second is in TLS by then, where no poll sees it.
    let filler = frame(0x82, &vec![7; 16_384 - request.len() - 8]);
    assert_eq!(request.len() + filler.len(), 16_384);
    let mut stream = tls.connect().await;
    stream.write_all(&[request.as_bytes(), &filler, &ping].concat()).await.unwrap();
    assert_eq!(read_tls_head(&mut stream).await, 101);
    let mut pong = [0; 17];
    tokio::time::timeout(WAIT, stream.read_exact(&mut pong)).await.unwrap().unwrap();
    assert_eq!(&pong[2..], br#"{"type":"pong"}"#);
}

#[tokio::test]
async fn a_pooled_connection_becomes_a_socket() {
    let tls = Secured::start().await;
    let mut stream = tls.connect().await;
    stream.write_all(b"GET /openapi.json HTTP/1.1\r\nHost: n\r\n\r\n").await.unwrap();
    let mut read = vec![];
    while !read.ends_with(b"}\n") {
        assert!(stream.read_buf(&mut read).await.unwrap() > 0);
    }
    let mut client = Client::try_over(Box::new(stream), &tls.server.workspace_path("alice")).await.unwrap();
    let id = tls.server.running().gauge.clone();
    until("it is a socket", || id.sockets() == 1).await;
    client.send("PING").await;
    assert_eq!(client.text().await, r#"{"type":"pong"}"#);
    client.leave().await;
}

/// Publishes forty large notifications to alice; their ids.
async fn publish_forty(tls: &Secured) -> Vec<String> {
    let one = json!({"to": {"user": "alice"}, "title": "T", "message": "m".repeat(60_000)});
    let answer = publish(tls, &tls.server.publisher(), &json!(vec![one; 40]).to_string()).await;
    answer.json().as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn who_reads_late_gets_everything_in_order() {
    let tls = Secured::configured("[connection]\noutbox_bytes = 67108864\n").await;
    let mut client = tls.socket(&tls.server.workspace_path("alice")).await;
    tls.server.sockets(1).await;
    let mut sent = vec![];
    while tls.server.running().gauge.backlogs() == 0 {
        assert!(sent.len() < 1000, "the kernel takes everything");
        sent.extend(publish_forty(&tls).await);
    }
    for id in sent {
        assert_eq!(client.json().await["id"], id);
    }
    until("nothing waits", || tls.server.running().gauge.backlogs() == 0).await;
    client.leave().await;
}

#[tokio::test]
async fn who_does_not_read_is_closed_and_gets_no_torn_record() {
    let tls = Secured::start().await;
    let mut client = tls.socket(&tls.server.workspace_path("alice")).await;
    tls.server.sockets(1).await;
    // More than the kernel and the outbox hold together.
    let mut sent = vec![];
    while sent.len() < 400 {
        sent.extend(publish_forty(&tls).await);
    }
    let mut got = vec![];
    loop {
        match client.next().await {
            Message::Text(text) => {
                got.push(serde_json::from_str::<Value>(text.as_str()).unwrap()["id"].clone())
            }
            Message::Close(Some(close)) => break assert_eq!(u16::from(close.code), 1013),
            other => panic!("{other:?}"),
        }
    }
    assert!(got.len() < sent.len(), "what waited is not sent after the verdict");
    assert!(got.iter().zip(&sent).all(|(got, sent)| got == sent));
}

#[tokio::test]
async fn a_proxy_header_stands_before_tls() {
    let tls =
        Secured::configured("[server]\ntrusted_proxies = [\"127.0.0.1\"]\nproxy_protocol = true\n").await;
    let mut socket = TcpStream::connect(tls.server.address).await.unwrap();
    let header =
        [b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".as_slice(), &[203, 0, 113, 5, 127, 0, 0, 1, 1, 1, 2, 2]];
    socket.write_all(&header.concat()).await.unwrap();
    let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(tls.trusting()));
    let mut stream = connector.connect(name, socket).await.unwrap();
    stream.write_all(HEALTH).await.unwrap();
    assert_eq!(read_tls_head(&mut stream).await, 200);
    assert!(connect_tls(tls.server.address, tls.trusting()).await.is_err(), "TLS without a header");
}

#[tokio::test]
async fn the_end_of_the_server_is_a_clean_one() {
    let mut tls = Secured::start().await;
    let mut client = tls.socket(&tls.server.workspace_path("alice")).await;
    tls.server.sockets(1).await;
    let (closed, ()) = tokio::join!(client.close(), tls.server.stop());
    assert_eq!(closed.0, 1001);
}

pub async fn publish(tls: &Secured, token: &str, body: &str) -> Answer {
    let answer = post(tls, "/v1/workspaces/acme/notifications", token, body).await;
    assert_eq!(answer.status, 201, "{}", answer.head);
    answer
}

pub async fn post(tls: &Secured, path: &str, token: &str, body: &str) -> Answer {
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: n\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    tls.answer(request.as_bytes()).await
}

async fn read_tls_head(stream: &mut TlsStream<TcpStream>) -> u16 {
    let mut head = vec![];
    while !head.ends_with(b"\r\n\r\n") {
        head.push(tokio::time::timeout(WAIT, stream.read_u8()).await.unwrap().unwrap());
    }
    Answer::parse(&head).status
}

#[tokio::test]
async fn a_server_without_tls_refuses_whoever_expects_it() {
    let server = TestServer::start().await;
    assert!(connect_tls(server.address, Authority::new().trusting(None)).await.is_err());
    server.workspace("alice").await.leave().await;
}
