//! What clients are told: committed entries, steps of a hand-over, answers.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use campanile_engine::connect::Step;
use campanile_hub::{RoomId, Run, Sink, Slot, UserKey};
use campanile_model::{Entry, EntryKind, NotificationId, Seq, Topic, UserId};
use campanile_session::{Handover, Next, Wanted};
use campanile_store::{Commit, StoreError};
use campanile_wire::close;

use super::conn::Conn;
use super::frames;
use super::requests::What;
use super::shard::Shard;
use super::sockets::{Doom, Sockets};

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
        if conn.rare.as_ref().is_some_and(|rare| rare.hello.is_some()) && run.first_seq().is_none() {
            // In no log, and told before the client's handshake was answered: it was not here yet.
            return;
        }
        let wanted = conn.session.wants(run.first_seq(), run.last_seq(), wall);
        if wanted == Wanted::Nothing {
            return self.hold(slot, run);
        }
        conn.session.handle_delivered(run.last_seq(), now);
        match wanted {
            Wanted::Nothing => {}
            Wanted::All => {
                let frames = run.frames(surface.index, |deliveries| frames::run(surface, deliveries));
                self.send(slot, frames);
            }
            Wanted::After(position) => {
                let missing: Vec<_> = run.deliveries.iter().filter(|d| d.seq > Some(position)).collect();
                for delivery in missing {
                    let frame = frames::run(surface, std::slice::from_ref(delivery));
                    self.send(slot, &frame);
                }
            }
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
            let Some(seq) = delivery.seq else { continue };
            let frame = frames::run(surface, std::slice::from_ref(delivery));
            if !handover.handle_held(seq, frame, limit) {
                return self.doomed.push((slot, Doom::Close(&close::TOO_SLOW)));
            }
        }
    }
}

impl Shard {
    /// Takes entries in the order of their log.
    pub(super) fn handle_commit(&mut self, commit: &Commit) {
        for Entry { seq, kind } in &commit.entries {
            // Looked up each time: a withdrawal may have emptied the room.
            let Some(room) = self.registry.find_room(&commit.workspace) else { return };
            let named = |name: &UserId, shard: &Self| shard.registry.find_user(room, name);
            match kind {
                EntryKind::Notification(notification) => {
                    let (fanout, registry) = self.fanout();
                    fanout.push(registry, room, Some(*seq), notification);
                    continue;
                }
                EntryKind::Subscribe { topic, user } => {
                    if let Some(user) = named(user, self) {
                        self.registry.subscribe(user, topic);
                        self.note_change(user, *seq, topic, true);
                    }
                }
                EntryKind::Unsubscribe { topic, user } => {
                    if let Some(user) = named(user, self) {
                        self.registry.unsubscribe(user, topic);
                        self.note_change(user, *seq, topic, false);
                    }
                }
                EntryKind::Withdraw { user } => {
                    if let Some(user) = named(user, self) {
                        self.expel(room, user, *seq);
                    }
                    if self.registry.find_room(&commit.workspace) != Some(room) {
                        return;
                    }
                }
                // Neither documented surface shows a retraction, and a grant opens nothing by itself.
                EntryKind::Grant { .. } => {}
                // Neither documented surface has a word for these: their clients find out when they read.
                EntryKind::Update { .. } | EntryKind::Retract { .. } | EntryKind::Supersede { .. } => {}
            }
            let (fanout, registry) = self.fanout();
            fanout.skip(registry, room, *seq);
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
                let frames = step.payloads.iter().map(|payload| frames::text(payload)).collect();
                handover.handle_step(frames, step.head, step.next);
                if let Some(changes) = changes {
                    self.adopt_topics(slot, &step, changes);
                }
                self.pump(slot);
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
                conn.tidy();
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

    /// The first step of a user's first connection brings the user's subscriptions: those of the step's
    /// snapshot, and what changed after it. From then on the log's own entries change them, in order.
    fn adopt_topics(&mut self, slot: Slot, step: &Step, changes: Vec<(Seq, Topic, bool)>) {
        let Some(seat) = self.sockets.get(slot).and_then(|conn| conn.seat) else { return };
        let adopted = |other: &Slot| {
            let handover = |conn: &Conn| conn.rare.as_ref()?.handover.as_ref().map(Handover::is_fresh);
            *other != slot && self.sockets.get(*other).is_some_and(|conn| handover(conn) != Some(true))
        };
        if self.registry.sockets(seat.user).iter().any(adopted) {
            return;
        }
        let open = step.visibility.topics.iter().filter(|(_, intervals)| intervals.is_open());
        self.registry.set_topics(seat.user, open.map(|(topic, _)| topic.clone()));
        for (_, topic, subscribed) in changes.into_iter().filter(|(seq, ..)| *seq > step.head) {
            if subscribed {
                self.registry.subscribe(seat.user, &topic);
            } else {
                self.registry.unsubscribe(seat.user, &topic);
            }
        }
    }

    /// The engine answered a mark.
    pub(super) fn handle_marked(&mut self, slot: Slot, id: NotificationId, marked: Option<bool>) {
        let Some(conn) = self.sockets.get_mut(slot) else { return };
        if let Some(rare) = &mut conn.rare {
            rare.marks = rare.marks.saturating_sub(1);
        }
        conn.tidy();
        if conn.session.is_closing() {
            return;
        }
        match marked {
            Some(marked) => {
                if let Some(answer) = conn.session.handle_marked(id, marked) {
                    self.sockets.send(slot, &frames::text(answer.as_bytes()));
                }
            }
            // The client marks it again when it is back: nothing was promised.
            None => self.sockets.doomed.push((slot, Doom::Close(&close::OVERLOADED))),
        }
        self.read_on(slot);
    }
}
