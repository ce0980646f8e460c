//! The ids that came before, for surfaces and notifications without a place in a log.

use std::collections::{HashSet, VecDeque};

/// How many ids are remembered: the newest.
const LIMIT: usize = 10_000;

/// A bounded set of ids.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    ids: HashSet<String>,
    order: VecDeque<String>,
}

impl Known {
    /// Remembers an id. False: it came before.
    pub fn insert(&mut self, id: &str) -> bool {
        if !self.ids.insert(id.to_owned()) {
            return false;
        }
        self.order.push_back(id.to_owned());
        if self.order.len() > LIMIT
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_knows_the_newest_ids_and_stays_bounded() {
        let mut known = Known::default();
        assert!(known.insert("0"));
        assert!(!known.insert("0"));
        for n in 1..=LIMIT {
            known.insert(&n.to_string());
        }
        assert_eq!((known.ids.len(), known.order.len()), (LIMIT, LIMIT));
        assert!(known.insert("0"), "the oldest is forgotten");
    }
}
