//! Form, key, signature, claims, time: the whole judgement, and the memory of it.

use std::sync::Arc;

use campanile_model::Timestamp;

use crate::cache::{Cache, CacheKey};
use crate::claims::Statement;
use crate::token::Token;
use crate::{ClaimNames, Config, Identity, KeySet, Refusal};

/// Judges tokens. Shared by all threads.
pub struct Verifier {
    keys: KeySet,
    claims: ClaimNames,
    leeway_millis: i64,
    max_token_bytes: usize,
    cache: Cache,
}

impl Verifier {
    /// A verifier with `keys`, read from the same `config`: [`KeySet::new`] has checked its ranges.
    pub fn new(keys: KeySet, config: &Config) -> Self {
        Self {
            keys,
            claims: config.claims.clone(),
            leeway_millis: config.leeway_millis(),
            max_token_bytes: config.max_token_bytes,
            cache: Cache::new(config.cache_entries),
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
        let key = CacheKey::new(token);
        if let Some(statement) = self.cache.get(&key) {
            return self.admit(statement, now);
        }
        let statement = self.read(token)?;
        let identity = self.admit(statement.clone(), now)?;
        // Failures are not remembered: they would push out those who come back.
        self.cache.put(key, statement);
        Ok(identity)
    }

    /// What a token states, if it is genuine: the part that does not depend on when it is asked.
    fn read(&self, token: &str) -> Result<Statement, Refusal> {
        let token = Token::parse(token)?;
        self.keys.check(&token.header()?, &token)?;
        Statement::read(&token.payload()?, &self.claims)
    }

    /// What does depend on it, for fresh and remembered tokens alike. A list of revoked token ids and
    /// subjects belongs here.
    fn admit(&self, statement: Statement, now: Timestamp) -> Result<Arc<Identity>, Refusal> {
        statement.check_time(now, self.leeway_millis)?;
        Ok(statement.identity)
    }
}
