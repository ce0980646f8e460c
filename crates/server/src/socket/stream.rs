//! A connection's bytes, with or without TLS around them.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::Shutdown;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token, event};

use crate::tls::{Flushed, Session};

/// A non-blocking connection. Without TLS, every call is one on the socket.
pub struct Stream {
    socket: TcpStream,
    tls: Option<Session>,
}

impl Stream {
    /// In the clear, or within `tls`.
    pub fn new(socket: TcpStream, tls: Option<Session>) -> Self {
        Self { socket, tls }
    }

    /// The socket beneath, for what is read before TLS begins.
    pub fn socket(&mut self) -> &mut TcpStream {
        &mut self.socket
    }

    /// Everything from here on is within `tls`.
    pub fn secure(&mut self, tls: Session) {
        self.tls = Some(tls);
    }

    /// What it is made of.
    pub fn into_parts(self) -> (TcpStream, Option<Session>) {
        (self.socket, self.tls)
    }

    /// Whether nothing can be said yet, because keys are still being agreed on.
    pub fn is_handshaking(&self) -> bool {
        self.tls.as_ref().is_some_and(Session::is_handshaking)
    }

    /// Whether bytes of the peer may wait here that the kernel does not know of: a poll would not tell.
    pub fn may_hold_unread(&self) -> bool {
        self.tls.is_some()
    }

    /// Whether bytes that were taken wait for the kernel.
    pub fn waits(&self) -> bool {
        self.tls.as_ref().is_some_and(Session::waits)
    }

    /// Gives waiting bytes to the kernel.
    pub fn send_waiting(&mut self) -> io::Result<Flushed> {
        match &mut self.tls {
            Some(tls) => tls.flush(&mut self.socket),
            None => Ok(Flushed { sent: false, waits: false }),
        }
    }

    /// Tells the peer that nothing follows. `false`: that has to wait until the socket is writable; ask again then.
    pub fn half_close(&mut self) -> io::Result<bool> {
        if let Some(tls) = &mut self.tls {
            tls.end();
            if tls.flush(&mut self.socket)?.waits {
                return Ok(false);
            }
        }
        self.socket.shutdown(Shutdown::Write).map(|()| true)
    }

    /// Ends both directions, whatever waits.
    pub fn abandon(&self) {
        // A failure means that the peer is gone.
        let _shut = self.socket.shutdown(Shutdown::Both);
    }
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match &mut self.tls {
            Some(tls) => tls.read(&mut self.socket, into),
            None => self.socket.read(into),
        }
    }
}

impl Write for Stream {
    /// Less than all is written only if a WRITABLE is to come.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.tls {
            Some(tls) => tls.write(&mut self.socket, &[IoSlice::new(bytes)]),
            None => self.socket.write(bytes),
        }
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match &mut self.tls {
            Some(tls) => tls.write(&mut self.socket, slices),
            None => self.socket.write_vectored(slices),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.send_waiting()?.waits { Err(ErrorKind::WouldBlock.into()) } else { Ok(()) }
    }
}

impl event::Source for Stream {
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        self.socket.register(registry, token, interests)
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        self.socket.reregister(registry, token, interests)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.socket.deregister(registry)
    }
}
