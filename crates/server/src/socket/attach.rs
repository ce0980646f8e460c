//! Newcomers: who gets a place, whose place they take, and who is turned away.

use std::io::Write;
use std::net::IpAddr;

use bytes::{Bytes, BytesMut};
use campanile_auth::Mark;
use campanile_hub::{DuelVerdict, Slot, UserKey};
use campanile_model::{Seq, Slug, Timestamp, UserId};
use campanile_session::{Cursor, Handover, Session, Tick};
use campanile_wire::close;
use campanile_wire::{Crowding, Replay, Surface};

use super::conn::{Conn, Rare, Seat};
use super::frames;
use super::gauge::Entered;
use super::refuse;
use super::requests::What;
use super::shard::Shard;
use super::sockets::{NOT_SCHEDULED, Sockets};
use super::stream::Stream;
use crate::http::problem;

/// A connection that passed the door.
pub struct Newcomer {
    /// Non-blocking, registered nowhere.
    pub stream: Stream,
    /// What the client sent behind its handshake.
    pub rest: Vec<u8>,
    /// The 101, still to be sent; empty if it was.
    pub response: Bytes,
    /// Where it came in.
    pub surface: &'static Surface,
    /// Where to.
    pub workspace: Slug,
    /// Who.
    pub user: UserId,
    /// Until when.
    pub expires_at: Timestamp,
    /// By which a revocation of its token finds it.
    pub mark: Mark,
    /// Where it begins.
    pub start: Start,
    /// When its TCP connection was accepted, in order of all.
    pub order: u64,
    /// Whence, for the log.
    pub peer: IpAddr,
    /// Counts it as open.
    pub counted: Entered,
}

/// Where a newcomer begins.
#[derive(Debug, Clone, Copy)]
pub enum Start {
    /// With what of the past it asks for; live delivery counts from the snapshot read for it.
    Replay(Replay),
    /// With whatever comes after this place.
    After(Seq),
}

/// A newcomer who gets the place only if its holder is dead.
pub struct Challenge {
    newcomer: Box<Newcomer>,
    incumbent: Slot,
    until: Tick,
}

/// How long a challenged incumbent may stay silent.
const CHALLENGE: std::time::Duration = std::time::Duration::from_secs(2);

impl Shard {
    /// Gives a newcomer a place, after whatever its surface does about crowding.
    pub(super) fn handle_newcomer(&mut self, newcomer: Box<Newcomer>) {
        // Its token may have been revoked since the door looked at it; from here on its mark is found.
        if self.revoked.covers(&newcomer.mark, &newcomer.user) {
            let refusal = newcomer.surface.refusals.token_invalid;
            if let Some(slot) = self.seat(newcomer) {
                self.close(slot, refusal);
            }
            return;
        }
        let limit = self.sockets.config.surfaces[newcomer.surface.index].max_per_user;
        let others = self.others(&newcomer);
        if others.len() < limit {
            return self.admit(newcomer);
        }
        match newcomer.surface.crowding {
            Crowding::LongestSilentGoes => {
                if let Some(slot) = others.into_iter().min_by_key(|slot| self.heard(*slot)) {
                    self.close(slot, newcomer.surface.refusals.crowded);
                }
                self.admit(newcomer);
            }
            Crowding::NewestWins => self.contend(newcomer, &others),
        }
    }

    /// The user's live sockets on the newcomer's surface.
    fn others(&self, newcomer: &Newcomer) -> Vec<Slot> {
        let Some(room) = self.registry.find_room(&newcomer.workspace) else { return vec![] };
        let Some(user) = self.registry.find_user(room, &newcomer.user) else { return vec![] };
        let same = |slot: &Slot| {
            self.sockets.get(*slot).is_some_and(|conn| *conn.session.surface() == *newcomer.surface)
        };
        self.registry.sockets(user).iter().copied().filter(same).collect()
    }

    fn heard(&self, slot: Slot) -> Tick {
        self.sockets.get(slot).map_or(Tick(0), |conn| conn.session.heard())
    }

    /// The connection accepted last wins, unless two clients fight.
    fn contend(&mut self, newcomer: Box<Newcomer>, others: &[Slot]) {
        let order = |slot: &Slot| self.sockets.get(*slot).map_or(0, |conn| conn.order);
        let Some(oldest) = others.iter().copied().min_by_key(order) else { return self.admit(newcomer) };
        if newcomer.order < order(&oldest) {
            // Overtaken on its way here: the other one is the newer.
            let crowded = newcomer.surface.refusals.crowded;
            if let Some(slot) = self.seat(newcomer) {
                self.close(slot, crowded);
            }
            return;
        }
        let now_ms = self.sockets.now_ms;
        let Some(user) = self.sockets.get(oldest).and_then(|conn| conn.seat).map(|seat| seat.user) else {
            return self.admit(newcomer);
        };
        match self.registry.duel(user).handle_newcomer(now_ms) {
            DuelVerdict::Evict => {
                let limit = self.sockets.config.surfaces[newcomer.surface.index].max_per_user;
                let mut others = others.to_vec();
                others.sort_unstable_by_key(order);
                for slot in &others[..(others.len() + 1).saturating_sub(limit)] {
                    self.evict(*slot, &newcomer);
                }
                self.admit(newcomer);
            }
            DuelVerdict::Challenge => self.challenge(newcomer, oldest),
        }
    }

    fn evict(&mut self, slot: Slot, newcomer: &Newcomer) {
        if let Some(conn) = self.sockets.get_mut(slot) {
            conn.rare().evicted = Some((newcomer.workspace.clone(), newcomer.user.clone()));
        }
        self.close(slot, newcomer.surface.refusals.crowded);
    }

    /// An evicted client answered its close: it is alive, and counts in the guard.
    pub(super) fn handle_echo(&mut self, slot: Slot) {
        let now_ms = self.sockets.now_ms;
        let evicted = self.sockets.get_mut(slot).and_then(|conn| conn.rare.as_mut()?.evicted.take());
        if let Some((workspace, name)) = evicted {
            let user = self.registry.user(&workspace, &name);
            self.registry.duel(user).handle_echo(now_ms);
        }
    }

    fn challenge(&mut self, newcomer: Box<Newcomer>, incumbent: Slot) {
        let now = self.sockets.now;
        let ping = campanile_ws::encode_ping(b"?").unwrap_or_default();
        self.sockets.send(incumbent, &ping);
        if let Some(conn) = self.sockets.get_mut(incumbent) {
            conn.session.handle_pinged(now);
            let rare = conn.rare();
            rare.challenged = true;
            rare.spoke = false;
        }
        let until = now.after(Tick::span(CHALLENGE));
        self.challenges.push(Challenge { newcomer, incumbent, until });
        // The wheel wakes the shard in time, on the incumbent's behalf.
        self.sockets.wheel.schedule(incumbent, until);
    }

    /// Decides the challenges whose incumbent spoke, vanished or stayed silent for too long.
    pub(super) fn judge_challenges(&mut self) {
        let now = self.sockets.now;
        for challenge in std::mem::take(&mut self.challenges) {
            let incumbent = self.sockets.get(challenge.incumbent).filter(|conn| conn.seat.is_some());
            // Bytes that it was not allowed to say yet are a sign of life as well.
            let alive = |conn: &Conn| conn.rare.as_ref().is_some_and(|r| r.spoke || !r.unread.is_empty());
            let spoke = incumbent.is_some_and(alive);
            if spoke {
                self.turn_away(challenge);
            } else if incumbent.is_some() && now < challenge.until {
                self.challenges.push(challenge);
            } else {
                self.replace_dead(challenge);
            }
        }
    }

    fn replace_dead(&mut self, challenge: Challenge) {
        let Challenge { newcomer, incumbent, .. } = challenge;
        if let Some(seat) = self.sockets.get(incumbent).and_then(|conn| conn.seat) {
            self.registry.duel(seat.user).handle_admitted();
            self.close(incumbent, newcomer.surface.refusals.crowded);
        }
        // As any newcomer: somebody else may have taken the place meanwhile.
        self.handle_newcomer(newcomer);
    }

    fn turn_away(&mut self, challenge: Challenge) {
        let Challenge { mut newcomer, incumbent, .. } = challenge;
        let now_ms = self.sockets.now_ms;
        let Some(seat) = self.sockets.get(incumbent).and_then(|conn| conn.seat) else { return };
        let retry_after = self.registry.duel(seat.user).handle_refused(now_ms);
        tracing::info!(
            surface = newcomer.surface.name,
            status = problem::CONNECTION_IN_USE.status.as_u16(),
            cause = problem::CONNECTION_IN_USE.name,
            peer = %newcomer.peer,
            "connection refused"
        );
        let refusal = if newcomer.response.is_empty() {
            // Upgraded already, behind a proxy that keeps its connections: too late for a status.
            frames::close(newcomer.surface, newcomer.surface.refusals.crowded)
        } else {
            refuse::response(&problem::CONNECTION_IN_USE, &[], Some(retry_after))
        };
        // A fresh socket takes so little at once; if not, its client is gone.
        let _written = newcomer.stream.write(&refusal);
        let _shut = newcomer.stream.half_close();
    }

    fn admit(&mut self, mut newcomer: Box<Newcomer>) {
        let (mut rest, start) = (std::mem::take(&mut newcomer.rest), newcomer.start);
        let Some(slot) = self.seat(newcomer) else { return };
        self.ask(
            slot,
            match start {
                Start::Replay(replay) => What::Start(replay),
                Start::After(after) => What::More(Cursor::after(after)),
            },
        );
        if self.drain.is_some() {
            return self.close(slot, &close::SHUTTING_DOWN);
        }
        if !rest.is_empty() {
            self.handle_bytes(slot, &mut rest);
        }
        if self.sockets.get(slot).is_some_and(|conn| conn.stream.may_hold_unread()) {
            self.eager.push(slot);
        }
    }

    /// Makes a newcomer a connection of this shard: registered first, so that nothing passes it by. The 101
    /// and, on surfaces that have one, the greeting leave once the first step was read, or before whatever
    /// is written sooner: what is published after a client saw its 101 then lies behind that step's head.
    fn seat(&mut self, mut newcomer: Box<Newcomer>) -> Option<Slot> {
        let index = self.sockets.conns.vacant_key();
        if let Err(error) = self.register(&mut newcomer, index) {
            tracing::error!(%error, "a connection can't be registered");
            return None;
        }
        let mut hello = BytesMut::from(&newcomer.response[..]);
        if let Some(greeting) = newcomer.surface.greeting {
            hello.extend_from_slice(&frames::message(newcomer.surface, &greeting(&newcomer.user)));
        }
        let user = self.registry.user(&newcomer.workspace, &newcomer.user);
        let slot = self.sockets.insert(*newcomer, user);
        let place = self.registry.join(user, slot);
        if self.sockets.get(slot).is_some_and(|conn| conn.session.surface().envelopes.is_some()) {
            self.registry.count_told(user, true);
        }
        if let Some(seat) = self.sockets.get_mut(slot).and_then(|conn| conn.seat.as_mut()) {
            seat.place = place;
        }
        self.sockets.gauge.socket_opened();
        if let Some(conn) = self.sockets.get_mut(slot) {
            conn.rare().hello = Some(hello.freeze());
        }
        self.sockets.reschedule(slot);
        Some(slot)
    }
}

impl Sockets {
    fn insert(&mut self, newcomer: Newcomer, user: UserKey) -> Slot {
        // Keep-alives are spread in phase by the order of arrival, so that they don't come in waves.
        let keepalive = self.timings[newcomer.surface.index].keepalive.unwrap_or(2).max(2);
        let spread = u32::try_from(newcomer.order % u64::from(keepalive / 2)).unwrap_or(0);
        self.generation = self.generation.wrapping_add(1);
        let conn = Conn {
            session: Session::new(newcomer.surface, newcomer.expires_at, self.now, spread),
            stream: newcomer.stream,
            decoder: campanile_ws::Decoder::new(),
            quota: campanile_session::Quota::default(),
            seat: Some(Seat { user, place: 0 }),
            order: newcomer.order,
            mark: newcomer.mark,
            generation: self.generation,
            wheel_at: NOT_SCHEDULED,
            outbox: None,
            rare: Some(Box::new(Rare { handover: Some(Handover::begun()), ..Rare::default() })),
            counted: newcomer.counted,
        };
        let index = self.conns.insert(conn);
        Slot { index: u32::try_from(index).unwrap_or(u32::MAX), generation: self.generation }
    }
}
