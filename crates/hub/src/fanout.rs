//! From an entry to the sockets, in slices.

use std::collections::VecDeque;
use std::sync::Arc;

use campanile_model::{Audience, Notification, Seq, UserId};

use crate::registry::{Registry, RoomId, Slot, UserKey};
use crate::run::{Delivery, Run, Target};

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
}

impl Fanout {
    /// Queues one entry for whoever of the room is to see it. `seq` is `None` for one that is in no log.
    pub fn push(
        &mut self,
        registry: &mut Registry,
        room: RoomId,
        seq: Option<Seq>,
        notification: &Arc<Notification>,
    ) {
        if let Some(seq) = seq {
            registry.rooms[room.0 as usize].emitted = seq;
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
            Some(users) => {
                let sockets: Vec<_> = (users.into_iter())
                    .flat_map(|user| registry.sockets(user).iter().map(move |slot| (*slot, user)))
                    .collect();
                if sockets.is_empty() {
                    return;
                }
                Target::Sockets(sockets)
            }
        };
        let mut delivery = Delivery { seq, notification: Arc::clone(notification) };
        let runs = &mut registry.rooms[room.0 as usize].runs;
        if let Some(last) = runs.back_mut() {
            match last.try_merge(delivery, &target) {
                Ok(()) => return,
                Err(refused) => delivery = refused,
            }
        } else {
            self.turns.push_back(room);
        }
        runs.push_back(Run::new(delivery, target));
    }

    /// Notes an entry that goes to no socket, so that connections know how far the room has come.
    pub fn skip(&mut self, registry: &mut Registry, room: RoomId, seq: Seq) {
        registry.rooms[room.0 as usize].emitted = seq;
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
            let names = |user: UserKey| users.get(user.0 as usize).map(|user| &user.name);
            let finished = match &run.target {
                Target::Everyone => {
                    serve(run, room.members.iter().map(Option::as_ref), names, &mut left, sink)
                }
                Target::Sockets(sockets) => serve(run, sockets.iter().map(Some), names, &mut left, sink),
            };
            match finished {
                Served::All => {
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

enum Served {
    All,
    UpTo(usize),
}

/// Walks the members from the run's cursor. Exceptions are looked up by name: a user's key may have passed
/// to somebody else since the entry came.
fn serve<'a>(
    run: &Run,
    members: impl Iterator<Item = Option<&'a (Slot, UserKey)>>,
    name: impl Fn(UserKey) -> Option<&'a UserId>,
    left: &mut usize,
    sink: &mut impl Sink,
) -> Served {
    let exceptions = run.has_exceptions();
    for (cursor, member) in (0..).zip(members).skip(run.cursor) {
        if *left == 0 || (cursor > run.cursor && cursor % 16 == 15 && sink.is_due()) {
            *left = 0;
            return Served::UpTo(cursor);
        }
        let Some((slot, user)) = member else { continue };
        if exceptions && name(*user).is_some_and(|name| run.excepts(name)) {
            continue;
        }
        *left -= 1;
        sink.deliver(*slot, run);
    }
    Served::All
}
