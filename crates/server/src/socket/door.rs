//! The door: accepts, reads one request head, and judges it.
//!
//! One thread. A connection stays here for its handshake only, or for the close frame that refuses it.

mod goodbye;

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use campanile_wire::Surface;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use slab::Slab;
use tokio::sync::mpsc;

use super::ask::Ask;
use super::attach::{Newcomer, Start};
use super::frames;
use super::gauge::{Entered, Gauge};
use super::handshake::{Decision, Handshakes, Keys};
use super::refuse;
use super::securing::{Handshaking, Turn};
use super::stream::Stream;
use super::visitor::{Opened, Stage, Visitor};
use crate::clock::Clock;
use crate::http::problem;
use crate::tls::Tls;

const LISTENER: Token = Token(usize::MAX);
const WAKER: Token = Token(usize::MAX - 1);
/// Bytes of a request head.
pub(super) const MAX_HEAD: usize = 16 * 1024;
/// Bytes of a request target.
const MAX_TARGET: usize = 8 * 1024;
/// Headers of a request.
pub(super) const MAX_HEADERS: usize = 64;
/// Connections accepted before those already here get their turn.
const ACCEPTS: usize = 128;
/// Pause before accepting again after it failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Reads of one visitor in one go; above, it is flooding the door, and is thrown out.
const READS: usize = 64;

/// A connection that speaks plain HTTP, with what was read of its first request.
pub struct Plain {
    /// Registered nowhere.
    pub stream: Stream,
    /// Bytes already read.
    pub read: Vec<u8>,
    /// Whence.
    pub peer: IpAddr,
    /// What is to be had where it came in.
    pub serves: Serves,
    /// Counts it as open.
    pub counted: Entered,
}

/// What the door is held to.
pub struct DoorConfig {
    /// Connections open at once, all kinds together; above: 503.
    pub max_connections: usize,
    /// Time from accept to a complete head.
    pub handshake_timeout: Duration,
    /// What connections are secured with; `None`: they are in the clear.
    pub tls: Option<Arc<Tls>>,
    /// TLS handshakes under way at once; above, the one that has lasted longest is cut off, or the newcomer.
    pub max_handshakes: usize,
    /// What is to be had here.
    pub serves: Serves,
}

/// What a listener is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Serves {
    /// Sockets and the whole API.
    All,
    /// Sockets, and what users ask of the API; the rest has a listener of its own.
    Users,
    /// The API alone.
    Api,
}

impl Serves {
    /// Whether there are sockets.
    pub fn sockets(self) -> bool {
        self != Self::Api
    }
}

/// The thread's state.
pub struct Door {
    listener: Option<TcpListener>,
    poll: Poll,
    stop: Arc<AtomicBool>,
    visitors: Slab<Visitor>,
    /// Reading visitors by deadline, and closing ones: each queue has one time-out, so it is in order.
    reading: VecDeque<(Duration, usize, u64)>,
    closing: VecDeque<(Duration, usize, u64)>,
    /// After a failure the listener says nothing new about those who wait already.
    accept_again: Option<Duration>,
    handshakes: Arc<Handshakes>,
    securing: Handshaking,
    config: DoorConfig,
    plain: mpsc::Sender<Plain>,
    gauge: Gauge,
    clock: Clock,
}

/// Asks the door to close.
#[derive(Clone)]
pub struct DoorStop {
    stop: Arc<AtomicBool>,
    waker: Arc<mio::Waker>,
}

impl DoorStop {
    /// No more connections are accepted; visitors are sent away.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
        self.wake();
    }

    /// Wakes it, as for a clock that was stepped.
    pub fn wake(&self) {
        if let Err(error) = self.waker.wake() {
            tracing::error!(%error, "the door can't be woken");
        }
    }
}

impl Door {
    /// Takes a listener that does not block.
    ///
    /// # Errors
    /// If the system gives no poll.
    pub fn new(
        listener: std::net::TcpListener,
        config: DoorConfig,
        handshakes: Arc<Handshakes>,
        plain: mpsc::Sender<Plain>,
        gauge: Gauge,
        clock: Clock,
    ) -> io::Result<(Self, DoorStop)> {
        let poll = Poll::new()?;
        let mut listener = TcpListener::from_std(listener);
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let waker = Arc::new(mio::Waker::new(poll.registry(), WAKER)?);
        let stop = Arc::new(AtomicBool::new(false));
        let door = Self {
            listener: Some(listener),
            poll,
            stop: Arc::clone(&stop),
            visitors: Slab::new(),
            reading: VecDeque::new(),
            closing: VecDeque::new(),
            accept_again: None,
            handshakes,
            securing: Handshaking::new(config.max_handshakes),
            config,
            plain,
            gauge,
            clock,
        };
        Ok((door, DoorStop { stop, waker }))
    }

    /// Serves until it was stopped and the last visitor has left.
    pub fn run(mut self) {
        let mut events = Events::with_capacity(1024);
        let mut accepting = false;
        while self.listener.is_some() || !self.visitors.is_empty() {
            let timeout = if accepting { Some(Duration::ZERO) } else { self.timeout() };
            if let Err(error) = self.poll.poll(&mut events, timeout)
                && error.kind() != io::ErrorKind::Interrupted
            {
                tracing::error!(%error, "the door can't wait for connections");
            }
            for event in &events {
                match event.token() {
                    LISTENER => accepting = true,
                    WAKER => {}
                    Token(index) => self.guarded(index),
                }
            }
            let now = self.clock.monotonic();
            accepting |= self.accept_again.take_if(|at| *at <= now).is_some();
            if accepting {
                accepting = self.accept();
            }
            if self.stop.load(Ordering::SeqCst) && self.listener.take().is_some() {
                self.send_readers_away();
            }
            self.expire();
        }
    }

    fn timeout(&self) -> Option<Duration> {
        let fronts = [self.reading.front(), self.closing.front()];
        let due = fronts.into_iter().flatten().map(|(due, ..)| *due).chain(self.accept_again).min()?;
        Some(due.saturating_sub(self.clock.monotonic()).max(Duration::from_millis(1)))
    }

    /// Accepts what waits; whether more may.
    fn accept(&mut self) -> bool {
        for _ in 0..ACCEPTS {
            let Some(listener) = &self.listener else { return false };
            match listener.accept() {
                Ok((stream, peer)) => self.welcome(stream, peer),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    // Out of descriptors despite the reserve, or a connection that ended before it began.
                    tracing::warn!(%error, "a connection can't be accepted");
                    self.accept_again = Some(self.clock.monotonic() + ACCEPT_PAUSE);
                    return false;
                }
            }
        }
        true
    }

    fn welcome(&mut self, mut stream: TcpStream, peer: SocketAddr) {
        let counted = self.gauge.enter();
        // WRITABLE as well: the answers of a TLS handshake may not fit at once.
        let interest = Interest::READABLE | Interest::WRITABLE;
        let full = self.gauge.open() > self.config.max_connections;
        let order = self.handshakes.count();
        let peer = peer.ip().to_canonical();
        let is_proxy = self.handshakes.proxies.begin_with_a_header(peer);
        let stage = if is_proxy { Stage::ProxyHeader } else { Stage::first(self.config.tls.is_some()) };
        let entry = self.visitors.vacant_entry();
        let index = entry.key();
        if let Err(error) = self.poll.registry().register(&mut stream, Token(index), interest) {
            tracing::error!(%error, "a connection can't be registered");
            return;
        }
        entry.insert(Visitor {
            stream: Stream::new(stream, None),
            peer,
            client: peer,
            stage,
            order,
            read: vec![],
            closing: false,
            counted: (!full).then_some(counted),
            securing: None,
        });
        if full {
            return self.refuse_for_room(index);
        }
        let due = self.clock.monotonic() + self.config.handshake_timeout;
        self.reading.push_back((due, index, order));
        self.guarded(index);
    }

    /// Looks after one visitor: a panic ends that visit, never the door.
    fn guarded(&mut self, index: usize) {
        if catch_unwind(AssertUnwindSafe(|| self.handle_visitor(index))).is_err() {
            tracing::error!("a connection was closed because its handshake panicked");
            self.remove(index);
        }
    }

    fn handle_visitor(&mut self, index: usize) {
        let tls = self.config.tls.as_deref();
        match self.visitors.get_mut(index).map(|visitor| visitor.open(tls)) {
            Some(Ok(Opened::Already)) => {}
            Some(Ok(Opened::Begun)) if self.begin_tls(index) => {}
            Some(Ok(Opened::Begun)) => return self.remove(index),
            Some(Ok(Opened::InTheClear)) => return self.refuse(index, &problem::TLS_REQUIRED, &[], None),
            Some(Err(error)) => return self.give_up(index, &error),
            None => return,
        }
        if self.visitors.get_mut(index).is_some_and(|visitor| visitor.stream.send_waiting().is_err()) {
            return self.remove(index);
        }
        let mut scratch = [0; MAX_HEAD];
        for _ in 0..READS {
            let Some(visitor) = self.visitors.get_mut(index) else { return };
            let read = visitor.stream.read(&mut scratch);
            if !visitor.stream.is_handshaking() {
                visitor.securing = None;
            }
            match read {
                Ok(0) => return self.remove(index),
                // Its close, or whatever it had under way: it has had our answer.
                Ok(_) if visitor.closing => {}
                Ok(read) => {
                    visitor.read.extend_from_slice(&scratch[..read]);
                    if self.handle_head(index) {
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return self.give_up(index, &error),
            }
        }
        // A head fits in fewer reads, and after a refusal there is nothing left to say.
        self.remove(index);
    }

    /// Counts the TLS handshake of a visitor, in place of one that takes too long where there are too many. `false`: it
    /// has to go. Neither is told: what they would understand costs a handshake.
    fn begin_tls(&mut self, index: usize) -> bool {
        let (now, limit) = (self.clock.monotonic(), self.config.max_handshakes);
        loop {
            let Some(visitor) = self.visitors.get(index) else { return false };
            let (peer, order) = (visitor.peer, visitor.order);
            let visitors = &self.visitors;
            let is_at_it = |index, order| {
                let found: Option<&Visitor> = visitors.get(index);
                found.is_some_and(|found| found.order == order && found.securing.is_some())
            };
            match self.securing.begin((index, order), now, is_at_it) {
                Turn::Begins(securing) => {
                    self.visitors[index].securing = Some(securing);
                    return true;
                }
                Turn::InPlaceOf(slow) => {
                    let slow_peer = self.visitors[slow].peer;
                    tracing::warn!(limit, peer = %slow_peer, "a TLS handshake was cut off for another: it took too long");
                    self.remove(slow);
                }
                Turn::Refused => {
                    tracing::warn!(limit, %peer, "a TLS handshake was cut off: too many are under way");
                    return false;
                }
            }
        }
    }

    /// Ends a visit that can't go on, unless it only has to wait. What broke a rule is told; that somebody left, or
    /// only looked whether anybody listens, is not.
    fn give_up(&mut self, index: usize, error: &io::Error) {
        if error.kind() == io::ErrorKind::WouldBlock {
            return;
        }
        if let Some(visitor) = self.visitors.get(index)
            && error.kind() == io::ErrorKind::InvalidData
        {
            tracing::info!(%error, peer = %visitor.peer, "a connection was ended before its request");
        }
        self.remove(index);
    }

    /// Acts on the head if it is complete; whether the visitor is done reading.
    fn handle_head(&mut self, index: usize) -> bool {
        let Some(visitor) = self.visitors.get_mut(index) else { return true };
        let read = std::mem::take(&mut visitor.read);
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        let end = match request.parse(&read) {
            Ok(httparse::Status::Complete(end)) => end,
            Ok(httparse::Status::Partial) if read.len() >= MAX_HEAD => {
                let long_target =
                    request.path.is_none() || request.path.is_some_and(|p| p.len() > MAX_TARGET);
                let refused = if long_target { &problem::URI_TOO_LONG } else { &problem::HEAD_TOO_LARGE };
                self.refuse(index, refused, &[], None);
                return true;
            }
            Ok(httparse::Status::Partial) => {
                visitor.read = read;
                return false;
            }
            Err(httparse::Error::TooManyHeaders) => {
                self.refuse(index, &problem::HEAD_TOO_LARGE, &[], None);
                return true;
            }
            Err(_) => {
                self.refuse(index, &problem::BAD_REQUEST, &[], None);
                return true;
            }
        };
        // Complete: the parser has all three.
        let target = request.path.unwrap_or_default();
        if target.len() > MAX_TARGET || end > MAX_HEAD {
            let refused = if end > MAX_HEAD { &problem::HEAD_TOO_LARGE } else { &problem::URI_TOO_LONG };
            self.refuse(index, refused, &[], None);
            return true;
        }
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let upgrade = request.headers.iter().any(|h| h.name.eq_ignore_ascii_case("upgrade"));
        match Surface::at(path).filter(|_| upgrade && self.config.serves.sockets()) {
            None => self.hand_over_plain(index, read),
            Some(surface) => {
                let headers: Vec<_> = request.headers.iter().map(|h| (h.name, h.value)).collect();
                visitor.client = self.handshakes.client(visitor.peer, &headers);
                let method = request.method.unwrap_or_default();
                let minor = request.version.unwrap_or_default();
                match self.handshakes.read(surface, method, minor, headers.iter().copied()) {
                    Err((code, headers)) => self.refuse(index, code, &headers, None),
                    Ok(accept) => {
                        let ask = Ask::new(surface, query, headers.iter().copied());
                        let waits = self.handle_handshake(index, &ask, &accept, &read[end..]);
                        if waits {
                            self.hand_over_plain(index, read);
                        }
                    }
                }
            }
        }
        true
    }

    /// Answers a handshake; `true`: it is to be handed over to where it can wait for keys, which nobody does at the
    /// door.
    fn handle_handshake(
        &mut self,
        index: usize,
        ask: &Ask<'_>,
        accept: &campanile_ws::Accept,
        rest: &[u8],
    ) -> bool {
        let Some(visitor) = self.visitors.get(index) else { return false };
        let surface = ask.surface;
        let response = accept.response(surface.subprotocol);
        match self.handshakes.decide(ask, visitor.client, Keys::Awaited) {
            Decision::Await => return true,
            Decision::Refuse(code, seconds) => {
                self.say_goodbye(index, &refuse::response(code, &[], Some(seconds)));
            }
            Decision::TurnAway(away) => {
                let mut answer = BytesMut::from(&response[..]);
                answer.extend_from_slice(&frames::close(surface, away.close));
                self.say_goodbye(index, &answer);
            }
            Decision::Admit(admitted) => {
                let Some(mut visitor) = self.take(index) else { return false };
                let Some(counted) = visitor.counted.take() else { return false };
                let newcomer = Newcomer {
                    stream: visitor.stream,
                    rest: rest.to_vec(),
                    response,
                    surface,
                    workspace: admitted.workspace,
                    user: admitted.user,
                    expires_at: admitted.expires_at,
                    mark: admitted.mark,
                    start: Start::Replay(admitted.replay),
                    order: visitor.order,
                    peer: visitor.client,
                    counted,
                };
                if let Err(mut newcomer) = self.handshakes.hand_over(Box::new(newcomer)) {
                    let _written =
                        newcomer.stream.write(&refuse::response(&problem::OVERLOADED, &[], Some(5)));
                }
            }
        }
        false
    }

    fn hand_over_plain(&mut self, index: usize, read: Vec<u8>) {
        let Some(mut visitor) = self.take(index) else { return };
        let Some(counted) = visitor.counted.take() else { return };
        let (serves, peer) = (self.config.serves, visitor.peer);
        let plain = Plain { stream: visitor.stream, read, peer, serves, counted };
        if let Err(error) = self.plain.try_send(plain) {
            tracing::warn!("a request was refused: too many wait");
            let mut plain = error.into_inner();
            let _written = plain.stream.write(&refuse::response(&problem::OVERLOADED, &[], Some(5)));
        }
    }

    /// Takes a visitor out, to be registered elsewhere.
    fn take(&mut self, index: usize) -> Option<Visitor> {
        let mut visitor = self.visitors.try_remove(index)?;
        if let Err(error) = self.poll.registry().deregister(&mut visitor.stream) {
            tracing::error!(%error, "a connection can't be handed over");
            return None;
        }
        Some(visitor)
    }

    fn remove(&mut self, index: usize) {
        if let Some(visitor) = self.take(index) {
            visitor.stream.abandon();
        }
    }
}
