//! Token in, identity or refusal out.
//!
//! Pure: keys are handed in as text, the time is an argument, nothing is fetched, nothing is logged.
//! Nothing a token says chooses how it is checked: the algorithm belongs to the configured key, `kid` is
//! only compared, and `jku`, `x5u`, `jwk` and `x5c` are never looked at (RFC 8725).
//!
//! A token is judged in this order, and the first objection is the answer:
//! 1. form: size, alphabet, three segments, a strict JSON header ([`Refusal::Malformed`]);
//! 2. issuer, key and algorithm ([`Refusal::UnknownIssuer`], [`Refusal::UnknownKey`], [`Refusal::WrongAlgorithm`]):
//!    `iss` says by whose rules and keys the token is judged, and is only compared;
//! 3. signature ([`Refusal::BadSignature`]): nothing else in the payload is believed, or told, before it holds;
//! 4. what the issuer's tokens must be: their kind and whom they are for ([`Refusal::WrongType`],
//!    [`Refusal::WrongAudience`]); keys without an issuer ask neither;
//! 5. the shape of every claim we use, in time or not ([`Refusal::NoExpiry`], [`Refusal::NoUser`], …);
//! 6. how long it lives in all, where that is bounded ([`Refusal::NoIssueTime`], [`Refusal::LivesTooLong`]);
//! 7. `nbf`, then `exp`: so [`Refusal::Expired`] is only ever said of a token that was good once;
//! 8. whether it was taken back ([`Refusal::Revoked`]).
//!
//! ```
//! use campanile_auth::{Algorithm, Config, Grant, KeyConfig, KeySet, Refusal, Verifier, sign};
//! use campanile_model::{Timestamp, UserId};
//!
//! let secret = Some("at least 32 bytes, better random ones".to_owned());
//! let key = KeyConfig { id: None, algorithm: Algorithm::HS256, secret, pem: None };
//! let config = Config { keys: vec![key.clone()], ..Config::default() };
//! let verifier = Verifier::new(KeySet::new(&config)?, &config);
//!
//! let now = Timestamp::from_millis(1_767_225_600_000);
//! let token = sign(&key, &config.claims, &Grant::new(UserId::new("alice")?, 60), now)?;
//! let identity = verifier.verify(&token, now).expect("it was just made");
//! assert_eq!(identity.user.as_str(), "alice");
//! assert_eq!(verifier.verify(&token, identity.expires_at), Err(Refusal::Expired));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Read in this order: `config` says what an operator may set and `error` what is wrong with it, `algorithm`, `keys`
//! and `jwks` turn it into checked keys, `issuer` binds keys to rules, `key_set` says who is believed, `token` takes a
//! token apart with `members`, `claims` reads what it states into an `identity`, `refusal` names what can be wrong,
//! `cache` remembers who was already verified, `revoked` who is believed no more, `verifier` joins them, `sign` makes tokens for the local key, and `signing_key` those that
//! the server gives to machines.

mod algorithm;
mod cache;
mod claims;
mod config;
mod error;
mod identity;
mod issuer;
mod jwks;
mod key_set;
mod keys;
mod members;
mod refusal;
mod revoked;
mod sign;
mod signing_key;
mod token;
mod verifier;

pub use algorithm::Algorithm;
pub use config::{ClaimNames, Config, KeyConfig};
pub use error::{ConfigError, Place};
pub use identity::{Identity, Words, Workspaces};
pub use issuer::{Issuer, IssuerConfig, IssuerKeys};
pub use jwks::{JwksError, MAX_JWKS_BYTES, MAX_JWKS_KEYS};
pub use key_set::KeySet;
pub use refusal::Refusal;
pub use revoked::{Mark, Revocation, Revoked};
pub use sign::{Grant, sign};
pub use signing_key::{BadSeed, SEED_BYTES, SigningKey};
pub use verifier::{Judged, Verifier};
