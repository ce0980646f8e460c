//! A remembered token is judged like a fresh one.

use std::sync::atomic::{AtomicU64, Ordering};

use campanile_auth::{Algorithm, Config, KeyConfig, KeySet, Refusal, Verifier};
use campanile_model::Timestamp;
use jsonwebtoken::EncodingKey;

use crate::mint::*;

fn at(secs: i64) -> Timestamp {
    Timestamp::from_millis(secs * 1000)
}

#[test]
fn verifiers_are_shared_between_threads() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<Verifier>();
}

#[test]
fn a_second_look_finds_the_same_identity() {
    let verifier = verifier(every_key());
    let token = with_payload(GOOD);
    let first = verifier.verify(&token, now()).unwrap();
    let second = verifier.verify(&token, now()).unwrap();
    assert!(std::sync::Arc::ptr_eq(&first, &second), "remembered, not verified again");
}

#[test]
fn time_is_judged_on_every_hit() {
    let verifier = verifier(every_key());
    let token = with_payload(r#"{"userId":"a","nbf":1767225600,"exp":1767225660}"#);
    assert_eq!(verifier.verify(&token, at(NOW - 1)), Err(Refusal::NotYetValid));
    assert!(verifier.verify(&token, at(NOW)).is_ok());
    assert!(verifier.verify(&token, at(NOW + 59)).is_ok());
    assert_eq!(verifier.verify(&token, at(NOW + 60)), Err(Refusal::Expired));
    assert!(verifier.verify(&token, at(NOW + 30)).is_ok(), "the clock was set back");
    assert_eq!(verifier.verify(&token, at(NOW - 1)), Err(Refusal::NotYetValid));
}

#[test]
fn a_tampered_copy_of_a_remembered_token_is_refused() {
    let verifier = verifier(every_key());
    let token = with_payload(GOOD);
    assert!(verifier.verify(&token, now()).is_ok());
    let mallory = encode(GOOD.replace("alice", "mallo"));
    let forged = token.replace(&encode(GOOD), &mallory);
    for _ in 0..2 {
        assert_eq!(verifier.verify(&forged, now()), Err(Refusal::BadSignature));
    }
}

#[test]
fn what_other_keys_verified_is_not_believed() {
    let keys = |secret: u8| {
        let key = KeyConfig {
            secret: Some(char::from(secret).to_string().repeat(32)),
            ..key(None, Algorithm::HS256)
        };
        Config { keys: vec![key], ..Config::default() }
    };
    let (former, later) = (keys(b'a'), keys(b'b'));
    let verifier = configured(former.clone());
    let message = with_payload(GOOD).rsplit_once('.').unwrap().0.to_owned();
    let token = sign_with(&EncodingKey::from_secret(&[b'a'; 32]), Algorithm::HS256, &message);
    assert!(verifier.verify(&token, now()).is_ok());
    verifier.replace(KeySet::new(&later).unwrap());
    for _ in 0..2 {
        assert_eq!(verifier.verify(&token, now()), Err(Refusal::BadSignature), "remembered or not");
    }
    verifier.replace(KeySet::new(&former).unwrap());
    assert!(verifier.verify(&token, now()).is_ok());
}

/// Whoever asks after a replacement has returned is judged by the new keys, whatever other threads do meanwhile
/// with the former ones and the memory that they share.
#[test]
fn a_replacement_is_final_for_whoever_asks_after_it() {
    let config = |secret: u64| {
        let key = KeyConfig { secret: Some(format!("{secret:032}")), ..key(None, Algorithm::HS256) };
        Config { keys: vec![key], cache_entries: 8, ..Config::default() }
    };
    let message = with_payload(GOOD).rsplit_once('.').unwrap().0.to_owned();
    let token = |secret: u64| {
        let key = EncodingKey::from_secret(format!("{secret:032}").as_bytes());
        sign_with(&key, Algorithm::HS256, &message)
    };
    let verifier = configured(config(0));
    let round = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                loop {
                    let n = round.load(Ordering::SeqCst);
                    if n >= 300 {
                        break;
                    }
                    // Puts what it finds under whichever keys it met.
                    let _either = verifier.verify(&token(n), now());
                    if n > 0 {
                        assert!(verifier.verify(&token(n - 1), now()).is_err(), "{n}");
                    }
                }
            });
        }
        for n in 1..=300 {
            verifier.replace(KeySet::new(&config(n)).unwrap());
            assert!(verifier.verify(&token(n - 1), now()).is_err(), "{n}");
            assert!(verifier.verify(&token(n), now()).is_ok(), "{n}");
            round.store(n, Ordering::SeqCst);
        }
    });
}

#[test]
fn threads_agree() {
    let verifier = verifier(every_key());
    let tokens: Vec<String> =
        (0..64).map(|n| with_payload(GOOD.replace("alice", &format!("user-{n}")))).collect();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for (n, token) in tokens.iter().enumerate().cycle().take(2_000) {
                    assert_eq!(verifier.verify(token, now()).unwrap().user.as_str(), format!("user-{n}"));
                }
            });
        }
    });
}
