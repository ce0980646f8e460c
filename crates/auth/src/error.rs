//! Why a configuration of keys and issuers is refused.

use std::fmt;

use crate::{Algorithm, JwksError};

/// The part of the section `[auth]` that an error is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A key, counted from 0 in the order of `auth.keys`.
    Key(usize),
    /// The issuer of this name.
    Issuer(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(index) => write!(f, "auth.keys[{index}]"),
            Self::Issuer(name) => write!(f, "auth.issuers {name:?}"),
        }
    }
}

/// Why the section `[auth]` is refused at start. Holds no part of a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// No key at all: every token would be refused.
    #[error("there are neither auth.keys nor auth.issuers: every token would be refused")]
    NoKeys,
    /// `claims.user` names no claim: every token would be refused.
    #[error("auth.claims.user is empty: no token could say who its user is")]
    NoUserClaim,
    /// A number is outside its range.
    #[error("auth.{name} is {got}, it may be {least} to {most}")]
    OutOfRange {
        /// The option.
        name: &'static str,
        /// What it was set to.
        got: usize,
        /// The smallest allowed value.
        least: usize,
        /// The largest allowed value.
        most: usize,
    },
    /// An HMAC key without `secret`, or with `pem`.
    #[error("{at}: {algorithm} takes `secret` and no `pem`")]
    WantsSecret {
        /// Which part.
        at: Place,
        /// Its algorithm.
        algorithm: Algorithm,
    },
    /// A public-key algorithm without `pem`, or with `secret`.
    #[error("{at}: {algorithm} takes `pem`, the text of a public key, and no `secret`")]
    WantsPem {
        /// Which part.
        at: Place,
        /// Its algorithm.
        algorithm: Algorithm,
    },
    /// A secret that can be guessed.
    #[error(
        "{at}: the secret has {got} bytes, at least 32 are needed; \
         `openssl rand -hex 32` makes a good one"
    )]
    ShortSecret {
        /// Which part.
        at: Place,
        /// Bytes it has.
        got: usize,
    },
    /// A key in PEM form where a shared secret belongs: whoever has the public key could sign (RFC 8725
    /// §2.1).
    #[error("{at}: the secret is the text of a PEM key; set `pem` and the algorithm it was made for")]
    PemAsSecret {
        /// Which part.
        at: Place,
    },
    /// A private key where the public one belongs.
    #[error(
        "{at}: the pem is a private key, which has no business here; \
         `openssl pkey -in FILE -pubout` prints the public one"
    )]
    PrivateKey {
        /// Which part.
        at: Place,
    },
    /// Not a public key, or not one for this algorithm (another kind or curve, RSA under 2048 bits).
    #[error(
        "{at}: the pem is not a public key for {algorithm}; \
         it begins with `-----BEGIN PUBLIC KEY-----` and holds {needed}"
    )]
    BadPem {
        /// Which part.
        at: Place,
        /// Its algorithm.
        algorithm: Algorithm,
        /// The kind of key that the algorithm needs.
        needed: &'static str,
    },
    /// Two keys with the same id and algorithm: a token could not say which it means.
    #[error("{at}: an earlier key has the same id and algorithm")]
    Duplicate {
        /// Which part, the later one.
        at: Place,
    },
    /// Asked to sign with a key that can only verify.
    #[error("tokens can be signed with HS256, HS384 and HS512 only, the key is for {algorithm}")]
    CannotSign {
        /// The key's algorithm.
        algorithm: Algorithm,
    },
    /// An issuer without a name or an `iss`, or a list of its that must not be empty.
    #[error("{at}: {option} must not be empty")]
    Empty {
        /// Which part.
        at: Place,
        /// The option.
        option: &'static str,
    },
    /// Algorithms of shared secrets beside those of public keys, or with the other kind of key (RFC 8725 §2.1).
    #[error(
        "{at}: a secret takes HS256, HS384 and HS512 only, every other source of keys the other algorithms"
    )]
    MixedAlgorithms {
        /// Which part.
        at: Place,
    },
    /// A default that is no slug and no `"*"`.
    #[error("{at}: default_workspaces holds what no workspace can be called")]
    BadSlug {
        /// Which part.
        at: Place,
    },
    /// Two issuers with the same `iss` or name.
    #[error("{at}: an earlier issuer has the same name or the same iss")]
    DuplicateIssuer {
        /// Which part, the later one.
        at: Place,
    },
    /// A key set that cannot be used.
    #[error("{at}: {source}")]
    Jwks {
        /// Which part.
        at: Place,
        /// Why.
        source: JwksError,
    },
}
