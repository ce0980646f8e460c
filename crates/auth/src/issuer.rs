//! An issuer: whose tokens, by which rules, with which keys.

use std::fmt;
use std::sync::Arc;

use campanile_model::Slug;

use crate::algorithm::Family;
use crate::jwks;
use crate::keys::{self, Key, Ring};
use crate::token::{Header, Token};
use crate::{Algorithm, ClaimNames, Config, ConfigError, JwksError, Place, Refusal, Words, Workspaces};

/// What is asked of the tokens of one issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerConfig {
    /// What messages and logs call it.
    pub name: String,
    /// The `iss` of its tokens, compared by bytes.
    pub issuer: String,
    /// A token's `aud`, a text or a list of texts, must hold one of these, compared by bytes. Empty: it is not
    /// looked at, so that whatever the issuer signs for anybody is believed here.
    pub audience: Vec<String>,
    /// The algorithms its keys may be used with, at least one; all of HS256, HS384 and HS512 or none.
    pub algorithms: Vec<Algorithm>,
    /// What `typ` may say, without regard to case and to an `application/` in front (RFC 7515 §4.1.9). A token
    /// without `typ` is taken where `JWT` is among them: that is what it then is.
    pub types: Vec<String>,
    /// Which claims say what.
    pub claims: ClaimNames,
    /// The workspaces of a token without the claim: slugs, or `"*"` for every existing one. Empty: such a token
    /// states none.
    pub default_workspaces: Vec<String>,
    /// What the bearer of a token without the claim may do: words parted by spaces.
    pub default_scope: String,
}

impl IssuerConfig {
    /// The `typ` of access tokens (RFC 9068 §2.1), and of tokens that say nothing more.
    pub const TYPES: [&str; 2] = ["JWT", "at+jwt"];

    /// An issuer of tokens signed with `algorithms` for `audience`, read as the documented tokens are.
    pub fn new(name: &str, issuer: &str, audience: &[&str], algorithms: &[Algorithm]) -> Self {
        Self {
            name: name.to_owned(),
            issuer: issuer.to_owned(),
            audience: audience.iter().map(|text| (*text).to_owned()).collect(),
            algorithms: algorithms.to_vec(),
            types: Self::TYPES.map(str::to_owned).to_vec(),
            claims: ClaimNames::default(),
            default_workspaces: vec![],
            default_scope: String::new(),
        }
    }
}

/// Where the keys of an issuer come from, already read.
#[derive(Clone, PartialEq, Eq)]
pub enum IssuerKeys {
    /// A shared secret of at least 32 bytes.
    Secret(String),
    /// A public key as PEM text.
    Pem(String),
    /// A JSON Web Key Set (RFC 7517 §5). Its shared secrets, if it has any, are never used.
    Jwks(String),
    /// None yet: every token is refused until [`Issuer::with_jwks`] brings some.
    Awaited,
}

/// Shows of what kind they are, never what they hold.
impl fmt::Debug for IssuerKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Secret(_) => "Secret",
            Self::Pem(_) => "Pem",
            Self::Jwks(_) => "Jwks",
            Self::Awaited => "Awaited",
        })
    }
}

/// An issuer with its keys, checked.
#[derive(Clone)]
pub struct Issuer {
    rules: Arc<Rules>,
    ring: Ring,
    unused: usize,
}

impl Issuer {
    /// Checks the rules and reads the keys.
    ///
    /// # Errors
    /// See [`ConfigError`]; a key set without a single usable key is one, since it can only be a mistake here.
    pub fn new(config: &IssuerConfig, keys: &IssuerKeys) -> Result<Self, ConfigError> {
        let at = || Place::Issuer(config.name.clone());
        let shared =
            config.algorithms.iter().filter(|algorithm| algorithm.family() == Family::Secret).count();
        let wanted = if matches!(keys, IssuerKeys::Secret(_)) { config.algorithms.len() } else { 0 };
        check(config)?;
        if shared != wanted {
            return Err(ConfigError::MixedAlgorithms { at: at() });
        }
        let issuer = Self { rules: Arc::new(Rules::of(config)), ring: Ring::default(), unused: 0 };
        match keys {
            IssuerKeys::Secret(secret) => {
                let key = keys::secret_key(keys::checked_secret(at(), secret)?);
                Ok(issuer.with(Key { id: None, algorithms: config.algorithms.clone(), key }))
            }
            IssuerKeys::Pem(pem) => {
                let key = keys::public_key(at(), &config.algorithms, pem)?;
                Ok(issuer.with(Key { id: None, algorithms: config.algorithms.clone(), key }))
            }
            IssuerKeys::Jwks(text) => {
                let issuer = issuer.with_jwks(text).and_then(|issuer| match issuer.keys() {
                    0 => Err(JwksError::NoUsableKey { unused: issuer.unused }),
                    _ => Ok(issuer),
                });
                issuer.map_err(|source| ConfigError::Jwks { at: at(), source })
            }
            IssuerKeys::Awaited => Ok(issuer),
        }
    }

    /// The keys of `config`, which sign for any `iss`; called `auth.keys`.
    ///
    /// # Errors
    /// See [`ConfigError`]. There may be none.
    pub fn anyone(config: &Config) -> Result<Self, ConfigError> {
        let mut ring = Ring::default();
        for (index, key) in config.keys.iter().enumerate() {
            let key = Key::new(index, key)?;
            if key.id.is_some() && ring.0.iter().any(|k| k.id == key.id && k.algorithms == key.algorithms) {
                return Err(ConfigError::Duplicate { at: Place::Key(index) });
            }
            ring.0.push(key);
        }
        Ok(Self { rules: Arc::new(Rules::anyone(&config.claims)), ring, unused: 0 })
    }

    /// The same issuer with the keys of the key set `text`, and no others. A set without a usable key leaves it
    /// without any: that is how an issuer takes back what it published.
    ///
    /// # Errors
    /// See [`JwksError`].
    pub fn with_jwks(&self, text: &str) -> Result<Self, JwksError> {
        let read = jwks::read(text, &self.rules.algorithms)?;
        Ok(Self { rules: Arc::clone(&self.rules), ring: Ring(read.keys), unused: read.unused })
    }

    /// Keys that may sign its tokens.
    pub fn keys(&self) -> usize {
        self.ring.0.len()
    }

    /// Keys of its key set that are of no use here: for encryption, of a kind, a size or an algorithm that is not
    /// allowed, or damaged.
    pub fn unused_keys(&self) -> usize {
        self.unused
    }

    /// What messages and logs call it.
    pub fn name(&self) -> &str {
        &self.rules.name
    }

    /// The `iss` of its tokens; `None`: any.
    pub(crate) fn issuer(&self) -> Option<&str> {
        self.rules.issuer.as_deref()
    }

    pub(crate) fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Whether one of its keys made the token's signature.
    pub(crate) fn check(&self, header: &Header, token: &Token<'_>) -> Result<(), Refusal> {
        self.ring.check(header, token)
    }

    /// Whether a key that `header` means may be one that it has published since.
    pub(crate) fn lacks(&self, header: &Header) -> bool {
        match &header.key_id {
            Some(id) => !self.ring.0.iter().any(|key| key.id.as_ref() == Some(id)),
            None => self.ring.0.is_empty(),
        }
    }

    /// Whether both hold the same keys, so that nothing changes by putting one in the other's place.
    pub fn has_keys_of(&self, other: &Self) -> bool {
        self.ring == other.ring
    }

    fn with(mut self, key: Key) -> Self {
        self.ring.0.push(key);
        self
    }
}

/// Shows whose it is, and ids and algorithms of its keys.
impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer").field("issuer", &self.rules.issuer).field("keys", &self.ring).finish()
    }
}

/// How the claims of a genuine token are judged.
pub(crate) struct Rules {
    name: String,
    /// `None`: any `iss`, and neither `aud` nor `typ` is looked at.
    pub(crate) issuer: Option<Arc<str>>,
    pub(crate) audience: Vec<String>,
    types: Vec<String>,
    algorithms: Vec<Algorithm>,
    pub(crate) claims: ClaimNames,
    pub(crate) workspaces: Workspaces,
    pub(crate) scopes: Words,
}

impl Rules {
    pub(crate) fn anyone(claims: &ClaimNames) -> Self {
        Self {
            name: "auth.keys".to_owned(),
            issuer: None,
            audience: vec![],
            types: vec![],
            algorithms: vec![],
            claims: claims.clone(),
            workspaces: Workspaces::Unstated,
            scopes: Words::default(),
        }
    }

    fn of(config: &IssuerConfig) -> Self {
        let IssuerConfig { default_workspaces, default_scope, .. } = config;
        let named = default_workspaces.iter().map(String::as_str).filter(|slug| *slug != "*").collect();
        let workspaces = match default_workspaces.iter().any(|slug| slug == "*") {
            true => Workspaces::All { named },
            false if default_workspaces.is_empty() => Workspaces::Unstated,
            false => Workspaces::Named(named),
        };
        Self {
            name: config.name.clone(),
            issuer: Some(config.issuer.as_str().into()),
            audience: config.audience.clone(),
            types: config.types.iter().map(|text| plain_type(text)).collect(),
            algorithms: config.algorithms.clone(),
            claims: config.claims.clone(),
            workspaces,
            scopes: [default_scope.as_str()].into_iter().collect(),
        }
    }

    /// Whether a token of this `typ` is of a kind that may be shown here.
    pub(crate) fn takes_type(&self, typ: Option<&str>) -> bool {
        let typ = plain_type(typ.unwrap_or("JWT"));
        self.issuer.is_none() || self.types.contains(&typ)
    }
}

/// As types are compared: media types know no case, and `application/` may be left out (RFC 7515 §4.1.9).
fn plain_type(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    lower.strip_prefix("application/").map(str::to_owned).unwrap_or(lower)
}

fn check(config: &IssuerConfig) -> Result<(), ConfigError> {
    let at = || Place::Issuer(config.name.clone());
    let ClaimNames { user, workspaces, scope } = &config.claims;
    let empty = [
        ("name", config.name.is_empty()),
        ("issuer", config.issuer.is_empty()),
        ("audience", config.audience.iter().any(String::is_empty)),
        ("algorithms", config.algorithms.is_empty()),
        ("types", config.types.is_empty()),
        ("claims.user", user.is_empty() || user.iter().any(String::is_empty)),
        ("claims.workspaces", workspaces.is_empty()),
        ("claims.scope", scope.is_empty()),
    ];
    if let Some((option, _)) = empty.into_iter().find(|(_, empty)| *empty) {
        return Err(ConfigError::Empty { at: at(), option });
    }
    if config.default_workspaces.iter().any(|slug| slug != "*" && Slug::new(slug).is_err()) {
        return Err(ConfigError::BadSlug { at: at() });
    }
    Ok(())
}
