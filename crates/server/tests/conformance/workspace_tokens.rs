//! Checks 67 to 71, 74 and 75: tokens and slugs that must not open a workspace.

use campanile_testkit::{Client, SECRET, Token, forge};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::*;

const RSA_FILE: &str = "../auth/tests/fixtures/rsa.pub.pem";
const RSA: &str = include_str!("../../../auth/tests/fixtures/rsa.pub.pem");
const NAMED_SECRET: &str = "the-secret-of-the-key-with-a-name-0123456789";

fn unauthorized() -> Closed {
    closed(4001, "unauthorized")
}

async fn is_unauthorized(server: &TestServer, what: &str, token: &str) {
    assert_eq!(turned_away(server, &workspace_at(token)).await, unauthorized(), "{what}");
}

async fn is_welcome(server: &TestServer, token: &str) {
    let mut client = Client::connect(server.address, &workspace_at(token)).await;
    delivers(server, "acme", "alice", &mut client).await;
    client.leave().await;
}

#[tokio::test]
async fn check_067_hostile_tokens_are_closed_4001() {
    let server = configured(&format!(
        "[[auth.keys]]\nid = \"rsa\"\nalgorithm = \"RS256\"\npublic_key_file = {RSA_FILE:?}\n\
         [[auth.keys]]\nid = \"named\"\nalgorithm = \"HS256\"\nsecret = \"{NAMED_SECRET}\"\n"
    ))
    .await;
    let good = server.token("alice").sign();
    let claims = server.token("alice").0.to_string();
    let (message, signature) = good.rsplit_once('.').unwrap();
    let with = |header: Value, secret: &str| forge(&header.to_string(), &claims, secret);
    let kid = |kid: &str| with(json!({"alg": "HS256", "kid": kid}), NAMED_SECRET);
    let mut flipped = good.clone().into_bytes();
    let payload_at = good.find('.').unwrap() + 5;
    flipped[payload_at] = if flipped[payload_at] == b'A' { b'B' } else { b'A' };
    let cases = [
        ("garbage", "garbage".to_owned()),
        ("truncated", good[..good.len() - 1].to_owned()),
        ("truncated before the signature", format!("{message}.")),
        ("without a signature", message.to_owned()),
        ("an extra segment", format!("{good}.{signature}")),
        ("a byte changed", String::from_utf8(flipped).unwrap()),
        ("wrong key", with(json!({"alg": "HS256"}), "another-secret-of-enough-bytes-0123456789")),
        ("alg none, unsigned", format!("{}.", with(json!({"alg": "none"}), "").rsplit_once('.').unwrap().0)),
        ("alg none, signed", with(json!({"alg": "none"}), SECRET)),
        ("HS256 by the RSA public key", with(json!({"alg": "HS256"}), RSA)),
        ("the same under its kid", with(json!({"alg": "HS256", "kid": "rsa"}), RSA)),
        ("RS256 by the shared secret", with(json!({"alg": "RS256", "kid": "rsa"}), SECRET)),
        ("alg absent", with(json!({"typ": "JWT"}), SECRET)),
        ("critical extension", with(json!({"alg": "HS256", "crit": ["exp"]}), SECRET)),
        ("kid unknown", kid("nobody")),
        ("kid a path", kid("../../../../dev/null")),
        ("kid a path, signed with nothing", with(json!({"alg": "HS256", "kid": "/dev/null"}), "")),
        ("kid a URL", kid("http://127.0.0.1/key")),
        ("kid SQL", kid("x' UNION SELECT 'secret' -- ")),
        ("kid with a NUL", kid("named\u{0}")),
        ("kid null", with(json!({"alg": "HS256", "kid": null}), NAMED_SECRET)),
    ];
    for (what, token) in &cases {
        is_unauthorized(&server, what, token).await;
    }
    is_welcome(&server, &kid("named")).await;
    is_welcome(&server, &good).await;
}

#[tokio::test]
async fn check_068_keys_offered_by_the_token_are_ignored() {
    let server = server().await;
    let lure = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/keys.json", lure.local_addr().unwrap());
    let claims = server.token("alice").0.to_string();
    let own = "a-key-of-the-forger-of-enough-bytes-0123456789";
    let own_jwk =
        json!({"kty": "oct", "k": "YS1rZXktb2YtdGhlLWZvcmdlci1vZi1lbm91Z2gtYnl0ZXMtMDEyMzQ1Njc4OQ"});
    for offer in
        [json!({"jku": url}), json!({"x5u": url}), json!({"jwk": own_jwk}), json!({"kid": url, "jku": url})]
    {
        let mut header = offer.clone();
        header["alg"] = json!("HS256");
        is_unauthorized(&server, &offer.to_string(), &forge(&header.to_string(), &claims, own)).await;
        // Beside a genuine signature the offer is just as ignored.
        is_welcome(&server, &forge(&header.to_string(), &claims, SECRET)).await;
    }
    let call = std::future::poll_fn(|cx| std::task::Poll::Ready(lure.poll_accept(cx).is_ready())).await;
    assert!(!call, "the server went to fetch a key");
}

#[tokio::test]
async fn check_069_expired_but_genuine_is_closed_4003() {
    let server = server().await;
    let token = server.token("alice").with("exp", server.now() - 60).sign();
    assert_eq!(turned_away(&server, &workspace_at(&token)).await, closed(4003, "token expired"));
    // Even where it would not have opened the workspace: the token is judged first.
    let token = server.token("bob").with("exp", server.now() - 60).with("workspaces", json!([])).sign();
    assert_eq!(turned_away(&server, &workspace_at(&token)).await, closed(4003, "token expired"));
}

#[tokio::test]
async fn check_070_expired_and_badly_signed_is_closed_4001() {
    let server = server().await;
    let claims = server.token("alice").with("exp", server.now() - 60).0.to_string();
    let token = forge(r#"{"alg":"HS256"}"#, &claims, "another-secret-of-enough-bytes-0123456789");
    is_unauthorized(&server, "badly signed", &token).await;
}

#[tokio::test]
async fn check_071_no_exp_is_closed_4001() {
    let server = server().await;
    is_unauthorized(&server, "no exp", &server.token("alice").without("exp").sign()).await;
}

#[tokio::test]
async fn check_074_a_workspace_not_granted_is_closed_4001_like_one_that_is_not() {
    let server = server().await;
    server.notify("other", "carol", "so that it exists").await;
    let token = |workspaces: Value, n: u32| {
        server.token("alice").with("workspaces", workspaces).with("jti", n.to_string()).sign()
    };
    for (n, slug) in (0..).zip(["other", "nowhere", "default"]) {
        let path = format!("/?token={}&workspaceSlug={slug}", token(json!(["acme"]), n));
        assert_eq!(turned_away(&server, &path).await, unauthorized(), "{slug}");
    }
    is_unauthorized(&server, "no list", &server.token("alice").without("workspaces").sign()).await;
    for (n, list) in
        (10..).zip([json!([]), json!("acme"), json!({"acme": true}), json!(["acme", 1]), json!(null)])
    {
        is_unauthorized(&server, &list.to_string(), &token(list.clone(), n)).await;
    }
    // The star is every existing workspace, and makes none.
    let star = token(json!(["*"]), 20);
    assert_eq!(turned_away(&server, &format!("/?token={star}&workspaceSlug=nowhere")).await, unauthorized());
    let mut client = Client::connect(server.address, &format!("/?token={star}&workspaceSlug=other")).await;
    delivers(&server, "other", "alice", &mut client).await;
}

#[tokio::test]
async fn check_075_other_spellings_of_a_slug_open_nothing() {
    let server = server().await;
    let spellings = [
        "Acme",
        "ACME",
        "acme/",
        "/acme",
        "acme.",
        ".acme",
        "acme%2F",
        "acme%2Fx",
        "..%2Facme",
        "acme%00",
        "acme%20",
        "%20acme",
        "acme+",
        "%D0%B0cme",
        "acm%EF%BD%85",
        "acme%0A",
        "acme-",
        "-acme",
        "*",
        "acme,other",
        "acme%252F",
        "acme%FF",
    ];
    for (n, slug) in spellings.into_iter().enumerate() {
        let token = Token::of("alice", server.now()).with("jti", n.to_string()).sign();
        let (code, _) = turned_away(&server, &format!("/?token={token}&workspaceSlug={slug}")).await;
        // Bytes that are no UTF-8 name no slug at all.
        assert_eq!(code, if slug.ends_with("%FF") { 4002 } else { 4001 }, "{slug}");
    }
    server.sockets(0).await;
}
