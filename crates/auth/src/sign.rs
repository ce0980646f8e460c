//! Tokens made here: for `campanile token`, and for tests.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use campanile_model::{Timestamp, UserId};
use jsonwebtoken::{EncodingKey, crypto};
use serde_json::{Map, Value, json};

use crate::algorithm::Family;
use crate::keys::secret;
use crate::{ClaimNames, ConfigError, KeyConfig, Place, Words, Workspaces};

/// What a new token shall state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Who receives.
    pub user: UserId,
    /// The workspaces it opens.
    pub workspaces: Workspaces,
    /// What its bearer may do there. No claim if empty.
    pub scopes: Words,
    /// Seconds from now until it expires.
    pub ttl_secs: u64,
    /// The `email` claim, which the product surface's tokens carry. Never read here.
    pub email: Option<String>,
    /// The `jti` claim.
    pub token_id: Option<String>,
    /// The `iss` claim.
    pub issuer: Option<String>,
}

impl Grant {
    /// A grant that says who and for how long, and no more.
    pub fn new(user: UserId, ttl_secs: u64) -> Self {
        Self {
            user,
            workspaces: Workspaces::Unstated,
            scopes: Words::default(),
            ttl_secs,
            email: None,
            token_id: None,
            issuer: None,
        }
    }
}

/// Signs a token that states `grant` as of `now`, in the claims that `names` reads, with the key's id as
/// `kid` if it has one.
///
/// # Errors
/// [`ConfigError`] if `key` is not an HMAC key with a secret of at least 32 bytes; it is called key 0.
pub fn sign(
    key: &KeyConfig,
    names: &ClaimNames,
    grant: &Grant,
    now: Timestamp,
) -> Result<String, ConfigError> {
    let cannot = ConfigError::CannotSign { algorithm: key.algorithm };
    if key.algorithm.family() != Family::Secret {
        return Err(cannot);
    }
    let secret = EncodingKey::from_secret(secret(Place::Key(0), key)?);
    let user = names.user.first().ok_or(ConfigError::NoUserClaim)?;

    let mut header = json!({ "alg": key.algorithm.name(), "typ": "JWT" });
    if let Some(id) = &key.id {
        header["kid"] = json!(id);
    }
    let message = format!("{}.{}", encode(&header), encode(&claims(user, names, grant, now).into()));
    let signature =
        crypto::sign(message.as_bytes(), &secret, key.algorithm.in_library()).map_err(|_| cannot)?;
    Ok(format!("{message}.{signature}"))
}

pub(crate) fn claims(user: &str, names: &ClaimNames, grant: &Grant, now: Timestamp) -> Map<String, Value> {
    let issued_at = now.as_secs();
    let ttl_millis = i64::try_from(grant.ttl_secs.saturating_mul(1000)).unwrap_or(i64::MAX);
    let expires_at = Timestamp::from_millis(now.as_millis().saturating_add(ttl_millis)).as_secs();
    let mut claims = Map::new();
    let mut set = |name: &str, value: Value| insert(&mut claims, name, value);
    set(user, json!(grant.user.as_str()));
    set("iat", json!(issued_at));
    set("exp", json!(expires_at));
    match &grant.workspaces {
        Workspaces::Unstated => {}
        Workspaces::All { named } => {
            set(&names.workspaces, std::iter::once("*").chain(named.iter()).collect())
        }
        Workspaces::Named(named) => set(&names.workspaces, named.iter().collect()),
    };
    if !grant.scopes.is_empty() {
        set(&names.scope, json!(grant.scopes.iter().collect::<Vec<_>>().join(" ")));
    }
    if let Some(email) = &grant.email {
        set("email", json!(email));
    }
    if let Some(id) = &grant.token_id {
        set("jti", json!(id));
    }
    if let Some(issuer) = &grant.issuer {
        set("iss", json!(issuer));
    }
    claims
}

/// Sets a claim where its reader looks for it: by its name, or for a name with `/` in front inside objects.
fn insert(claims: &mut Map<String, Value>, name: &str, value: Value) {
    let Some(way) = name.strip_prefix('/') else {
        claims.insert(name.to_owned(), value);
        return;
    };
    let unescaped = |step: &str| step.replace("~1", "/").replace("~0", "~");
    let (first, rest) = match way.split_once('/') {
        Some((first, rest)) => (first, rest),
        None => {
            claims.insert(unescaped(way), value);
            return;
        }
    };
    let inner = claims.entry(unescaped(first)).or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(inner) = inner {
        insert(inner, &format!("/{rest}"), value);
    }
}

pub(crate) fn encode(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}
