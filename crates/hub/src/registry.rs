//! Who is connected: rooms (workspaces), users, sockets.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use campanile_model::{Intervals, Notification, Seq, Slug, Topic, UserId, Visibility};
use hashbrown::HashTable;
use slab::Slab;
use smallvec::SmallVec;

use crate::duel::Duel;

/// A connection of this shard: its place in the shard's table, and which of the place's tenants it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Slot {
    /// The place.
    pub index: u32,
    /// How many had it before: an address kept longer than its connection lives leads nowhere.
    pub generation: u32,
}

/// A room of this registry. Valid while a socket is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RoomId(pub(crate) u32);

/// A user of this registry. Valid while one of the user's sockets is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct UserKey(pub(crate) u32);

/// One workspace with connections on this shard.
pub(crate) struct Room {
    pub(crate) slug: Slug,
    /// Sockets in the order they came. `None` marks one that left while a fan-out was under way.
    pub(crate) members: Vec<Option<(Slot, UserKey)>>,
    pub(crate) gone: usize,
    /// Users here, by topic, of whom at least one socket is live.
    topics: HashMap<Topic, Vec<UserKey>>,
    /// The last entry that was queued for fan-out here.
    pub(crate) emitted: Seq,
    pub(crate) runs: std::collections::VecDeque<crate::Run>,
    users: usize,
    /// Sockets that are told of changes.
    told: usize,
}

pub(crate) struct User {
    room: RoomId,
    pub(crate) name: UserId,
    sockets: SmallVec<[Slot; 1]>,
    /// What the user sees, as far as the log has been emitted; `None`: whatever has no topic.
    sight: Option<Box<Visibility>>,
    duel: Option<Box<Duel>>,
}

impl User {
    /// Whether the user saw what stands at `seq`, by the one predicate.
    pub(crate) fn saw(&self, seq: Seq, notification: &Notification) -> bool {
        match &self.sight {
            Some(sight) => sight.sees(&self.name, seq, notification),
            None => Visibility::default().sees(&self.name, seq, notification),
        }
    }
}

/// The connections of one shard by workspace and user.
#[derive(Default)]
pub struct Registry {
    pub(crate) rooms: Slab<Room>,
    by_slug: HashMap<Slug, RoomId>,
    pub(crate) users: Slab<User>,
    /// Finds users by (room, name) without keeping the name twice.
    by_name: HashTable<u32>,
    hasher: RandomState,
}

impl Registry {
    /// The user of that name in that workspace, who is added if new here. Every call must be paired with
    /// [`join`](Self::join) or [`forget_if_unused`](Self::forget_if_unused).
    pub fn user(&mut self, workspace: &Slug, name: &UserId) -> UserKey {
        let room = self.room(workspace);
        let hash = self.hasher.hash_one((room, name.as_str()));
        let users = &self.users;
        let same = |&key: &u32| users[key as usize].room == room && users[key as usize].name == *name;
        if let Some(&key) = self.by_name.find(hash, same) {
            return UserKey(key);
        }
        let user = User { room, name: name.clone(), sockets: SmallVec::new(), sight: None, duel: None };
        let key = u32::try_from(self.users.insert(user)).unwrap_or(u32::MAX);
        self.rooms[room.0 as usize].users += 1;
        let (users, hasher) = (&self.users, &self.hasher);
        self.by_name.insert_unique(hash, key, |&key| {
            let user = &users[key as usize];
            hasher.hash_one((user.room, user.name.as_str()))
        });
        UserKey(key)
    }

    fn room(&mut self, workspace: &Slug) -> RoomId {
        if let Some(&room) = self.by_slug.get(workspace) {
            return room;
        }
        let room = Room {
            slug: workspace.clone(),
            members: vec![],
            gone: 0,
            topics: HashMap::new(),
            emitted: Seq::ZERO,
            runs: std::collections::VecDeque::new(),
            users: 0,
            told: 0,
        };
        let id = RoomId(u32::try_from(self.rooms.insert(room)).unwrap_or(u32::MAX));
        self.by_slug.insert(workspace.clone(), id);
        id
    }

    /// Counts sockets of the room that are told of changes: one more or one less. Where there are none, changes are
    /// passed over.
    pub fn count_told(&mut self, user: UserKey, more: bool) {
        let room = &mut self.rooms[self.users[user.0 as usize].room.0 as usize];
        room.told = if more { room.told + 1 } else { room.told.saturating_sub(1) };
    }

    /// Whether anybody of the room is told of changes.
    pub(crate) fn tells_changes(&self, room: RoomId) -> bool {
        self.rooms[room.0 as usize].told > 0
    }

    /// Puts a socket of `user` into the room; returns its place there, to be given back to `leave`.
    pub fn join(&mut self, user: UserKey, slot: Slot) -> u32 {
        let entry = &mut self.users[user.0 as usize];
        entry.sockets.push(slot);
        let members = &mut self.rooms[entry.room.0 as usize].members;
        members.push(Some((slot, user)));
        u32::try_from(members.len() - 1).unwrap_or(u32::MAX)
    }

    /// Takes a socket out. `moved` is told of every other socket whose place in the room changed.
    pub fn leave(&mut self, user: UserKey, slot: Slot, place: u32, moved: impl FnMut(Slot, u32)) {
        let entry = &mut self.users[user.0 as usize];
        entry.sockets.retain(|s| *s != slot);
        let room = &mut self.rooms[entry.room.0 as usize];
        debug_assert!(room.members[place as usize].is_some_and(|(s, _)| s == slot));
        room.members[place as usize] = None;
        room.gone += 1;
        room.compact(moved);
        self.forget_if_unused(user);
    }

    /// Forgets a user without sockets or a guard worth keeping, and a room without users.
    pub fn forget_if_unused(&mut self, user: UserKey) {
        let entry = &self.users[user.0 as usize];
        if !entry.sockets.is_empty() || entry.duel.is_some() {
            if entry.sockets.is_empty() {
                self.set_sight(user, Visibility::default());
            }
            return;
        }
        self.set_sight(user, Visibility::default());
        let entry = self.users.remove(user.0 as usize);
        let hash = self.hasher.hash_one((entry.room, entry.name.as_str()));
        if let Ok(found) = self.by_name.find_entry(hash, |&key| key == user.0) {
            found.remove();
        }
        let room = &mut self.rooms[entry.room.0 as usize];
        room.users -= 1;
        if room.users == 0 && room.runs.is_empty() {
            self.by_slug.remove(&room.slug);
            self.rooms.remove(entry.room.0 as usize);
        }
    }

    /// Forgets rooms that emptied while a fan-out was under way.
    pub(crate) fn forget_room_if_unused(&mut self, room: RoomId) {
        let Some(entry) = self.rooms.get(room.0 as usize) else { return };
        if entry.users == 0 && entry.runs.is_empty() {
            self.by_slug.remove(&entry.slug);
            self.rooms.remove(room.0 as usize);
        }
    }

    /// What the user sees from here on, as far as live delivery is concerned.
    pub fn set_sight(&mut self, user: UserKey, sight: Visibility) {
        let entry = &mut self.users[user.0 as usize];
        let room = &mut self.rooms[entry.room.0 as usize];
        for topic in entry.sight.take().iter().flat_map(|sight| open_topics(sight)) {
            room.remove_topic(topic, user);
        }
        if sight != Visibility::default() {
            for topic in open_topics(&sight) {
                room.topics.entry(topic.clone()).or_default().push(user);
            }
            entry.sight = Some(Box::new(sight));
        }
    }

    /// Adds one subscription, for what comes after `at`; nothing happens where it is there already.
    pub fn subscribe(&mut self, user: UserKey, topic: &Topic, at: Seq) {
        let entry = &mut self.users[user.0 as usize];
        let intervals = entry.sight.get_or_insert_default().topics.entry(topic.clone()).or_default();
        if !intervals.is_open() {
            intervals.open(at);
            self.rooms[entry.room.0 as usize].topics.entry(topic.clone()).or_default().push(user);
        }
    }

    /// Ends one subscription at `at`.
    pub fn unsubscribe(&mut self, user: UserKey, topic: &Topic, at: Seq) {
        let entry = &mut self.users[user.0 as usize];
        if let Some(intervals) = entry.sight.as_mut().and_then(|sight| sight.topics.get_mut(topic)) {
            intervals.close(at);
        }
        self.rooms[entry.room.0 as usize].remove_topic(topic, user);
    }

    /// Whether the user saw what stands at `seq`, by the one predicate.
    pub(crate) fn saw(&self, user: UserKey, seq: Seq, notification: &Notification) -> bool {
        self.users[user.0 as usize].saw(seq, notification)
    }

    /// Up to where everything of the room has been handed to its sockets.
    pub fn horizon(&self, room: RoomId) -> Seq {
        let room = &self.rooms[room.0 as usize];
        let waiting = room.runs.iter().find_map(crate::Run::first_seq);
        waiting.map_or(room.emitted, |first| Seq(first.0.saturating_sub(1)))
    }

    /// The user has no access after `at`.
    pub fn withdraw(&mut self, user: UserKey, at: Seq) {
        self.users[user.0 as usize].sight.get_or_insert_default().access.close(at);
    }

    /// The user has access again, after `at`.
    pub fn grant(&mut self, user: UserKey, at: Seq) {
        if let Some(sight) = &mut self.users[user.0 as usize].sight {
            sight.access.open(at);
        }
    }

    /// The user's sockets in the order they came.
    pub fn sockets(&self, user: UserKey) -> &[Slot] {
        &self.users[user.0 as usize].sockets
    }

    /// The user's name.
    pub fn name(&self, user: UserKey) -> &UserId {
        &self.users[user.0 as usize].name
    }

    /// The room the user is in.
    pub fn room_of(&self, user: UserKey) -> RoomId {
        self.users[user.0 as usize].room
    }

    /// The room's workspace.
    pub fn slug(&self, room: RoomId) -> &Slug {
        &self.rooms[room.0 as usize].slug
    }

    /// Every socket of the room.
    pub fn members(&self, room: RoomId) -> Vec<Slot> {
        self.rooms[room.0 as usize].members.iter().flatten().map(|(slot, _)| *slot).collect()
    }

    /// The last entry queued for fan-out in the room since it came to be.
    pub fn emitted(&self, room: RoomId) -> Seq {
        self.rooms[room.0 as usize].emitted
    }

    /// The user's duel guard, made if there is none.
    pub fn duel(&mut self, user: UserKey) -> &mut Duel {
        self.users[user.0 as usize].duel.get_or_insert_default()
    }

    /// Drops duel guards that are over at `now` (milliseconds), and users kept only for them.
    pub fn sweep_duels(&mut self, now: u64) {
        let over: Vec<UserKey> = (self.users.iter_mut())
            .filter(|(_, user)| user.duel.as_ref().is_some_and(|duel| duel.is_over(now)))
            .map(|(key, user)| {
                user.duel = None;
                UserKey(u32::try_from(key).unwrap_or(u32::MAX))
            })
            .collect();
        for user in over {
            self.forget_if_unused(user);
        }
    }

    /// The room of a workspace, if anybody is there.
    pub fn find_room(&self, workspace: &Slug) -> Option<RoomId> {
        self.by_slug.get(workspace).copied()
    }

    /// The user of that name, if connected here.
    pub fn find_user(&self, room: RoomId, name: &UserId) -> Option<UserKey> {
        let hash = self.hasher.hash_one((room, name.as_str()));
        let same = |&key: &u32| {
            let user = &self.users[key as usize];
            user.room == room && user.name == *name
        };
        self.by_name.find(hash, same).map(|&key| UserKey(key))
    }

    /// Users of the room subscribed to the topic.
    pub(crate) fn subscribers(&self, room: RoomId, topic: &Topic) -> &[UserKey] {
        self.rooms[room.0 as usize].topics.get(topic).map_or(&[], Vec::as_slice)
    }

    /// Users known here, and rooms.
    pub fn counts(&self) -> (usize, usize) {
        (self.users.len(), self.rooms.len())
    }
}

/// Topics that the user is subscribed to now.
fn open_topics(sight: &Visibility) -> impl Iterator<Item = &Topic> {
    let open = |(_, intervals): &(_, &Intervals)| intervals.is_open();
    sight.topics.iter().filter(open).map(|(topic, _)| topic)
}

impl Room {
    fn remove_topic(&mut self, topic: &Topic, user: UserKey) {
        if let Some(users) = self.topics.get_mut(topic) {
            users.retain(|u| *u != user);
            if users.is_empty() {
                self.topics.remove(topic);
            }
        }
    }

    /// Closes the gaps once they are a quarter, but never under a fan-out that walks the members.
    pub(crate) fn compact(&mut self, mut moved: impl FnMut(Slot, u32)) {
        if !self.runs.is_empty() {
            return;
        }
        while matches!(self.members.last(), Some(None)) {
            self.members.pop();
            self.gone -= 1;
        }
        if self.gone * 4 < self.members.len() || self.gone == 0 {
            return;
        }
        let mut place = 0;
        self.members.retain(|member| {
            if let Some((slot, _)) = member {
                moved(*slot, place);
                place += 1;
            }
            member.is_some()
        });
        self.members.shrink_to(self.members.len() * 2);
        self.gone = 0;
    }
}
