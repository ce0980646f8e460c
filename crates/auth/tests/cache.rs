//! A remembered token is judged like a fresh one.

use campanile_auth::{Refusal, Verifier};
use campanile_model::Timestamp;

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
