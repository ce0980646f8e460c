//! Check 107: which web pages may connect.

use campanile_testkit::{Answer, TestServer, WAIT, request, upgrade_on};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const LISTED: &str = "[server]\nallowed_origins = [\"https://app.example.com\", \"http://[::1]:8080\"]\n";
/// What a page that is not listed may look like.
const HOSTILE: [&str; 12] = [
    "null",
    "https://app.example.com.evil.example",
    "https://evil-app.example.com",
    "http://app.example.com",
    "https://app.example.com:8443",
    "https://app.example.com.",
    "https://app.example.com@evil.example",
    "https://app.example.com/x",
    "http://[::1]",
    "http://localhost:8080",
    "*",
    "",
];

fn upgrade(path: &str, headers: &[(&str, &str)]) -> String {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!(
        "GET {path} HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{headers}\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
}

/// The answer's head to an upgrade with these headers, on a connection of its own.
async fn try_upgrade(server: &TestServer, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(upgrade(path, headers).as_bytes()).await.unwrap();
    campanile_testkit::read_head(&mut stream).await
}

#[tokio::test]
async fn sockets_of_every_surface_ask_for_the_origin() {
    let server = TestServer::configured(LISTED).await;
    let paths = [server.workspace_path("alice"), server.product_path("alice")];
    for path in paths.iter().chain([&format!("/ws{}", &paths[0][1..])]) {
        let status = async |origin| {
            try_upgrade(&server, path, &[("Host", "n.example.com"), ("Origin", origin)]).await.status
        };
        for origin in HOSTILE {
            assert_eq!(status(origin).await, 403, "{origin:?} at {path}");
        }
        for origin in ["https://app.example.com", "https://app.example.com:443", "http://[0::1]:8080"] {
            assert_eq!(status(origin).await, 101, "{origin:?} at {path}");
        }
        let twice =
            [("Host", "n"), ("Origin", "https://app.example.com"), ("Origin", "https://app.example.com")];
        assert_eq!(try_upgrade(&server, path, &twice).await.status, 403);
        assert_eq!(try_upgrade(&server, path, &[("Host", "n")]).await.status, 101, "no browser");
    }
}

#[tokio::test]
async fn a_refusal_is_a_problem_and_ends_the_connection() {
    let server = TestServer::configured(LISTED).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let asked =
        upgrade(&server.workspace_path("alice"), &[("Host", "n"), ("Origin", "https://evil.example")]);
    stream.write_all(asked.as_bytes()).await.unwrap();
    let mut answer = vec![];
    tokio::time::timeout(WAIT, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
    let answer = Answer::parse(&answer);
    assert_eq!((answer.status, answer.json()["code"].as_str()), (403, Some("origin_refused")));
    assert_eq!(server.running().gauge.sockets(), 0);
}

#[tokio::test]
async fn a_pooled_connection_asks_too() {
    let server = TestServer::configured(LISTED).await;
    let path = server.workspace_path("alice");
    for (origin, status) in [("https://evil.example", 403), ("https://app.example.com", 101)] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: n\r\n\r\n").await.unwrap();
        let health = campanile_testkit::read_head(&mut stream).await;
        let mut body = vec![0; health.header("content-length").unwrap().parse().unwrap()];
        stream.read_exact(&mut body).await.unwrap();
        stream.write_all(upgrade(&path, &[("Host", "n"), ("Origin", origin)]).as_bytes()).await.unwrap();
        assert_eq!(campanile_testkit::read_head(&mut stream).await.status, status, "{origin}");
    }
}

#[tokio::test]
async fn without_a_list_loopback_is_open_and_a_public_name_is_not() {
    let server = TestServer::start().await;
    let path = server.workspace_path("alice");
    for (host, origin, status) in [
        ("127.0.0.1:8700", "http://localhost:5173", 101),
        ("localhost", "https://anything.example", 101),
        ("localhost", "null", 403),
        ("notify.example.com", "https://notify.example.com", 101),
        ("notify.example.com", "https://evil.example", 403),
        ("notify.example.com", "http://localhost", 403),
    ] {
        let answer = try_upgrade(&server, &path, &[("Host", host), ("Origin", origin)]).await;
        assert_eq!(answer.status, status, "{origin} at {host}");
    }
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    assert_eq!(upgrade_on(&mut stream, &path).await.status, 101, "no browser");
}

#[tokio::test]
async fn pages_of_listed_origins_may_use_the_api() {
    let server = TestServer::configured(LISTED).await;
    let (own, evil) = ("https://app.example.com", "https://evil.example");
    let inbox = "/v1/workspaces/acme/inbox";
    let ask = |method, headers: Vec<(&'static str, String)>| async move {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        request(server.address, method, inbox, &headers, b"").await
    };
    let preflight = |origin: &str| {
        let method = ("Access-Control-Request-Method", "GET".to_owned());
        vec![("Origin", origin.to_owned()), method]
    };
    let answer = ask("OPTIONS", preflight(own)).await;
    assert_eq!(answer.status, 204);
    assert_eq!(answer.header("access-control-allow-origin"), Some(own));
    assert!(answer.header("access-control-allow-headers").unwrap().starts_with("authorization, "));
    assert!(answer.header("access-control-allow-methods").unwrap().contains("patch"));
    assert_eq!(answer.header("access-control-allow-credentials"), None);
    let answer = ask("OPTIONS", preflight(evil)).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (403, None));
    assert_eq!(ask("OPTIONS", vec![]).await.status, 405, "no preflight");

    let bearer = format!("Bearer {}", server.token("alice").sign());
    let with = |origin: &str| vec![("Origin", origin.to_owned()), ("Authorization", bearer.clone())];
    let answer = ask("GET", with(own)).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, Some(own)));
    assert_eq!(answer.header("vary"), Some("origin"));
    // Whoever has the token is answered; the browser keeps the answer from the page.
    let answer = ask("GET", with(evil)).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, None));
    // Refusals can be read by the pages that may.
    let answer = ask("GET", vec![("Origin", own.to_owned())]).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (401, Some(own)));
}
