//! Whose tokens are believed: the issuers, and the keys that sign for any.

use std::fmt;
use std::sync::Arc;

use crate::keys::Key;
use crate::token::{Header, Token};
use crate::{Config, ConfigError, Issuer, Place, Refusal};

/// Everybody who may sign tokens. Cheap to clone; never changed, only replaced.
#[derive(Clone)]
pub struct KeySet {
    /// The keys without an issuer: tried for every token, after the issuer that it names.
    anyone: Arc<Issuer>,
    /// Each with its own `iss` and name.
    issuers: Vec<Arc<Issuer>>,
}

impl KeySet {
    /// Reads the keys of `config` and checks its ranges, so that what cannot work stops the start.
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub fn new(config: &Config) -> Result<Self, ConfigError> {
        Self::of(config, [])
    }

    /// The keys of `config`, which may be none, beside these issuers.
    ///
    /// # Errors
    /// Those of [`new`](Self::new), and [`ConfigError::DuplicateIssuer`].
    pub fn of(config: &Config, issuers: impl IntoIterator<Item = Issuer>) -> Result<Self, ConfigError> {
        config.check()?;
        let mut all: Vec<Arc<Issuer>> = vec![];
        for issuer in issuers {
            if all.iter().any(|other| other.issuer() == issuer.issuer() || other.name() == issuer.name()) {
                return Err(ConfigError::DuplicateIssuer { at: Place::Issuer(issuer.name().to_owned()) });
            }
            all.push(Arc::new(issuer));
        }
        if config.keys.is_empty() && all.is_empty() {
            return Err(ConfigError::NoKeys);
        }
        Ok(Self { anyone: Arc::new(anyone(config)?), issuers: all })
    }

    /// The same with `issuer` in the place of the one of its `iss`, or added.
    #[must_use]
    pub fn with(&self, issuer: Issuer) -> Self {
        let mut issuers = self.issuers.clone();
        match issuers.iter_mut().find(|other| other.issuer() == issuer.issuer()) {
            Some(other) => *other = Arc::new(issuer),
            None => issuers.push(Arc::new(issuer)),
        }
        Self { anyone: Arc::clone(&self.anyone), issuers }
    }

    /// The same with the keys of `config` in the place of those without an issuer.
    ///
    /// # Errors
    /// Those of [`new`](Self::new), but that there may be no keys.
    pub fn with_keys(&self, config: &Config) -> Result<Self, ConfigError> {
        Ok(Self { anyone: Arc::new(anyone(config)?), issuers: self.issuers.clone() })
    }

    /// The issuer whose tokens have this `iss`.
    pub fn issuer(&self, iss: &str) -> Option<&Issuer> {
        self.issuers.iter().find(|issuer| issuer.issuer() == Some(iss)).map(|issuer| &**issuer)
    }

    /// Who made the token's signature: the issuer that its `iss` names, or the keys that sign for any.
    ///
    /// `iss` is read before the signature holds, as `kid` is, and like it only compared. Where the answer is a
    /// refusal, it is that of whoever came further.
    pub(crate) fn signer(&self, header: &Header, token: &Token<'_>) -> Result<&Issuer, Refusal> {
        let named = if self.issuers.is_empty() { None } else { self.named_by(token) };
        let first = match named.map(|issuer| issuer.check(header, token).map(|()| issuer)) {
            Some(Ok(issuer)) => return Ok(issuer),
            Some(Err(refusal)) => refusal,
            None => Refusal::UnknownIssuer,
        };
        if self.anyone.keys() == 0 {
            return Err(first);
        }
        match self.anyone.check(header, token) {
            Ok(()) => Ok(&self.anyone),
            Err(second) => Err(if progress(second) > progress(first) { second } else { first }),
        }
    }

    /// The issuer that a token names, genuine or not.
    pub(crate) fn named_by(&self, token: &Token<'_>) -> Option<&Issuer> {
        self.issuer(&token.issuer()?)
    }
}

/// How far a token came that no key made.
fn progress(refusal: Refusal) -> u8 {
    match refusal {
        Refusal::UnknownIssuer => 0,
        Refusal::UnknownKey => 1,
        Refusal::WrongAlgorithm => 2,
        _ => 3,
    }
}

fn anyone(config: &Config) -> Result<Issuer, ConfigError> {
    let mut keys: Vec<Key> = Vec::with_capacity(config.keys.len());
    for (index, key) in config.keys.iter().enumerate() {
        let key = Key::new(index, key)?;
        if key.id.is_some() && keys.iter().any(|k| k.id == key.id && k.algorithms == key.algorithms) {
            return Err(ConfigError::Duplicate { at: Place::Key(index) });
        }
        keys.push(key);
    }
    Ok(Issuer::anyone(&config.claims, keys))
}

/// Shows issuers, ids and algorithms only.
impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entry(&self.anyone).entries(&self.issuers).finish()
    }
}
