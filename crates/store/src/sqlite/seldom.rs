//! A line of the log that would come many times a second.

use std::time::{Duration, Instant};

/// How often the line comes at most.
const EVERY: Duration = Duration::from_secs(30);

/// Says when such a line is to be written, and how often it would have been.
#[derive(Default)]
pub(super) struct Seldom {
    written: Option<Instant>,
    times: u64,
}

impl Seldom {
    /// It happened once more. How often it did since the last line, this time included, if one is to be written now.
    pub(super) fn again(&mut self, now: Instant) -> Option<u64> {
        self.times += 1;
        let is_due = self.written.is_none_or(|written| now.saturating_duration_since(written) >= EVERY);
        is_due.then(|| {
            self.written = Some(now);
            std::mem::take(&mut self.times)
        })
    }

    /// It happens no more: the next time is told at once. Whether there was a line.
    pub(super) fn ended(&mut self) -> bool {
        std::mem::take(self).written.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_time_then_every_half_minute_with_how_often() {
        let (mut seldom, began) = (Seldom::default(), Instant::now());
        let lines: Vec<_> = (0..650)
            .filter_map(|tenth| Some((tenth, seldom.again(began + Duration::from_millis(100 * tenth))?)))
            .collect();
        assert_eq!(lines, [(0, 1), (300, 300), (600, 300)]);
    }

    #[test]
    fn what_begins_again_is_told_at_once() {
        let (mut seldom, now) = (Seldom::default(), Instant::now());
        assert!(!seldom.ended());
        assert_eq!(seldom.again(now), Some(1));
        assert_eq!(seldom.again(now), None);
        assert!(seldom.ended());
        assert_eq!(seldom.again(now), Some(1));
    }
}
