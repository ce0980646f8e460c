//! TLS handshakes under way: how many there may be, and which one makes room.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// A handshake that has lasted longer makes room for a newcomer. Whoever wants in needs two round trips.
const PATIENCE: Duration = Duration::from_secs(1);

/// Counts a handshake until it is dropped.
#[derive(Debug)]
pub struct Securing {
    _counted: Arc<()>,
}

/// The handshakes of one door.
#[derive(Debug)]
pub struct Handshaking {
    limit: usize,
    counter: Arc<()>,
    /// When each began, with the place and the number of its visitor, in order. Those that are over leave from the front.
    begun: VecDeque<(Duration, usize, u64)>,
}

/// Whether one more may begin.
#[derive(Debug)]
pub enum Turn {
    /// It may.
    Begins(Securing),
    /// It may, if the one at this place is ended first.
    InPlaceOf(usize),
    /// It may not: there are as many as may be, and none has had its time.
    Refused,
}

impl Handshaking {
    /// None yet; at most `limit` at once.
    pub fn new(limit: usize) -> Self {
        Self { limit, counter: Arc::default(), begun: VecDeque::new() }
    }

    /// Handshakes under way.
    pub fn count(&self) -> usize {
        Arc::strong_count(&self.counter) - 1
    }

    /// Asks for the visitor `order` at place `index`; `is_at_it` says of others whether they still are.
    pub fn begin(
        &mut self,
        (index, order): (usize, u64),
        now: Duration,
        is_at_it: impl Fn(usize, u64) -> bool,
    ) -> Turn {
        while self.begun.pop_front_if(|(_, index, order)| !is_at_it(*index, *order)).is_some() {}
        if self.count() < self.limit {
            self.begun.push_back((now, index, order));
            return Turn::Begins(Securing { _counted: Arc::clone(&self.counter) });
        }
        match self.begun.front() {
            Some((since, index, _)) if now.saturating_sub(*since) > PATIENCE => Turn::InPlaceOf(*index),
            _ => Turn::Refused,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_one_at_it_for_longest_makes_room_once_it_had_its_time() {
        let mut handshaking = Handshaking::new(2);
        let all = |_, _| true;
        let Turn::Begins(_first) = handshaking.begin((7, 1), SECOND, all) else { panic!("there is room") };
        let Turn::Begins(second) = handshaking.begin((8, 2), SECOND, all) else { panic!("there is room") };
        assert!(matches!(handshaking.begin((9, 3), 2 * SECOND, all), Turn::Refused));
        assert!(matches!(handshaking.begin((9, 3), 3 * SECOND, all), Turn::InPlaceOf(7)));
        drop(second);
        let Turn::Begins(_third) = handshaking.begin((9, 3), 3 * SECOND, all) else { panic!("one is over") };
        // The first is over too, but is counted still: the next is looked at, which began at the third second.
        let later = handshaking.begin((7, 4), 4 * SECOND, |_, order| order == 3);
        assert!(matches!(later, Turn::Refused), "{later:?}");
        assert_eq!((handshaking.count(), handshaking.begun.len()), (2, 1));
    }

    #[test]
    fn what_is_over_is_forgotten() {
        let mut handshaking = Handshaking::new(1);
        for order in 0..1_000 {
            assert!(matches!(handshaking.begin((0, order), SECOND, |_, _| false), Turn::Begins(_)));
        }
        assert_eq!((handshaking.count(), handshaking.begun.len()), (0, 1));
    }
}
