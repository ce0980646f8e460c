//! Valid tokens changed at random, from a seed: none may get in, none may cause a panic.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use campanile_auth::Algorithm;

use crate::mint::*;

#[test]
fn a_hundred_thousand_mutants_are_refused() {
    mutate(100_000, 1);
}

/// The long run: `cargo test --release -p campanile-auth -- --ignored`.
#[test]
#[ignore = "takes a minute"]
fn a_million_mutants_are_refused() {
    mutate(1_000_000, 2);
}

/// Genuinely signed, so that the reader of claims is what is under attack: it may let them in or not, but
/// then as the user that an independent, lenient reader finds too.
#[test]
fn mutated_claims_with_a_genuine_signature_name_no_other_user() {
    let verifier = verifier(every_key());
    let mut random = Random(3);
    let seed = r#"{"userId":"alice","sub":"bob","workspaces":["a","*"],"exp":1767229200,"nbf":1,"jti":"j"}"#;
    let mut accepted = 0;
    for _ in 0..50_000 {
        let mut payload = seed.as_bytes().to_vec();
        for _ in 0..=random.below(3) {
            change(&mut payload, &mut random, b"{}[]\",:019-.eE\\u null");
        }
        let Ok(identity) = verifier.verify(&with_payload(&payload), now()) else { continue };
        accepted += 1;
        let claims: serde_json::Value = serde_json::from_slice(&payload).unwrap();
        let user = claims.get("userId").or(claims.get("sub")).unwrap();
        assert_eq!(user, identity.user.as_str());
        assert!(claims["exp"].as_f64().unwrap() > NOW as f64);
    }
    assert!(accepted > 1_000, "{accepted}: mutants that stay well formed are part of the test");
}

fn mutate(count: usize, seed: u64) {
    let mut random = Random(seed);
    // The cheap ones more often: what is under attack is mostly the same for all.
    let seeds: Vec<String> = [Algorithm::HS256; 12]
        .into_iter()
        .chain(ALGORITHMS)
        .flat_map(|algorithm| {
            let with_kid = format!(r#"{{"alg":"{algorithm}","kid":"{algorithm}"}}"#);
            [token(algorithm, GOOD), signed(algorithm, with_kid, GOOD)]
        })
        .chain(of_issuers())
        .collect();
    let verifier = believing(every_key(), [x(), y(), z()]);
    for seed in &seeds {
        assert!(verifier.verify(seed, now()).is_ok()); // remembered: mutants must not profit from it
    }
    for n in 0..count {
        let mutant = mutant(&seeds, &mut random);
        if !seeds.contains(&mutant) {
            assert!(verifier.verify(&mutant, now()).is_err(), "mutant {n} was let in: {mutant}");
        }
    }
}

/// Two tokens of one issuer and one of each of two others: mutants are made of parts of several.
fn of_issuers() -> Vec<String> {
    use Algorithm::*;
    let secret = jsonwebtoken::EncodingKey::from_secret(Z_SECRET.as_bytes());
    let z = format!("{}.{}", encode(r#"{"alg":"HS256","kid":"z"}"#), encode(claims_of(Z).to_string()));
    let [x, y] = [X, Y].map(|iss| claims_of(iss).to_string());
    vec![
        from_x(&x),
        signed(ES256, r#"{"alg":"ES256","kid":"x-ec","typ":"at+jwt"}"#, x),
        signed(EdDSA, r#"{"alg":"EdDSA","kid":"y-ed"}"#, y),
        sign_with(&secret, HS256, &z),
    ]
}

fn mutant(seeds: &[String], random: &mut Random) -> String {
    let seed = random.pick(seeds);
    match random.below(4) {
        // The text itself.
        0 => {
            let mut bytes = seed.clone().into_bytes();
            for _ in 0..=random.below(4) {
                change(&mut bytes, random, b".-_=+/ AZaz09\n%");
            }
            String::from_utf8_lossy(&bytes).into_owned()
        }
        // Segments of several tokens.
        1 => {
            let mut segments: Vec<&str> = seed.split('.').collect();
            for _ in 0..=random.below(2) {
                let other: Vec<&str> = random.pick(seeds).split('.').collect();
                let (to, from) = (random.below(segments.len()), random.below(3));
                segments[to] = other[from];
            }
            if random.below(8) == 0 {
                segments.push(["", "e30", "AA"][random.below(3)]);
            }
            segments.join(".")
        }
        // What a segment stands for.
        _ => {
            let mut segments: Vec<String> = seed.split('.').map(Into::into).collect();
            let at = random.below(3);
            let mut bytes = URL_SAFE_NO_PAD.decode(&segments[at]).unwrap();
            for _ in 0..=random.below(3) {
                change(&mut bytes, random, b"{}[]\",:019-.eE\\u");
            }
            segments[at] = encode(bytes);
            segments.join(".")
        }
    }
}

/// One small change: a bit, a byte, an insertion, a deletion, a repetition, a cut.
fn change(bytes: &mut Vec<u8>, random: &mut Random, alphabet: &[u8]) {
    let at = random.below(bytes.len() + 1);
    let Some(byte) = bytes.get(at).copied() else { return bytes.push(*random.pick(alphabet)) };
    match random.below(7) {
        0 => bytes[at] = byte ^ (1 << random.below(8)),
        1 => bytes[at] = random.next() as u8,
        2 => bytes[at] = *random.pick(alphabet),
        3 => bytes.insert(at, *random.pick(alphabet)),
        4 => drop(bytes.remove(at)),
        5 => bytes.extend_from_within(at..),
        _ => bytes.truncate(at),
    }
}

/// SplitMix64: the same numbers for the same seed, everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}
