//! Tokens that are guessed: after so many wrong ones in a minute a client address is not looked at until it is over.
//!
//! Every client of these tests is behind a proxy, since this machine's own addresses are not counted.

use std::time::Duration;

use campanile_testkit::{Answer, Client, TestServer, WAIT, forge, read_head, request};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::backend::refused;

const LIMIT: usize = 20;
const BEHIND_A_PROXY: &str = "trusted_proxies = [\"127.0.0.1\"]\n";
const EVE: &str = "203.0.113.5";
const INBOX: &str = "/v1/workspaces/acme/inbox";

async fn limited(to: usize) -> TestServer {
    TestServer::configured(&format!("[server]\n{BEHIND_A_PROXY}auth_failures_per_minute = {to}\n")).await
}

/// One that no key of the server's has made; each `n` is another one.
fn forged(server: &TestServer, n: usize) -> String {
    let claims = server.token("alice").with("n", n).0.to_string();
    forge(
        r#"{"alg":"HS256","typ":"JWT"}"#,
        &claims,
        "a secret that is not the server's, of more than 32 bytes",
    )
}

/// A good one that nobody has shown before.
fn fresh(server: &TestServer, n: usize) -> String {
    server.token("alice").with("workspaces", json!(["acme", "default"])).with("n", format!("good {n}")).sign()
}

async fn get(server: &TestServer, from: &str, path: &str, token: &str) -> Answer {
    let bearer = format!("Bearer {token}");
    let headers = [("Authorization", bearer.as_str()), ("X-Forwarded-For", from)];
    request(server.address, "GET", path, &headers, b"").await
}

async fn inbox(server: &TestServer, from: &str, token: &str) -> u16 {
    get(server, from, INBOX, token).await.status
}

/// Upgrades, on a connection that `before` was sent on and answered, if anything.
async fn upgrade(server: &TestServer, from: &str, before: &str, path: &str) -> Answer {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    if !before.is_empty() {
        stream.write_all(before.as_bytes()).await.unwrap();
        let answer = read_head(&mut stream).await;
        let mut body = vec![0; answer.header("content-length").unwrap().parse().unwrap()];
        stream.read_exact(&mut body).await.unwrap();
    }
    let head = format!(
        "GET {path} HTTP/1.1\r\nHost: n\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX-Forwarded-For: {from}\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = read_head(&mut stream).await;
    if answer.status != 101 {
        let body = tokio::time::timeout(WAIT, stream.read_to_end(&mut answer.body)).await;
        body.expect("an end in time").unwrap();
    }
    answer
}

fn sockets(token: &str) -> [String; 3] {
    [
        format!("/?token={token}&workspaceSlug=acme"),
        format!("/api/ws/notification?access_token={token}"),
        format!("/v1/connect?workspace=acme&token={token}"),
    ]
}

#[track_caller]
fn is_turned_away(answer: Answer, seconds: &str) {
    assert_eq!(answer.header("retry-after"), Some(seconds));
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    refused(answer, 429, "too_many_refused_tokens");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_guesses_waits_for_the_minute_everywhere() {
    let server = limited(LIMIT).await;
    let (known, late) = (fresh(&server, 0), fresh(&server, 1));
    assert_eq!(inbox(&server, EVE, &known).await, 200);
    let bearer = format!("Bearer {known}");
    let headers = [("Authorization", bearer.as_str()), ("X-Forwarded-For", EVE)];
    let ticket = request(server.address, "POST", "/v1/tickets", &headers, b"").await;
    let ticket = ticket.json()["ticket"].as_str().unwrap().to_owned();
    // In each of the ways in which tokens are shown: they are counted together.
    for n in 0..LIMIT {
        let token = forged(&server, n);
        match n % 5 {
            0 => assert_eq!(inbox(&server, EVE, &token).await, 401),
            1 => assert_eq!(get(&server, EVE, "/api/notification/list", &token).await.status, 401),
            2 => assert_eq!(get(&server, EVE, "/v1/workspaces/acme/stream", &token).await.status, 401),
            3 => assert_eq!(upgrade(&server, EVE, "", &sockets(&token)[n % 3]).await.status, 101),
            _ => assert_eq!(upgrade(&server, EVE, HEALTH, &sockets(&token)[n % 3]).await.status, 101),
        }
    }
    server.clock.advance(Duration::from_millis(10_500));
    // Good or not: it is not looked at.
    for token in [forged(&server, LIMIT), late.clone()] {
        for path in [INBOX, "/api/notification/list", "/v1/workspaces/acme/stream", "/v1/issuers"] {
            is_turned_away(get(&server, EVE, path, &token).await, "50");
        }
        for path in sockets(&token) {
            for before in ["", HEALTH] {
                is_turned_away(upgrade(&server, EVE, before, &path).await, "50");
            }
        }
    }
    // Whom the server knows is not locked out by somebody at the same address, nor is anybody elsewhere.
    assert_eq!(inbox(&server, EVE, &known).await, 200);
    for path in sockets(&known) {
        assert_eq!(upgrade(&server, EVE, "", &path).await.status, 101);
    }
    let path = format!("/?ticket={ticket}&workspaceSlug=acme");
    assert_eq!(upgrade(&server, EVE, "", &path).await.status, 101, "a ticket costs no signature");
    assert_eq!(inbox(&server, "203.0.113.6", &fresh(&server, 2)).await, 200);
    assert_eq!(inbox(&server, "203.0.113.6", &forged(&server, 0)).await, 401);
    assert_eq!(
        request(server.address, "GET", "/healthz", &[("X-Forwarded-For", EVE)], b"").await.status,
        200
    );

    // It was the minute from the first of them on.
    server.pass(Duration::from_millis(49_499)).await;
    is_turned_away(get(&server, EVE, INBOX, &late).await, "1");
    server.pass(Duration::from_millis(1)).await;
    assert_eq!(inbox(&server, EVE, &late).await, 200);
    assert_eq!(upgrade(&server, EVE, "", &sockets(&fresh(&server, 3))[0]).await.status, 101);
    for n in 0..LIMIT {
        assert_eq!(inbox(&server, EVE, &forged(&server, 100 + n)).await, 401);
    }
    is_turned_away(get(&server, EVE, INBOX, &fresh(&server, 4)).await, "60");
}

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nHost: n\r\n\r\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn networks_of_ipv6_are_counted_as_one() {
    let server = limited(LIMIT).await;
    for n in 0..LIMIT {
        assert_eq!(inbox(&server, &format!("2001:db8::{n:x}:1"), &forged(&server, n)).await, 401);
    }
    is_turned_away(get(&server, "2001:db8::ffff:1", INBOX, &fresh(&server, 0)).await, "60");
    assert_eq!(inbox(&server, "2001:db8:0:1::1", &fresh(&server, 1)).await, 200);
}

/// People with a token that is late, taken back or of somewhere else, with none, or with one broken client that repeats
/// itself: nobody of them guesses.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_guess_is_not_counted() {
    let server = limited(LIMIT).await;
    for n in 0..2 * LIMIT {
        let expired = server.token("alice").with("exp", server.now() - 1).with("n", n).sign();
        refused(get(&server, EVE, INBOX, &expired).await, 401, "token_expired");
        let elsewhere = server.token("alice").with("workspaces", json!(["other"])).with("n", n).sign();
        refused(get(&server, EVE, INBOX, &elsewhere).await, 403, "workspace_refused");
        let bare = request(server.address, "GET", INBOX, &[("X-Forwarded-For", EVE)], b"").await;
        refused(bare, 401, "token_missing");
        let path = format!("/?ticket=cmp_tk_{n}&workspaceSlug=acme");
        assert_eq!(upgrade(&server, EVE, "", &path).await.status, 101);
        let answer = get(&server, EVE, INBOX, "undefined").await;
        let status = if n < 5 { 401 } else { 429 };
        let code = if n < 5 { "token_invalid" } else { "token_refused_repeatedly" };
        refused(answer, status, code);
    }
    assert_eq!(inbox(&server, EVE, &fresh(&server, 0)).await, 200);
    assert_eq!(inbox(&server, EVE, &forged(&server, 0)).await, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_unless_configured_and_never_from_this_machine() {
    let server = TestServer::configured(&format!("[server]\n{BEHIND_A_PROXY}")).await;
    for n in 0..100 {
        assert_eq!(inbox(&server, EVE, &forged(&server, n)).await, 401);
    }
    is_turned_away(get(&server, EVE, INBOX, &forged(&server, 100)).await, "60");
    for (config, from) in [("", EVE), (BEHIND_A_PROXY, "127.0.0.1"), (BEHIND_A_PROXY, "::1")] {
        let server = TestServer::configured(&format!("[server]\n{config}")).await;
        for n in 0..110 {
            assert_eq!(inbox(&server, from, &forged(&server, n)).await, 401);
        }
    }
    let server = limited(0).await;
    for n in 0..110 {
        assert_eq!(inbox(&server, EVE, &forged(&server, n)).await, 401);
    }
}

/// With the header of the PROXY protocol, the address is the one that stands there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_address_of_a_balancer_is_not_counted_for_its_clients() {
    let config =
        format!("[server]\n{BEHIND_A_PROXY}proxy_protocol = true\nauth_failures_per_minute = {LIMIT}\n");
    let server = TestServer::configured(&config).await;
    let status = async |last: u8, token: &str| {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let header = [
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".as_slice(),
            &[203, 0, 113, last, 127, 0, 0, 1, 1, 1, 2, 2],
        ];
        let head = format!(
            "GET {INBOX} HTTP/1.1\r\nHost: n\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        stream.write_all(&[header.concat(), head.into_bytes()].concat()).await.unwrap();
        read_head(&mut stream).await.status
    };
    for n in 0..LIMIT {
        assert_eq!(status(5, &forged(&server, n)).await, 401);
    }
    assert_eq!(status(5, &fresh(&server, 0)).await, 429);
    assert_eq!(status(6, &fresh(&server, 1)).await, 200);
}

/// Whoever was let in stays, and what they send is not a guess from their neighbours.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn live_sockets_do_not_notice() {
    let server = limited(1).await;
    let mut alice = Client::connect(server.address, &server.workspace_path("alice")).await;
    assert_eq!(inbox(&server, EVE, &forged(&server, 0)).await, 401);
    is_turned_away(get(&server, EVE, INBOX, &fresh(&server, 0)).await, "60");
    server.notify("acme", "alice", "still here").await;
    assert_eq!(alice.json().await["message"], "still here");
}
