//! Which genuine tokens are not believed any more.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use campanile_model::{Timestamp, UserId};

use crate::Identity;

/// Tokens that are taken back before they expire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revocation {
    /// The one with this `jti`, whoever issued it.
    Token(String),
    /// Those of a user.
    User {
        /// Who.
        user: UserId,
        /// Only those with this `iss`; `None`: whoever issued them.
        issuer: Option<String>,
        /// Only those issued in the second of this instant or before: `iat` counts whole seconds, and a token that
        /// may be older is taken for older. One without `iat` is.
        up_to: Timestamp,
    },
}

/// The revocations in force: what every use of a token is judged by, and every live connection again when they change.
///
/// Holds what it was last given, and bounds nothing: whoever gives it does. Costs one atomic load while there is none,
/// a hash or two and a read lock otherwise.
#[derive(Default)]
pub struct Revoked {
    hasher: RandomState,
    is_any: AtomicBool,
    lists: RwLock<Lists>,
}

#[derive(Default)]
struct Lists {
    tokens: HashSet<u64>,
    users: HashMap<UserId, Vec<Issued>>,
    /// Issuers whose keys were taken back, with the second up to which their tokens are not believed, inclusive.
    issuers: HashMap<u32, u32>,
}

/// Tokens of one user.
struct Issued {
    issuer: Option<u32>,
    /// In seconds, inclusive.
    up_to: u32,
}

/// What a connection remembers of its token, so that a revocation finds it: 16 bytes, none of them the token's own.
///
/// The hashes are keyed by the process. That two token ids share one of 64 bits is not to be expected in its life; an
/// issuer's has 32, as there are a handful of issuers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Of the token's id; 0: it has none.
    token: u64,
    /// Of the issuer; 0: it names none.
    issuer: u32,
    /// `iat` in seconds; 0: the token does not say.
    issued_at: u32,
}

impl Revoked {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// From here on exactly `revocations` are in force. Tokens judged and connections [covered](Self::covers) after
    /// the return are judged by them.
    pub fn replace(&self, revocations: impl IntoIterator<Item = Revocation>) {
        let mut lists = Lists::default();
        for revocation in revocations {
            match revocation {
                Revocation::Token(id) => {
                    lists.tokens.insert(self.hash(&id));
                }
                Revocation::User { user, issuer, up_to } => {
                    let issuer = issuer.map(|issuer| self.short_hash(&issuer));
                    lists.users.entry(user).or_default().push(Issued { issuer, up_to: seconds(up_to) });
                }
            }
        }
        let mut kept = self.lists.write().unwrap_or_else(PoisonError::into_inner);
        lists.issuers = std::mem::take(&mut kept.issuers);
        let is_any = !(lists.tokens.is_empty() && lists.users.is_empty() && lists.issuers.is_empty());
        *kept = lists;
        self.is_any.store(is_any, Ordering::SeqCst);
    }

    /// Tokens of `issuer` that were issued in the second of `up_to` or before are not believed any more: its keys of
    /// then were taken back. That lasts for the life of the process, whatever is [put in force](Self::replace): after
    /// it nobody has the keys or the connections.
    pub fn take_back(&self, issuer: &str, up_to: Timestamp) {
        let (issuer, up_to) = (self.short_hash(issuer), seconds(up_to));
        let mut kept = self.lists.write().unwrap_or_else(PoisonError::into_inner);
        let last = kept.issuers.entry(issuer).or_default();
        *last = up_to.max(*last);
        self.is_any.store(true, Ordering::SeqCst);
    }

    /// Whether the token that `identity` was read from is revoked.
    pub fn is_revoked(&self, identity: &Identity) -> bool {
        self.is_any.load(Ordering::SeqCst) && self.covers(&self.mark(identity), &identity.user)
    }

    /// What to remember of a token, for [`covers`](Self::covers) of this very `Revoked`.
    pub fn mark(&self, identity: &Identity) -> Mark {
        Mark {
            token: identity.token_id.as_deref().map_or(0, |id| self.hash(id)),
            issuer: identity.issuer.as_deref().map_or(0, |issuer| self.short_hash(issuer)),
            issued_at: identity.issued_at.map_or(0, seconds),
        }
    }

    /// Whether the token of `user` that left this mark is revoked.
    pub fn covers(&self, mark: &Mark, user: &UserId) -> bool {
        if !self.is_any.load(Ordering::SeqCst) {
            return false;
        }
        let lists = self.lists();
        if mark.token != 0 && lists.tokens.contains(&mark.token) {
            return true;
        }
        if lists.issuers.get(&mark.issuer).is_some_and(|up_to| mark.issued_at <= *up_to) {
            return true;
        }
        let is_meant = |issued: &Issued| {
            mark.issued_at <= issued.up_to && issued.issuer.is_none_or(|issuer| issuer == mark.issuer)
        };
        lists.users.get(user).is_some_and(|of_user| of_user.iter().any(is_meant))
    }

    fn lists(&self) -> RwLockReadGuard<'_, Lists> {
        // Nothing that runs under the lock can panic half-way through a change.
        self.lists.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Never 0.
    fn hash(&self, text: &str) -> u64 {
        self.hasher.hash_one(text).max(1)
    }

    /// Never 0.
    fn short_hash(&self, text: &str) -> u32 {
        u32::try_from(self.hash(text) >> 32).unwrap_or(u32::MAX).max(1)
    }
}

/// Whole seconds since 1970, as far as 32 bits go (the year 2106), at least 1.
fn seconds(at: Timestamp) -> u32 {
    u32::try_from(at.as_millis().div_euclid(1_000).max(1)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Words, Workspaces};

    fn user(name: &str) -> UserId {
        UserId::new(name).unwrap()
    }

    fn identity(name: &str, id: Option<&str>, issuer: Option<&str>, iat: Option<i64>) -> Identity {
        Identity {
            user: user(name),
            workspaces: Workspaces::Unstated,
            scopes: Words::default(),
            expires_at: Timestamp::from_millis(10_000_000),
            token_id: id.map(Into::into),
            issuer: issuer.map(Into::into),
            issued_at: iat.map(Timestamp::from_millis),
        }
    }

    #[test]
    fn a_token_by_its_id() {
        let revoked = Revoked::new();
        let a = identity("alice", Some("a"), None, None);
        assert!(!revoked.is_revoked(&a));
        revoked.replace([Revocation::Token("a".into())]);
        assert!(revoked.is_revoked(&a) && revoked.is_revoked(&identity("bob", Some("a"), None, None)));
        assert!(!revoked.is_revoked(&identity("alice", Some("b"), None, None)));
        assert!(!revoked.is_revoked(&identity("alice", None, None, None)));
        revoked.replace([]);
        assert!(!revoked.is_revoked(&a));
    }

    #[test]
    fn a_user_up_to_the_second() {
        let revoked = Revoked::new();
        let up_to = Timestamp::from_millis(5_500);
        revoked.replace([Revocation::User { user: user("alice"), issuer: None, up_to }]);
        for (iat, expected) in [(None, true), (Some(0), true), (Some(5_999), true), (Some(6_000), false)] {
            assert_eq!(revoked.is_revoked(&identity("alice", None, Some("i"), iat)), expected, "{iat:?}");
            assert!(!revoked.is_revoked(&identity("bob", None, None, iat)));
        }
    }

    #[test]
    fn of_one_issuer_or_of_all() {
        let revoked = Revoked::new();
        let of = |issuer: Option<&str>, millis| Revocation::User {
            user: user("alice"),
            issuer: issuer.map(Into::into),
            up_to: Timestamp::from_millis(millis),
        };
        let is = |issuer, iat| revoked.is_revoked(&identity("alice", None, issuer, Some(iat)));
        revoked.replace([of(Some("i"), 9_000)]);
        assert!(is(Some("i"), 8_000) && !is(Some("j"), 8_000) && !is(None, 8_000));
        revoked.replace([of(Some("i"), 9_000), of(None, 5_000)]);
        assert!(is(Some("i"), 8_000) && is(Some("j"), 4_000) && !is(Some("j"), 8_000));
    }

    #[test]
    fn of_an_issuer_whose_keys_were_taken_back() {
        let revoked = Revoked::new();
        let is = |issuer, iat| revoked.is_revoked(&identity("alice", None, issuer, iat));
        revoked.take_back("i", Timestamp::from_millis(5_500));
        revoked.take_back("i", Timestamp::from_millis(4_500));
        revoked.replace([]);
        assert!(is(Some("i"), Some(5_999)) && is(Some("i"), None));
        assert!(!is(Some("i"), Some(6_000)) && !is(Some("j"), Some(5_000)) && !is(None, Some(5_000)));
    }

    #[test]
    fn a_mark_is_small_and_does_for_the_identity() {
        assert_eq!(size_of::<Mark>(), 16);
        let revoked = Revoked::new();
        let a = identity("alice", Some("a"), Some("i"), Some(7_000));
        let mark = revoked.mark(&a);
        revoked.replace([Revocation::Token("a".into())]);
        assert!(revoked.covers(&mark, &a.user));
        let up_to = Timestamp::from_millis(7_000);
        revoked.replace([Revocation::User { user: user("alice"), issuer: Some("i".into()), up_to }]);
        assert!(revoked.covers(&mark, &a.user) && !revoked.covers(&mark, &user("bob")));
    }
}
