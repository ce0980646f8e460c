//! Who a verified token says its bearer is.

use std::fmt;
use std::sync::Arc;

use campanile_model::{Slug, Timestamp, UserId};

/// Who a genuine token names, and what it grants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Who receives.
    pub user: UserId,
    /// The workspaces it opens.
    pub workspaces: Workspaces,
    /// What its bearer may do there.
    pub scopes: Words,
    /// `iss`, where a configured issuer made the token; none where a key did that signs for any.
    pub issuer: Option<Arc<str>>,
    /// `iat`, if the token says it.
    pub issued_at: Option<Timestamp>,
    /// `exp` itself, without leeway: the instant a live connection ends. Whole milliseconds, rounded down.
    pub expires_at: Timestamp,
    /// `jti`, by which one token can be withdrawn. (A hash of the token is no name for it: an ECDSA signature
    /// can be rewritten into a second valid one by anybody.)
    pub token_id: Option<String>,
}

impl Identity {
    /// Whether the scope claim holds `word`. Compared by bytes.
    pub fn has_scope(&self, word: &str) -> bool {
        self.scopes.contains(word)
    }

    /// Whether `exp` has passed, by more than the leeway.
    pub(crate) fn has_expired(&self, now: Timestamp, leeway_millis: i64) -> bool {
        now.as_millis() >= self.expires_at.as_millis() + leeway_millis
    }
}

/// Which workspaces a token opens. Entries that no workspace can be called are dropped: they match nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Workspaces {
    /// The token does not say. Opens none here; the product surface admits it to its own workspace.
    Unstated,
    /// `"*"`: every workspace that exists.
    All {
        /// Those that stand beside the `"*"`.
        named: Words,
    },
    /// These, and no others. May be empty.
    Named(Words),
}

impl Workspaces {
    /// Whether the token opens `slug`, should it exist.
    pub fn grants(&self, slug: &Slug) -> bool {
        matches!(self, Self::All { .. }) || self.named_in_full(slug)
    }

    /// Whether the token writes `slug` out. Only then may it bring the workspace into being; `"*"` never
    /// does.
    pub fn named_in_full(&self, slug: &Slug) -> bool {
        match self {
            Self::Unstated => false,
            Self::All { named } | Self::Named(named) => named.contains(slug.as_str()),
        }
    }
}

/// A sorted set of words without spaces: scopes, slugs.
///
/// One allocation, at most as long as the claim it came from, so that what the cache holds is bounded by
/// the tokens it was shown. Looked through from the front: such sets are small.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Words(Box<str>);

impl Words {
    /// Whether `word` is in the set. Compared by bytes; the empty text and those with a space never are.
    pub fn contains(&self, word: &str) -> bool {
        self.iter().any(|w| w == word)
    }

    /// The words in byte order, each once.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.split(' ').filter(|word| !word.is_empty())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Texts with spaces in them count as several words.
impl<'a> FromIterator<&'a str> for Words {
    fn from_iter<I: IntoIterator<Item = &'a str>>(texts: I) -> Self {
        let words = texts.into_iter().flat_map(|text| text.split(' ')).filter(|word| !word.is_empty());
        let mut words: Vec<&str> = words.collect();
        words.sort_unstable();
        words.dedup();
        Self(words.join(" ").into())
    }
}

impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slug(text: &str) -> Slug {
        Slug::new(text).unwrap()
    }

    #[test]
    fn words_are_a_set() {
        let words: Words = ["b a", "", "a", " c "].into_iter().collect();
        assert_eq!(words.iter().collect::<Vec<_>>(), ["a", "b", "c"]);
        assert!(words.contains("b"));
        for absent in ["", " ", "a b", "A", "ab"] {
            assert!(!words.contains(absent), "{absent:?}");
        }
        assert!(Words::default().is_empty() && Words::default().iter().next().is_none());
    }

    #[test]
    fn a_star_opens_all_and_names_none() {
        let named = || ["acme"].into_iter().collect::<Words>();
        let all = Workspaces::All { named: named() };
        assert!(all.grants(&slug("other")) && !all.named_in_full(&slug("other")));
        assert!(all.named_in_full(&slug("acme")));
        let some = Workspaces::Named(named());
        assert!(some.grants(&slug("acme")) && !some.grants(&slug("other")));
        assert!(!Workspaces::Unstated.grants(&slug("acme")));
    }
}
