//! Check 110: no token in logs, answers or frames.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Once, PoisonError};

use campanile_testkit::{Answer, Client, SECRET, Token, forge, request};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::prelude::*;

use super::raw::{Raw, answer_to};
use super::*;

/// Everything this process logs while it is listened to, at every level.
struct Log {
    listening: AtomicBool,
    lines: Mutex<Vec<u8>>,
}

static LOG: Log = Log { listening: AtomicBool::new(false), lines: Mutex::new(vec![]) };

impl Log {
    fn listen(&'static self) {
        static START: Once = Once::new();
        START.call_once(|| {
            // These tests' own client, in the same process, tells what it sends.
            let listening = tracing_subscriber::filter::dynamic_filter_fn(|metadata, _| {
                LOG.listening.load(Ordering::SeqCst) && !metadata.target().contains("tungstenite")
            });
            let layer =
                tracing_subscriber::fmt::layer().with_ansi(false).with_writer(self).with_filter(listening);
            tracing_subscriber::registry()
                .with(layer)
                .try_init()
                .expect("the only subscriber of these tests");
        });
        self.listening.store(true, Ordering::SeqCst);
    }

    fn heard(&self) -> String {
        self.listening.store(false, Ordering::SeqCst);
        let lines = std::mem::take(&mut *self.lines.lock().unwrap_or_else(PoisonError::into_inner));
        String::from_utf8_lossy(&lines).into_owned()
    }
}

impl Write for &Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for &'static Log {
    type Writer = &'a Log;

    fn make_writer(&'a self) -> &'a Log {
        self
    }
}

/// What a run used and what it was told.
#[derive(Default)]
struct Run {
    tokens: Vec<String>,
    told: Vec<String>,
}

impl Run {
    fn token(&mut self, token: String) -> String {
        self.tokens.push(token.clone());
        token
    }

    fn answer(&mut self, answer: &Answer) -> u16 {
        self.told.push(format!("{}\n{}", answer.head, String::from_utf8_lossy(&answer.body).to_lowercase()));
        answer.status
    }

    /// Takes down every frame up to the end.
    async fn follow(&mut self, mut client: Client) {
        loop {
            match client.next().await {
                Message::Text(text) => self.told.push(text.to_lowercase()),
                Message::Close(frame) => {
                    let frame = frame.expect("a code");
                    return self.told.push(format!("{} {}", frame.code, frame.reason.to_lowercase()));
                }
                _ => {}
            }
        }
    }
}

/// Tokens of every fate: good, expired, and refused for each kind of reason.
fn tokens(server: &TestServer) -> Vec<(&'static str, String)> {
    let token = || server.token("alice").with("workspaces", json!(["acme", "default"]));
    let claims = token().with("jti", "key").0.to_string();
    let header = |header: &str| forge(header, &claims, SECRET);
    vec![
        ("good", token().with("jti", "good").sign()),
        ("expired", token().with("exp", server.now() - 60).sign()),
        ("not yet valid", token().with("nbf", server.now() + 60).sign()),
        ("no expiry", token().without("exp").with("jti", "no expiry").sign()),
        ("no user", token().with("userId", json!(null)).sign()),
        ("bad claim", token().with("scope", json!(["admin"])).sign()),
        ("bad signature", forge(r#"{"alg":"HS256"}"#, &claims, "another-secret-of-enough-bytes-0123456789")),
        ("wrong algorithm", header(r#"{"alg":"HS512"}"#)),
        ("unknown key", header(r#"{"alg":"RS256","kid":"a-key-id-that-is-long-enough"}"#)),
        ("unsupported", header(r#"{"alg":"HS256","crit":["exp"]}"#)),
        ("malformed", format!("{}.further-segment", header(r#"{"alg":"HS256","typ":"JWT","n":1}"#))),
        ("other workspace", Token::of("alice", server.now()).with("workspaces", json!(["elsewhere"])).sign()),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_110_no_token_is_told_to_anybody() {
    LOG.listen();
    let (mut server, mut run) = (server().await, Run::default());
    for (_, token) in tokens(&server) {
        let token = run.token(token);
        let (workspace, product) = (workspace_at(&token), product_at(&token));
        // Sockets: refused, or alive with a bad message, an expiry and a notification that names the token.
        for path in [&workspace, &product, &format!("{workspace}&token={token}"), &format!("/?token={token}")]
        {
            match Client::try_connect(server.address, path).await {
                Ok(mut client) => {
                    client.send(&format!(r#"{{"action":"{token}","id":"{token}"}}"#)).await;
                    let _sent = client.send_message(Message::binary(b"x".to_vec())).await;
                    let _sent = client.send_message(Message::text("x".repeat(70_000))).await;
                    run.follow(client).await;
                }
                Err(refused) => assert_eq!(refused.status, 429),
            }
        }
        // Upgrades refused before it, requests that are none, and every kind of path.
        let head = "Host: a\r\nUpgrade: websocket\r\nConnection: close";
        for bytes in [
            format!("GET {workspace} HTTP/1.1\r\n{head}\r\n\r\n"),
            format!("POST {product} HTTP/1.1\r\n{head}\r\n\r\n"),
            format!("GET {product} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
            format!("GET /nowhere?token={token} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
            format!("GET /{token} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
            format!("GET {workspace}&x={} HTTP/1.1\r\n{head}\r\n\r\n", "x".repeat(9_000)),
            format!("GET {workspace} HTTP/1.1\r\n{head}\r\nX: {}\r\n\r\n", "x".repeat(20_000)),
            format!("{token} {workspace} nonsense\r\n\r\n"),
        ] {
            let status = run.answer(&answer_to(&server, &bytes).await);
            assert!((400..500).contains(&status), "{status}");
        }
        // HTTP: in the header, and in places where it does not belong.
        let publish = json!({"to": {"user": "alice"}, "title": "T", "message": "M"}).to_string();
        for body in [&publish, &format!(r#"{{"{token}":"{token}"}}"#), &format!("[{token}")] {
            run.answer(&server.post("/v1/workspaces/acme/notifications", &token, body).await);
            run.answer(&server.post("/api/notification/mark-read/x", &token, body).await);
        }
        let misplaced = format!("/v1/workspaces/acme/inbox?cursor={token}&{token}=1");
        let in_path = format!("/api/notification/mark-read/{token}");
        for path in
            ["/api/notification/list", "/v1/workspaces/acme/inbox", &misplaced, "/nowhere", "/healthz"]
        {
            run.answer(&server.get(path, &token).await);
        }
        run.answer(&server.post(&in_path, &token, "").await);
        let scheme = format!("Token {token}");
        let headers = [("Authorization", scheme.as_str()), ("Cookie", &scheme), ("X-Token", &token)];
        run.answer(&request(server.address, "GET", "/v1/workspaces/acme/inbox", &headers, b"").await);
        // A handshake that never ends.
        let mut raw = tokio::net::TcpStream::connect(server.address).await.unwrap();
        let half = format!("GET {workspace} HTTP/1.1\r\nX-Token: {token}");
        tokio::io::AsyncWriteExt::write_all(&mut raw, half.as_bytes()).await.unwrap();
        server.pass(secs(11)).await;
    }
    // Live ones, through an eviction, an expiry, a breach and the end of the server.
    let good = run.token(server.token("bob").with("jti", "live").sign());
    let first = Client::connect(server.address, &workspace_at(&good)).await;
    let mut second = Client::connect(server.address, &workspace_at(&good)).await;
    run.follow(first).await;
    delivers(&server, "acme", "bob", &mut second).await;
    let short = run.token(server.token("carol").with("exp", server.now() + 2).sign());
    let expiring = Client::connect(server.address, &workspace_at(&short)).await;
    server.pass(secs(4)).await;
    run.follow(expiring).await;
    let mut breach =
        Raw::upgrade(&server, &product_at(&run.token(product_token(&server, "dave").sign()))).await;
    breach.text().await;
    breach.frame(0x8f, good.as_bytes()).await;
    run.told.push(breach.close().await.1);
    tokio::join!(server.stop(), run.follow(second));

    let log = LOG.heard();
    for expected in ["bad_signature", "slug_not_granted", "expired", "connection refused", "shutting down"] {
        assert!(log.contains(expected), "the log was listened to: {expected}");
    }
    let (log, told) = (log.to_lowercase(), run.told.join("\n"));
    assert!(told.contains("access token invalid") && told.contains("bad_request"), "answers were taken down");
    for token in &run.tokens {
        for segment in token.split('.').filter(|segment| segment.len() > 12) {
            let segment = segment.to_lowercase();
            let line = log.lines().find(|line| line.contains(&segment));
            assert_eq!(line, None, "in the log: {segment}");
            assert!(!told.contains(&segment), "in an answer: {segment}");
        }
    }
    assert!(!log.contains(SECRET), "the secret in the log");
}
