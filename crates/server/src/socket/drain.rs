//! The end of a shard.

use std::time::Duration;

use campanile_hub::Slot;
use campanile_session::Tick;
use campanile_wire::close;

use super::shard::Shard;
use super::sockets::{Doom, Sockets};

/// How long clients may take to answer the last close before the shard goes.
const GOODBYE: Duration = Duration::from_secs(5);

/// Milliseconds after its close at which the first client is to come back.
const RETURN_MS: u64 = 1_000;
/// Ticks over which all of them are.
const RETURN_SPREAD: u32 = 40;

/// Connections being closed, spread over a while.
pub struct Drain {
    left: Vec<Slot>,
    total: usize,
    from: Tick,
    spread: u32,
}

impl Drain {
    /// Whether every connection is gone, or had its time.
    pub(super) fn is_over(&self, sockets: &Sockets) -> bool {
        let waited = sockets.now.since(self.from);
        sockets.conns.is_empty() || waited > self.spread + Tick::span(GOODBYE)
    }
}

impl Shard {
    pub(super) fn begin_drain(&mut self, spread: Duration) {
        let left: Vec<Slot> = self.sockets.conns.iter().map(|(index, conn)| conn.slot(index)).collect();
        let (total, spread) = (left.len(), Tick::span(spread));
        // The last one closes first. Everyone comes back at a time of its own, once another server may be there.
        for (nth, slot) in left.iter().rev().enumerate() {
            let share = |of: u32| u64::from(of) * 100 * (nth as u64 + 1) / (total as u64).max(1);
            self.say_drain(*slot, share(spread) + RETURN_MS + share(RETURN_SPREAD));
        }
        self.drain = Some(Drain { left, total, from: self.sockets.now, spread });
    }

    /// Closes as many connections as should be closed by now.
    pub(super) fn drain_on(&mut self) {
        let Some(drain) = &mut self.drain else { return };
        let elapsed = u64::from(self.sockets.now.since(drain.from)) + 1;
        let due = match drain.spread {
            0 => drain.total,
            spread => {
                drain.total * usize::try_from(elapsed.min(u64::from(spread))).unwrap_or(0) / spread as usize
            }
        };
        let open = drain.total.saturating_sub(due);
        if drain.left.len() > open {
            for slot in drain.left.split_off(open) {
                self.sockets.doomed.push((slot, Doom::Close(&close::SHUTTING_DOWN)));
            }
        }
    }
}
