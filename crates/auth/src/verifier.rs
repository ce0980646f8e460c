//! Form, key, signature, claims, time: the whole judgement, and the memory of it.

use std::hint::black_box;
use std::sync::Arc;

use arc_swap::ArcSwap;
use campanile_model::Timestamp;

use crate::cache::{Cache, CacheKey};
use crate::claims::Statement;
use crate::issuer::Rules;
use crate::token::{Header, Token};
use crate::{Config, Identity, KeySet, Refusal, Revoked};

/// Judges tokens. Shared by all threads.
pub struct Verifier {
    trust: ArcSwap<Trust>,
    leeway_millis: i64,
    longest_life_millis: Option<i64>,
    max_token_bytes: usize,
    cache: Cache,
    revoked: Arc<Revoked>,
}

/// The keys of the moment. What was verified by those of another generation is verified anew.
struct Trust {
    keys: KeySet,
    generation: u64,
}

/// A token that was found genuine and in time.
#[derive(Debug, Clone)]
pub struct Judged {
    /// Whom it names.
    pub identity: Arc<Identity>,
    /// That was known already. Whoever refuses it for another reason [examines](Verifier::examine) it.
    pub remembered: bool,
}

impl Verifier {
    /// A verifier with `keys`, read from the same `config`: [`KeySet::new`] has checked its ranges.
    pub fn new(keys: KeySet, config: &Config) -> Self {
        Self {
            trust: ArcSwap::from_pointee(Trust { keys, generation: 0 }),
            leeway_millis: config.leeway_millis(),
            longest_life_millis: config.longest_life_millis(),
            max_token_bytes: config.max_token_bytes,
            cache: Cache::new(config.cache_entries),
            revoked: Arc::default(),
        }
    }

    /// Who `token` names at `now`.
    ///
    /// The cache changes what this costs, never what it answers: a token's signature and shape do not change
    /// with time, and whatever does is judged anew on every call. A refusal costs the same with it and without.
    ///
    /// # Errors
    /// See [`Refusal`]; the crate's documentation says which comes first.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Arc<Identity>, Refusal> {
        self.judge(token, now).map(|judged| judged.identity)
    }

    /// The same, for whoever may refuse a genuine token all the same.
    ///
    /// # Errors
    /// As of [`verify`](Self::verify).
    pub fn judge(&self, token: &str, now: Timestamp) -> Result<Judged, Refusal> {
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
            let admitted = self.admit(statement, now);
            if admitted.is_err() {
                self.examine(token);
            }
            return admitted.map(|identity| Judged { identity, remembered: true });
        }
        let (statement, is_made) = read(&trust.keys, token)?;
        if let Err(refusal) = is_made {
            // On the way of a good one, so that the time does not tell that it is none.
            let _unbelieved = black_box(self.admit(statement.clone(), now));
            self.cache.put_aside(key, statement, trust.generation);
            return Err(refusal);
        }
        let identity = self.admit(statement.clone(), now)?;
        // Failures are not remembered: they would push out those who come back.
        self.cache.put(key, statement, trust.generation);
        Ok(Judged { identity, remembered: false })
    }

    /// Does what a token costs that is not remembered, and nothing else: so that whoever refuses one that is does not
    /// tell by the time it takes that it is genuine.
    pub fn examine(&self, token: &str) {
        // Its answer is known.
        let _read = black_box(read(&self.trust.load().keys, token));
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

    /// What does depend on when it is asked, and on what is set, for fresh and remembered tokens alike.
    fn admit(&self, statement: Statement, now: Timestamp) -> Result<Arc<Identity>, Refusal> {
        statement.check_life(self.longest_life_millis)?;
        statement.check_time(now, self.leeway_millis)?;
        if self.revoked.is_revoked(&statement.identity) {
            return Err(Refusal::Revoked);
        }
        Ok(statement.identity)
    }
}

/// What a token states, the part that does not depend on when it is asked, and whether it is genuine: nothing of what
/// it states counts if it is not. It is read all the same, for the time it takes.
fn read(keys: &KeySet, token: &str) -> Result<(Statement, Result<(), Refusal>), Refusal> {
    let token = Token::parse(token)?;
    let header = token.header()?;
    let (issuer, is_made) = keys.signer(&header, &token);
    match (state(issuer.rules(), &header, &token), is_made) {
        (Ok(statement), is_made) => Ok((statement, is_made)),
        // Of a token that is not genuine nothing else is told.
        (Err(_), Err(refusal)) | (Err(refusal), Ok(())) => Err(refusal),
    }
}

fn state(rules: &Rules, header: &Header, token: &Token<'_>) -> Result<Statement, Refusal> {
    if !rules.takes_type(header.typ.as_deref()) {
        return Err(Refusal::WrongType);
    }
    Statement::read(&token.payload()?, rules)
}
