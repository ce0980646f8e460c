//! Keys, and which of them a token may be signed with.

use std::fmt;

use aws_lc_rs::rsa;
use aws_lc_rs::signature::{self, ParsedPublicKey, VerificationAlgorithm};
use jsonwebtoken::{DecodingKey, crypto};

use crate::algorithm::Family;
use crate::config::MIN_SECRET_BYTES;
use crate::token::{Header, Token};
use crate::{Algorithm, ConfigError, KeyConfig, Place, Refusal};

/// Bytes of the longest PEM text: an RSA key of 8192 bits takes some 1,500.
const MAX_PEM_BYTES: usize = 16_384;
/// RSA keys of other sizes never verify: too weak (RFC 7518 §3.3), or too costly.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// A key, and the algorithms it may be used with: one, or those of its kind that its issuer allows.
#[derive(Clone)]
pub(crate) struct Key {
    pub(crate) id: Option<String>,
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) key: DecodingKey,
}

impl Key {
    /// The key at `index` of `auth.keys`.
    pub(crate) fn new(index: usize, config: &KeyConfig) -> Result<Self, ConfigError> {
        let (at, algorithm) = (Place::Key(index), config.algorithm);
        let key = match (algorithm.family(), &config.secret, &config.pem) {
            (Family::Secret, _, _) => secret_key(secret(at, config)?),
            (_, None, Some(pem)) => public_key(at, &[algorithm], pem)?,
            _ => return Err(ConfigError::WantsPem { at, algorithm }),
        };
        Ok(Self { id: config.id.clone(), algorithms: vec![algorithm], key })
    }

    /// HMACs are compared in constant time, by the library.
    fn made(&self, token: &Token<'_>, algorithm: Algorithm) -> bool {
        let algorithm = algorithm.in_library();
        matches!(crypto::verify(token.signature, token.message.as_bytes(), &self.key, algorithm), Ok(true))
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        let bytes = |key: &Self| key.key.try_get_as_bytes().map(<[u8]>::to_vec).ok();
        self.id == other.id && self.algorithms == other.algorithms && bytes(self) == bytes(other)
    }
}

/// The keys of one issuer.
#[derive(Clone, Default, PartialEq)]
pub(crate) struct Ring(pub(crate) Vec<Key>);

impl Ring {
    /// Whether one of the keys that `header` may mean made the token's signature.
    ///
    /// A `kid` means the keys of exactly that id; where there is none, those without an id. A token without
    /// `kid` means every key. Of these, those of the token's `alg` are tried: at most as many signatures as
    /// there are keys.
    pub(crate) fn check(&self, header: &Header, token: &Token<'_>) -> Result<(), Refusal> {
        let wanted = header.key_id.as_deref();
        let is_listed = wanted.is_some() && self.0.iter().any(|key| key.id.as_deref() == wanted);
        let is_meant = |key: &&Key| wanted.is_none() || key.id.as_deref() == wanted.filter(|_| is_listed);

        let mut refusal = Refusal::UnknownKey;
        for key in self.0.iter().filter(is_meant) {
            let named = key.algorithms.iter().find(|algorithm| algorithm.name() == header.algorithm);
            if let Some(algorithm) = named {
                if key.made(token, *algorithm) {
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
impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|key| (&key.id, &key.algorithms))).finish()
    }
}

/// The shared secret of an HMAC key.
pub(crate) fn secret(at: Place, config: &KeyConfig) -> Result<&[u8], ConfigError> {
    let (Some(secret), None) = (&config.secret, &config.pem) else {
        return Err(ConfigError::WantsSecret { at, algorithm: config.algorithm });
    };
    checked_secret(at, secret)
}

/// A secret that is long enough, and no public key.
pub(crate) fn checked_secret(at: Place, secret: &str) -> Result<&[u8], ConfigError> {
    if secret.contains("-----BEGIN ") {
        return Err(ConfigError::PemAsSecret { at });
    }
    if secret.len() < MIN_SECRET_BYTES {
        return Err(ConfigError::ShortSecret { at, got: secret.len() });
    }
    Ok(secret.as_bytes())
}

pub(crate) fn secret_key(secret: &[u8]) -> DecodingKey {
    DecodingKey::from_secret(secret)
}

/// A public key that can be used with each of `algorithms`.
pub(crate) fn public_key(at: Place, algorithms: &[Algorithm], pem: &str) -> Result<DecodingKey, ConfigError> {
    let mut key = None;
    for algorithm in algorithms {
        key = Some(public_key_for(&at, *algorithm, pem)?);
    }
    key.ok_or(ConfigError::Empty { at, option: "algorithms" })
}

fn public_key_for(at: &Place, algorithm: Algorithm, pem: &str) -> Result<DecodingKey, ConfigError> {
    let bad = |needed| ConfigError::BadPem { at: at.clone(), algorithm, needed };
    if pem.contains("PRIVATE KEY-----") {
        return Err(ConfigError::PrivateKey { at: at.clone() });
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
pub(crate) fn is_usable(algorithm: Algorithm, bytes: &[u8]) -> bool {
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
