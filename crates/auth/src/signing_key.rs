//! A private key of our own, which signs tokens that everybody can verify.

use std::fmt;

use aws_lc_rs::digest;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use campanile_model::Timestamp;
use serde_json::{Value, json};

use crate::sign::{claims, encode};
use crate::{ClaimNames, Grant};

/// Bytes of the secret that a key is made of (RFC 8032 §5.1.5).
pub const SEED_BYTES: usize = 32;

/// A key for EdDSA over Ed25519: its signatures need no randomness, so a bad source of it costs no key.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    id: String,
}

/// A seed that can't be a key, which no 32 random bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signing key's seed is not usable")]
pub struct BadSeed;

impl SigningKey {
    /// The key of 32 secret random bytes.
    ///
    /// # Errors
    /// [`BadSeed`].
    pub fn from_seed(seed: &[u8; SEED_BYTES]) -> Result<Self, BadSeed> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| BadSeed)?;
        // The key's thumbprint (RFC 7638 §3, RFC 8037 §2): members in this order, without spaces.
        let x = URL_SAFE_NO_PAD.encode(pair.public_key());
        let text = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
        let id = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, text.as_bytes()));
        Ok(Self { pair, id })
    }

    /// Its `kid`, which follows from the public key.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The public key as a member of a key set (RFC 7517).
    pub fn public_jwk(&self) -> Value {
        json!({
            "kty": "OKP",
            "crv": "Ed25519",
            "x": URL_SAFE_NO_PAD.encode(self.pair.public_key()),
            "alg": "EdDSA",
            "use": "sig",
            "kid": self.id,
        })
    }

    /// Signs a token that states `grant` as of `now`, in the documented claims. The user is `sub` as well.
    pub fn sign(&self, grant: &Grant, now: Timestamp) -> String {
        let names = ClaimNames::default();
        let mut claims = claims("userId", &names, grant, now);
        claims.insert("sub".to_owned(), json!(grant.user.as_str()));
        let header = json!({ "alg": "EdDSA", "typ": "JWT", "kid": self.id });
        let message = format!("{}.{}", encode(&header), encode(&claims.into()));
        let signature = self.pair.sign(message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// Shows which key it is, never what it holds.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("id", &self.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use campanile_model::UserId;

    use super::*;
    use crate::{Algorithm, Config, Issuer, IssuerConfig, IssuerKeys, KeySet, Refusal, Verifier};

    #[test]
    fn known_key() {
        // RFC 8037 §A.2, §A.3: the example's key, and its thumbprint.
        let seed = URL_SAFE_NO_PAD.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap();
        let key = SigningKey::from_seed(&seed.try_into().unwrap()).unwrap();
        assert_eq!(key.id(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        assert_eq!(key.public_jwk()["x"], "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
        assert!(!format!("{key:?}").contains("nWGx"));
    }

    #[test]
    fn what_it_signs_is_believed_for_its_issuer_only() {
        let (key, other) =
            (SigningKey::from_seed(&[7; 32]).unwrap(), SigningKey::from_seed(&[8; 32]).unwrap());
        let jwks = json!({ "keys": [key.public_jwk()] }).to_string();
        let config = IssuerConfig::new("own", "campanile", &[], &[Algorithm::EdDSA]);
        let issuer = Issuer::new(&config, &IssuerKeys::Jwks(jwks)).unwrap();
        let config = Config::default();
        let verifier = Verifier::new(KeySet::of(&config, [issuer]).unwrap(), &config);
        let now = Timestamp::from_millis(1_767_225_600_000);
        let grant = Grant {
            issuer: Some("campanile".into()),
            scopes: "admin".split(' ').collect(),
            ..Grant::new(UserId::new("service:acme.bot").unwrap(), 60)
        };
        let identity = verifier.verify(&key.sign(&grant, now), now).unwrap();
        assert_eq!(
            (identity.user.as_str(), identity.issuer.as_deref()),
            ("service:acme.bot", Some("campanile"))
        );
        assert_eq!(identity.issued_at, Some(now));
        assert!(identity.has_scope("admin"));
        assert_eq!(verifier.verify(&other.sign(&grant, now), now), Err(Refusal::UnknownKey));
        let elsewhere = Grant { issuer: Some("elsewhere".into()), ..grant };
        assert_eq!(verifier.verify(&key.sign(&elsewhere, now), now), Err(Refusal::UnknownIssuer));
    }
}
