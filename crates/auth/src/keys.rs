//! The configured keys, checked at start, and which of them a token may be signed with.

use std::fmt;

use aws_lc_rs::rsa;
use aws_lc_rs::signature::{self, ParsedPublicKey, VerificationAlgorithm};
use jsonwebtoken::{DecodingKey, crypto};

use crate::algorithm::Family;
use crate::config::MIN_SECRET_BYTES;
use crate::token::{Header, Token};
use crate::{Algorithm, Config, ConfigError, KeyConfig, Refusal};

/// Bytes of the longest PEM text: an RSA key of 8192 bits takes some 1,500.
const MAX_PEM_BYTES: usize = 16_384;
/// RSA keys of other sizes never verify: too weak (RFC 7518 §3.3), or too costly.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// The keys that may sign tokens.
pub struct KeySet {
    keys: Vec<Key>,
}

impl KeySet {
    /// Reads the keys of `config` and checks its ranges, so that what cannot work stops the start.
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub fn new(config: &Config) -> Result<Self, ConfigError> {
        config.check()?;
        if config.keys.is_empty() {
            return Err(ConfigError::NoKeys);
        }
        let mut keys: Vec<Key> = Vec::with_capacity(config.keys.len());
        for (index, key) in config.keys.iter().enumerate() {
            let key = Key::new(index, key)?;
            if key.id.is_some() && keys.iter().any(|k| k.id == key.id && k.algorithm == key.algorithm) {
                return Err(ConfigError::Duplicate { key: index });
            }
            keys.push(key);
        }
        Ok(Self { keys })
    }

    /// Whether one of the keys that `header` may mean made the token's signature.
    ///
    /// A `kid` means the keys of exactly that id; where there is none, those without an id. A token without
    /// `kid` means every key. Of these, those of the token's `alg` are tried: at most as many signatures as
    /// there are keys.
    pub(crate) fn check(&self, header: &Header, token: &Token<'_>) -> Result<(), Refusal> {
        let wanted = header.key_id.as_deref();
        let is_listed = wanted.is_some() && self.keys.iter().any(|key| key.id.as_deref() == wanted);
        let is_meant = |key: &&Key| wanted.is_none() || key.id.as_deref() == wanted.filter(|_| is_listed);

        let mut refusal = Refusal::UnknownKey;
        for key in self.keys.iter().filter(is_meant) {
            if key.algorithm.name() == header.algorithm {
                if key.made(token) {
                    return Ok(());
                }
                refusal = Refusal::BadSignature;
            } else if refusal == Refusal::UnknownKey {
                refusal = Refusal::WrongAlgorithm;
            }
        }
        Err(refusal)
    }
}

/// Shows ids and algorithms only.
impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|key| (&key.id, key.algorithm))).finish()
    }
}

struct Key {
    id: Option<String>,
    algorithm: Algorithm,
    key: DecodingKey,
}

impl Key {
    fn new(index: usize, config: &KeyConfig) -> Result<Self, ConfigError> {
        let algorithm = config.algorithm;
        let key = match (algorithm.family(), &config.secret, &config.pem) {
            (Family::Secret, _, _) => DecodingKey::from_secret(secret(index, config)?),
            (_, None, Some(pem)) => public_key(index, algorithm, pem)?,
            _ => return Err(ConfigError::WantsPem { key: index, algorithm }),
        };
        Ok(Self { id: config.id.clone(), algorithm, key })
    }

    /// HMACs are compared in constant time, by the library.
    fn made(&self, token: &Token<'_>) -> bool {
        let algorithm = self.algorithm.in_library();
        matches!(crypto::verify(token.signature, token.message.as_bytes(), &self.key, algorithm), Ok(true))
    }
}

/// The shared secret of an HMAC key.
pub(crate) fn secret(index: usize, config: &KeyConfig) -> Result<&[u8], ConfigError> {
    let (Some(secret), None) = (&config.secret, &config.pem) else {
        return Err(ConfigError::WantsSecret { key: index, algorithm: config.algorithm });
    };
    if secret.contains("-----BEGIN ") {
        return Err(ConfigError::PemAsSecret { key: index });
    }
    if secret.len() < MIN_SECRET_BYTES {
        return Err(ConfigError::ShortSecret { key: index, got: secret.len() });
    }
    Ok(secret.as_bytes())
}

fn public_key(index: usize, algorithm: Algorithm, pem: &str) -> Result<DecodingKey, ConfigError> {
    let bad = |needed| ConfigError::BadPem { key: index, algorithm, needed };
    if pem.contains("PRIVATE KEY-----") {
        return Err(ConfigError::PrivateKey { key: index });
    }
    let (read, needed): (fn(&[u8]) -> _, _) = match algorithm {
        Algorithm::ES256 => (DecodingKey::from_ec_pem, "an EC key on P-256"),
        Algorithm::ES384 => (DecodingKey::from_ec_pem, "an EC key on P-384"),
        Algorithm::EdDSA => (DecodingKey::from_ed_pem, "an Ed25519 key"),
        _ => (DecodingKey::from_rsa_pem, "an RSA key of 2048 to 8192 bits"),
    };
    let is_public =
        pem.contains("-----BEGIN PUBLIC KEY-----") || pem.contains("-----BEGIN RSA PUBLIC KEY-----");
    if !is_public || pem.len() > MAX_PEM_BYTES {
        return Err(bad(needed));
    }
    let key = read(pem.as_bytes()).map_err(|_| bad(needed))?;
    // The library takes any bytes of the right kind and would then refuse every token.
    let bytes = key.try_get_as_bytes().map_err(|_| bad(needed))?;
    if is_usable(algorithm, bytes) { Ok(key) } else { Err(bad(needed)) }
}

/// Whether the library can verify `algorithm` with the public key that `bytes` are.
fn is_usable(algorithm: Algorithm, bytes: &[u8]) -> bool {
    let parses = |by: &'static dyn VerificationAlgorithm| ParsedPublicKey::new(by, bytes).is_ok();
    match algorithm {
        Algorithm::ES256 => parses(&signature::ECDSA_P256_SHA256_FIXED),
        Algorithm::ES384 => parses(&signature::ECDSA_P384_SHA384_FIXED),
        Algorithm::EdDSA => parses(&signature::ED25519),
        _ => rsa::PublicKey::from_der(bytes).is_ok_and(|key| RSA_BITS.contains(&bits(&key))),
    }
}

fn bits(key: &rsa::PublicKey) -> usize {
    let modulus = key.modulus();
    let bytes = modulus.big_endian_without_leading_zero();
    bytes.len() * 8 - bytes.first().map_or(0, |first| first.leading_zeros() as usize)
}
