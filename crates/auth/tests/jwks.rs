//! Key sets as issuers publish them, and as nobody should.

use campanile_auth::{Algorithm, Issuer, IssuerConfig, IssuerKeys, JwksError, MAX_JWKS_BYTES};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::mint::*;

const ASYMMETRIC: [Algorithm; 9] = {
    use Algorithm::*;
    [RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA]
};

fn awaited(algorithms: &[Algorithm]) -> Issuer {
    Issuer::new(&IssuerConfig::new("x", X, &[], algorithms), &IssuerKeys::Awaited).unwrap()
}

/// The issuer with these keys, and how many of them are used.
fn with(algorithms: &[Algorithm], keys: &[Value]) -> (Issuer, usize) {
    let issuer = awaited(algorithms).with_jwks(&json!({ "keys": keys }).to_string()).unwrap();
    assert_eq!(issuer.keys() + issuer.unused_keys(), keys.len());
    let used = issuer.keys();
    (issuer, used)
}

/// Whether a token signed by the fixture of `algorithm` is believed with this one key.
fn verifies(allowed: &[Algorithm], key: Value, algorithm: Algorithm) -> bool {
    let (issuer, _) = with(allowed, &[key]);
    let payload = format!(r#"{{"iss":"{X}","sub":"a","exp":1767229200}}"#);
    believing(vec![], [issuer]).verify(&token(algorithm, payload), now()).is_ok()
}

#[test]
fn every_kind_of_key() {
    for algorithm in ASYMMETRIC {
        let key = jwk(&signing_key(algorithm), algorithm, json!({}));
        assert!(verifies(&ASYMMETRIC, key.clone(), algorithm), "{algorithm}");
        assert!(verifies(&[algorithm], key.clone(), algorithm), "{algorithm}");
        let others: Vec<Algorithm> = ASYMMETRIC.into_iter().filter(|other| *other != algorithm).collect();
        assert!(!verifies(&others, key, algorithm), "{algorithm} is not allowed");
    }
}

#[test]
fn what_a_key_says_it_is_for() {
    use Algorithm::*;
    let rsa = |members: Value| jwk(&signing_key(RS256), RS256, members);
    for good in [
        json!({ "use": "sig" }),
        json!({ "key_ops": ["verify"] }),
        json!({ "key_ops": ["sign", "verify"], "use": "sig", "alg": "RS256" }),
        json!({ "alg": "RS256", "x5c": ["MIIB"], "x5u": "https://evil.example", "x5t": "a", "ext": true }),
        json!({ "kid": "", "issuer": "https://elsewhere.example" }),
    ] {
        assert!(verifies(&ASYMMETRIC, rsa(good.clone()), RS256), "{good}");
    }
    for bad in [
        json!({ "use": "enc" }),
        json!({ "use": "" }),
        json!({ "key_ops": [] }),
        json!({ "key_ops": ["encrypt"] }),
        json!({ "use": "sig", "key_ops": ["sign"] }),
        json!({ "alg": "RSA-OAEP" }),
        json!({ "alg": "PS256" }),
        json!({ "alg": "HS256" }),
        json!({ "alg": "none" }),
        json!({ "alg": "rs256" }),
        json!({ "alg": "" }),
        json!({ "d": "AQAB" }),
        json!({ "kty": "oct" }),
        json!({ "kty": "EC" }),
        json!({ "kty": "rsa" }),
        json!({ "kty": 1 }),
        json!({ "kid": 1 }),
        json!({ "use": 1 }),
        json!({ "key_ops": "verify" }),
        json!({ "n": "" }),
        json!({ "n": "AQ" }),
        json!({ "n": "not base64url!" }),
        json!({ "n": null }),
        json!({ "e": "" }),
        json!({ "e": "AA" }),
        json!({ "e": "AQ" }),
        json!({ "e": "Ag" }),
        json!({ "e": "/////w" }),
    ] {
        let key = rsa(bad.clone());
        assert_eq!(
            with(&ASYMMETRIC, std::slice::from_ref(&key)).1,
            usize::from(bad["alg"] == "PS256"),
            "{bad}"
        );
        assert!(!verifies(&ASYMMETRIC, key, RS256), "{bad}");
    }
}

/// A modulus of other sizes never verifies: too weak, or too costly.
#[test]
fn sizes_of_rsa_keys() {
    let modulus = |bits: usize| {
        let mut bytes = vec![0xff; bits / 8];
        bytes[0] = 0x80;
        json!({ "kty": "RSA", "n": encode(bytes), "e": "AQAB" })
    };
    for (bits, used) in
        [(512, 0), (1024, 0), (2040, 0), (2048, 1), (4096, 1), (8192, 1), (8200, 0), (16_384, 0)]
    {
        assert_eq!(with(&[Algorithm::RS256], &[modulus(bits)]).1, used, "{bits}");
    }
}

#[test]
fn curves_and_points() {
    use Algorithm::*;
    let p256 = |members: Value| jwk(&signing_key(ES256), ES256, members);
    let point = p256(json!({}));
    let longer = json!({ "x": encode([&[0_u8][..], &[7; 32]].concat()) });
    for bad in [
        json!({ "crv": "P-384" }),
        json!({ "crv": "P-521" }),
        json!({ "crv": "secp256k1" }),
        json!({ "crv": "Ed25519" }),
        json!({ "crv": null }),
        json!({ "x": point["y"], "y": point["x"] }),
        json!({ "x": encode([0; 32]), "y": encode([0; 32]) }),
        json!({ "x": "" }),
        json!({ "y": null }),
        longer,
    ] {
        assert_eq!(with(&ASYMMETRIC, &[p256(bad.clone())]).1, 0, "{bad}");
    }
    let ed = |members: Value| jwk(&signing_key(EdDSA), EdDSA, members);
    for bad in [
        json!({ "crv": "Ed448" }),
        json!({ "crv": "X25519" }),
        json!({ "x": encode([1; 31]) }),
        json!({ "x": encode([1; 33]) }),
        json!({ "x": null }),
    ] {
        assert_eq!(with(&ASYMMETRIC, &[ed(bad.clone())]).1, 0, "{bad}");
    }
}

#[test]
fn a_shared_secret_is_never_one() {
    let oct = |members: Value| {
        let mut key = json!({ "kty": "oct", "kid": "s", "alg": "HS256", "use": "sig", "k": encode(SECRET) });
        key.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        key
    };
    assert_eq!(with(&ASYMMETRIC, &[oct(json!({}))]).1, 0);
    let rsa = jwk(&signing_key(Algorithm::RS256), Algorithm::RS256, json!({}));
    // One that is both is what its `kty` says.
    assert_eq!(with(&ASYMMETRIC, &[oct(rsa)]).1, 0, "its alg is HS256");
    assert_eq!(with(&ASYMMETRIC, &[oct(json!({ "alg": "RS256" }))]).1, 0);
}

#[test]
fn what_is_unknown_is_left_out() {
    let rsa = jwk(&signing_key(Algorithm::RS256), Algorithm::RS256, json!({ "kid": "good" }));
    let keys =
        [json!({ "kty": "AKP", "alg": "ML-DSA-44" }), json!({}), json!(1), json!(null), json!([]), rsa];
    let (issuer, used) = with(&[Algorithm::RS256], &keys);
    assert_eq!((used, issuer.unused_keys()), (1, 5));
}

#[test]
fn not_a_key_set() {
    let rsa = jwk(&signing_key(Algorithm::RS256), Algorithm::RS256, json!({}));
    let read = |text: &str| awaited(&[Algorithm::RS256]).with_jwks(text).err();
    for bad in [
        "",
        "null",
        "[]",
        "{}",
        "{\"keys\":{}}",
        "{\"keys\":null}",
        "{\"keys\":[]",
        "{\"keys\":[]}x",
        "{\"keys\":[],\"keys\":[]}",
        "<html>",
        &rsa.to_string(),
        &"[".repeat(100_000),
    ] {
        assert_eq!(read(bad), Some(JwksError::Malformed), "{}", &bad[..bad.len().min(40)]);
    }
    let many = vec![rsa.clone(); 65];
    assert_eq!(read(&json!({ "keys": many }).to_string()), Some(JwksError::TooMany { got: 65 }));
    assert_eq!(read(&json!({ "keys": many[..64] }).to_string()), None);
    let padded = |bytes: usize| {
        let text = json!({ "keys": [rsa] }).to_string();
        format!("{text}{}", " ".repeat(bytes - text.len()))
    };
    assert_eq!(read(&padded(MAX_JWKS_BYTES)), None);
    assert_eq!(read(&padded(MAX_JWKS_BYTES + 1)), Some(JwksError::TooLarge { got: MAX_JWKS_BYTES + 1 }));
}

proptest! {
    /// Whatever is published is answered without a panic, and gives no key that was not published.
    #[test]
    fn any_change_to_a_set_is_survived(at in 0..4_000_usize, byte: u8, cut in 0..4_000_usize) {
        let keys: Vec<Value> = ASYMMETRIC.map(|a| jwk(&signing_key(a), a, json!({ "kid": a.name() }))).to_vec();
        let mut bytes = json!({ "keys": keys }).to_string().into_bytes();
        let len = bytes.len();
        bytes[at % len] = byte;
        bytes.truncate(len - (cut % len) / 8);
        if let Ok(issuer) = awaited(&ASYMMETRIC).with_jwks(&String::from_utf8_lossy(&bytes)) {
            prop_assert!(issuer.keys() <= ASYMMETRIC.len());
            let forged = signed(Algorithm::HS256, r#"{"alg":"HS256"}"#, claims_of(X).to_string());
            prop_assert!(believing(vec![], [issuer]).verify(&forged, now()).is_err());
        }
    }
}
