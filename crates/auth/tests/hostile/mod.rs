//! Tokens made by hand to get in, or to break something, each with the refusal it must meet.
//!
//! The lists follow the order of the judgement: form, header, signature, claims; then what issuers add to it. Unless a case says
//! otherwise it is tried on a verifier with one key of every algorithm.

use std::collections::BTreeSet;

use std::sync::Arc;

use campanile_auth::{KeyConfig, Refusal, Verifier};

use crate::mint::{every_key, now, verifier};

mod claims;
mod form;
mod header;
mod issuers;
mod signature;

struct Case {
    name: &'static str,
    token: String,
    refusal: Refusal,
    verifier: Option<Arc<Verifier>>,
}

fn case(name: &'static str, token: impl Into<String>, refusal: Refusal) -> Case {
    Case { name, token: token.into(), refusal, verifier: None }
}

impl Case {
    /// Tried on these keys instead.
    fn on(self, keys: Vec<KeyConfig>) -> Self {
        self.by(&Arc::new(verifier(keys)))
    }

    /// Tried by this verifier instead.
    fn by(self, verifier: &Arc<Verifier>) -> Self {
        Self { verifier: Some(Arc::clone(verifier)), ..self }
    }
}

fn corpus() -> Vec<Case> {
    let lists = [form::cases(), header::cases(), signature::cases(), claims::cases(), issuers::cases()];
    lists.into_iter().flatten().collect()
}

#[test]
fn each_is_refused_for_its_own_reason() {
    let every_key_verifier = verifier(every_key());
    let mut wrong = Vec::new();
    for Case { name, token, refusal, verifier } in corpus() {
        let verifier = verifier.as_deref().unwrap_or(&every_key_verifier);
        // Twice: a refusal leaves nothing behind that would let it in later.
        for _ in 0..2 {
            let answer = verifier.verify(&token, now());
            if answer != Err(refusal) {
                wrong.push(format!("{name}: {answer:?} instead of {refusal:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn there_are_enough_of_them_and_each_has_a_name() {
    let corpus = corpus();
    let names: BTreeSet<_> = corpus.iter().map(|case| case.name).collect();
    assert_eq!(names.len(), corpus.len());
    assert!(corpus.len() >= 400, "{}", corpus.len());
}

/// Close codes and log lines are made from a refusal: it must not give the token away.
#[test]
fn no_refusal_tells_what_the_token_was() {
    for Case { token, refusal, .. } in corpus() {
        let told = format!("{refusal:?} {refusal} {}", refusal.cause());
        for segment in token.split('.').filter(|segment| segment.len() > 12) {
            assert!(!told.contains(segment), "{told}");
        }
        assert!(refusal.cause().bytes().all(|b| b.is_ascii_lowercase() || b == b'_'));
        assert_eq!(refusal.is_expired(), refusal.cause() == "expired");
    }
}
