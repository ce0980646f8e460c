//! The connections of a shard, apart from who they are: what a delivery touches.

use std::time::{Duration, Instant};

use bytes::Bytes;
use campanile_hub::Slot;
use campanile_model::Timestamp;
use campanile_session::{Badge, Handover, Tick, Timing};
use campanile_wire::close::{self, Close};
use campanile_wire::{Resync, SURFACES, Surface};
use slab::Slab;

use super::conn::{Conn, Written};
use super::frames;
use super::gauge::Gauge;
use super::wheel::Wheel;
use crate::clock::Clock;
use crate::config::{Connection, SurfaceConfig};

/// The wheel has no entry for a connection.
pub(super) const NOT_SCHEDULED: Tick = Tick(u32::MAX);
/// How long a client may take to finish a message it began: 64 KiB at the speed of a bad mobile network.
const MESSAGE: Duration = Duration::from_secs(30);
/// How long a client's answer to our close is waited for, from the last byte that left.
const LINGER: Duration = Duration::from_secs(5);
/// Between two heartbeats where keep-alives are off (the protocol, §4).
const HEARTBEAT: Duration = Duration::from_secs(25);
/// How long a client may take in all to read what waits before our close.
const FAREWELL: Duration = Duration::from_secs(30);

/// What a shard is held to.
#[derive(Debug, Clone)]
pub struct ShardConfig {
    /// Every connection's bounds.
    pub connection: Connection,
    /// By surface index.
    pub surfaces: [SurfaceConfig; 4],
    /// How long a token lives on beyond its end, in milliseconds.
    pub leeway_ms: i64,
}

/// The connections, apart from who they are: what a delivery touches.
pub struct Sockets {
    pub(super) conns: Slab<Conn>,
    pub(super) wheel: Wheel,
    pub(super) config: ShardConfig,
    pub(super) timings: [Timing; 4],
    pub(super) gauge: Gauge,
    pub(super) now: Tick,
    pub(super) now_ms: u64,
    pub(super) wall: Timestamp,
    /// Wall time less monotonic time when last looked at: it moves only when the clock is set.
    offset_ms: i64,
    /// Connections to be ended once nobody walks the tables.
    pub(super) doomed: Vec<(Slot, Doom)>,
    pub(super) generation: u32,
    slice_ends: Instant,
    pub(super) ping: Bytes,
}

/// How a connection is to end.
#[derive(Debug, Clone, Copy)]
pub enum Doom {
    /// With a close frame.
    Close(&'static Close),
    /// Without: the peer is gone.
    Drop,
}

impl Sockets {
    /// None yet.
    pub(super) fn new(config: ShardConfig, clock: &Clock, gauge: Gauge) -> Self {
        let timings = std::array::from_fn(|index| Timing {
            keepalive: keepalive(&config.connection, SURFACES[index]).map(Tick::span),
            idle: config.surfaces[index].idle_timeout.map(Tick::span),
            stall: Tick::span(config.connection.stall_timeout),
            message: Tick::span(MESSAGE),
            linger: Tick::span(LINGER),
            farewell: Tick::span(FAREWELL),
        });
        let (wall, monotonic) = (clock.now(), clock.monotonic());
        let now = Tick::at(monotonic);
        Self {
            conns: Slab::new(),
            wheel: Wheel::new(now),
            config,
            timings,
            gauge,
            now,
            now_ms: 0,
            wall,
            offset_ms: offset_ms(wall, monotonic),
            doomed: vec![],
            generation: 0,
            slice_ends: Instant::now(),
            // An empty ping can't be too long.
            ping: campanile_ws::encode_ping(&[]).unwrap_or_default(),
        }
    }

    /// Takes the time for everything that follows in this turn of the loop.
    pub(super) fn look_at_the_clock(&mut self, clock: &Clock) {
        let monotonic = clock.monotonic();
        self.now = Tick::at(monotonic);
        self.now_ms = u64::try_from(monotonic.as_millis()).unwrap_or(u64::MAX);
        self.wall = clock.now();
        let offset = offset_ms(self.wall, monotonic);
        if (offset - self.offset_ms).abs() > 500 {
            // The wall clock was set: look at every token again.
            self.offset_ms = offset;
            for (index, conn) in &mut self.conns {
                conn.wheel_at = self.wheel.schedule(conn.slot(index), self.now);
            }
        }
    }

    /// Deliveries have this long.
    pub(super) fn begin_slice(&mut self, length: Duration) {
        self.slice_ends = Instant::now() + length;
    }

    pub(super) fn get(&self, slot: Slot) -> Option<&Conn> {
        self.conns.get(slot.index as usize).filter(|conn| conn.generation == slot.generation)
    }

    pub(super) fn get_mut(&mut self, slot: Slot) -> Option<&mut Conn> {
        self.conns.get_mut(slot.index as usize).filter(|conn| conn.generation == slot.generation)
    }

    /// What a connection's client was told of its counts, on a surface that tells them, once it was greeted.
    pub(super) fn badge(&mut self, slot: Slot) -> Option<&mut Badge> {
        self.get_mut(slot)?.session.badge()
    }

    /// Writes a frame to a connection; one that can't take it is doomed.
    pub(super) fn send(&mut self, slot: Slot, frame: &Bytes) {
        self.write(slot, |conn, limit, now| conn.write(frame, limit, now));
    }

    /// The hand-over of a connection that catches up.
    pub(super) fn handover(&mut self, slot: Slot) -> Option<&mut Handover> {
        self.get_mut(slot)?.rare.as_mut()?.handover.as_mut()
    }

    /// Answers a connection's handshake, unless that was done.
    pub(super) fn greet(&mut self, slot: Slot) {
        self.write(slot, Conn::greet);
    }

    fn write(&mut self, slot: Slot, write: impl FnOnce(&mut Conn, usize, Tick) -> Written) {
        let (now, limit) = (self.now, self.config.connection.outbox_bytes);
        let Some(conn) = self.get_mut(slot) else { return };
        let began = conn.outbox.is_none();
        match write(conn, limit, now) {
            Written::All => {}
            Written::Waiting if began => self.reschedule(slot),
            Written::Waiting => {}
            Written::Full => self.overflow(slot),
            Written::Gone => self.doomed.push((slot, Doom::Drop)),
        }
    }

    /// More waits for a connection than may. Where the surface can say so, what waits is dropped, as whole messages,
    /// and the client is told to read again; else the connection ends.
    fn overflow(&mut self, slot: Slot) {
        let (now, limit) = (self.now, self.config.connection.outbox_bytes);
        let Some(conn) = self.get_mut(slot) else { return };
        let surface = conn.session.surface();
        let position = conn.session.position();
        let (Some(envelopes), Some(position), Some(badge)) =
            (surface.envelopes, position, conn.session.badge())
        else {
            return self.doomed.push((slot, Doom::Close(&close::TOO_SLOW)));
        };
        badge.handle_changed(now);
        let resync = (envelopes.resync)(badge.epoch(), position, Resync::Overflow);
        let dropped = conn.outbox.as_mut().map_or(0, |outbox| outbox.drop_whole());
        tracing::debug!(dropped, "a client that reads too slowly was told to read again");
        match conn.write(&frames::message(surface, &resync), limit + 1024, now) {
            Written::All | Written::Waiting => {}
            // The rest of what has begun to leave is too much by itself.
            Written::Full => self.doomed.push((slot, Doom::Close(&close::TOO_SLOW))),
            Written::Gone => self.doomed.push((slot, Doom::Drop)),
        }
    }

    /// Makes sure that the wheel looks at a connection when something may be due.
    pub(super) fn reschedule(&mut self, slot: Slot) {
        let (now, wall, now_ms) = (self.now, self.wall, self.now_ms);
        let Some(conn) = self.conns.get_mut(slot.index as usize) else { return };
        let timing = &self.timings[conn.session.surface().index];
        let mut due = conn.session.poll_deadline(now, wall, timing);
        if let Some(at) = conn.rare.as_ref().and_then(|rare| rare.resume_at) {
            let ticks = Tick::span(Duration::from_millis(at.saturating_sub(now_ms)));
            due = due.min(now.after(ticks.max(1)));
        }
        // An entry at this very tick or before is still to fire in this turn of the loop: it stays.
        if due < conn.wheel_at {
            conn.wheel_at = self.wheel.schedule(slot, due);
        }
    }

    pub(super) fn slice_is_over(&self) -> bool {
        Instant::now() >= self.slice_ends
    }
}

/// How often a sign of life is sent. Heartbeats are part of a surface that has them: they can't be off.
pub(super) fn keepalive(connection: &Connection, surface: &Surface) -> Option<Duration> {
    connection.keepalive.or_else(|| surface.envelopes.map(|_| HEARTBEAT))
}

fn offset_ms(wall: Timestamp, monotonic: Duration) -> i64 {
    wall.as_millis() - i64::try_from(monotonic.as_millis()).unwrap_or(i64::MAX)
}
