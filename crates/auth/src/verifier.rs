//! Form, key, signature, claims, time: the whole judgement, and the memory of it.

use std::sync::Arc;

use arc_swap::ArcSwap;
use campanile_model::Timestamp;

use crate::cache::{Cache, CacheKey};
use crate::claims::Statement;
use crate::token::Token;
use crate::{Config, Identity, KeySet, Refusal, Revoked};

/// Judges tokens. Shared by all threads.
pub struct Verifier {
    trust: ArcSwap<Trust>,
    leeway_millis: i64,
    max_token_bytes: usize,
    cache: Cache,
    revoked: Arc<Revoked>,
}

/// The keys of the moment. What was verified by those of another generation is verified anew.
struct Trust {
    keys: KeySet,
    generation: u64,
}

impl Verifier {
    /// A verifier with `keys`, read from the same `config`: [`KeySet::new`] has checked its ranges.
    pub fn new(keys: KeySet, config: &Config) -> Self {
        Self {
            trust: ArcSwap::from_pointee(Trust { keys, generation: 0 }),
            leeway_millis: config.leeway_millis(),
            max_token_bytes: config.max_token_bytes,
            cache: Cache::new(config.cache_entries),
            revoked: Arc::default(),
        }
    }

    /// Who `token` names at `now`.
    ///
    /// The cache changes what this costs, never what it answers: a token's signature and shape do not change
    /// with time, and whatever does is judged anew on every call.
    ///
    /// # Errors
    /// See [`Refusal`]; the crate's documentation says which comes first.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Arc<Identity>, Refusal> {
        if token.len() > self.max_token_bytes {
            return Err(Refusal::Malformed);
        }
        if token.trim().is_empty() {
            return Err(Refusal::Missing);
        }
        // One look for the whole judgement: keys that come meanwhile are another generation's.
        let trust = self.trust.load();
        let key = CacheKey::new(token);
        if let Some(statement) = self.cache.get(&key, trust.generation) {
            return self.admit(statement, now);
        }
        let statement = read(&trust.keys, token)?;
        let identity = self.admit(statement.clone(), now)?;
        // Failures are not remembered: they would push out those who come back.
        self.cache.put(key, statement, trust.generation);
        Ok(identity)
    }

    /// Believes `keys` from now on, and nobody else: whoever asks after this has returned is judged by them alone,
    /// remembered tokens too. Judgements under way end by the former ones.
    pub fn replace(&self, keys: KeySet) {
        self.revise(|_| keys.clone());
    }

    /// Replaces the keys by what `change` makes of them. Of several threads that do so at once, each sees what the
    /// others made: `change` may be called again.
    pub fn revise(&self, change: impl Fn(&KeySet) -> KeySet) {
        self.trust.rcu(|trust| Trust { keys: change(&trust.keys), generation: trust.generation + 1 });
    }

    /// The keys of the moment.
    pub fn keys(&self) -> KeySet {
        self.trust.load().keys.clone()
    }

    /// The `iss` of the configured issuer that `token` names, if the key that it says it was signed with is not among
    /// that issuer's: one that has been published since may make it genuine. Nothing else of a token may be a reason
    /// to fetch keys, and this only from where the configuration says.
    pub fn lacks_key_of(&self, token: &str) -> Option<Arc<str>> {
        if token.len() > self.max_token_bytes {
            return None;
        }
        let token = Token::parse(token).ok()?;
        let header = token.header().ok()?;
        let trust = self.trust.load();
        let issuer = trust.keys.named_by(&token)?;
        issuer.rules().issuer.clone().filter(|_| issuer.lacks(&header))
    }

    /// Whether a token that was verified, and named `identity`, is good still: neither expired nor revoked.
    ///
    /// # Errors
    /// [`Refusal::Expired`], [`Refusal::Revoked`].
    pub fn is_good(&self, identity: &Identity, now: Timestamp) -> Result<(), Refusal> {
        if identity.has_expired(now, self.leeway_millis) {
            return Err(Refusal::Expired);
        }
        if self.revoked.is_revoked(identity) { Err(Refusal::Revoked) } else { Ok(()) }
    }

    /// Which tokens are not believed any more: none until somebody says so there.
    pub fn revoked(&self) -> &Arc<Revoked> {
        &self.revoked
    }

    /// What does depend on when it is asked, for fresh and remembered tokens alike.
    fn admit(&self, statement: Statement, now: Timestamp) -> Result<Arc<Identity>, Refusal> {
        statement.check_time(now, self.leeway_millis)?;
        if self.revoked.is_revoked(&statement.identity) {
            return Err(Refusal::Revoked);
        }
        Ok(statement.identity)
    }
}

/// What a token states, if it is genuine: the part that does not depend on when it is asked.
fn read(keys: &KeySet, token: &str) -> Result<Statement, Refusal> {
    let token = Token::parse(token)?;
    let header = token.header()?;
    let rules = keys.signer(&header, &token)?.rules();
    if !rules.takes_type(header.typ.as_deref()) {
        return Err(Refusal::WrongType);
    }
    Statement::read(&token.payload()?, rules)
}
