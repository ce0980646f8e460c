//! A key set as an issuer publishes it (RFC 7517): which of its keys may sign what.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::signature::RsaPublicKeyComponents;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::Algorithm;
use crate::keys::{Key, is_usable};

/// Bytes of the largest key set that is read: a hundred keys with their certificates.
pub const MAX_JWKS_BYTES: usize = 256 * 1024;
/// Keys of the largest set: a token without `kid` is tried with each of them, and the largest issuers have
/// about ten.
pub const MAX_JWKS_KEYS: usize = 64;

/// Why a key set cannot be used. Holds no part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JwksError {
    /// More than [`MAX_JWKS_BYTES`].
    #[error("the key set has {got} bytes, at most {MAX_JWKS_BYTES} are read")]
    TooLarge {
        /// Bytes it has.
        got: usize,
    },
    /// Not an object with a list `keys`.
    #[error("the key set is not an object with a list of keys")]
    Malformed,
    /// More than [`MAX_JWKS_KEYS`].
    #[error("the key set has {got} keys, at most {MAX_JWKS_KEYS} are read")]
    TooMany {
        /// Keys it has.
        got: usize,
    },
    /// Not one key can verify tokens by the allowed algorithms.
    #[error("none of the {unused} keys of the set can verify a token by the allowed algorithms")]
    NoUsableKey {
        /// Keys it has.
        unused: usize,
    },
}

/// What was found in a key set.
pub(crate) struct Read {
    pub(crate) keys: Vec<Key>,
    /// Keys that are of no use here.
    pub(crate) unused: usize,
}

/// Reads the keys that may verify tokens by one of `allowed`. What is unknown or unfit is counted and left out, as
/// RFC 7517 §5 asks: issuers add keys of new kinds to the sets they have.
pub(crate) fn read(text: &str, allowed: &[Algorithm]) -> Result<Read, JwksError> {
    if text.len() > MAX_JWKS_BYTES {
        return Err(JwksError::TooLarge { got: text.len() });
    }
    let set: Set<'_> = serde_json::from_str(text).map_err(|_| JwksError::Malformed)?;
    if set.keys.len() > MAX_JWKS_KEYS {
        return Err(JwksError::TooMany { got: set.keys.len() });
    }
    let total = set.keys.len();
    let keys: Vec<Key> = set
        .keys
        .iter()
        .filter_map(|json| serde_json::from_str::<Jwk>(json.get()).ok()?.into_key(allowed))
        .collect();
    Ok(Read { unused: total - keys.len(), keys })
}

#[derive(Deserialize)]
struct Set<'a> {
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

/// The members of a key that are looked at. Never `x5u` and `x5c`: what a key is, it says itself.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    kid: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    /// A private key: whoever can read the set can sign.
    d: Option<serde::de::IgnoredAny>,
}

impl Jwk {
    /// The key, bound to those of the `allowed` algorithms that it and its `alg` are for.
    fn into_key(self, allowed: &[Algorithm]) -> Option<Key> {
        let signs = self.usage.as_deref().is_none_or(|usage| usage == "sig")
            && self.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        if !signs || self.d.is_some() {
            return None;
        }
        let named = |algorithm: Algorithm| self.alg.as_deref().is_none_or(|name| name == algorithm.name());
        let algorithms: Vec<Algorithm> =
            allowed.iter().copied().filter(|algorithm| self.fits(*algorithm) && named(*algorithm)).collect();
        let key = self.public_key(*algorithms.first()?)?;
        Some(Key { id: self.kid, algorithms, key })
    }

    /// Whether this kind of key signs by `algorithm`. `oct`, a shared secret that was published, never does.
    fn fits(&self, algorithm: Algorithm) -> bool {
        use Algorithm::*;
        match algorithm {
            HS256 | HS384 | HS512 => false,
            RS256 | RS384 | RS512 | PS256 | PS384 | PS512 => self.kty == "RSA",
            ES256 => self.kty == "EC" && self.crv.as_deref() == Some("P-256"),
            ES384 => self.kty == "EC" && self.crv.as_deref() == Some("P-384"),
            EdDSA => self.kty == "OKP" && self.crv.as_deref() == Some("Ed25519"),
        }
    }

    fn public_key(&self, algorithm: Algorithm) -> Option<DecodingKey> {
        let bytes = |text: &Option<String>| URL_SAFE_NO_PAD.decode(text.as_deref()?).ok();
        let key = match algorithm {
            Algorithm::ES256 | Algorithm::ES384 => {
                // An uncompressed point (SEC 1 §2.3.3).
                DecodingKey::from_ec_der(&[&[4], &*bytes(&self.x)?, &*bytes(&self.y)?].concat())
            }
            Algorithm::EdDSA => DecodingKey::from_ed_der(&bytes(&self.x)?),
            _ => {
                let (n, e) = (bytes(&self.n)?, bytes(&self.e)?);
                // Some write a zero byte in front, which RFC 7518 §6.3.1.1 forbids and nobody minds.
                let n = n.iter().position(|byte| *byte != 0).map(|at| &n[at..])?;
                let der = RsaPublicKeyComponents { n, e: &*e }.as_der().ok()?;
                DecodingKey::from_rsa_der(der.as_ref())
            }
        };
        is_usable(algorithm, key.try_get_as_bytes().ok()?).then_some(key)
    }
}
