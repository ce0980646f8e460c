//! What clients are told of their counts and their read state, on surfaces that tell it.
//!
//! A change of read state is announced by the log's stream as a hint; what it was is read from the store, so that
//! what a client missed, what it did elsewhere and what it was never told of all come the same way.

use campanile_engine::mark::ReadState;
use campanile_hub::{RoomId, Slot};
use campanile_model::{Seq, UserId};
use campanile_session::Tick;
use campanile_store::{Marked, StoreError};
use campanile_wire::{Asked, Done, NotRefreshed, Receipts, Resync, close};

use super::judge::Refreshed;
use super::requests::{Outcome, What};
use super::shard::Shard;
use super::sockets::Doom;

/// Receipts in one message: some 40 KiB.
const RECEIPTS: usize = 300;
/// Sockets of a room that look a second after a change which none of them can count: a change that concerns many is
/// looked at over a longer time, so that the store has other things to do besides.
const LOOKS_PER_SECOND: usize = 1_000;
/// Ticks until a look that failed is repeated, and over which those of many connections are spread.
const LOOK_AGAIN: u32 = 50;

impl Shard {
    /// Up to where everything of a connection's was queued to it; `None` while it catches up.
    pub(super) fn horizon(&self, slot: Slot) -> Option<Seq> {
        let conn = self.sockets.get(slot)?;
        let position = conn.session.position()?;
        let room = conn.seat.map(|seat| self.registry.room_of(seat.user));
        Some(room.map_or(position, |room| position.max(self.registry.horizon(room))))
    }

    /// A heartbeat is due on a connection whose surface has them.
    pub(super) fn heartbeat(&mut self, slot: Slot) {
        if let Some(badge) = self.sockets.badge(slot) {
            badge.handle_heartbeat_due();
            self.look(slot);
        }
    }

    /// A user's read state changed: the user's connections are to be told.
    pub(super) fn handle_marking(&mut self, room: RoomId, user: &UserId) {
        let Some(user) = self.registry.find_user(room, user) else { return };
        let now = self.sockets.now;
        for slot in self.registry.sockets(user).to_vec() {
            let Some(conn) = self.sockets.get_mut(slot) else { continue };
            if let Some(badge) = conn.session.badge() {
                badge.handle_changed(now);
                self.look(slot);
            } else if conn.session.surface().envelopes.is_some() {
                conn.rare().marked = true;
            }
        }
    }

    /// When a connection of a room is to look after a change that it can't count.
    pub(super) fn look_after(now: Tick, slot: Slot, crowd: usize) -> Tick {
        let seconds = 1 + crowd / LOOKS_PER_SECOND;
        let spread = u32::try_from(seconds).unwrap_or(u32::MAX).saturating_mul(10);
        now.after(5 + slot.index % spread)
    }

    /// Looks, or tells a heartbeat, if it is time to. While a connection catches up it is told later.
    pub(super) fn look(&mut self, slot: Slot) {
        let Some(horizon) = self.horizon(slot) else { return };
        let now = self.sockets.now;
        let Some(conn) = self.sockets.get_mut(slot) else { return };
        if conn.session.is_closing() {
            return;
        }
        let surface = conn.session.surface();
        let (Some(badge), Some(envelopes)) = (conn.session.badge(), surface.envelopes) else { return };
        if let Some(after) = badge.poll_look(now) {
            self.ask(slot, What::Look(after));
        } else if let Some(counts) = badge.poll_heartbeat(horizon) {
            self.answer(slot, &(envelopes.heartbeat)(&counts, horizon));
        }
        self.sockets.reschedule(slot);
    }

    /// The counts were read. They are told once the connection has what they count: else a client would learn of a
    /// receipt before the entry, and show the entry as if nothing had been done with it.
    pub(super) fn handle_looked(&mut self, slot: Slot, looked: Result<ReadState, StoreError>) {
        match looked {
            Ok(state) => self.tell_in_time(slot, state),
            // What is told is late then, and nothing is lost: the client is not made to come back for that.
            Err(error) => {
                tracing::warn!(%error, "a user's read state can't be read; looking again");
                let again = self.sockets.now.after(LOOK_AGAIN + slot.index % LOOK_AGAIN);
                if let Some(badge) = self.sockets.badge(slot) {
                    badge.handle_failed(again);
                }
                self.sockets.reschedule(slot);
            }
        }
    }

    fn tell_in_time(&mut self, slot: Slot, state: ReadState) {
        if self.sockets.get(slot).is_none_or(|conn| conn.session.is_closing()) {
            return;
        }
        if self.horizon(slot).is_some_and(|horizon| horizon >= state.counts.head) {
            self.guarded(slot, |shard| shard.tell_read_state(slot, &state));
        } else {
            self.ahead.push((slot, state));
        }
    }

    /// Tells what waits for entries that have been told by now.
    pub(super) fn catch_up_with_counts(&mut self) {
        for (slot, state) in std::mem::take(&mut self.ahead) {
            self.tell_in_time(slot, state);
        }
    }

    fn tell_read_state(&mut self, slot: Slot, state: &ReadState) {
        let horizon = self.horizon(slot).unwrap_or_default();
        let Some(conn) = self.sockets.get_mut(slot) else { return };
        let surface = conn.session.surface();
        let (Some(badge), Some(envelopes)) = (conn.session.badge(), surface.envelopes) else { return };
        let counts = &state.counts;
        let is_news = counts.rev > badge.rev();
        badge.handle_looked(*counts);
        if state.too_many {
            self.answer(slot, &(envelopes.resync)(counts.epoch, horizon, Resync::TooMany));
        } else if is_news {
            // At least one: a watermark may have moved alone.
            let mut rest = state.items.as_slice();
            loop {
                let (items, left) = rest.split_at(rest.len().min(RECEIPTS));
                self.answer(slot, &(envelopes.receipts)(&Receipts { counts, items }));
                rest = left;
                if rest.is_empty() {
                    break;
                }
            }
        }
        self.look(slot);
    }

    /// The engine answered a mark.
    pub(super) fn handle_marked(&mut self, slot: Slot, asked: &Asked, outcome: Outcome) {
        let Some(conn) = self.answered(slot) else { return };
        let answer = match outcome {
            Outcome::Done(Marked { changed, rev, unread, head }) => {
                conn.session.handle_marked(&Done { asked, changed, rev, unread, head })
            }
            Outcome::NotFound => conn.session.handle_not_marked(asked, false),
            Outcome::KeyReused => conn.session.handle_not_marked(asked, true),
            // The client marks it again when it is back: nothing was promised.
            Outcome::Unknown => {
                self.sockets.doomed.push((slot, Doom::Close(&close::OVERLOADED)));
                None
            }
        };
        if let Some(answer) = answer {
            self.answer(slot, &answer);
        }
        self.read_on(slot);
    }

    /// Another token was judged. The connection lives on with it, or with the one it had.
    pub(super) fn handle_refreshed(
        &mut self,
        slot: Slot,
        reference: Option<&str>,
        judged: Result<Refreshed, NotRefreshed>,
    ) {
        let wall = self.sockets.wall;
        let Some(conn) = self.answered(slot) else { return };
        let surface = conn.session.surface();
        let Some(envelopes) = surface.envelopes else { return };
        if conn.session.expires_at() <= wall {
            // Since then nothing was told any more: it is too late to live on.
            return self.close(slot, surface.refusals.token_expired);
        }
        let answer = match judged {
            Ok(Refreshed { expires_at, mark, told }) => {
                conn.session.handle_refreshed(expires_at);
                conn.mark = mark;
                (envelopes.refreshed)(reference, told)
            }
            Err(why) => (envelopes.refused)(reference, why),
        };
        // The new token may have been revoked while it was on its way here.
        let seat = conn.seat;
        let mark = conn.mark;
        if let Some(seat) = seat
            && self.revoked.covers(&mark, self.registry.name(seat.user))
            && let Some(refusal) =
                self.sockets.get(slot).map(|conn| conn.session.surface().refusals.token_invalid)
        {
            return self.close(slot, refusal);
        }
        self.answer(slot, &answer);
        self.sockets.reschedule(slot);
        self.read_on(slot);
    }

    /// A connection whose command was answered; `None`: it is on its way out.
    fn answered(&mut self, slot: Slot) -> Option<&mut super::conn::Conn> {
        let conn = self.sockets.get_mut(slot)?;
        if let Some(rare) = &mut conn.rare {
            rare.marks = rare.marks.saturating_sub(1);
        }
        conn.tidy();
        (!conn.session.is_closing()).then_some(conn)
    }

    /// Tells every client that can be told when to come back.
    pub(super) fn say_drain(&mut self, slot: Slot, retry_after_ms: u64) {
        let envelopes = self.sockets.get(slot).and_then(|conn| conn.session.surface().envelopes);
        if let Some(envelopes) = envelopes.filter(|_| self.horizon(slot).is_some()) {
            self.answer(slot, &(envelopes.drain)(retry_after_ms));
        }
    }
}
