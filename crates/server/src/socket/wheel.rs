//! One timer wheel for all connections of a shard.

use campanile_hub::Slot;
use campanile_session::Tick;

/// Slots of the wheel: with ticks of 100 ms it looks 102 s ahead; what is due later is looked at again then.
const SLOTS: usize = 1024;

/// Who is to be looked at when. Entries are never taken out: one that no longer counts is recognised when it
/// fires, because its connection knows the tick it waits for.
pub struct Wheel {
    slots: Vec<Vec<Slot>>,
    /// The next tick to fire.
    next: Tick,
    entries: usize,
}

impl Wheel {
    /// Starts at `now`.
    pub fn new(now: Tick) -> Self {
        Self { slots: vec![Vec::new(); SLOTS], next: now, entries: 0 }
    }

    /// Enters a connection; returns the tick at which it will fire, `due` or sooner.
    pub fn schedule(&mut self, slot: Slot, due: Tick) -> Tick {
        let horizon = self.next.after(u32::try_from(SLOTS - 1).unwrap_or(u32::MAX));
        let fires = due.clamp(self.next, horizon);
        self.slots[fires.0 as usize % SLOTS].push(slot);
        self.entries += 1;
        fires
    }

    /// The entries of the next tick up to `now`, with that tick.
    pub fn poll(&mut self, now: Tick) -> Option<(Tick, Vec<Slot>)> {
        while self.next <= now {
            if self.entries == 0 {
                self.next = now.after(1);
                return None;
            }
            let tick = self.next;
            self.next = tick.after(1);
            let fired = std::mem::take(&mut self.slots[tick.0 as usize % SLOTS]);
            if !fired.is_empty() {
                self.entries -= fired.len();
                return Some((tick, fired));
            }
        }
        None
    }

    /// The next tick at which something fires.
    pub fn next_due(&self) -> Option<Tick> {
        if self.entries == 0 {
            return None;
        }
        (0..SLOTS as u32)
            .map(|ahead| self.next.after(ahead))
            .find(|tick| !self.slots[tick.0 as usize % SLOTS].is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(index: u32) -> Slot {
        Slot { index, generation: 0 }
    }

    #[test]
    fn fires_in_order_and_never_late() {
        let mut wheel = Wheel::new(Tick(7));
        assert_eq!(wheel.next_due(), None);
        assert_eq!(wheel.schedule(slot(1), Tick(100)), Tick(100));
        assert_eq!(wheel.schedule(slot(2), Tick(3)), Tick(7));
        assert_eq!(wheel.schedule(slot(3), Tick(90_000)), Tick(7 + 1023));
        assert_eq!(wheel.next_due(), Some(Tick(7)));
        assert_eq!(wheel.poll(Tick(99)), Some((Tick(7), vec![slot(2)])));
        assert_eq!(wheel.poll(Tick(99)), None);
        assert_eq!(wheel.poll(Tick(5000)), Some((Tick(100), vec![slot(1)])));
        assert_eq!(wheel.poll(Tick(5000)), Some((Tick(1030), vec![slot(3)])));
        assert_eq!((wheel.poll(Tick(5000)), wheel.next_due()), (None, None));
    }
}
