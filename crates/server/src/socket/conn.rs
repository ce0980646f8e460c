//! One connection of a shard, and writing to it.

use std::io::{self, IoSlice, Read, Write};

use bytes::Bytes;
use campanile_auth::Mark;
use campanile_hub::{Full, Outbox, Slot, UserKey};
use campanile_model::{Seq, Topic};
use campanile_session::{Handover, Quota, Session, Tick};
use campanile_ws::Decoder;

use super::gauge::Entered;
use super::stream::Stream;
use crate::tls::{Flushed, SLICES};

/// A connection: what every one of many thousands holds at rest. Anything rarely needed is behind a box.
pub struct Conn {
    pub(super) stream: Stream,
    pub(super) session: Session,
    pub(super) decoder: Decoder,
    pub(super) quota: Quota,
    /// Where it is in the registry; `None` once it left.
    pub(super) seat: Option<Seat>,
    /// When its TCP connection was accepted, in order of all.
    pub(super) order: u64,
    /// What is left of its token.
    pub(super) mark: Mark,
    pub(super) generation: u32,
    /// The tick at which the wheel looks at it; entries of other ticks are stale.
    pub(super) wheel_at: Tick,
    pub(super) outbox: Option<Box<Outbox>>,
    pub(super) rare: Option<Box<Rare>>,
    pub(super) counted: Entered,
}

/// A place in the registry.
#[derive(Debug, Clone, Copy)]
pub struct Seat {
    pub(super) user: UserKey,
    /// Index among the room's members.
    pub(super) place: u32,
}

/// What only some connections have, for a while.
#[derive(Default)]
pub struct Rare {
    /// The answer to its handshake, still to be sent: it goes before anything else.
    pub(super) hello: Option<Bytes>,
    /// While it catches up.
    pub(super) handover: Option<Handover>,
    /// The user's subscriptions that began (`true`) or ended since it was registered.
    pub(super) changes: Vec<(Seq, Topic, bool)>,
    /// Bytes of a client that talks too fast or waits for too many answers.
    pub(super) unread: Vec<u8>,
    /// When those may be read again, in milliseconds.
    pub(super) resume_at: Option<u64>,
    /// It goes on from where it was: the end of the replay is told.
    pub(super) resumed: bool,
    /// Commands without an answer yet.
    pub(super) marks: u32,
    /// A newcomer waits whether this one is still alive.
    pub(super) challenged: bool,
    /// It was heard since.
    pub(super) spoke: bool,
    /// Half-close the connection as soon as the outbox is empty.
    pub(super) last_words: bool,
    /// Who it was, for the duel guard, once evicted.
    pub(super) evicted: Option<(campanile_model::Slug, campanile_model::UserId)>,
}

impl Rare {
    fn is_empty(&self) -> bool {
        self.hello.is_none()
            && self.handover.is_none()
            && self.unread.is_empty()
            && self.resume_at.is_none()
            && self.marks == 0
            && !self.challenged
            && !self.last_words
            && self.evicted.is_none()
    }
}

/// What came of a write.
#[derive(Debug, PartialEq, Eq)]
pub enum Written {
    /// Everything is with the kernel.
    All,
    /// Some of it waits.
    Waiting,
    /// It does not fit: nothing of it was taken.
    Full,
    /// The peer is gone.
    Gone,
}

impl Conn {
    /// Its address at place `index`.
    pub fn slot(&self, index: usize) -> Slot {
        Slot { index: u32::try_from(index).unwrap_or(u32::MAX), generation: self.generation }
    }

    /// What it rarely has, made if it has none.
    pub fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// Gives the box back once nothing is in it.
    pub fn tidy(&mut self) {
        if self.rare.as_ref().is_some_and(|rare| rare.is_empty()) {
            self.rare = None;
        }
    }

    /// Whether its surface begins with a message that has not been sent: nothing is answered before that.
    pub fn is_ungreeted(&self) -> bool {
        let fresh = || self.rare.as_ref()?.handover.as_ref().map(Handover::is_fresh);
        self.session.surface().envelopes.is_some() && fresh() == Some(true)
    }

    /// Bytes that wait to leave.
    pub fn backlog(&self) -> usize {
        self.outbox.as_ref().map_or(0, |outbox| outbox.bytes())
    }

    /// Writes one frame at once if nothing waits before it; queues what the kernel does not take.
    pub fn write(&mut self, frame: &Bytes, limit: usize, now: Tick) -> Written {
        if self.greet(limit, now) == Written::Gone {
            return Written::Gone;
        }
        if let Some(outbox) = &mut self.outbox {
            return match outbox.push(frame.clone(), false, limit) {
                Ok(()) => Written::Waiting,
                Err(Full) => Written::Full,
            };
        }
        let sent = loop {
            match self.stream.write(frame) {
                Ok(sent) => break sent,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break 0,
                Err(_) => return Written::Gone,
            }
        };
        if sent == frame.len() && !self.stream.waits() {
            return Written::All;
        }
        let outbox = self.hold(sent > 0, now);
        if sent < frame.len() {
            let pushed = outbox.push(frame.slice(sent..), sent > 0, limit.max(frame.len()));
            debug_assert!(pushed.is_ok());
        }
        Written::Waiting
    }

    /// Begins to wait for the kernel. What waits within TLS is in no outbox, so an empty one stands for it.
    fn hold(&mut self, progressed: bool, now: Tick) -> &mut Outbox {
        self.counted.gauge().backlog_began();
        self.session.handle_backlog(true, progressed, now);
        self.outbox.get_or_insert_default()
    }

    /// Tells the peer that nothing follows what was written, once that has left.
    pub fn half_close(&mut self, now: Tick) {
        if self.outbox.is_none() {
            // A failure means that the peer is gone, which its end will tell.
            if !matches!(self.stream.half_close(), Ok(false)) {
                return;
            }
            self.hold(false, now);
        }
        self.rare().last_words = true;
    }

    /// Answers its handshake, unless that was done.
    pub fn greet(&mut self, limit: usize, now: Tick) -> Written {
        match self.rare.as_mut().and_then(|rare| rare.hello.take()) {
            Some(hello) => self.write(&hello, limit, now),
            None => Written::All,
        }
    }

    /// Writes what waits, until the kernel takes no more.
    pub fn flush(&mut self, now: Tick) -> Written {
        let Some(outbox) = &mut self.outbox else { return Written::All };
        while !outbox.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let filled = outbox.slices(&mut slices);
            match self.stream.write_vectored(&slices[..filled]) {
                Ok(sent) => {
                    outbox.advance(sent);
                    self.session.handle_backlog(true, sent > 0, now);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Written::Waiting,
                Err(_) => return Written::Gone,
            }
        }
        match self.stream.send_waiting() {
            Ok(Flushed { sent, waits: true }) => {
                self.session.handle_backlog(true, sent, now);
                return Written::Waiting;
            }
            Ok(_) => {}
            Err(_) => return Written::Gone,
        }
        self.outbox = None;
        self.counted.gauge().backlog_ended();
        self.session.handle_backlog(false, true, now);
        Written::All
    }

    /// Reads once. `Ok(None)`: nothing is there now. `Ok(Some(0))`: the peer will send no more.
    pub fn read(&mut self, scratch: &mut [u8]) -> io::Result<Option<usize>> {
        loop {
            match self.stream.read(scratch) {
                Ok(read) => return Ok(Some(read)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }
}
