//! A connection at the door, and what it says before its first request.

use std::io::{self, ErrorKind, Read};
use std::net::IpAddr;

use mio::net::TcpStream;

use super::gauge::Entered;
use super::proxy_header::{MAX_HEADER, ProxyHeader};
use super::securing::Securing;
use super::stream::Stream;
use crate::tls::Tls;

/// The first byte of a TLS connection (RFC 8446 §5.1).
const TLS_HANDSHAKE: u8 = 0x16;

/// A connection that was accepted and has not been handed on.
pub struct Visitor {
    pub(super) stream: Stream,
    /// Who opened the connection, or whom a trusted proxy opened it for.
    pub(super) peer: IpAddr,
    /// Whence its request comes.
    pub(super) client: IpAddr,
    pub(super) stage: Stage,
    pub(super) order: u64,
    pub(super) read: Vec<u8>,
    /// Its close was sent; only its own end is waited for.
    pub(super) closing: bool,
    pub(super) counted: Option<Entered>,
    /// Counts its TLS handshake while that is under way.
    pub(super) securing: Option<Securing>,
}

/// What came of reading up to the first request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opened {
    /// TLS begins now.
    Begun,
    /// It goes on with what it is at.
    Already,
    /// It speaks in the clear where TLS is spoken.
    InTheClear,
}

/// What is to be read next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The header of a proxy.
    ProxyHeader,
    /// The first byte of TLS.
    Hello,
    /// The head of a request.
    Head,
}

impl Stage {
    /// What comes first from whoever is no proxy.
    pub fn first(is_secured: bool) -> Self {
        if is_secured { Self::Hello } else { Self::Head }
    }
}

impl Visitor {
    /// Reads what comes before the first request.
    ///
    /// # Errors
    /// [`ErrorKind::WouldBlock`] until that is there, [`ErrorKind::InvalidData`] for a proxy's header that is none.
    pub fn open(&mut self, tls: Option<&Tls>) -> io::Result<Opened> {
        if self.stage == Stage::ProxyHeader {
            if let Some(client) = read_proxy_header(self.stream.socket())? {
                (self.peer, self.client) = (client, client);
            }
            self.stage = Stage::first(tls.is_some());
        }
        let Some(tls) = tls.filter(|_| self.stage == Stage::Hello) else { return Ok(Opened::Already) };
        let mut byte = [0];
        if self.stream.socket().peek(&mut byte)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.stage = Stage::Head;
        if byte[0] != TLS_HANDSHAKE {
            return Ok(Opened::InTheClear);
        }
        self.stream.secure(tls.session().map_err(io::Error::other)?);
        Ok(Opened::Begun)
    }
}

/// Takes the header that a proxy begins with off a connection: nothing behind it is read.
fn read_proxy_header(socket: &mut TcpStream) -> io::Result<Option<IpAddr>> {
    let mut bytes = [0; MAX_HEADER];
    let seen = socket.peek(&mut bytes)?;
    let invalid = |error| io::Error::new(ErrorKind::InvalidData, error);
    match ProxyHeader::parse(&bytes[..seen]).map_err(invalid)? {
        ProxyHeader::Whole { length, client } => {
            // All of it was seen, so all of it is there.
            socket.read_exact(&mut bytes[..length])?;
            Ok(client)
        }
        ProxyHeader::Partial if seen == 0 => Err(ErrorKind::UnexpectedEof.into()),
        ProxyHeader::Partial => Err(ErrorKind::WouldBlock.into()),
    }
}
