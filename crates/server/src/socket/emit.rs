//! What clients are told: committed entries, steps of a hand-over, answers.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::{Bytes, BytesMut};
use campanile_engine::connect::Step;
use campanile_hub::{RoomId, Run, Sink, Slot, UserKey};
use campanile_model::{Change, Entry, EntryKind, Epoch, Position, Seq, Timestamp, Topic, UserId, Visibility};
use campanile_session::{Handover, Next, Wanted};
use campanile_store::{Commit, StoreError};
use campanile_wire::{Hello, Resync, close};

use super::conn::Conn;
use super::frames;
use super::requests::What;
use super::shard::Shard;
use super::sockets::{Doom, Sockets, keepalive};

impl Sink for Sockets {
    /// A panic ends that connection, never the shard.
    fn deliver(&mut self, slot: Slot, run: &Run) {
        if catch_unwind(AssertUnwindSafe(|| self.deliver_run(slot, run))).is_err() {
            tracing::error!("a connection was closed because a delivery panicked");
            self.doomed.push((slot, Doom::Close(&close::INTERNAL_ERROR)));
        }
    }

    fn is_due(&mut self) -> bool {
        self.slice_is_over()
    }

    fn moved(&mut self, slot: Slot, place: u32) {
        if let Some(seat) = self.get_mut(slot).and_then(|conn| conn.seat.as_mut()) {
            seat.place = place;
        }
    }
}

impl Sockets {
    fn deliver_run(&mut self, slot: Slot, run: &Run) {
        let (now, wall) = (self.now, self.wall);
        let Some(conn) = self.get_mut(slot) else { return };
        let surface = conn.session.surface();
        let is_early = conn.is_ungreeted() || conn.rare.as_ref().is_some_and(|rare| rare.hello.is_some());
        if is_early && run.first_seq().is_none() {
            // In no log, and told before the client's handshake was answered: it was not here yet.
            return;
        }
        let wanted = conn.session.wants(run.first_seq(), run.last_seq(), wall);
        if wanted == Wanted::Nothing {
            return self.hold(slot, run);
        }
        if run.change().is_some() && surface.envelopes.is_none() {
            // Its clients find out when they read; nothing is sent.
            return;
        }
        conn.session.handle_delivered(run.last_seq(), now);
        if let (Some(badge), Some(position)) = (conn.session.badge(), run.position()) {
            badge.handle_epoch(position.epoch);
        }
        if run.change().is_some() {
            self.count_anew(slot);
        }
        match wanted {
            Wanted::Nothing => {}
            Wanted::All => {
                let frames = run.frames(surface.index, |deliveries| frames::run(surface, deliveries));
                self.send(slot, frames);
            }
            Wanted::After(position) => {
                let missing: Vec<_> = run.deliveries.iter().filter(|d| d.seq() > Some(position)).collect();
                // In one piece: what does not fit is dropped as a whole, and said so once.
                let mut joined = BytesMut::new();
                for delivery in missing {
                    joined.extend_from_slice(&frames::run(surface, std::slice::from_ref(delivery)));
                }
                self.send(slot, &joined.freeze());
            }
        }
    }

    /// A change was told whose effect on the counts a client may not know.
    fn count_anew(&mut self, slot: Slot) {
        let at = Shard::look_after(self.now, slot, self.conns.len());
        if let Some(badge) = self.badge(slot) {
            badge.handle_uncounted(at);
            self.reschedule(slot);
        }
    }

    /// Keeps live entries for a connection that is about to have read the log.
    fn hold(&mut self, slot: Slot, run: &Run) {
        let limit = self.config.connection.outbox_bytes;
        let Some(conn) = self.get_mut(slot) else { return };
        let surface = conn.session.surface();
        let Some(handover) = conn.rare.as_mut().and_then(|rare| rare.handover.as_mut()) else { return };
        if !handover.is_holding() {
            return;
        }
        for delivery in &run.deliveries {
            let Some(seq) = delivery.seq() else { continue };
            if surface.envelopes.is_none() && run.change().is_some() {
                continue;
            }
            let frame = frames::run(surface, std::slice::from_ref(delivery));
            if !handover.handle_held(seq, frame, limit) {
                return self.doomed.push((slot, Doom::Close(&close::TOO_SLOW)));
            }
        }
    }
}

impl Shard {
    /// Takes entries in the order of their log, and what is told of marks after them.
    pub(super) fn handle_commit(&mut self, commit: &Commit) {
        let mut unknown = false;
        for Entry { seq, kind } in &commit.entries {
            // Looked up each time: a withdrawal may have emptied the room.
            let Some(room) = self.registry.find_room(&commit.workspace) else { return };
            let position = Position { epoch: commit.epoch, seq: *seq };
            let named = |name: &UserId, shard: &Self| shard.registry.find_user(room, name);
            match kind {
                EntryKind::Notification(notification) => {
                    let (fanout, registry) = self.fanout();
                    fanout.push(registry, room, Some(position), notification);
                    continue;
                }
                EntryKind::Update { notification: about, .. }
                | EntryKind::Retract { withdrawn: Some(about), .. }
                | EntryKind::Supersede { withdrawn: Some(about), .. } => {
                    if let Some(change) = Change::of(kind) {
                        let (fanout, registry) = self.fanout();
                        fanout.push_change(registry, room, position, change, about);
                        continue;
                    }
                }
                // Read back from the log, which no longer knows whom it reached: whoever might have had it is told to
                // read again.
                EntryKind::Retract { .. } | EntryKind::Supersede { .. } => unknown = true,
                EntryKind::Subscribe { topic, user } => {
                    if let Some(user) = named(user, self) {
                        self.registry.subscribe(user, topic, *seq);
                        self.note_change(user, *seq, topic, true);
                    }
                }
                EntryKind::Unsubscribe { topic, user } => {
                    if let Some(user) = named(user, self) {
                        self.registry.unsubscribe(user, topic, *seq);
                        self.note_change(user, *seq, topic, false);
                    }
                }
                EntryKind::Withdraw { user } => {
                    if let Some(user) = named(user, self) {
                        self.registry.withdraw(user, *seq);
                        self.expel(room, user, *seq);
                    }
                    if self.registry.find_room(&commit.workspace) != Some(room) {
                        return;
                    }
                }
                EntryKind::Grant { user } => {
                    if let Some(user) = named(user, self) {
                        self.registry.grant(user, *seq);
                    }
                }
            }
            let (fanout, registry) = self.fanout();
            fanout.skip(registry, room, *seq);
        }
        if let Some(room) = self.registry.find_room(&commit.workspace) {
            if unknown {
                self.say_overflow(room, commit.epoch);
            }
            for marking in &commit.marks {
                self.handle_marking(room, &marking.user);
            }
        }
    }

    /// Tells those of a room that can be told to read again: the store is ahead of whatever they have been told. Who
    /// catches up is told afterwards.
    fn say_overflow(&mut self, room: RoomId, epoch: Epoch) {
        for slot in self.registry.members(room) {
            let horizon = self.horizon(slot);
            let Some(conn) = self.sockets.get_mut(slot) else { continue };
            let Some(envelopes) = conn.session.surface().envelopes else { continue };
            match horizon {
                Some(horizon) => {
                    self.answer(slot, &(envelopes.resync)(Some(epoch), horizon, Resync::Overflow));
                }
                None => conn.rare().overflowed = Some(epoch),
            }
        }
    }

    /// Tells the user's connections that have not read their first step of a change they may not find there.
    fn note_change(&mut self, user: UserKey, seq: Seq, topic: &Topic, subscribed: bool) {
        for slot in self.registry.sockets(user).to_vec() {
            if let Some(rare) = self.sockets.get_mut(slot).and_then(|conn| conn.rare.as_mut())
                && rare.handover.as_ref().is_some_and(Handover::is_fresh)
            {
                rare.changes.push((seq, topic.clone(), subscribed));
            }
        }
    }

    /// Closes every connection of a user whose access ended, before anything later is delivered, and after everything
    /// earlier: the last of it may say why.
    fn expel(&mut self, room: RoomId, user: UserKey, withdrawn: Seq) {
        for slot in self.registry.sockets(user).to_vec() {
            // Whoever stands behind the withdrawal in the log was let in after it; whoever reads the log still
            // is told by its next step.
            if let Some(conn) = self.sockets.get(slot)
                && conn.session.position().is_some_and(|position| position < withdrawn)
            {
                let refusal = conn.session.surface().refusals.workspace_refused;
                self.fanout.deliver_ahead(&self.registry, room, (slot, user), &mut self.sockets);
                self.close(slot, refusal);
            }
        }
    }

    /// A step of the hand-over was read.
    pub(super) fn handle_step(&mut self, slot: Slot, step: Result<Step, StoreError>) {
        self.sockets.greet(slot);
        let Some(conn) = self.sockets.get_mut(slot) else { return };
        let surface = conn.session.surface();
        let Some(rare) = conn.rare.as_mut() else { return };
        let Some(handover) = rare.handover.as_mut() else { return };
        match step {
            Ok(step) if !step.visibility.access.is_open() => {
                self.sockets.doomed.push((slot, Doom::Close(surface.refusals.workspace_refused)));
            }
            Ok(step) => {
                let changes = handover.is_fresh().then(|| std::mem::take(&mut rare.changes));
                let mut frames = self.welcome(slot, &step);
                frames.extend(step.payloads.iter().map(|payload| frames::message(surface, payload)));
                let Some(handover) = self.sockets.handover(slot) else { return };
                handover.handle_step(frames, step.head, step.next);
                if let Some(changes) = changes {
                    self.adopt_sight(slot, step.head, step.visibility, changes);
                }
                self.pump(slot);
                // What the client said before it was greeted.
                self.read_on(slot);
            }
            Err(error) => {
                tracing::warn!(%error, "a connection can't be handed over from the log");
                self.sockets.doomed.push((slot, Doom::Close(&close::OVERLOADED)));
            }
        }
    }

    /// Goes on with a hand-over as far as the outbox allows.
    pub(super) fn pump(&mut self, slot: Slot) {
        let half = self.sockets.config.connection.outbox_bytes / 2;
        loop {
            let Some(conn) = self.sockets.get_mut(slot) else { return };
            if conn.backlog() >= half {
                return;
            }
            let Some(handover) = conn.rare.as_mut().and_then(|rare| rare.handover.as_mut()) else { return };
            match handover.poll_payload() {
                Some(frame) => self.send_catch_up(slot, &frame),
                None => break,
            }
        }
        let Some(conn) = self.sockets.get_mut(slot) else { return };
        let (Some(seat), Some(rare)) = (conn.seat, conn.rare.as_mut()) else { return };
        let emitted = self.registry.emitted(self.registry.room_of(seat.user));
        match rare.handover.as_mut().map_or(Next::Wait, |handover| handover.poll_next(emitted)) {
            Next::Wait => {}
            Next::Ask(cursor) => self.ask(slot, What::More(cursor)),
            Next::Live(position) => {
                conn.session.handle_live(position);
                rare.handover = None;
                let replayed = std::mem::take(&mut rare.resumed);
                let overflowed = rare.overflowed.take();
                let envelopes = conn.session.surface().envelopes;
                conn.tidy();
                if let (Some(epoch), Some(envelopes)) = (overflowed, envelopes) {
                    self.answer(slot, &(envelopes.resync)(Some(epoch), position, Resync::Overflow));
                }
                if replayed {
                    self.heartbeat(slot);
                } else {
                    self.look(slot);
                }
            }
        }
    }

    fn send_catch_up(&mut self, slot: Slot, frame: &Bytes) {
        let now = self.sockets.now;
        self.sockets.send(slot, frame);
        if let Some(conn) = self.sockets.get_mut(slot) {
            conn.session.handle_delivered(None, now);
        }
    }

    /// The first messages on a surface that says where its client stands, if this step brings them.
    fn welcome(&mut self, slot: Slot, step: &Step) -> Vec<Bytes> {
        let Some(welcome) = &step.welcome else { return vec![] };
        let (now, leeway) = (self.sockets.now, self.sockets.config.leeway_ms);
        let Some(conn) = self.sockets.get_mut(slot) else { return vec![] };
        let surface = conn.session.surface();
        let (Some(envelopes), Some(seat)) = (surface.envelopes, conn.seat) else { return vec![] };
        conn.session.handle_hello(welcome.counts, welcome.rev, welcome.seq);
        conn.rare().resumed = welcome.resumed;
        if std::mem::take(&mut conn.rare().marked)
            && let Some(badge) = conn.session.badge()
        {
            badge.handle_changed(now);
        }
        // The token's own end: what the server adds to it is for clocks that differ.
        let expires_at = Timestamp::from_millis(conn.session.expires_at().as_millis() - leeway);
        let heartbeat = keepalive(&self.sockets.config.connection, surface).unwrap_or_default();
        let hello = (envelopes.hello)(&Hello {
            session: &welcome.session.to_string(),
            user: self.registry.name(seat.user),
            workspace: self.registry.slug(self.registry.room_of(seat.user)),
            seq: welcome.seq,
            counts: &welcome.counts,
            resumed: welcome.resumed,
            heartbeat_ms: u64::try_from(heartbeat.as_millis()).unwrap_or(u64::MAX),
            expires_at,
        });
        let resync = welcome.resync.map(|why| (envelopes.resync)(welcome.counts.epoch, welcome.seq, why));
        std::iter::once(hello).chain(resync).map(|payload| frames::message(surface, &payload)).collect()
    }

    /// The first step of a user's first connection brings what the user sees: as of the step's snapshot, and what
    /// changed after it. From then on the log's own entries change it, in order.
    fn adopt_sight(
        &mut self,
        slot: Slot,
        head: Seq,
        visibility: Visibility,
        changes: Vec<(Seq, Topic, bool)>,
    ) {
        let Some(seat) = self.sockets.get(slot).and_then(|conn| conn.seat) else { return };
        let adopted = |other: &Slot| {
            let handover = |conn: &Conn| conn.rare.as_ref()?.handover.as_ref().map(Handover::is_fresh);
            *other != slot && self.sockets.get(*other).is_some_and(|conn| handover(conn) != Some(true))
        };
        if self.registry.sockets(seat.user).iter().any(adopted) {
            return;
        }
        self.registry.set_sight(seat.user, visibility);
        for (seq, topic, subscribed) in changes.into_iter().filter(|(seq, ..)| *seq > head) {
            if subscribed {
                self.registry.subscribe(seat.user, &topic, seq);
            } else {
                self.registry.unsubscribe(seat.user, &topic, seq);
            }
        }
    }
}
