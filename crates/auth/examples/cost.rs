//! What a verification costs: `cargo run --release -p campanile-auth --example cost`.
//!
//! Prints microseconds per token on one thread: remembered, verified anew, and refused. The token is of
//! usual size (three claims, some 200 bytes).
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a tool for people")]

use std::hint::black_box;
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use campanile_auth::{Algorithm, Config, KeyConfig, KeySet, Verifier};
use campanile_model::Timestamp;
use jsonwebtoken::{EncodingKey, crypto};

const SECRET: &str = "an HMAC secret of more than 32 bytes";
const PAYLOAD: &str =
    r#"{"userId":"01890a5d-ac96-774b-bcce-b302099a8057","workspaces":["acme"],"exp":1767229200}"#;

fn main() {
    let rsa = EncodingKey::from_rsa_pem(include_bytes!("../tests/fixtures/rsa.pem")).unwrap();
    let p256 = EncodingKey::from_ec_pem(include_bytes!("../tests/fixtures/p256.pem")).unwrap();
    let ed25519 = EncodingKey::from_ed_pem(include_bytes!("../tests/fixtures/ed25519.pem")).unwrap();
    let hmac = EncodingKey::from_secret(SECRET.as_bytes());
    println!("{:>6} {:>11} {:>9} {:>9}", "", "remembered", "verified", "refused");
    for (algorithm, key, pem) in [
        (Algorithm::HS256, hmac, None),
        (Algorithm::RS256, rsa, Some(include_str!("../tests/fixtures/rsa.pub.pem"))),
        (Algorithm::ES256, p256, Some(include_str!("../tests/fixtures/p256.pub.pem"))),
        (Algorithm::EdDSA, ed25519, Some(include_str!("../tests/fixtures/ed25519.pub.pem"))),
    ] {
        let secret = pem.is_none().then(|| SECRET.to_owned());
        let key_config = KeyConfig { id: None, algorithm, secret, pem: pem.map(Into::into) };
        let verifier = |cache_entries| {
            let config = Config { keys: vec![key_config.clone()], cache_entries, ..Config::default() };
            Verifier::new(KeySet::new(&config).unwrap(), &config)
        };
        let token = sign(algorithm, &key, PAYLOAD);
        let (message, _) = token.rsplit_once('.').unwrap();
        let (_, signature) = sign(algorithm, &key, "{}").rsplit_once('.').map(own).unwrap();
        let forged = format!("{message}.{signature}");
        println!(
            "{algorithm:>6} {:>11.2} {:>9.2} {:>9.2}",
            micros(&verifier(65_536), &token),
            micros(&verifier(0), &token),
            micros(&verifier(65_536), &forged),
        );
    }
}

fn own((message, signature): (&str, &str)) -> (String, String) {
    (message.to_owned(), signature.to_owned())
}

fn sign(algorithm: Algorithm, key: &EncodingKey, payload: &str) -> String {
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let header = format!(r#"{{"alg":"{algorithm}","typ":"JWT"}}"#);
    let message = format!("{}.{}", encode(&header), encode(payload));
    let signature = crypto::sign(message.as_bytes(), key, algorithm.name().parse().unwrap()).unwrap();
    format!("{message}.{signature}")
}

/// The best of five rounds: what is being asked is the cost of the code, not of the neighbours.
fn micros(verifier: &Verifier, token: &str) -> f64 {
    const ROUNDS: u32 = 5;
    const CALLS: u32 = 20_000;
    let now = Timestamp::from_millis(1_767_225_600_000);
    let round = |_| {
        let start = Instant::now();
        for _ in 0..CALLS {
            let _ = black_box(verifier.verify(black_box(token), now));
        }
        start.elapsed().as_secs_f64() * 1e6 / f64::from(CALLS)
    };
    (0..ROUNDS).map(round).fold(f64::INFINITY, f64::min)
}
