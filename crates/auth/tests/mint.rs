//! Tokens of any shape, signed by the keys in `fixtures/`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use campanile_auth::{Algorithm, Config, Issuer, IssuerConfig, IssuerKeys, KeyConfig, KeySet, Verifier};
use campanile_model::Timestamp;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{EncodingKey, crypto};
use serde_json::{Value, json};

/// The instant every test calls now: 2026-01-01T00:00:00Z.
pub const NOW: i64 = 1_767_225_600;

/// The secret of the HMAC keys.
pub const SECRET: &str = "an HMAC secret of more than 32 bytes, for tests only";

/// A payload with nothing wrong in it.
pub const GOOD: &str = r#"{"userId":"alice","workspaces":["acme"],"exp":1767229200}"#;

pub const ALGORITHMS: [Algorithm; 12] = {
    use Algorithm::*;
    [HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA]
};

/// The key texts, private where they say so.
pub mod fixture {
    pub const RSA_PRIVATE: &str = include_str!("fixtures/rsa.pem");
    pub const RSA: &str = include_str!("fixtures/rsa.pub.pem");
    pub const OTHER_RSA_PRIVATE: &str = include_str!("fixtures/rsa-other.pem");
    pub const RSA_PKCS1: &str = include_str!("fixtures/rsa.pkcs1.pub.pem");
    pub const RSA_CERTIFICATE: &str = include_str!("fixtures/rsa.cert.pem");
    pub const RSA_1024: &str = include_str!("fixtures/rsa-1024.pub.pem");
    pub const P256_PRIVATE: &str = include_str!("fixtures/p256.pem");
    pub const P256: &str = include_str!("fixtures/p256.pub.pem");
    pub const P384_PRIVATE: &str = include_str!("fixtures/p384.pem");
    pub const P384: &str = include_str!("fixtures/p384.pub.pem");
    pub const ED25519_PRIVATE: &str = include_str!("fixtures/ed25519.pem");
    pub const ED25519: &str = include_str!("fixtures/ed25519.pub.pem");
}

pub fn now() -> Timestamp {
    Timestamp::from_millis(NOW * 1000)
}

/// The key of `algorithm` as an operator would configure it.
pub fn key(id: Option<&str>, algorithm: Algorithm) -> KeyConfig {
    let pem = match algorithm {
        Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => None,
        Algorithm::ES256 => Some(fixture::P256),
        Algorithm::ES384 => Some(fixture::P384),
        Algorithm::EdDSA => Some(fixture::ED25519),
        _ => Some(fixture::RSA),
    };
    KeyConfig {
        id: id.map(Into::into),
        algorithm,
        secret: pem.is_none().then(|| SECRET.into()),
        pem: pem.map(Into::into),
    }
}

/// What signs for that key.
pub fn signing_key(algorithm: Algorithm) -> EncodingKey {
    match algorithm {
        Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => EncodingKey::from_secret(SECRET.as_bytes()),
        Algorithm::ES256 => EncodingKey::from_ec_pem(fixture::P256_PRIVATE.as_bytes()).unwrap(),
        Algorithm::ES384 => EncodingKey::from_ec_pem(fixture::P384_PRIVATE.as_bytes()).unwrap(),
        Algorithm::EdDSA => EncodingKey::from_ed_pem(fixture::ED25519_PRIVATE.as_bytes()).unwrap(),
        _ => EncodingKey::from_rsa_pem(fixture::RSA_PRIVATE.as_bytes()).unwrap(),
    }
}

pub fn verifier(keys: Vec<KeyConfig>) -> Verifier {
    configured(Config { keys, ..Config::default() })
}

pub fn configured(config: Config) -> Verifier {
    Verifier::new(KeySet::new(&config).unwrap(), &config)
}

/// One key of every algorithm, called by the algorithm's name.
pub fn every_key() -> Vec<KeyConfig> {
    ALGORITHMS.into_iter().map(|a| key(Some(a.name()), a)).collect()
}

pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Header and payload as they are, signed as `algorithm` says, whatever the header says.
pub fn signed(algorithm: Algorithm, header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
    sign_message(algorithm, &format!("{}.{}", encode(header), encode(payload)))
}

/// Any text for the first two segments.
pub fn sign_message(algorithm: Algorithm, message: &str) -> String {
    sign_with(&signing_key(algorithm), algorithm, message)
}

pub fn sign_with(key: &EncodingKey, algorithm: Algorithm, message: &str) -> String {
    let algorithm: jsonwebtoken::Algorithm = algorithm.name().parse().unwrap();
    format!("{message}.{}", crypto::sign(message.as_bytes(), key, algorithm).unwrap())
}

/// A token with an honest header and this payload.
pub fn token(algorithm: Algorithm, payload: impl AsRef<[u8]>) -> String {
    signed(algorithm, format!(r#"{{"alg":"{algorithm}","typ":"JWT"}}"#), payload)
}

/// An HS256 token with this header and nothing else wrong.
pub fn with_header(header: impl AsRef<[u8]>) -> String {
    signed(Algorithm::HS256, header, GOOD)
}

/// An HS256 token with this payload and nothing else wrong.
pub fn with_payload(payload: impl AsRef<[u8]>) -> String {
    token(Algorithm::HS256, payload)
}

/// The public key as an issuer publishes it, with these members besides.
pub fn jwk(key: &EncodingKey, algorithm: Algorithm, members: Value) -> Value {
    let jwk = Jwk::from_encoding_key(key, algorithm.name().parse().unwrap()).unwrap();
    let mut jwk = serde_json::to_value(jwk).unwrap();
    jwk.as_object_mut().unwrap().remove("alg");
    jwk.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    jwk
}

pub fn jwks(keys: &[Value]) -> IssuerKeys {
    IssuerKeys::Jwks(json!({ "keys": keys }).to_string())
}

pub fn other_rsa() -> EncodingKey {
    EncodingKey::from_rsa_pem(fixture::OTHER_RSA_PRIVATE.as_bytes()).unwrap()
}

/// Signs with RSA and ECDSA, and has published a shared secret by mistake.
pub const X: &str = "https://x.example/";
/// Signs with Ed25519, and with an RSA key that is for PS256 only.
pub const Y: &str = "https://y.example/";
/// Has a shared secret.
pub const Z: &str = "https://z.example/";
/// The secret of [`Z`].
pub const Z_SECRET: &str = "the secret of an issuer, of more than 32 bytes";

pub fn x() -> Issuer {
    use Algorithm::*;
    let keys = [
        jwk(&signing_key(RS256), RS256, json!({ "kid": "x-rsa", "use": "sig" })),
        jwk(&signing_key(ES256), ES256, json!({ "kid": "x-ec", "alg": "ES256" })),
        json!({ "kty": "oct", "kid": "x-oct", "k": encode(SECRET) }),
    ];
    let mut config = IssuerConfig::new("x", X, &["campanile", "also-us"], &[RS256, ES256]);
    config.claims.scope = "/realm_access/roles".into();
    Issuer::new(&config, &jwks(&keys)).unwrap()
}

pub fn y() -> Issuer {
    use Algorithm::*;
    let keys = [
        jwk(&signing_key(EdDSA), EdDSA, json!({ "kid": "y-ed" })),
        jwk(&other_rsa(), PS256, json!({ "kid": "y-rsa", "alg": "PS256", "key_ops": ["verify"] })),
    ];
    Issuer::new(&IssuerConfig::new("y", Y, &["campanile"], &[EdDSA, RS256, PS256]), &jwks(&keys)).unwrap()
}

pub fn z() -> Issuer {
    let config = IssuerConfig::new("z", Z, &["campanile"], &[Algorithm::HS256]);
    Issuer::new(&config, &IssuerKeys::Secret(Z_SECRET.into())).unwrap()
}

/// Believes these keys, whatever a token's `iss`, and these issuers.
pub fn believing(keys: Vec<KeyConfig>, issuers: impl IntoIterator<Item = Issuer>) -> Verifier {
    let config = Config { keys, ..Config::default() };
    Verifier::new(KeySet::of(&config, issuers).unwrap(), &config)
}

/// The claims of a good token of `iss`, for us.
pub fn claims_of(iss: &str) -> Value {
    json!({ "iss": iss, "sub": "alice", "aud": "campanile", "workspaces": ["acme"], "exp": NOW + 3600 })
}

/// A token of [`X`] by its RSA key, with this payload.
pub fn from_x(payload: impl AsRef<[u8]>) -> String {
    signed(Algorithm::RS256, r#"{"alg":"RS256","typ":"JWT","kid":"x-rsa"}"#, payload)
}
