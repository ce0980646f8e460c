//! The signature algorithms a key may be configured for.

use std::fmt;

use jsonwebtoken as jwt;
use serde::{Deserialize, Serialize};

/// How a key signs (RFC 7518 §3.1, RFC 8037). Each configured key has exactly one.
///
/// `none` is not among them, and neither is anything a token could make up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Algorithm {
    /// HMAC with SHA-256, a shared secret.
    HS256,
    /// HMAC with SHA-384, a shared secret.
    HS384,
    /// HMAC with SHA-512, a shared secret.
    HS512,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RS256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    RS384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    RS512,
    /// RSASSA-PSS with SHA-256.
    PS256,
    /// RSASSA-PSS with SHA-384.
    PS384,
    /// RSASSA-PSS with SHA-512.
    PS512,
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// ECDSA on P-384 with SHA-384.
    ES384,
    /// Ed25519.
    EdDSA,
}

/// What kind of key an algorithm needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    Secret,
    Rsa,
    Ec,
    Ed,
}

impl Algorithm {
    /// The name as it stands in a token's `alg`, compared by bytes.
    pub fn name(self) -> &'static str {
        match self {
            Self::HS256 => "HS256",
            Self::HS384 => "HS384",
            Self::HS512 => "HS512",
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::EdDSA => "EdDSA",
        }
    }

    pub(crate) fn family(self) -> Family {
        match self {
            Self::HS256 | Self::HS384 | Self::HS512 => Family::Secret,
            Self::RS256 | Self::RS384 | Self::RS512 | Self::PS256 | Self::PS384 | Self::PS512 => Family::Rsa,
            Self::ES256 | Self::ES384 => Family::Ec,
            Self::EdDSA => Family::Ed,
        }
    }

    /// The same algorithm in the words of the library that computes it.
    pub(crate) fn in_library(self) -> jwt::Algorithm {
        match self {
            Self::HS256 => jwt::Algorithm::HS256,
            Self::HS384 => jwt::Algorithm::HS384,
            Self::HS512 => jwt::Algorithm::HS512,
            Self::RS256 => jwt::Algorithm::RS256,
            Self::RS384 => jwt::Algorithm::RS384,
            Self::RS512 => jwt::Algorithm::RS512,
            Self::PS256 => jwt::Algorithm::PS256,
            Self::PS384 => jwt::Algorithm::PS384,
            Self::PS512 => jwt::Algorithm::PS512,
            Self::ES256 => jwt::Algorithm::ES256,
            Self::ES384 => jwt::Algorithm::ES384,
            Self::EdDSA => jwt::Algorithm::EdDSA,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
