//! What must be let in.

use campanile_auth::{Algorithm, Config, Grant, Identity, KeyConfig, Refusal, Words, Workspaces, sign};
use campanile_model::{Slug, Timestamp, UserId};

use crate::mint::*;

fn accept(keys: Vec<KeyConfig>, token: &str) -> Identity {
    let identity = verifier(keys).verify(token, now()).unwrap_or_else(|refusal| panic!("{refusal}"));
    Identity::clone(&identity)
}

#[test]
fn every_algorithm_by_kid_and_without() {
    for algorithm in ALGORITHMS {
        let with_kid = signed(algorithm, format!(r#"{{"alg":"{algorithm}","kid":"{algorithm}"}}"#), GOOD);
        for token in [with_kid, token(algorithm, GOOD)] {
            let identity = accept(every_key(), &token);
            assert_eq!(identity.user.as_str(), "alice", "{algorithm}");
            assert!(identity.workspaces.grants(&Slug::new("acme").unwrap()));
            assert_eq!(identity.expires_at, Timestamp::from_millis(1_767_229_200_000));
        }
    }
}

#[test]
fn an_rsa_key_in_its_older_form() {
    let pem = fixture::RSA_PKCS1.to_owned();
    let key = KeyConfig { pem: Some(pem), ..key(None, Algorithm::RS256) };
    accept(vec![key], &token(Algorithm::RS256, GOOD));
}

#[test]
fn a_key_without_id_takes_any_kid_that_is_nobody_elses() {
    let hs256 = |id| key(id, Algorithm::HS256);
    let token = |kid| with_header(format!(r#"{{"alg":"HS256","kid":"{kid}"}}"#));
    accept(vec![hs256(None)], &token("anything"));
    accept(vec![hs256(None), hs256(Some("a"))], &token("b"));

    let other = KeyConfig { secret: Some("y".repeat(32)), ..hs256(Some("a")) };
    let refused = verifier(vec![hs256(None), other]).verify(&token("a"), now());
    assert_eq!(refused, Err(Refusal::BadSignature), "its kid names the other key");
}

#[test]
fn two_secrets_while_one_takes_over_from_the_other() {
    let old = KeyConfig { secret: Some("y".repeat(32)), ..key(None, Algorithm::HS256) };
    accept(vec![old, key(None, Algorithm::HS256)], &with_payload(GOOD));
}

#[test]
fn headers_that_say_where_keys_are_change_nothing() {
    for member in [
        r#""jku":"https://evil.example/jwks.json""#,
        r#""x5u":"https://evil.example/cert.pem""#,
        r#""jwk":{"kty":"oct","k":"c2VjcmV0"}"#,
        r#""x5c":["MIIB"]"#,
        r#""x5t":"abc""#,
        r#""typ":"at+jwt""#,
        r#""cty":"json""#,
        r#""typ":"""#,
    ] {
        accept(every_key(), &with_header(format!(r#"{{"alg":"HS256",{member}}}"#)));
    }
}

#[test]
fn the_first_user_claim_that_is_there() {
    let user = |payload: &str| accept(every_key(), &with_payload(payload)).user;
    assert_eq!(user(r#"{"exp":1767229200,"sub":"bob"}"#).as_str(), "bob");
    assert_eq!(user(r#"{"exp":1767229200,"sub":"bob","userId":"alice"}"#).as_str(), "alice");
    assert_eq!(user(r#"{"exp":1767229200,"sub":7,"userId":"alice"}"#).as_str(), "alice");
    let long = "ü".repeat(64);
    assert_eq!(user(&format!(r#"{{"exp":1767229200,"userId":"{long}"}}"#)).as_str(), long);
}

#[test]
fn claims_by_other_names() {
    let mut config = Config { keys: every_key(), ..Config::default() };
    config.claims.user = vec!["https://issuer.example/uid".into()];
    config.claims.workspaces = "org".into();
    config.claims.scope = "scp".into();
    let payload =
        r#"{"exp":1767229200,"https://issuer.example/uid":"u","org":["o"],"scp":"a b","userId":"x"}"#;
    let identity = configured(config).verify(&with_payload(payload), now()).unwrap();
    assert_eq!(identity.user.as_str(), "u");
    assert!(identity.workspaces.named_in_full(&Slug::new("o").unwrap()));
    assert!(identity.has_scope("b") && !identity.has_scope("a b"));
}

#[test]
fn workspaces_unstated_all_and_named() {
    let of = |claim: &str| {
        accept(every_key(), &with_payload(format!(r#"{{"exp":1767229200,"userId":"a"{claim}}}"#))).workspaces
    };
    assert_eq!(of(""), Workspaces::Unstated);
    assert_eq!(of(r#","workspaces":[]"#), Workspaces::Named(Words::default()));
    assert_eq!(of(r#","workspaces":["*"]"#), Workspaces::All { named: Words::default() });
    let named = of(r#","workspaces":["b","Not A Slug","a/../b","a"]"#);
    assert_eq!(named, Workspaces::Named(["a", "b"].into_iter().collect()));
}

#[test]
fn times_within_their_bounds() {
    for claims in [
        r#""exp":1767225601"#,
        r#""exp":1767225600.001"#,
        r#""exp":1767229200.0"#,
        r#""exp":1.7672292e9"#,
        r#""exp":253402300799"#,
        r#""exp":1767229200,"nbf":1767225600"#,
        r#""exp":1767229200,"nbf":0"#,
        r#""exp":1767229200,"iat":1999999999"#,
        r#""exp":1767229200,"iat":1767225599.5"#,
    ] {
        accept(every_key(), &with_payload(format!(r#"{{"userId":"a",{claims}}}"#)));
    }
}

#[test]
fn leeway_is_for_judging_only() {
    let config = Config { keys: every_key(), leeway_secs: 5, ..Config::default() };
    let verifier = configured(config);
    let at = |millis| {
        verifier
            .verify(&with_payload(GOOD), Timestamp::from_millis(millis))
            .map(|identity| identity.expires_at)
    };
    assert_eq!(at(1_767_229_204_999), Ok(Timestamp::from_millis(1_767_229_200_000)));
    assert_eq!(at(1_767_229_205_000), Err(Refusal::Expired));
}

#[test]
fn a_grant_comes_back_as_it_was_signed() {
    let key = key(Some("local"), Algorithm::HS512);
    let mut grant = Grant::new(UserId::new("alice").unwrap(), 60);
    grant.workspaces = Workspaces::All { named: ["acme"].into_iter().collect() };
    grant.scopes = ["notifications:write", "admin"].into_iter().collect();
    grant.email = Some("alice@example.org".into());
    grant.token_id = Some("t-1".into());

    let config = Config { keys: vec![key.clone()], ..Config::default() };
    let token = sign(&key, &config.claims, &grant, now()).unwrap();
    let verifier = configured(config);
    let identity = verifier.verify(&token, now()).unwrap();
    assert_eq!(
        *identity,
        Identity {
            user: grant.user,
            workspaces: grant.workspaces,
            scopes: grant.scopes,
            issuer: None,
            issued_at: Some(now()),
            expires_at: Timestamp::from_millis((NOW + 60) * 1000),
            token_id: grant.token_id,
        }
    );
    assert_eq!(verifier.verify(&token, identity.expires_at), Err(Refusal::Expired));
}
