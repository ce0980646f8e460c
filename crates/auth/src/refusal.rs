//! What can be wrong with a token.

/// Why a token names nobody. Holds no part of the token, so it may be logged.
///
/// Every surface turns [`Expired`](Self::Expired) into "come back with a new token" and all others into
/// "unauthorized" (the protocol, §2, §3); the difference between the others is for the log only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// Empty or blank.
    #[error("there is no token")]
    Missing,
    /// Too long, not three segments of base64url, or not strict JSON objects inside: other than UTF-8, deeper
    /// than 32, or with a member given twice.
    #[error("the token is not a JWT in compact form")]
    Malformed,
    /// A header member that changes how the rest would have to be read, and that we do not know how to.
    #[error("the token's header uses `{0}`, which is not supported")]
    UnsupportedHeader(&'static str),
    /// `iss` names no configured issuer, or is absent, and no key without an issuer is configured.
    #[error("the token's issuer is not among the configured issuers")]
    UnknownIssuer,
    /// `kid` names no configured key, and no key without an id is configured.
    #[error("the token's key id is not among the configured keys")]
    UnknownKey,
    /// `alg` is not the algorithm of any key the token may be signed with; `none` always ends here.
    #[error("the token's algorithm is not that of the configured key")]
    WrongAlgorithm,
    /// No configured key made this signature.
    #[error("the signature is not by a configured key")]
    BadSignature,
    /// Genuine, but `typ` says that it is a token of another kind.
    #[error("the token's `typ` is not one that its issuer's tokens may have here")]
    WrongType,
    /// Genuine, but not made for us: no configured audience in `aud`, or no `aud` at all.
    #[error("the token is not for a configured audience")]
    WrongAudience,
    /// Genuine, but without `exp`: it would be good for ever.
    #[error("the token has no `exp` claim")]
    NoExpiry,
    /// Genuine, but a claim is not of its type or range. Named by its role: `exp`, `nbf`, `iat`, `jti`,
    /// `aud`, `workspaces`, `scope`.
    #[error("the token's `{0}` claim is not usable")]
    BadClaim(&'static str),
    /// Genuine, but the user claim is absent, null, empty, not a string, longer than 128 bytes, or holds a
    /// control character.
    #[error("the token names no usable user")]
    NoUser,
    /// Genuine, but without `iat`, where tokens may live so long and no longer: nobody could tell how long it lives.
    #[error(
        "the token has no `iat` claim, which the longest life of a token (`tokens.longest_life`) asks for"
    )]
    NoIssueTime,
    /// Genuine, but longer from `iat` to `exp` than a token may live: a revocation of it could end before it does.
    #[error("from its `iat` to its `exp` the token lives longer than a token may (`tokens.longest_life`)")]
    LivesTooLong,
    /// Genuine, but `nbf` is in the future.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// Genuine and good in everything else, but `exp` has passed.
    #[error("the token has expired")]
    Expired,
    /// Genuine and in time, but taken back: by its id, or with all that its user had.
    #[error("the token was revoked")]
    Revoked,
}

impl Refusal {
    /// One word for the log line of a refused connect, `snake_case`, never changed between versions.
    pub fn cause(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::UnsupportedHeader(_) => "unsupported_header",
            Self::UnknownIssuer => "unknown_issuer",
            Self::UnknownKey => "unknown_key",
            Self::WrongAlgorithm => "wrong_algorithm",
            Self::BadSignature => "bad_signature",
            Self::WrongType => "wrong_type",
            Self::WrongAudience => "wrong_audience",
            Self::NoExpiry => "no_expiry",
            Self::BadClaim(_) => "bad_claim",
            Self::NoUser => "no_user",
            Self::NoIssueTime => "no_iat",
            Self::LivesTooLong => "lives_too_long",
            Self::NotYetValid => "not_yet_valid",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }

    /// Whether a new token of the same kind would do: closes 4003 rather than 4001.
    pub fn is_expired(self) -> bool {
        self == Self::Expired
    }
}
