//! A shard: one thread that owns its connections outright.
//!
//! Its loop waits for sockets, commands and ticks; everything that touches a connection happens here, so
//! there is no lock and no task on the way of a delivery. What the parts do stands beside: `attach`
//! (newcomers), `receive` (what clients say), `emit` (what they are told), `ending` (how a connection ends),
//! `drain` (how all do); the table of connections itself is in `sockets`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use campanile_auth::Revoked;
use campanile_engine::mark::ReadState;
use campanile_hub::{Budget, Fanout, Registry, Slot};
use campanile_session::{Due, Tick};
use campanile_wire::Framing;
use campanile_wire::close;
use mio::{Events, Poll, Token};
use tokio::sync::mpsc;

use super::attach::{Challenge, Newcomer};
use super::conn::Written;
use super::drain::Drain;
use super::gauge::Gauge;
use super::queue::{Command, Entries, Inbound, ShardHandle, Waking};
use super::requests::{Asked, What};
use super::sockets::{Doom, NOT_SCHEDULED, ShardConfig, Sockets};
use super::stream::Stream;
use crate::clock::Clock;

/// The waker's token; connections have their index.
const WAKER: Token = Token(usize::MAX);
/// Commands taken before sockets get their turn again.
const COMMANDS: usize = 1024;
/// Bytes of entries waiting for fan-out above which no further ones are taken: 64 of the largest.
const WAITING_BYTES: usize = 4 * 1024 * 1024;
/// Time for deliveries before sockets get their turn again.
const SLICE: Duration = Duration::from_millis(1);
/// How often the wall clock is looked at: a token's end is to be noticed within a second.
const CLOCK_LOOK: Duration = Duration::from_millis(500);
/// Bytes read at once, into one buffer for all connections.
pub(super) const SCRATCH: usize = 16 * 1024;
/// How often guards that are over are forgotten.
const SWEEP: Duration = Duration::from_secs(10);

/// The thread's state.
pub struct Shard {
    pub(super) sockets: Sockets,
    pub(super) registry: Registry,
    pub(super) fanout: Fanout,
    poll: Poll,
    pub(super) waking: Arc<Waking>,
    inbound: Inbound,
    pub(super) handle: ShardHandle,
    pub(super) requests: mpsc::Sender<Asked>,
    pub(super) challenges: Vec<Challenge>,
    /// Connections with bytes that were left unread for other work.
    pub(super) eager: Vec<Slot>,
    pub(super) drain: Option<Drain>,
    pub(super) revoked: Arc<Revoked>,
    /// The place at which judging the connections again goes on.
    pub(super) judging: Option<usize>,
    /// Read states that wait until their connections have been told what they count.
    pub(super) ahead: Vec<(Slot, ReadState)>,
    pub(super) scratch: Box<[u8]>,
    clock: Clock,
    swept: Duration,
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
        revoked: Arc<Revoked>,
    ) -> std::io::Result<(Self, ShardHandle)> {
        let poll = Poll::new()?;
        let waker = mio::Waker::new(poll.registry(), WAKER)?;
        let waking = Arc::new(Waking { waker, asleep: false.into(), judge: false.into() });
        let (handle, inbound) = ShardHandle::new(Arc::clone(&waking));
        let shard = Self {
            sockets: Sockets::new(config, &clock, gauge),
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
            revoked,
            judging: None,
            ahead: vec![],
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
            self.judge_on();
            let ends = Instant::now() + SLICE;
            while self.fanout.waiting_bytes() < WAITING_BYTES && Instant::now() < ends {
                let Ok(entries) = self.inbound.entries.try_recv() else { break };
                self.handle_entries(&entries);
            }
            self.deliver();
            self.catch_up_with_counts();
            self.handle_ticks();
            self.drain_on();
            self.bury();
        }
    }

    /// How long to sleep; announces it, so that whoever has a command wakes us.
    fn timeout(&mut self) -> Option<Duration> {
        let busy = !self.fanout.is_idle()
            || !self.eager.is_empty()
            || self.drain.is_some()
            || self.judging.is_some();
        if busy {
            let is_waiting = self.drain.is_some() && self.fanout.is_idle() && self.judging.is_none();
            let pause = if is_waiting { 1 } else { 0 };
            return Some(Duration::from_millis(pause));
        }
        self.waking.asleep.store(true, Ordering::SeqCst);
        let is_called = self.waking.judge.load(Ordering::SeqCst);
        if is_called || !(self.inbound.commands.is_empty() && self.inbound.entries.is_empty()) {
            self.waking.asleep.store(false, Ordering::SeqCst);
            return Some(Duration::ZERO);
        }
        let wheel = self.sockets.wheel.next_due()?;
        let due = (Tick::LENGTH * wheel.0).saturating_sub(self.clock.monotonic());
        // Not longer than a wall clock that is set may go unnoticed.
        Some(due.clamp(Duration::from_millis(1), CLOCK_LOOK))
    }

    fn look_at_the_clock(&mut self) {
        self.sockets.look_at_the_clock(&self.clock);
        let monotonic = self.clock.monotonic();
        if monotonic.saturating_sub(self.swept) > SWEEP {
            self.swept = monotonic;
            self.registry.sweep_duels(self.sockets.now_ms);
        }
    }

    fn handle_command(&mut self, command: Command) {
        match command {
            Command::Attach(newcomer) => self.handle_newcomer(newcomer),
            Command::Stepped(slot, step) => self.guarded(slot, |shard| shard.handle_step(slot, step)),
            Command::Marked(slot, asked, outcome) => {
                self.guarded(slot, |shard| shard.handle_marked(slot, &asked, outcome));
            }
            Command::Looked(slot, looked) => self.guarded(slot, |shard| shard.handle_looked(slot, looked)),
            Command::Refreshed(slot, reference, judged) => {
                self.guarded(slot, |shard| shard.handle_refreshed(slot, reference.as_deref(), judged));
            }
            Command::Drain(spread) => self.begin_drain(spread),
        }
    }

    /// Queues entries for fan-out. Where that panics, whoever might miss one of them is closed, so that
    /// nobody has a gap without a word.
    fn handle_entries(&mut self, entries: &Entries) {
        let queued = catch_unwind(AssertUnwindSafe(|| match entries {
            Entries::Commit(commit) => self.handle_commit(commit),
            Entries::Passed(workspace, place) => {
                if let Some(room) = self.registry.find_room(workspace) {
                    self.fanout.skip(&mut self.registry, room, *place);
                }
            }
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
                Entries::Realtime(workspace, _) | Entries::Passed(workspace, _) => workspace,
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
        self.sockets.begin_slice(SLICE);
        while !self.fanout.is_idle() && !self.sockets.slice_is_over() {
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
                let pings = sockets.config.connection.keepalive.is_some();
                if pings && conn.session.surface().framing == Framing::WebSocket {
                    let ping = sockets.ping.clone();
                    sockets.send(slot, &ping);
                }
                self.heartbeat(slot);
            }
            Due::Look => self.look(slot),
            Due::Close(close) => sockets.doomed.push((slot, Doom::Close(close))),
            Due::Drop => sockets.doomed.push((slot, Doom::Drop)),
        }
        let resumes =
            self.sockets.get(slot).and_then(|conn| conn.rare.as_ref()).and_then(|rare| rare.resume_at);
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
            Written::All if conn.rare.as_ref().is_some_and(|rare| rare.last_words) => conn.half_close(now),
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

    pub(super) fn deregister(&self, stream: &mut Stream) {
        // Closing the descriptor would do; a failure here means that it is closed already.
        let _closed = self.poll.registry().deregister(stream);
    }

    pub(super) fn register(&mut self, newcomer: &mut Newcomer, index: usize) -> std::io::Result<()> {
        let interest = mio::Interest::READABLE | mio::Interest::WRITABLE;
        self.poll.registry().register(&mut newcomer.stream, Token(index), interest)
    }
}
