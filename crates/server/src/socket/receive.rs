//! What clients say.

use campanile_hub::Slot;
use campanile_session::Reaction;
use campanile_wire::{Payload, close};
use campanile_ws::{Limits, Violation};

use super::conn::{Conn, Written};
use super::frames;
use super::requests::What;
use super::shard::Shard;
use super::sockets::Doom;

/// Reads of one connection before others get their turn.
const READS: usize = 4;
/// Marks a client may have without an answer; then its next bytes wait.
const MARKS: u32 = 32;

impl Shard {
    /// Reads what a connection sent, as far as it may talk now.
    pub(super) fn read_on(&mut self, slot: Slot) {
        let mut scratch = std::mem::take(&mut self.scratch);
        if scratch.is_empty() {
            // Lost with a panic that ended another connection.
            scratch = vec![0; super::shard::SCRATCH].into();
        }
        self.read_into(slot, &mut scratch);
        self.scratch = scratch;
        if let Some(conn) = self.sockets.get_mut(slot) {
            conn.tidy();
        }
    }

    fn read_into(&mut self, slot: Slot, scratch: &mut [u8]) {
        let now = self.sockets.now;
        // First what was left when the client had to wait.
        let now_ms = self.sockets.now_ms;
        if let Some(rare) = self.sockets.get_mut(slot).and_then(|conn| conn.rare.as_mut()) {
            if rare.resume_at.is_some_and(|at| at > now_ms) {
                return;
            }
            rare.resume_at = None;
            let mut unread = std::mem::take(&mut rare.unread);
            if !unread.is_empty() && !self.handle_bytes(slot, &mut unread) {
                return;
            }
        }
        for _ in 0..READS {
            let Some(conn) = self.sockets.get_mut(slot) else { return };
            match conn.read(scratch) {
                Ok(None) => return,
                // Without a close, but perhaps still reading: it is told that this is no way to end.
                Ok(Some(0)) if conn.session.listens() && !conn.session.is_closing() => {
                    self.close(slot, &close::PROTOCOL_ERROR);
                    return self.finish(slot);
                }
                Ok(Some(0)) | Err(_) => {
                    self.sockets.doomed.push((slot, Doom::Drop));
                    return;
                }
                Ok(Some(read)) => {
                    conn.session.handle_bytes(now);
                    // Whoever follows a stream has said all there is to say.
                    if !conn.session.listens() {
                        continue;
                    }
                    if let Some(rare) = conn.rare.as_mut().filter(|rare| rare.challenged) {
                        (rare.challenged, rare.spoke) = (false, true);
                        self.judge_challenges();
                        if let Some(rare) = self.sockets.get_mut(slot).and_then(|conn| conn.rare.as_mut()) {
                            rare.spoke = false;
                        }
                    }
                    if !self.handle_bytes(slot, &mut scratch[..read]) {
                        return;
                    }
                }
            }
        }
        self.eager.push(slot);
    }

    /// Decodes and acts. `false`: the client has to wait, or is done; what is left of `bytes` is kept.
    pub(super) fn handle_bytes(&mut self, slot: Slot, bytes: &mut [u8]) -> bool {
        let max_message_bytes = self.sockets.config.connection.max_message_bytes;
        let limits = Limits { max_message_bytes, ..Limits::default() };
        let (now, now_ms) = (self.sockets.now, self.sockets.now_ms);
        let mut consumed = 0;
        loop {
            let Some(conn) = self.sockets.get_mut(slot) else { return false };
            let marks = conn.rare.as_ref().map_or(0, |rare| rare.marks);
            if consumed < bytes.len() && !conn.session.is_closing() {
                let wait = conn.quota.peek(now_ms);
                if wait.is_some() || marks >= MARKS || conn.is_ungreeted() {
                    let rare = conn.rare();
                    rare.unread = bytes[consumed..].to_vec();
                    rare.resume_at = wait.map(|wait| now_ms + wait);
                    self.sockets.reschedule(slot);
                    return false;
                }
            }
            let Conn { decoder, session, quota, .. } = conn;
            let reaction = match decoder.next(bytes, &mut consumed, &limits) {
                Ok(Some(event)) => {
                    quota.charge(now_ms);
                    session.handle_event(&event, now)
                }
                Ok(None) => {
                    let unfinished = !decoder.is_idle();
                    session.handle_unfinished(unfinished, now);
                    if unfinished {
                        self.sockets.reschedule(slot);
                    }
                    return true;
                }
                Err(violation) => violation_close(&violation),
            };
            if !self.react(slot, reaction) {
                return false;
            }
        }
    }

    fn react(&mut self, slot: Slot, reaction: Reaction) -> bool {
        match reaction {
            Reaction::Nothing => {}
            // A ping's payload is a control frame's: it fits a pong.
            Reaction::Pong(payload) => {
                if let Ok(pong) = campanile_ws::encode_pong(&payload) {
                    self.sockets.send(slot, &pong);
                }
            }
            Reaction::Answer(payload) => self.answer(slot, &payload),
            Reaction::Mark(marking) => {
                // A client that is told its horizon means that where it leaves the place open.
                let tells =
                    self.sockets.get(slot).is_some_and(|conn| conn.session.surface().envelopes.is_some());
                let start = self.sockets.badge(slot).map(|badge| badge.start());
                let horizon = self.horizon(slot).or(start).filter(|_| tells);
                if let Some(conn) = self.sockets.get_mut(slot) {
                    conn.rare().marks += 1;
                }
                self.ask(slot, What::Mark(marking, horizon));
            }
            Reaction::Refresh(token, reference) => {
                if let Some(conn) = self.sockets.get_mut(slot) {
                    conn.rare().marks += 1;
                }
                self.ask(slot, What::Refresh(token, reference));
            }
            // What follows is read on: the client's own close may be in it already.
            Reaction::Close(close) => self.close(slot, close),
            Reaction::Echo(code) => {
                self.echo(slot, code);
                return false;
            }
            Reaction::Finish => {
                self.handle_echo(slot);
                self.finish(slot);
                return false;
            }
        }
        true
    }

    /// Sends one message in answer to another.
    pub(super) fn answer(&mut self, slot: Slot, payload: &Payload) {
        let Some(surface) = self.sockets.get(slot).map(|conn| conn.session.surface()) else { return };
        self.sockets.send(slot, &frames::message(surface, payload));
    }

    /// The client closed: answer in kind, and wait for its end of the connection.
    fn echo(&mut self, slot: Slot, code: Option<u16>) {
        self.leave(slot);
        let (now, limit) = (self.sockets.now, self.sockets.config.connection.outbox_bytes);
        let Some(conn) = self.sockets.get_mut(slot) else { return };
        let frame = match code {
            Some(code) => campanile_ws::encode_close(code, ""),
            None => campanile_ws::encode_close(close::NORMAL.code, ""),
        };
        conn.session.handle_closing(now);
        if conn.write(&frame, limit + 256, now) == Written::Gone {
            return self.drop_conn(slot);
        }
        self.finish(slot);
    }

    /// Both closes are said: nothing follows, and the client's end is waited for. Ending the connection at
    /// once would reset it if the client sent anything behind its close, and destroy ours on the way.
    fn finish(&mut self, slot: Slot) {
        let now = self.sockets.now;
        if let Some(conn) = self.sockets.get_mut(slot) {
            conn.half_close(now);
            self.sockets.reschedule(slot);
        }
    }
}

fn violation_close(violation: &Violation) -> Reaction {
    Reaction::Close(match violation.close_code() {
        1007 => &close::BAD_UTF8,
        1009 => &close::TOO_BIG,
        _ => &close::PROTOCOL_ERROR,
    })
}
