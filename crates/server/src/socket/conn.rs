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
    /// Something was told while it caught up that nobody knows whom it concerned.
    pub(super) overflowed: Option<campanile_model::Epoch>,
    /// The user's read state changed before its client was greeted: what it was greeted with may be older.
    pub(super) marked: bool,
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

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};
    use std::time::{Duration, Instant};

    use campanile_auth::{Identity, Revoked, Words, Workspaces};
    use campanile_model::{Timestamp, UserId};
    use campanile_session::{Due, Timing};
    use campanile_testkit::Authority;
    use rustls::pki_types::ServerName;
    use rustls::{ClientConnection, StreamOwned};

    use super::*;
    use crate::socket::gauge::Gauge;
    use crate::tls::{Files, Tls};

    /// How long a test waits for what must come.
    const WAIT: Duration = Duration::from_secs(20);

    /// A connection within TLS whose handshake is done, and its client, which reads when it is asked to.
    fn secured(gauge: &Gauge) -> (Conn, StreamOwned<ClientConnection, std::net::TcpStream>) {
        let (authority, dir) = (Authority::new(), tempfile::tempdir().unwrap());
        authority.server().write(dir.path());
        let (cert, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
        let tls = Tls::new(Files { cert, key, client_ca: None }).unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        client.set_read_timeout(Some(WAIT)).unwrap();
        let (server, _) = listener.accept().unwrap();
        server.set_nonblocking(true).unwrap();
        // So little that one frame fills it.
        socket2::SockRef::from(&server).set_send_buffer_size(4_096).unwrap();
        let mut stream = Stream::new(mio::net::TcpStream::from_std(server), Some(tls.session().unwrap()));
        let config = authority.trusting(None).into();
        let name = ServerName::try_from("localhost").unwrap();
        let mut client = StreamOwned::new(ClientConnection::new(config, name).unwrap(), client);
        let shaking = std::thread::spawn(move || {
            client.conn.complete_io(&mut client.sock).unwrap();
            client
        });
        until(|| {
            let _nothing = stream.read(&mut [0; 64]);
            !stream.is_handshaking()
        });
        let mut client = shaking.join().unwrap();
        // Tickets to resume by, which leave with whatever is written first.
        until(|| !stream.send_waiting().unwrap().waits);
        client.conn.set_buffer_limit(None);
        (conn(stream, gauge), client)
    }

    fn conn(stream: Stream, gauge: &Gauge) -> Conn {
        let identity = Identity {
            user: UserId::new("alice").unwrap(),
            workspaces: Workspaces::Unstated,
            scopes: Words::default(),
            issuer: None,
            issued_at: None,
            expires_at: Timestamp::from_millis(i64::MAX / 2),
            token_id: None,
        };
        Conn {
            session: Session::new(campanile_wire::SURFACES[0], identity.expires_at, Tick(0), 0),
            stream,
            decoder: Decoder::new(),
            quota: Quota::default(),
            seat: None,
            order: 1,
            mark: Revoked::new().mark(&identity),
            generation: 1,
            wheel_at: Tick(0),
            outbox: None,
            rare: None,
            counted: gauge.enter(),
        }
    }

    fn until(mut is: impl FnMut() -> bool) {
        let deadline = Instant::now() + WAIT;
        while !is() {
            assert!(Instant::now() < deadline, "it takes too long");
            std::thread::yield_now();
        }
    }

    /// The kernel is full, and TLS has taken the whole frame: nothing is left to queue, and all the same it waits.
    /// The design, §5: what every one of many thousands holds at rest.
    #[test]
    fn a_connection_at_rest_is_small() {
        assert!(size_of::<Conn>() <= 256, "{} bytes", size_of::<Conn>());
    }

    #[test]
    fn what_waits_within_tls_is_stood_for_by_an_empty_outbox() {
        let gauge = Gauge::default();
        let (mut conn, mut client) = secured(&gauge);
        let frame = |n: u8| Bytes::from(vec![n; 8_000]);
        let mut written = 0_u8;
        // Until a frame was taken as a whole and did not leave as a whole. One that TLS takes a part of is
        // another case: its rest is in the outbox.
        while conn.outbox.is_none() {
            let outcome = conn.write(&frame(written), usize::MAX, Tick(5));
            written += 1;
            let waits = conn.stream.waits();
            assert_eq!(outcome, if waits { Written::Waiting } else { Written::All });
            assert!(written < 250, "the kernel takes everything");
        }
        assert!(conn.stream.waits());
        assert!(conn.outbox.as_ref().unwrap().is_empty(), "one record holds a whole frame");
        assert_eq!((conn.backlog(), gauge.backlogs()), (0, 1));
        // Whoever does not read is found out, as if an outbox were full.
        let timing =
            Timing { keepalive: None, idle: None, stall: 100, message: 300, linger: 50, farewell: 300 };
        let mut at = |tick| conn.session.handle_tick(Tick(tick), Timestamp::from_millis(0), &timing);
        assert_eq!((at(104), at(105)), (Due::Nothing, Due::Close(&campanile_wire::close::TOO_SLOW)));
        // What comes next waits behind it, and its last words behind that.
        assert_eq!(conn.write(&frame(written), usize::MAX, Tick(6)), Written::Waiting);
        written += 1;
        assert_eq!(conn.backlog(), 8_000);
        conn.half_close(Tick(6));
        let reading = std::thread::spawn(move || {
            let mut all = vec![];
            client.read_to_end(&mut all).unwrap();
            all
        });
        until(|| match conn.flush(Tick(7)) {
            Written::All => true,
            Written::Waiting => false,
            other => panic!("{other:?}"),
        });
        assert!(conn.outbox.is_none() && !conn.stream.waits());
        assert_eq!(gauge.backlogs(), 0);
        until(|| conn.stream.half_close().unwrap());
        let expected: Vec<u8> = (0..written).flat_map(|n| frame(n).to_vec()).collect();
        assert!(reading.join().unwrap() == expected, "every frame, in order, and the end");
    }
}
