//! From an entry to the sockets, in slices.

use std::collections::VecDeque;
use std::sync::Arc;

use campanile_model::{Audience, Change, Notification, Position, Seq};
use slab::Slab;

use crate::registry::{Registry, RoomId, Slot, User, UserKey};
use crate::run::{Delivery, Run, Said, Target};

/// Where entries go: the owner of the sockets.
pub trait Sink {
    /// Hands a run to one socket. The sink drops what the socket has already (by seq), or may not have yet.
    fn deliver(&mut self, slot: Slot, run: &Run);
    /// Whether the slice is used up and other work is due.
    fn is_due(&mut self) -> bool;
    /// A socket's place in its room changed.
    fn moved(&mut self, slot: Slot, place: u32);
}

/// Sockets served before other work gets its turn.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// Sockets in a slice. The design's bound is 256; the sink may end it sooner by time.
    pub sockets: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { sockets: 256 }
    }
}

/// Entries waiting for their turn: first in, first out in each room, rooms in turn.
#[derive(Default)]
pub struct Fanout {
    turns: VecDeque<RoomId>,
    waiting_bytes: usize,
}

impl Fanout {
    /// Queues one entry for whoever of the room is to see it. `position` is `None` for one that is in no log.
    pub fn push(
        &mut self,
        registry: &mut Registry,
        room: RoomId,
        position: Option<Position>,
        notification: &Arc<Notification>,
    ) {
        if let Some(position) = position {
            registry.rooms[room.0 as usize].emitted = position.seq;
        }
        let users = match &notification.audience {
            Audience::Workspace => None,
            Audience::Users(names) => {
                Some(names.iter().filter_map(|name| registry.find_user(room, name)).collect())
            }
            Audience::Topic(topic) => Some(registry.subscribers(room, topic).to_vec()),
        };
        let target = match users {
            None => Target::Everyone,
            Some(users) => Target::Sockets(sockets_of(registry, users)),
        };
        let said = Said::Notification(Arc::clone(notification));
        self.queue(registry, room, Delivery { position, said }, target);
    }

    /// Queues what became of an earlier entry, for whoever of the room saw that: `about` is the entry as it read.
    /// Nobody is told of what they never had: each is asked by the one predicate, when their turn comes.
    pub fn push_change(
        &mut self,
        registry: &mut Registry,
        room: RoomId,
        position: Position,
        change: Change,
        about: &Arc<Notification>,
    ) {
        registry.rooms[room.0 as usize].emitted = position.seq;
        if !registry.tells_changes(room) {
            return;
        }
        let seq = change.target_seq();
        let target = match &about.audience {
            Audience::Users(names) => {
                let users = names.iter().filter_map(|name| registry.find_user(room, name));
                Target::Sockets(sockets_of(registry, users.filter(|user| registry.saw(*user, seq, about))))
            }
            // However many they are, they are walked in slices like those of an entry.
            Audience::Workspace | Audience::Topic(_) => Target::WhoSaw { seq, about: Arc::clone(about) },
        };
        self.queue(registry, room, Delivery { position: Some(position), said: Said::Change(change) }, target);
    }

    fn queue(&mut self, registry: &mut Registry, room: RoomId, mut delivery: Delivery, target: Target) {
        if matches!(&target, Target::Sockets(sockets) if sockets.is_empty()) {
            return;
        }
        let weight = delivery.weight();
        let runs = &mut registry.rooms[room.0 as usize].runs;
        if let Some(last) = runs.back_mut() {
            match last.try_merge(delivery, &target) {
                Ok(()) => {
                    self.waiting_bytes += weight;
                    return;
                }
                Err(refused) => delivery = refused,
            }
        } else {
            self.turns.push_back(room);
        }
        let run = Run::new(delivery, target);
        self.waiting_bytes += run.weight();
        runs.push_back(run);
    }

    /// Notes an entry that goes to no socket, so that connections know how far the room has come.
    pub fn skip(&mut self, registry: &mut Registry, room: RoomId, seq: Seq) {
        registry.rooms[room.0 as usize].emitted = seq;
    }

    /// Hands one socket what waits for it and stands in the log, ahead of its turn: it is about to be closed, and is
    /// to have what came before that.
    pub fn deliver_ahead(
        &self,
        registry: &Registry,
        room: RoomId,
        (slot, user): (Slot, UserKey),
        sink: &mut impl Sink,
    ) {
        for run in &registry.rooms[room.0 as usize].runs {
            let is_meant = match &run.target {
                Target::Sockets(sockets) => sockets.contains(&(slot, user)),
                Target::Everyone | Target::WhoSaw { .. } => true,
            } && registry.users.get(user.0 as usize).is_some_and(|user| is_for(run, user));
            // What stands in no log can't be told from what the socket has already.
            if is_meant && run.first_seq().is_some() {
                sink.deliver(slot, run);
            }
        }
    }

    /// About how many bytes wait. The owner takes no further entries while it is more than it allows.
    pub fn waiting_bytes(&self) -> usize {
        self.waiting_bytes
    }

    /// Whether anything waits.
    pub fn is_idle(&self) -> bool {
        self.turns.is_empty()
    }

    /// Serves one slice of one room, and puts the room at the end of the line if it has more.
    pub fn run_slice(&mut self, registry: &mut Registry, budget: Budget, sink: &mut impl Sink) {
        let Some(id) = self.turns.pop_front() else { return };
        let Some(room) = registry.rooms.get_mut(id.0 as usize) else { return };
        let users = &registry.users;
        let mut left = budget.sockets;
        while let Some(run) = room.runs.front_mut() {
            run.started = true;
            let finished = match &run.target {
                Target::Everyone | Target::WhoSaw { .. } => {
                    serve(run, room.members.iter().map(Option::as_ref), users, &mut left, sink)
                }
                Target::Sockets(sockets) => serve(run, sockets.iter().map(Some), users, &mut left, sink),
            };
            match finished {
                Served::All => {
                    self.waiting_bytes -= run.weight();
                    room.runs.pop_front();
                }
                Served::UpTo(cursor) => {
                    run.cursor = cursor;
                    self.turns.push_back(id);
                    return;
                }
            }
        }
        room.compact(|slot, place| sink.moved(slot, place));
        registry.forget_room_if_unused(id);
    }
}

fn sockets_of(registry: &Registry, users: impl IntoIterator<Item = UserKey>) -> Vec<(Slot, UserKey)> {
    let sockets = |user| registry.sockets(user).iter().map(move |slot| (*slot, user));
    users.into_iter().flat_map(sockets).collect()
}

enum Served {
    All,
    UpTo(usize),
}

/// Walks the members from the run's cursor.
fn serve<'a>(
    run: &Run,
    members: impl Iterator<Item = Option<&'a (Slot, UserKey)>>,
    users: &Slab<User>,
    left: &mut usize,
    sink: &mut impl Sink,
) -> Served {
    let asks = run.has_exceptions() || matches!(run.target, Target::WhoSaw { .. });
    for (cursor, member) in (0..).zip(members).skip(run.cursor) {
        if *left == 0 || (cursor > run.cursor && cursor % 16 == 15 && sink.is_due()) {
            *left = 0;
            return Served::UpTo(cursor);
        }
        let Some((slot, user)) = member else { continue };
        if asks && !users.get(user.0 as usize).is_some_and(|user| is_for(run, user)) {
            continue;
        }
        *left -= 1;
        sink.deliver(*slot, run);
    }
    Served::All
}

/// Whether a run that reaches this user's socket is for the user, who is asked as of now: a key may have passed
/// to somebody else since the entry came.
fn is_for(run: &Run, user: &User) -> bool {
    match &run.target {
        Target::WhoSaw { seq, about } => user.saw(*seq, about),
        Target::Everyone | Target::Sockets(_) => !run.excepts(&user.name),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use campanile_model::{Epoch, Level, NotificationId, Slug, Timestamp, Topic, UserId};
    use proptest::prelude::*;

    use super::*;

    fn notification(audience: Audience, except: Vec<UserId>) -> Arc<Notification> {
        Arc::new(Notification {
            id: NotificationId::parse("01890a5d-ac96-774b-bcce-b302099a8057").unwrap(),
            audience,
            except,
            title: String::new(),
            message: String::new(),
            kind: "info".into(),
            level: Level::Info,
            timestamp: Timestamp::default(),
            metadata: None,
            event: None,
            product_name: None,
            expiry_date: None,
            expires_at: None,
            collapse_key: None,
            updated_at: None,
        })
    }

    fn name(user: u8) -> UserId {
        UserId::new(&format!("u{user}")).unwrap()
    }

    #[derive(Debug, Clone)]
    enum Step {
        Join(u8),
        Leave(usize),
        Everyone(Option<u8>),
        Users(Vec<u8>),
        Topic(u8),
        Subscribe(u8, u8),
        Unsubscribe(u8, u8),
        Slice(usize),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            3 => (0u8..6).prop_map(Step::Join),
            2 => (0usize..12).prop_map(Step::Leave),
            3 => prop::option::of(0u8..6).prop_map(Step::Everyone),
            2 => prop::collection::vec(0u8..6, 1..4).prop_map(Step::Users),
            2 => (0u8..2).prop_map(Step::Topic),
            1 => (0u8..6, 0u8..2).prop_map(|(u, t)| Step::Subscribe(u, t)),
            1 => (0u8..6, 0u8..2).prop_map(|(u, t)| Step::Unsubscribe(u, t)),
            4 => (1usize..5).prop_map(Step::Slice),
        ];
        prop::collection::vec(step, 1..120)
    }

    /// What each socket got, and its place in the room.
    #[derive(Default)]
    struct Recorder {
        got: HashMap<Slot, Vec<u64>>,
        place: HashMap<Slot, u32>,
    }

    impl Sink for Recorder {
        fn deliver(&mut self, slot: Slot, run: &Run) {
            // A real sink knows where each connection stands; this one notes everything it is handed.
            let got = self.got.entry(slot).or_default();
            got.extend(run.deliveries.iter().filter_map(Delivery::seq).map(|s| s.0));
        }
        fn is_due(&mut self) -> bool {
            false
        }
        fn moved(&mut self, slot: Slot, place: u32) {
            self.place.insert(slot, place);
        }
    }

    proptest! {
        /// Whoever is here when an entry comes and still here when all is served got it exactly once and in
        /// order; whoever is not named got nothing; nobody got anything twice.
        #[test]
        fn everyone_named_gets_everything_once_in_order(steps in steps()) {
            let slug = Slug::new("acme").unwrap();
            let topic = |t: u8| Topic::new(&format!("t{t}")).unwrap();
            let (mut registry, mut fanout, mut sink) = (Registry::default(), Fanout::default(), Recorder::default());
            let mut here: Vec<(Slot, u8, crate::UserKey)> = vec![];
            let mut subscribed: HashMap<(u8, u8), ()> = HashMap::new();
            let mut owed: HashMap<Slot, Vec<u64>> = HashMap::new();
            let mut joined: HashMap<Slot, u64> = HashMap::new();
            let (mut generation, mut seq) = (0, 0u64);
            for step in steps {
                match step {
                    Step::Join(user) => {
                        generation += 1;
                        let slot = Slot { index: generation % 7, generation };
                        let key = registry.user(&slug, &name(user));
                        let place = registry.join(key, slot);
                        sink.place.insert(slot, place);
                        if here.iter().all(|(_, u, _)| *u != user) {
                            subscribed.retain(|(u, _), ()| *u != user);
                        }
                        here.push((slot, user, key));
                        owed.insert(slot, vec![]);
                        joined.insert(slot, seq);
                    }
                    Step::Leave(which) if !here.is_empty() => {
                        let (slot, _, key) = here.remove(which % here.len());
                        let place = sink.place[&slot];
                        let mut moves = vec![];
                        registry.leave(key, slot, place, |slot, place| moves.push((slot, place)));
                        sink.place.extend(moves);
                        owed.remove(&slot);
                    }
                    Step::Leave(_) => {}
                    Step::Subscribe(user, t) => {
                        if let Some((.., key)) = here.iter().find(|(_, u, _)| *u == user) {
                            registry.subscribe(*key, &topic(t), Seq(seq));
                            subscribed.insert((user, t), ());
                        }
                    }
                    Step::Unsubscribe(user, t) => {
                        if let Some((.., key)) = here.iter().find(|(_, u, _)| *u == user) {
                            registry.unsubscribe(*key, &topic(t), Seq(seq));
                            subscribed.remove(&(user, t));
                        }
                    }
                    Step::Everyone(_) | Step::Users(_) | Step::Topic(_) => {
                        let Some(room) = registry.find_room(&slug) else { continue };
                        let (audience, except, named): (_, _, Box<dyn Fn(u8) -> bool>) = match step {
                            Step::Everyone(except) => {
                                (Audience::Workspace, except.map(name).into_iter().collect(), Box::new(move |u| Some(u) != except))
                            }
                            Step::Users(mut users) => {
                                users.sort_unstable();
                                users.dedup();
                                (Audience::Users(users.iter().copied().map(name).collect()), vec![], Box::new(move |u| users.contains(&u)))
                            }
                            Step::Topic(t) => {
                                let subscribed = subscribed.clone();
                                (Audience::Topic(topic(t)), vec![], Box::new(move |u| subscribed.contains_key(&(u, t))))
                            }
                            _ => unreachable!(),
                        };
                        seq += 1;
                        let position = Position { epoch: Epoch(1), seq: Seq(seq) };
                        fanout.push(&mut registry, room, Some(position), &notification(audience, except));
                        for (slot, user, _) in &here {
                            if named(*user) {
                                owed.get_mut(slot).unwrap().push(seq);
                            }
                        }
                    }
                    Step::Slice(sockets) => fanout.run_slice(&mut registry, Budget { sockets }, &mut sink),
                }
            }
            while !fanout.is_idle() {
                fanout.run_slice(&mut registry, Budget { sockets: 3 }, &mut sink);
            }
            prop_assert_eq!(fanout.waiting_bytes(), 0);
            for (slot, user, _) in &here {
                let got = sink.got.remove(slot).unwrap_or_default();
                prop_assert!(got.windows(2).all(|w| w[0] < w[1]), "{user}: {got:?}");
                // Who joined while an entry was on its way may get it as well: its own position drops it.
                let owed = &owed[slot];
                prop_assert!(owed.iter().all(|seq| got.contains(seq)), "{user} is owed {owed:?}, got {got:?}");
                let early = joined[slot];
                prop_assert!(got.iter().all(|seq| owed.contains(seq) || *seq <= early), "{user}: {owed:?} {got:?}");
            }
            for (slot, _, key) in here {
                let place = sink.place[&slot];
                let mut moves = vec![];
                registry.leave(key, slot, place, |slot, place| moves.push((slot, place)));
                sink.place.extend(moves);
            }
            prop_assert_eq!(registry.counts(), (0, 0));
        }
    }

    #[test]
    fn a_change_goes_in_slices_to_whoever_saw_what_it_is_about() {
        let (slug, topic) = (Slug::new("acme").unwrap(), Topic::new("t").unwrap());
        let (mut registry, mut fanout, mut sink) =
            (Registry::default(), Fanout::default(), Recorder::default());
        let join = |registry: &mut Registry, index: u8| {
            let key = registry.user(&slug, &name(index));
            registry.join(key, Slot { index: u32::from(index), generation: 1 });
            registry.count_told(key, true);
            key
        };
        let here: Vec<_> = (0..100).map(|index| join(&mut registry, index)).collect();
        for user in here.iter().step_by(2) {
            registry.subscribe(*user, &topic, Seq(4));
        }
        let about = notification(Audience::Topic(topic.clone()), vec![name(8)]);
        let change = Change::Update { target_seq: Seq(5), notification: Arc::clone(&about) };
        let at = |seq| Position { epoch: Epoch(1), seq: Seq(seq) };
        let room = registry.find_room(&slug).unwrap();
        fanout.push_change(&mut registry, room, at(7), change, &about);
        // Later subscriptions and newcomers change nothing about who saw it; who went before their turn is not told.
        registry.subscribe(here[1], &topic, Seq(8));
        registry.unsubscribe(here[2], &topic, Seq(9));
        join(&mut registry, 100);
        registry.leave(here[98], Slot { index: 98, generation: 1 }, 98, |_, _| {});
        let mut slices = 0;
        while !fanout.is_idle() {
            let before = sink.got.len();
            fanout.run_slice(&mut registry, Budget { sockets: 10 }, &mut sink);
            assert!(sink.got.len() - before <= 10);
            slices += 1;
        }
        let mut got: Vec<_> = sink.got.iter().map(|(slot, seqs)| (slot.index, seqs.clone())).collect();
        got.sort();
        let owed: Vec<_> =
            (0..98).step_by(2).filter(|index| *index != 8).map(|index| (index, vec![7])).collect();
        assert_eq!(got, owed);
        assert!(slices >= 5, "{slices}");
        assert_eq!(fanout.waiting_bytes(), 0);
    }
}
