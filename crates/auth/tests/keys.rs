//! What stops the start, and whether its message helps.

use campanile_auth::{Algorithm, Config, ConfigError, Grant, KeyConfig, KeySet, Place, sign};
use campanile_model::UserId;

use crate::mint::*;

fn refuse(keys: Vec<KeyConfig>) -> ConfigError {
    KeySet::new(&Config { keys, ..Config::default() }).unwrap_err()
}

fn pem(algorithm: Algorithm, pem: &str) -> KeyConfig {
    KeyConfig { id: None, algorithm, secret: None, pem: Some(pem.into()) }
}

#[test]
fn short_secrets() {
    let short = KeyConfig { secret: Some("x".repeat(31)), ..key(None, Algorithm::HS256) };
    let error = refuse(vec![key(None, Algorithm::HS256), short]);
    assert_eq!(error, ConfigError::ShortSecret { at: Place::Key(1), got: 31 });
    let message = error.to_string();
    assert!(message.contains("auth.keys[1]") && message.contains("31 bytes") && message.contains("openssl"));
    let enough = KeyConfig { secret: Some("x".repeat(32)), ..key(None, Algorithm::HS256) };
    assert!(KeySet::new(&Config { keys: vec![enough], ..Config::default() }).is_ok());
}

#[test]
fn no_key_at_all() {
    assert_eq!(refuse(vec![]), ConfigError::NoKeys);
}

#[test]
fn the_wrong_field_or_none_or_both() {
    let hs256 = |secret: Option<&str>, pem: Option<&str>| KeyConfig {
        id: None,
        algorithm: Algorithm::HS256,
        secret: secret.map(Into::into),
        pem: pem.map(Into::into),
    };
    let wants_secret = ConfigError::WantsSecret { at: Place::Key(0), algorithm: Algorithm::HS256 };
    let public = fixture::RSA;
    for key in [hs256(None, None), hs256(None, Some(public)), hs256(Some(SECRET), Some(public))] {
        assert_eq!(refuse(vec![key]), wants_secret);
    }
    let wants_pem = ConfigError::WantsPem { at: Place::Key(0), algorithm: Algorithm::RS256 };
    for key in [hs256(None, None), hs256(Some(SECRET), None), hs256(Some(SECRET), Some(public))] {
        assert_eq!(refuse(vec![KeyConfig { algorithm: Algorithm::RS256, ..key }]), wants_pem);
    }
}

#[test]
fn a_public_key_as_a_secret() {
    for text in [fixture::RSA, fixture::P256, fixture::RSA_PRIVATE, fixture::RSA_CERTIFICATE] {
        let key = KeyConfig { secret: Some(text.into()), ..key(None, Algorithm::HS256) };
        assert_eq!(refuse(vec![key]), ConfigError::PemAsSecret { at: Place::Key(0) });
    }
}

#[test]
fn a_private_key_as_a_public_one() {
    for (algorithm, text) in [
        (Algorithm::RS256, fixture::RSA_PRIVATE),
        (Algorithm::ES256, fixture::P256_PRIVATE),
        (Algorithm::EdDSA, fixture::ED25519_PRIVATE),
    ] {
        assert_eq!(refuse(vec![pem(algorithm, text)]), ConfigError::PrivateKey { at: Place::Key(0) });
    }
    let both = format!("{}{}", fixture::RSA, fixture::RSA_PRIVATE);
    assert_eq!(refuse(vec![pem(Algorithm::RS256, &both)]), ConfigError::PrivateKey { at: Place::Key(0) });
}

#[test]
fn pems_that_could_verify_nothing() {
    let rsa = fixture::RSA;
    for (algorithm, text) in [
        (Algorithm::RS256, ""),
        (Algorithm::RS256, "not a pem"),
        (Algorithm::RS256, "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n"),
        (Algorithm::RS256, &rsa[..rsa.len() / 2]),
        (Algorithm::RS256, &rsa.replace('M', "N")),
        (Algorithm::RS256, fixture::RSA_CERTIFICATE),
        (Algorithm::RS256, fixture::RSA_1024),
        (Algorithm::PS512, fixture::RSA_1024),
        (Algorithm::RS256, fixture::P256),
        (Algorithm::PS256, fixture::ED25519),
        (Algorithm::ES256, fixture::P384),
        (Algorithm::ES384, fixture::P256),
        (Algorithm::ES256, rsa),
        (Algorithm::EdDSA, rsa),
        (Algorithm::EdDSA, fixture::P256),
    ] {
        let error = refuse(vec![pem(algorithm, text)]);
        assert!(matches!(error, ConfigError::BadPem { .. }), "{algorithm}: {error}: {text}");
    }
    let huge = format!("{rsa}{}", "\n".repeat(20_000));
    assert!(matches!(refuse(vec![pem(Algorithm::RS256, &huge)]), ConfigError::BadPem { .. }));
    let deep = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", "MIAw".repeat(4_000));
    assert!(matches!(refuse(vec![pem(Algorithm::RS256, &deep)]), ConfigError::BadPem { .. }));
}

#[test]
fn two_keys_of_one_id_and_algorithm() {
    let hs256 = || key(Some("a"), Algorithm::HS256);
    assert_eq!(
        refuse(vec![hs256(), key(Some("a"), Algorithm::RS256), hs256()]),
        ConfigError::Duplicate { at: Place::Key(2) }
    );
}

#[test]
fn numbers_out_of_range() {
    let config = || Config { keys: every_key(), ..Config::default() };
    for config in [
        Config { leeway_secs: 6, ..config() },
        Config { leeway_secs: u64::MAX, ..config() },
        Config { cache_entries: usize::MAX, ..config() },
        Config { max_token_bytes: 255, ..config() },
        Config { max_token_bytes: 65_537, ..config() },
    ] {
        assert!(matches!(KeySet::new(&config), Err(ConfigError::OutOfRange { .. })), "{config:?}");
    }
    let mut nobody = config();
    nobody.claims.user.clear();
    assert_eq!(KeySet::new(&nobody).unwrap_err(), ConfigError::NoUserClaim);
}

#[test]
fn nothing_secret_is_shown() {
    let config = Config { keys: every_key(), ..Config::default() };
    let keys = KeySet::new(&config).unwrap();
    let shown = format!("{config:?} {keys:?}");
    assert!(!shown.contains("secret of more") && !shown.contains("BEGIN"), "{shown}");
    assert!(shown.contains("ES384"));
}

#[test]
fn read_from_text() {
    let config: Config = serde_json::from_str(
        r#"{"leeway_secs":5,"claims":{"user":["uid"]},"keys":[{"id":"a","algorithm":"EdDSA","pem":"…"}]}"#,
    )
    .unwrap();
    assert_eq!((config.leeway_secs, config.cache_entries, config.max_token_bytes), (5, 65_536, 8_192));
    assert_eq!(
        (config.claims.user.as_slice(), config.claims.scope.as_str()),
        (&["uid".to_owned()][..], "scope")
    );
    assert_eq!(serde_json::from_str::<Config>("{}").unwrap(), Config::default());
    for bad in [
        r#"{"leeway":5}"#,
        r#"{"claims":{"users":["uid"]}}"#,
        r#"{"keys":[{"algorithm":"none"}]}"#,
        r#"{"keys":[{"algorithm":"hs256"}]}"#,
        r#"{"keys":[{"algorithm":"HS256","key":"…"}]}"#,
        r#"{"keys":[{"secret":"…"}]}"#,
        r#"{"leeway_secs":-1}"#,
    ] {
        assert!(serde_json::from_str::<Config>(bad).is_err(), "{bad}");
    }
}

#[test]
fn only_secrets_sign_and_no_short_ones() {
    let sign = |key: &KeyConfig| {
        sign(key, &Config::default().claims, &Grant::new(UserId::new("a").unwrap(), 60), now()).unwrap_err()
    };
    assert_eq!(sign(&key(None, Algorithm::RS256)), ConfigError::CannotSign { algorithm: Algorithm::RS256 });
    let short = KeyConfig { secret: Some("short".into()), ..key(None, Algorithm::HS256) };
    assert_eq!(sign(&short), ConfigError::ShortSecret { at: Place::Key(0), got: 5 });
}
