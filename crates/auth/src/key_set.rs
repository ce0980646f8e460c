//! Whose tokens are believed: the issuers, and the keys that sign for any.

use std::fmt;
use std::sync::Arc;

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
        let mut all = Self { anyone: Arc::new(Issuer::anyone(config)?), issuers: vec![] };
        for issuer in issuers {
            let is_double = |iss| all.issuer(iss).is_some() || all.named(issuer.name()).is_some();
            if issuer.issuer().is_none_or(is_double) {
                return Err(ConfigError::DuplicateIssuer { at: Place::Issuer(issuer.name().to_owned()) });
            }
            all.issuers.push(Arc::new(issuer));
        }
        if config.keys.is_empty() && all.issuers.is_empty() {
            return Err(ConfigError::NoKeys);
        }
        Ok(all)
    }

    /// The same with `issuer` in the place of the one of its `iss`, or added; and with those that sign for
    /// [any](Issuer::anyone) in the place of theirs.
    #[must_use]
    pub fn with(&self, issuer: Issuer) -> Self {
        let mut all = self.clone();
        let issuer = Arc::new(issuer);
        let place = match issuer.issuer() {
            None => Some(&mut all.anyone),
            Some(iss) => all.issuers.iter_mut().find(|other| other.issuer() == Some(iss)),
        };
        match place {
            Some(place) => *place = issuer,
            None => all.issuers.push(issuer),
        }
        all
    }

    /// The issuer of this name.
    pub fn named(&self, name: &str) -> Option<&Issuer> {
        let mut all = std::iter::once(&self.anyone).chain(&self.issuers);
        all.find(|issuer| issuer.name() == name).map(|issuer| &**issuer)
    }

    /// The issuer whose tokens have this `iss`.
    pub fn issuer(&self, iss: &str) -> Option<&Issuer> {
        self.issuers.iter().find(|issuer| issuer.issuer() == Some(iss)).map(|issuer| &**issuer)
    }

    /// Whose a token is, and whether they made its signature: the issuer that its `iss` names, or the keys that sign for
    /// any. Where nobody did, it is whoever's rules it would be judged by.
    ///
    /// `iss` is read before the signature holds, as `kid` is, and like it only compared. Where the answer is a
    /// refusal, it is that of whoever came further.
    pub(crate) fn signer(&self, header: &Header, token: &Token<'_>) -> (&Issuer, Result<(), Refusal>) {
        let named = if self.issuers.is_empty() { None } else { self.named_by(token) };
        let first = match named.map(|issuer| (issuer, issuer.check(header, token))) {
            Some((issuer, Ok(()))) => return (issuer, Ok(())),
            Some((_, Err(refusal))) => refusal,
            None => Refusal::UnknownIssuer,
        };
        let rules = named.unwrap_or(&self.anyone);
        if self.anyone.keys() == 0 {
            return (rules, Err(first));
        }
        match self.anyone.check(header, token) {
            Ok(()) => (&self.anyone, Ok(())),
            Err(second) => (rules, Err(if progress(second) > progress(first) { second } else { first })),
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

/// Shows issuers, ids and algorithms only.
impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entry(&self.anyone).entries(&self.issuers).finish()
    }
}
