//! A shard: one thread that owns its connections outright.
//!
//! Its loop waits for sockets, commands and ticks; everything that touches a connection happens here, so
//! there is no lock and no task on the way of a delivery. What the parts do stands beside: `attach`
//! (newcomers), `receive` (what clients say), `emit` (what they are told), `drain` (the end).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use campanile_hub::{Budget, Fanout, Registry, Slot};
use campanile_model::Timestamp;
use campanile_session::{Due, Tick, Timing};
use campanile_wire::close::{self, Close};
use mio::{Events, Poll, Token};
use slab::Slab;
use tokio::sync::mpsc;

use super::attach::{Challenge, Newcomer};
use super::conn::{Conn, Written};
use super::drain::Drain;
use super::frames;
use super::gauge::Gauge;
use super::queue::{Command, Entries, Inbound, ShardHandle, Waking};
use super::requests::{Asked, What};
use super::wheel::Wheel;
use crate::clock::Clock;
use crate::config::{Connection, SurfaceConfig};

/// The wheel has no entry for a connection.
pub(super) const NOT_SCHEDULED: Tick = Tick(u32::MAX);
/// The waker's token; connections have their index.
const WAKER: Token = Token(usize::MAX);
/// Commands taken before sockets get their turn again.
const COMMANDS: usize = 1024;
/// Bytes of entries waiting for fan-out above which no further ones are taken: 64 of the largest.
const WAITING_BYTES: usize = 4 * 1024 * 1024;
/// Time for deliveries before sockets get their turn again.
const SLICE: Duration = Duration::from_millis(1);
/// How long a client may take to finish a message it began: 64 KiB at the speed of a bad mobile network.
const MESSAGE: Duration = Duration::from_secs(30);
/// How long a client's answer to our close is waited for, from the last byte that left.
const LINGER: Duration = Duration::from_secs(5);
/// How long a client may take in all to read what waits before our close.
const FAREWELL: Duration = Duration::from_secs(30);
/// How often the wall clock is looked at: a token's end is to be noticed within a second.
const CLOCK_LOOK: Duration = Duration::from_millis(500);
/// Bytes read at once, into one buffer for all connections.
pub(super) const SCRATCH: usize = 16 * 1024;
/// How often guards that are over are forgotten.
const SWEEP: Duration = Duration::from_secs(10);

/// What a shard is held to.
#[derive(Debug, Clone)]
pub struct ShardConfig {
    /// Every connection's bounds.
    pub connection: Connection,
    /// By surface index.
    pub surfaces: [SurfaceConfig; 2],
}

/// The thread's state.
pub struct Shard {
    pub(super) sockets: Sockets,
    pub(super) registry: Registry,
    fanout: Fanout,
    poll: Poll,
    waking: Arc<Waking>,
    inbound: Inbound,
    pub(super) handle: ShardHandle,
    pub(super) requests: mpsc::Sender<Asked>,
    pub(super) challenges: Vec<Challenge>,
    /// Connections with bytes that were left unread for other work.
    pub(super) eager: Vec<Slot>,
    pub(super) drain: Option<Drain>,
    pub(super) scratch: Box<[u8]>,
    clock: Clock,
    swept: Duration,
}

/// The connections, apart from who they are: what a delivery touches.
pub struct Sockets {
    pub(super) conns: Slab<Conn>,
    pub(super) wheel: Wheel,
    pub(super) config: ShardConfig,
    pub(super) timings: [Timing; 2],
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
    ping: Bytes,
}

/// How a connection is to end.
#[derive(Debug, Clone, Copy)]
pub enum Doom {
    /// With a close frame.
    Close(&'static Close),
    /// Without: the peer is gone.
    Drop,
}

impl Shard {
    /// Makes a shard and the way in to it. It runs once [`run`](Self::run) is called on its thread.
    ///
    /// # Errors
    /// If the system gives no poll or no waker.
    pub fn new(
        config: ShardConfig,
        clock: Clock,
        requests: mpsc::Sender<Asked>,
        gauge: Gauge,
    ) -> std::io::Result<(Self, ShardHandle)> {
        let poll = Poll::new()?;
        let waker = mio::Waker::new(poll.registry(), WAKER)?;
        let waking = Arc::new(Waking { waker, asleep: false.into() });
        let (handle, inbound) = ShardHandle::new(Arc::clone(&waking));
        let timings = config.surfaces.map(|surface| Timing {
            keepalive: config.connection.keepalive.map(Tick::span),
            idle: surface.idle_timeout.map(Tick::span),
            stall: Tick::span(config.connection.stall_timeout),
            message: Tick::span(MESSAGE),
            linger: Tick::span(LINGER),
            farewell: Tick::span(FAREWELL),
        });
        let now = Tick::at(clock.monotonic());
        let sockets = Sockets {
            conns: Slab::new(),
            wheel: Wheel::new(now),
            config,
            timings,
            gauge,
            now,
            now_ms: 0,
            wall: clock.now(),
            offset_ms: offset_ms(&clock),
            doomed: vec![],
            generation: 0,
            slice_ends: Instant::now(),
            // An empty ping can't be too long.
            ping: campanile_ws::encode_ping(&[]).unwrap_or_default(),
        };
        let shard = Self {
            sockets,
            registry: Registry::default(),
            fanout: Fanout::default(),
            poll,
            waking,
            inbound,
            handle: handle.clone(),
            requests,
            challenges: vec![],
            eager: vec![],
            drain: None,
            scratch: vec![0; SCRATCH].into(),
            clock,
            swept: Duration::ZERO,
        };
        Ok((shard, handle))
    }

    /// Serves until it was drained.
    pub fn run(mut self) {
        let mut events = Events::with_capacity(1024);
        while !self.drain.as_ref().is_some_and(|drain| drain.is_over(&self.sockets)) {
            let timeout = self.timeout();
            if let Err(error) = self.poll.poll(&mut events, timeout)
                && error.kind() != std::io::ErrorKind::Interrupted
            {
                tracing::error!(%error, "a shard can't wait for its sockets");
            }
            self.waking.asleep.store(false, Ordering::SeqCst);
            self.look_at_the_clock();
            for event in &events {
                if event.token() != WAKER {
                    self.handle_socket(event.token().0, event.is_readable(), event.is_writable());
                }
            }
            let mut eager = std::mem::take(&mut self.eager);
            eager.sort_unstable_by_key(|slot| (slot.index, slot.generation));
            eager.dedup();
            for slot in eager {
                self.guarded(slot, |shard| shard.read_on(slot));
            }
            for _ in 0..COMMANDS {
                let Ok(command) = self.inbound.commands.try_recv() else { break };
                if catch_unwind(AssertUnwindSafe(|| self.handle_command(command))).is_err() {
                    tracing::error!("a command to a shard panicked; the shard goes on without it");
                }
            }
            let ends = Instant::now() + SLICE;
            while self.fanout.waiting_bytes() < WAITING_BYTES && Instant::now() < ends {
                let Ok(entries) = self.inbound.entries.try_recv() else { break };
                self.handle_entries(&entries);
            }
            self.deliver();
            self.handle_ticks();
            self.drain_on();
            self.bury();
        }
    }

    /// How long to sleep; announces it, so that whoever has a command wakes us.
    fn timeout(&mut self) -> Option<Duration> {
        let busy = !self.fanout.is_idle() || !self.eager.is_empty() || self.drain.is_some();
        if busy {
            let pause = if self.drain.is_some() && self.fanout.is_idle() { 1 } else { 0 };
            return Some(Duration::from_millis(pause));
        }
        self.waking.asleep.store(true, Ordering::SeqCst);
        if !(self.inbound.commands.is_empty() && self.inbound.entries.is_empty()) {
            self.waking.asleep.store(false, Ordering::SeqCst);
            return Some(Duration::ZERO);
        }
        let wheel = self.sockets.wheel.next_due()?;
        let due = (Tick::LENGTH * wheel.0).saturating_sub(self.clock.monotonic());
        // Not longer than a wall clock that is set may go unnoticed.
        Some(due.clamp(Duration::from_millis(1), CLOCK_LOOK))
    }

    fn look_at_the_clock(&mut self) {
        let sockets = &mut self.sockets;
        let monotonic = self.clock.monotonic();
        sockets.now = Tick::at(monotonic);
        sockets.now_ms = u64::try_from(monotonic.as_millis()).unwrap_or(u64::MAX);
        sockets.wall = self.clock.now();
        let offset = offset_ms(&self.clock);
        if (offset - sockets.offset_ms).abs() > 500 {
            // The wall clock was set: look at every token again.
            sockets.offset_ms = offset;
            for (index, conn) in &mut sockets.conns {
                conn.wheel_at = sockets.wheel.schedule(conn.slot(index), sockets.now);
            }
        }
        if monotonic.saturating_sub(self.swept) > SWEEP {
            self.swept = monotonic;
            self.registry.sweep_duels(sockets.now_ms);
        }
    }

    fn handle_command(&mut self, command: Command) {
        match command {
            Command::Attach(newcomer) => self.handle_newcomer(newcomer),
            Command::Stepped(slot, step) => self.guarded(slot, |shard| shard.handle_step(slot, step)),
            Command::Marked(slot, id, marked) => {
                self.guarded(slot, |shard| shard.handle_marked(slot, id, marked));
            }
            Command::Drain(spread) => self.begin_drain(spread),
        }
    }

    /// Queues entries for fan-out. Where that panics, whoever might miss one of them is closed, so that
    /// nobody has a gap without a word.
    fn handle_entries(&mut self, entries: &Entries) {
        let queued = catch_unwind(AssertUnwindSafe(|| match entries {
            Entries::Commit(commit) => self.handle_commit(commit),
            Entries::Realtime(workspace, notifications) => {
                for notification in &**notifications {
                    if let Some(room) = self.registry.find_room(workspace) {
                        self.fanout.push(&mut self.registry, room, None, notification);
                    }
                }
            }
        }));
        if queued.is_err() {
            tracing::error!("queueing entries panicked; the connections of their workspace are closed");
            let workspace = match entries {
                Entries::Commit(commit) => &commit.workspace,
                Entries::Realtime(workspace, _) => workspace,
            };
            let members = self.registry.find_room(workspace).map(|room| self.registry.members(room));
            for slot in members.unwrap_or_default() {
                self.sockets.doomed.push((slot, Doom::Close(&close::INTERNAL_ERROR)));
            }
        }
    }

    fn handle_socket(&mut self, index: usize, readable: bool, writable: bool) {
        let Some(conn) = self.sockets.conns.get(index) else { return };
        let slot = conn.slot(index);
        self.guarded(slot, |shard| {
            if writable {
                shard.flush(slot);
            }
            if readable {
                shard.read_on(slot);
            }
        });
    }

    /// Runs `work` for one connection: a panic ends that connection, never the shard.
    pub(super) fn guarded(&mut self, slot: Slot, work: impl FnOnce(&mut Self)) {
        if catch_unwind(AssertUnwindSafe(|| work(self))).is_err() {
            tracing::error!("a connection was closed because its handling panicked");
            self.sockets.doomed.push((slot, Doom::Close(&close::INTERNAL_ERROR)));
        }
    }

    fn deliver(&mut self) {
        self.sockets.slice_ends = Instant::now() + SLICE;
        while !self.fanout.is_idle() && Instant::now() < self.sockets.slice_ends {
            self.fanout.run_slice(&mut self.registry, Budget::default(), &mut self.sockets);
        }
    }

    pub(super) fn fanout(&mut self) -> (&mut Fanout, &mut Registry) {
        (&mut self.fanout, &mut self.registry)
    }

    fn handle_ticks(&mut self) {
        while let Some((tick, fired)) = self.sockets.wheel.poll(self.sockets.now) {
            for slot in fired {
                if let Some(conn) = self.sockets.get_mut(slot).filter(|conn| conn.wheel_at == tick) {
                    conn.wheel_at = NOT_SCHEDULED;
                    self.guarded(slot, |shard| shard.handle_tick(slot));
                }
            }
        }
        self.judge_challenges();
    }

    fn handle_tick(&mut self, slot: Slot) {
        let sockets = &mut self.sockets;
        let (now, wall, now_ms) = (sockets.now, sockets.wall, sockets.now_ms);
        let Some(conn) = sockets.conns.get_mut(slot.index as usize) else { return };
        let timing = &sockets.timings[conn.session.surface().index];
        match conn.session.handle_tick(now, wall, timing) {
            Due::Nothing => {}
            // Before its handshake is answered there is nobody to ping, and the answer has to wait.
            Due::Ping if conn.rare.as_ref().is_some_and(|rare| rare.hello.is_some()) => {}
            Due::Ping => {
                let ping = sockets.ping.clone();
                sockets.send(slot, &ping);
            }
            Due::Close(close) => sockets.doomed.push((slot, Doom::Close(close))),
            Due::Drop => sockets.doomed.push((slot, Doom::Drop)),
        }
        let resumes = sockets.get(slot).and_then(|conn| conn.rare.as_ref()).and_then(|rare| rare.resume_at);
        if resumes.is_some_and(|at| at <= now_ms) {
            self.eager.push(slot);
        }
        self.sockets.reschedule(slot);
    }

    /// Writes what waits to a connection, then goes on with what waited for that.
    pub(super) fn flush(&mut self, slot: Slot) {
        let now = self.sockets.now;
        let Some(conn) = self.sockets.get_mut(slot) else { return };
        match conn.flush(now) {
            Written::Gone => self.sockets.doomed.push((slot, Doom::Drop)),
            Written::All if conn.rare.as_ref().is_some_and(|rare| rare.last_words) => conn.half_close(),
            _ => self.pump(slot),
        }
    }

    /// Asks the engine on behalf of a connection.
    pub(super) fn ask(&mut self, slot: Slot, what: What) {
        let Some(conn) = self.sockets.get(slot) else { return };
        let Some(seat) = conn.seat else { return };
        let reader = campanile_engine::connect::Reader {
            surface: conn.session.surface(),
            workspace: self.registry.slug(self.registry.room_of(seat.user)).clone(),
            user: self.registry.name(seat.user).clone(),
        };
        let asked = Asked { shard: self.handle.clone(), slot, reader, what };
        if self.requests.try_send(asked).is_err() {
            self.sockets.doomed.push((slot, Doom::Close(&close::OVERLOADED)));
        }
    }

    /// Ends the connections that were doomed.
    fn bury(&mut self) {
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
                conn.half_close();
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
        if conn.write(&frames::close(close), limit + 256, now) == Written::Gone {
            return self.drop_conn(slot);
        }
        // What a client sends after a breach of the protocol can't be understood, its close included:
        // half-closing tells it that this is the end.
        if conn.decoder.has_ended() {
            conn.half_close();
        }
        tracing::debug!(code = close.code, reason = close.reason, "connection closed");
        self.sockets.reschedule(slot);
    }

    /// Takes a connection out of the registry: nobody finds it there any more.
    pub(super) fn leave(&mut self, slot: Slot) {
        let Some(seat) = self.sockets.get_mut(slot).and_then(|conn| conn.seat.take()) else { return };
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
        // Closing the descriptor would do; a failure here means that it is closed already.
        let _closed = self.poll.registry().deregister(&mut conn.stream);
        let _shut = conn.stream.shutdown(std::net::Shutdown::Both);
        if conn.rare.is_some_and(|rare| rare.challenged) {
            self.judge_challenges();
        }
    }

    pub(super) fn register(&mut self, newcomer: &mut Newcomer, index: usize) -> std::io::Result<()> {
        let interest = mio::Interest::READABLE | mio::Interest::WRITABLE;
        self.poll.registry().register(&mut newcomer.stream, Token(index), interest)
    }
}

impl Sockets {
    pub(super) fn get(&self, slot: Slot) -> Option<&Conn> {
        self.conns.get(slot.index as usize).filter(|conn| conn.generation == slot.generation)
    }

    pub(super) fn get_mut(&mut self, slot: Slot) -> Option<&mut Conn> {
        self.conns.get_mut(slot.index as usize).filter(|conn| conn.generation == slot.generation)
    }

    /// Writes a frame to a connection; one that can't take it is doomed.
    pub(super) fn send(&mut self, slot: Slot, frame: &Bytes) {
        let (now, limit) = (self.now, self.config.connection.outbox_bytes);
        let Some(conn) = self.get_mut(slot) else { return };
        let began = conn.outbox.is_none();
        let written = conn.write(frame, limit, now);
        self.handle_written(slot, began, written);
    }

    /// Answers a connection's handshake, unless that was done.
    pub(super) fn greet(&mut self, slot: Slot) {
        let (now, limit) = (self.now, self.config.connection.outbox_bytes);
        let Some(conn) = self.get_mut(slot) else { return };
        let began = conn.outbox.is_none();
        let written = conn.greet(limit, now);
        self.handle_written(slot, began, written);
    }

    fn handle_written(&mut self, slot: Slot, began: bool, written: Written) {
        match written {
            Written::All => {}
            Written::Waiting if began => self.reschedule(slot),
            Written::Waiting => {}
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

fn offset_ms(clock: &Clock) -> i64 {
    clock.now().as_millis() - i64::try_from(clock.monotonic().as_millis()).unwrap_or(i64::MAX)
}
