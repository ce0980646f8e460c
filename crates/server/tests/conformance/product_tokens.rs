//! Checks 8 to 16: tokens that must not open the product surface.

use campanile_testkit::{Client, Token, forge};
use serde_json::{Value, json};

use super::*;

const HS256: &str = r#"{"alg":"HS256","typ":"JWT"}"#;
/// A public key that one of the servers below believes.
const RSA_FILE: &str = "../auth/tests/fixtures/rsa.pub.pem";
const RSA: &str = include_str!("../../../auth/tests/fixtures/rsa.pub.pem");

async fn is_invalid(server: &TestServer, token: &str) {
    let close = turned_away(server, &product_at(token)).await;
    assert_eq!(close, closed(1008, "Access token invalid"), "{token}");
}

async fn is_welcome(server: &TestServer, token: &str) {
    let mut client = Client::connect(server.address, &product_at(token)).await;
    assert_eq!(client.json().await["type"], "CONNECTION_ESTABLISHED");
    client.leave().await;
}

#[tokio::test]
async fn check_008_other_than_three_segments_is_closed_1008() {
    let server = server().await;
    let token = product_token(&server, "alice").sign();
    let (message, signature) = token.rsplit_once('.').unwrap();
    for bad in [
        message.to_owned(),
        format!("{token}."),
        format!("{token}.{signature}"),
        format!("{token}.{signature}.{signature}"),
        format!(".{token}"),
        signature.to_owned(),
    ] {
        is_invalid(&server, &bad).await;
    }
    is_welcome(&server, &token).await;
}

#[tokio::test]
async fn check_009_signature_by_another_key_is_closed_1008() {
    let server = server().await;
    let claims = product_token(&server, "alice").0.to_string();
    is_invalid(&server, &forge(HS256, &claims, "another-secret-of-enough-bytes-0123456789")).await;
    is_invalid(&server, &forge(HS256, &claims, "")).await;
    // Somebody else's genuine signature under these claims.
    let (mine, other) =
        (forge(HS256, &claims, campanile_testkit::SECRET), product_token(&server, "bob").sign());
    let stolen = format!("{}.{}", mine.rsplit_once('.').unwrap().0, other.rsplit_once('.').unwrap().1);
    is_invalid(&server, &stolen).await;
}

#[tokio::test]
async fn check_010_alg_none_is_closed_1008() {
    let server = server().await;
    let claims = product_token(&server, "alice").0.to_string();
    for alg in ["none", "None", "NONE", "nOnE", "none "] {
        let header = format!(r#"{{"alg":"{alg}","typ":"JWT"}}"#);
        let signed = forge(&header, &claims, campanile_testkit::SECRET);
        let unsigned = format!("{}.", signed.rsplit_once('.').unwrap().0);
        is_invalid(&server, &unsigned).await;
        is_invalid(&server, &signed).await;
    }
}

#[tokio::test]
async fn check_011_algorithm_confusion_is_closed_1008() {
    let server =
        configured(&format!("[[auth.keys]]\nalgorithm = \"RS256\"\npublic_key_file = {RSA_FILE:?}\n")).await;
    let claims = product_token(&server, "alice").0.to_string();
    for alg in ["RS256", "HS384", "HS512", "ES256", "PS256", "EdDSA"] {
        let header = format!(r#"{{"alg":"{alg}","typ":"JWT"}}"#);
        is_invalid(&server, &forge(&header, &claims, campanile_testkit::SECRET)).await;
        is_invalid(&server, &forge(&header, &claims, RSA)).await;
    }
    is_invalid(&server, &forge(HS256, &claims, RSA)).await;
    is_invalid(&server, &forge(HS256, &claims, RSA.trim())).await;
    is_welcome(&server, &forge(HS256, &claims, campanile_testkit::SECRET)).await;
    let private = include_bytes!("../../../auth/tests/fixtures/rsa.pem");
    let header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::RS256);
    let key = jsonwebtoken::EncodingKey::from_rsa_pem(private).unwrap();
    let claims: Value = serde_json::from_str(&claims).unwrap();
    is_welcome(&server, &jsonwebtoken::encode(&header, &claims, &key).unwrap()).await;
}

#[tokio::test]
async fn check_012_expired_at_connect_is_closed_1008_naming_it() {
    let server = server().await;
    let token = product_token(&server, "alice").with("exp", server.now() - 60);
    assert_eq!(turned_away(&server, &product_at(&token.sign())).await, closed(1008, "Access token expired"));
}

#[tokio::test]
async fn check_013_leeway_is_none_unless_configured() {
    let expired = closed(1008, "Access token expired");
    let ago = |server: &TestServer, seconds: i64| {
        product_at(&product_token(server, "alice").with("exp", server.now() - seconds).sign())
    };
    let strict = server().await;
    to_the_second(&strict);
    assert_eq!(turned_away(&strict, &ago(&strict, 2)).await, expired);
    assert_eq!(turned_away(&strict, &ago(&strict, 0)).await, expired);
    let lenient = configured("[auth]\nleeway = \"5s\"\n").await;
    to_the_second(&lenient);
    assert_eq!(turned_away(&lenient, &ago(&lenient, 5)).await, expired);
    let mut client = Client::connect(lenient.address, &ago(&lenient, 2)).await;
    assert_eq!(client.json().await["type"], "CONNECTION_ESTABLISHED");
    lenient.pass(millis(2_900)).await;
    delivers(&lenient, "default", "alice", &mut client).await;
    lenient.pass(millis(1_100)).await;
    assert_eq!(client.close().await, expired);
}

#[tokio::test]
async fn check_014_exp_of_another_shape_is_closed_1008() {
    let server = server().await;
    let later = server.now() + 3600;
    is_invalid(&server, &product_token(&server, "alice").without("exp").sign()).await;
    for exp in [json!(later.to_string()), json!(-1), json!(1e30), json!(null), json!(true), json!([later])] {
        is_invalid(&server, &product_token(&server, "alice").with("exp", exp).sign()).await;
    }
    let raw = |exp: &str| {
        let payload = format!(r#"{{"userId":"alice","exp":{exp}}}"#);
        forge(HS256, &payload, campanile_testkit::SECRET)
    };
    for exp in ["1e999", "99999999999999999999999999", "-0", "NaN", "01"] {
        is_invalid(&server, &raw(exp)).await;
    }
    // A number with a fraction is a NumericDate (RFC 7519 §2), and is judged like any other.
    is_welcome(&server, &raw(&format!("{later}.5"))).await;
    let past = turned_away(&server, &product_at(&raw(&format!("{}.5", server.now() - 60)))).await;
    assert_eq!(past, closed(1008, "Access token expired"));
}

#[tokio::test]
async fn check_015_nbf_in_the_future_is_closed_1008() {
    let server = server().await;
    let soon = server.now() + 60;
    let token = product_token(&server, "alice").with("nbf", soon).sign();
    is_invalid(&server, &token).await;
    server.pass(secs(61)).await;
    is_welcome(&server, &token).await;
    // `iat` in the future only tells that the issuer has another clock; the way to say "not yet" is `nbf`.
    is_welcome(&server, &product_token(&server, "alice").with("iat", server.now() + 3600).sign()).await;
    is_invalid(&server, &product_token(&server, "alice").with("iat", "soon").sign()).await;
}

#[tokio::test]
async fn check_016_no_usable_user_is_closed_1008() {
    let server = server().await;
    is_invalid(&server, &product_token(&server, "alice").without("userId").sign()).await;
    let long = "x".repeat(129);
    for user in [
        json!(null),
        json!(""),
        json!(7),
        json!({"id": "alice"}),
        json!(["alice"]),
        json!("a\n"),
        json!(long),
    ] {
        // `sub` does not stand in for a claim that is there and unusable.
        let token = product_token(&server, "alice").with("userId", user);
        is_invalid(&server, &token.clone().sign()).await;
        is_invalid(&server, &token.with("sub", "alice").sign()).await;
    }
    let by_sub = product_token(&server, "x").without("userId").with("sub", "bob").sign();
    let mut client = Client::connect(server.address, &product_at(&by_sub)).await;
    assert_eq!(client.json().await["userId"], "bob");
    let longest = Token::of(&"é".repeat(64), server.now()).without("workspaces");
    is_welcome(&server, &longest.sign()).await;
}
