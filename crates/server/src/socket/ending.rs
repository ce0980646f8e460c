//! How connections end.

use campanile_hub::Slot;
use campanile_wire::Framing;
use campanile_wire::close::{self, Close};

use super::conn::Written;
use super::frames;
use super::shard::Shard;
use super::sockets::Doom;

impl Shard {
    /// Ends the connections that were doomed.
    pub(super) fn bury(&mut self) {
        while let Some((slot, doom)) = self.sockets.doomed.pop() {
            match doom {
                Doom::Close(close) => self.close(slot, close),
                Doom::Drop => self.drop_conn(slot),
            }
        }
    }

    /// Sends a close frame and waits for the client's; from here on the connection gets nothing else.
    pub(super) fn close(&mut self, slot: Slot, close: &'static Close) {
        self.leave(slot);
        let (now, limit) = (self.sockets.now, self.sockets.config.connection.outbox_bytes);
        let Some(conn) = self.sockets.get_mut(slot) else { return };
        if conn.session.is_closing() {
            // Our close is on its way already; a breach after it means that the client's will never be
            // understood.
            if conn.decoder.has_ended() {
                conn.half_close(now);
            }
            return;
        }
        conn.session.handle_closing(now);
        if let Some(rare) = &mut conn.rare {
            rare.handover = None;
        }
        if *close == close::TOO_SLOW
            && let Some(outbox) = &mut conn.outbox
        {
            outbox.drop_whole();
        }
        let surface = conn.session.surface();
        if conn.write(&frames::close(surface, close), limit + 256, now) == Written::Gone {
            return self.drop_conn(slot);
        }
        // Nobody answers on a stream: its end is all there is.
        if surface.framing == Framing::EventStream {
            conn.half_close(now);
        }
        // What a client sends after a breach of the protocol can't be understood, its close included:
        // half-closing tells it that this is the end.
        if conn.decoder.has_ended() {
            conn.half_close(now);
        }
        tracing::debug!(code = close.code, reason = close.reason, "connection closed");
        self.sockets.reschedule(slot);
    }

    /// Takes a connection out of the registry: nobody finds it there any more.
    pub(super) fn leave(&mut self, slot: Slot) {
        let Some(conn) = self.sockets.get_mut(slot) else { return };
        let tells = conn.session.surface().envelopes.is_some();
        let Some(seat) = conn.seat.take() else { return };
        if tells {
            self.registry.count_told(seat.user, false);
        }
        let sockets = &mut self.sockets;
        self.registry.leave(seat.user, slot, seat.place, |moved, place| {
            campanile_hub::Sink::moved(sockets, moved, place);
        });
    }

    /// Ends a connection without a word.
    pub(super) fn drop_conn(&mut self, slot: Slot) {
        self.leave(slot);
        if self.sockets.get(slot).is_none() {
            return;
        }
        let mut conn = self.sockets.conns.remove(slot.index as usize);
        self.sockets.gauge.socket_closed();
        if conn.outbox.is_some() {
            self.sockets.gauge.backlog_ended();
        }
        self.deregister(&mut conn.stream);
        conn.stream.abandon();
        if conn.rare.is_some_and(|rare| rare.challenged) {
            self.judge_challenges();
        }
    }
}
