//! What a connection knows between two events.

use campanile_model::{Counts, Rev, Seq, Timestamp};
use campanile_wire::close::{self, Close};
use campanile_wire::{Asked, Command, Done, Framing, Marking, Payload, Secret, Surface};
use campanile_ws::Event;

use crate::badge::Badge;
use crate::timing::{Tick, Timing};

/// What a client's message asks of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reaction {
    /// Nothing.
    Nothing,
    /// A pong frame with the ping's payload.
    Pong(Vec<u8>),
    /// A message.
    Answer(Payload),
    /// Change the caller's own read state.
    Mark(Box<Marking>),
    /// Judge a token that is to take the place of the connection's own.
    Refresh(Secret, Option<String>),
    /// Close with this code, and wait for the client's.
    Close(&'static Close),
    /// The client closed: answer with its code, if it gave one, and end the connection.
    Echo(Option<u16>),
    /// The client answered our close: end the connection.
    Finish,
}

/// What time asks of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Nothing yet.
    Nothing,
    /// A sign of life: a ping, and a heartbeat where the surface has them.
    Ping,
    /// A look at the counts.
    Look,
    /// Close with this code.
    Close(&'static Close),
    /// The client did not answer our close in time: end the connection.
    Drop,
}

/// Which part of a run of entries a connection still wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Nothing of it.
    Nothing,
    /// All of it.
    All,
    /// Only entries after this place.
    After(Seq),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Live entries skip it; its `Handover` reads the log.
    CatchingUp,
    Live,
    /// Our close was sent; nothing but the client's matters.
    Closing,
}

/// One connection between two events: everything but its bytes.
#[derive(Debug)]
pub struct Session {
    surface: &'static Surface,
    expires_at: Timestamp,
    /// The last entry that was sent, or that the hand-over ended at.
    position: Seq,
    /// Last frame of the client but a pong to our ping, or last notification written.
    active: Tick,
    /// Last byte of the client.
    heard: Tick,
    pinged: Tick,
    /// Since when something waits without a byte leaving. Once our close was sent: when the last byte left.
    stalled: Option<Tick>,
    /// Since when a message is unfinished, or our close unanswered.
    unfinished: Option<Tick>,
    phase: Phase,
    /// Our pings that have no pong yet: a client that was asleep answers them all at once.
    unanswered: u8,
    /// What the client was told of its counts, on surfaces that tell them, from the first message on.
    badge: Option<Box<Badge>>,
}

impl Session {
    /// A connection that was just registered, catching up. `phase_in` spreads keep-alives: the first is due
    /// so many ticks earlier than the others.
    pub fn new(surface: &'static Surface, expires_at: Timestamp, now: Tick, phase_in: u32) -> Self {
        Self {
            surface,
            expires_at,
            position: Seq::ZERO,
            active: now,
            heard: now,
            pinged: Tick(now.0.saturating_sub(phase_in)),
            stalled: None,
            unfinished: None,
            phase: Phase::CatchingUp,
            unanswered: 0,
            badge: None,
        }
    }

    /// Its surface.
    pub fn surface(&self) -> &'static Surface {
        self.surface
    }

    /// Whether its client has anything to say.
    pub fn listens(&self) -> bool {
        self.surface.framing == Framing::WebSocket
    }

    /// When its token expires.
    pub fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// Another token has taken the place of the former one.
    pub fn handle_refreshed(&mut self, expires_at: Timestamp) {
        self.expires_at = expires_at;
    }

    /// The client was told its counts for the first time; `rev` is the read state that it has, `start` its place.
    pub fn handle_hello(&mut self, counts: Counts, rev: Rev, start: Seq) {
        self.badge = Some(Box::new(Badge::new(counts, rev, start)));
    }

    /// What the client was told of its counts.
    pub fn badge(&mut self) -> Option<&mut Badge> {
        self.badge.as_deref_mut()
    }

    /// Whether our close was sent.
    pub fn is_closing(&self) -> bool {
        self.phase == Phase::Closing
    }

    /// The last entry it stands behind; `None` while it catches up.
    pub fn position(&self) -> Option<Seq> {
        (self.phase != Phase::CatchingUp).then_some(self.position)
    }

    /// When the client was last heard.
    pub fn heard(&self) -> Tick {
        self.heard
    }

    /// Bytes came in.
    pub fn handle_bytes(&mut self, now: Tick) {
        self.heard = now;
    }

    /// A message is unfinished (`true`) or none is.
    pub fn handle_unfinished(&mut self, unfinished: bool, now: Tick) {
        if self.phase != Phase::Closing {
            self.unfinished = if unfinished { self.unfinished.or(Some(now)) } else { None };
        }
    }

    /// The client said something.
    pub fn handle_event(&mut self, event: &Event<'_>, now: Tick) -> Reaction {
        if let Event::Close { code, .. } = event {
            let ours = self.phase == Phase::Closing;
            self.phase = Phase::Closing;
            return if ours { Reaction::Finish } else { Reaction::Echo(*code) };
        }
        if self.phase == Phase::Closing {
            return Reaction::Nothing;
        }
        if matches!(event, Event::Pong(_)) && self.unanswered > 0 {
            self.unanswered -= 1;
        } else {
            self.active = now;
        }
        match event {
            Event::Text(text) => {
                self.unfinished = None;
                self.handle_command((self.surface.decode)(text))
            }
            Event::Binary(_) => {
                self.unfinished = None;
                self.surface.binary.map_or(Reaction::Nothing, Reaction::Close)
            }
            Event::Ping(payload) => Reaction::Pong(payload.to_vec()),
            Event::Pong(_) | Event::Close { .. } => Reaction::Nothing,
        }
    }

    fn handle_command(&self, command: Command) -> Reaction {
        match command {
            Command::Ping(reference) => Reaction::Answer((self.surface.pong)(reference.as_deref())),
            Command::Mark(marking) => Reaction::Mark(marking),
            Command::MarkUnknown(asked) => {
                self.handle_not_marked(&asked, false).map_or(Reaction::Nothing, Reaction::Answer)
            }
            Command::Refresh(token, reference) => Reaction::Refresh(token, reference),
            Command::Unknown(why, reference) => self
                .surface
                .unknown
                .map_or(Reaction::Nothing, |unknown| Reaction::Answer(unknown(why, reference.as_deref()))),
        }
    }

    /// What tells the client that its mark is done.
    pub fn handle_marked(&self, done: &Done<'_>) -> Option<Payload> {
        self.surface.marked.map(|marked| marked(done))
    }

    /// What tells the client that its mark is not done; `true`: because of its key.
    pub fn handle_not_marked(&self, asked: &Asked, key_reused: bool) -> Option<Payload> {
        self.surface.not_marked.map(|not_marked| not_marked(asked, key_reused))
    }

    /// The hand-over ended at `position`: live entries after it are delivered.
    pub fn handle_live(&mut self, position: Seq) {
        if self.phase == Phase::CatchingUp {
            self.phase = Phase::Live;
            self.position = position;
        }
    }

    /// Which part of a run from `first` to `last` to deliver; entries in no log have neither.
    pub fn wants(&self, first: Option<Seq>, last: Option<Seq>, now: Timestamp) -> Wanted {
        if self.phase == Phase::Closing || self.expires_at <= now {
            return Wanted::Nothing;
        }
        let (Some(first), Some(last)) = (first, last) else { return Wanted::All };
        match self.phase {
            Phase::Live if first > self.position => Wanted::All,
            Phase::Live if last > self.position => Wanted::After(self.position),
            _ => Wanted::Nothing,
        }
    }

    /// Entries up to `last` were handed to the connection.
    pub fn handle_delivered(&mut self, last: Option<Seq>, now: Tick) {
        self.active = now;
        if let Some(last) = last {
            self.position = self.position.max(last);
            if let Some(badge) = &mut self.badge {
                badge.handle_touched();
            }
        }
    }

    /// Something waits to leave (`Some`, and whether a byte left just now), or nothing does.
    pub fn handle_backlog(&mut self, waiting: bool, progress: bool, now: Tick) {
        self.stalled = match (waiting, progress) {
            // With the close gone as well, its answer is waited for.
            (false, _) if self.phase == Phase::Closing => Some(now),
            (false, _) => None,
            (true, true) => Some(now),
            (true, false) => self.stalled.or(Some(now)),
        };
    }

    /// A ping was sent outside the rhythm.
    pub fn handle_pinged(&mut self, now: Tick) {
        self.pinged = now;
        self.unanswered = self.unanswered.saturating_add(1);
    }

    /// Our close was sent.
    pub fn handle_closing(&mut self, now: Tick) {
        self.phase = Phase::Closing;
        self.unfinished = Some(now);
    }

    /// When a client that was sent our close is given up: some time after the last byte left, so that a slow
    /// reader gets to the close, but not for ever.
    fn closing_until(&self, timing: &Timing) -> Tick {
        let closed = self.unfinished.unwrap_or_default();
        let last = self.stalled.unwrap_or_default().max(closed);
        last.after(timing.linger).min(closed.after(timing.farewell))
    }

    /// What is due at `now`.
    pub fn handle_tick(&mut self, now: Tick, wall: Timestamp, timing: &Timing) -> Due {
        let past = |since: Tick, span: u32| now.since(since) >= span;
        if self.phase == Phase::Closing {
            return if now >= self.closing_until(timing) { Due::Drop } else { Due::Nothing };
        }
        if wall >= self.expires_at {
            return Due::Close(self.surface.refusals.token_expired);
        }
        if self.stalled.is_some_and(|since| past(since, timing.stall)) {
            return Due::Close(&close::TOO_SLOW);
        }
        if self.unfinished.is_some_and(|since| past(since, timing.message)) {
            return Due::Close(&close::MESSAGE_TIMEOUT);
        }
        if timing.idle.is_some_and(|idle| past(self.active, idle)) {
            return Due::Close(self.surface.refusals.idle);
        }
        if timing.keepalive.is_some_and(|keepalive| past(self.pinged, keepalive)) {
            self.handle_pinged(now);
            return Due::Ping;
        }
        if self.badge.as_ref().and_then(|badge| badge.poll_deadline()).is_some_and(|at| at <= now) {
            return Due::Look;
        }
        Due::Nothing
    }

    /// The earliest tick at which [`handle_tick`](Self::handle_tick) may find something, after `now`.
    pub fn poll_deadline(&self, now: Tick, wall: Timestamp, timing: &Timing) -> Tick {
        let due = |since: Option<Tick>, span: Option<u32>| since.zip(span).map(|(t, s)| t.after(s));
        if self.phase == Phase::Closing {
            return self.closing_until(timing).max(now.after(1));
        }
        let left_ms = self.expires_at.as_millis().saturating_sub(wall.as_millis()).max(0);
        let expiry = u32::try_from(left_ms / 100 + 1).map_or(Tick(u32::MAX), |ticks| now.after(ticks));
        [
            due(self.stalled, Some(timing.stall)),
            due(self.unfinished, Some(timing.message)),
            due(Some(self.active), timing.idle),
            due(Some(self.pinged), timing.keepalive),
            self.badge.as_ref().and_then(|badge| badge.poll_deadline()),
        ]
        .into_iter()
        .flatten()
        .fold(expiry, Tick::min)
        .max(now.after(1))
    }
}
