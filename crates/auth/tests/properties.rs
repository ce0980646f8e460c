//! What holds for any token at any time.

use campanile_auth::{Algorithm, Config, Grant, Verifier, Words, Workspaces, sign};
use campanile_model::{Slug, Timestamp, UserId};
use proptest::prelude::*;

use crate::mint::*;

fn with_cache(entries: usize) -> Verifier {
    configured(Config { keys: every_key(), cache_entries: entries, ..Config::default() })
}

fn words() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec("[a-z0-9]{1,9}(-[a-z0-9]{1,9})?", 0..6)
}

proptest! {
    /// The cache changes what a verification costs, never what it answers, in any order of tokens and times.
    #[test]
    fn the_cache_cannot_be_seen(steps in prop::collection::vec((0..24_i64, 0..40_i64), 1..80)) {
        let (small, none) = (with_cache(8), with_cache(0));
        for (n, secs) in steps {
            let payload = format!(r#"{{"userId":"u{n}","nbf":{},"exp":{}}}"#, NOW + n, NOW + n + 10);
            let token = if n % 5 == 0 { with_payload("{}") } else { with_payload(payload) };
            let now = Timestamp::from_millis((NOW + secs) * 1000);
            prop_assert_eq!(small.verify(&token, now), none.verify(&token, now));
        }
    }

    /// Whatever is granted is what is read, and exactly for as long as said.
    #[test]
    fn what_is_signed_is_read(
        user in "[^\\p{Cc}]{1,32}", slugs in words(), scopes in words(), star: bool, ttl in 1..1_000_000_u64,
    ) {
        let named: Words = slugs.iter().map(String::as_str).collect();
        let mut grant = Grant::new(UserId::new(&user).unwrap(), ttl);
        grant.workspaces = if star { Workspaces::All { named } } else { Workspaces::Named(named) };
        grant.scopes = scopes.iter().map(String::as_str).collect();
        let token = sign(&key(None, Algorithm::HS256), &Config::default().claims, &grant, now()).unwrap();
        let verifier = with_cache(8);
        let identity = verifier.verify(&token, now()).unwrap();
        prop_assert_eq!(identity.user.as_str(), user);
        prop_assert!(slugs.iter().all(|slug| identity.workspaces.named_in_full(&Slug::new(slug).unwrap())));
        prop_assert_eq!(identity.workspaces.grants(&Slug::new("never-named").unwrap()), star);
        prop_assert!(scopes.iter().all(|word| identity.has_scope(word)));
        let end = identity.expires_at.as_millis();
        prop_assert_eq!(end, (NOW + ttl as i64) * 1000);
        prop_assert!(verifier.verify(&token, Timestamp::from_millis(end - 1)).is_ok());
        prop_assert!(verifier.verify(&token, Timestamp::from_millis(end)).is_err());
    }

    /// No text is a token that was not signed.
    #[test]
    fn any_text_is_refused(text in "\\PC{0,200}", dotted in "[A-Za-z0-9_.-]{0,200}") {
        let verifier = with_cache(8);
        prop_assert!(verifier.verify(&text, now()).is_err());
        prop_assert!(verifier.verify(&dotted, now()).is_err());
    }

    /// Any bytes where the header or the payload belongs, genuinely signed, are answered without a panic.
    #[test]
    fn any_genuine_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let verifier = with_cache(8);
        prop_assert!(verifier.verify(&with_payload(&bytes), now()).is_err());
        prop_assert!(verifier.verify(&with_header(&bytes), now()).is_err());
    }
}
