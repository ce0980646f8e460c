//! TLS on one connection, apart from the socket beneath it.

use std::io::{self, ErrorKind, IoSlice, Read, Write};

use rustls::ServerConnection;

/// Bytes of plaintext that are encrypted ahead of the kernel: one record. So much, and a record's frame, is what a
/// peer that does not read costs here beside its outbox.
const BUFFER: usize = 16 * 1024;
/// Slices that are taken at once.
pub const SLICES: usize = 32;
/// Turns of reading without a byte for the application, 4 KiB each. A handshake needs a handful, client certificates
/// included; beyond, the peer only keeps us busy.
const SILENT_READS: usize = 64;

/// One side of a TLS connection. Reads and writes are those of a non-blocking socket: what can't be done now is
/// [`ErrorKind::WouldBlock`].
pub struct Session(Box<ServerConnection>);

/// What became of the bytes that waited for the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flushed {
    /// Some have left.
    pub sent: bool,
    /// Some still wait: the socket has to become writable.
    pub waits: bool,
}

impl Session {
    pub(super) fn new(mut tls: ServerConnection) -> Self {
        tls.set_buffer_limit(Some(BUFFER));
        Self(Box::new(tls))
    }

    /// Whether keys are still being agreed on: nothing can be said yet.
    pub fn is_handshaking(&self) -> bool {
        self.0.is_handshaking()
    }

    /// Whether encrypted bytes wait for the kernel.
    pub fn waits(&self) -> bool {
        self.0.wants_write()
    }

    /// Reads what the peer said, going on with the handshake as far as it is there. 0: it says no more.
    ///
    /// # Errors
    /// Those of the socket; [`ErrorKind::InvalidData`] where the peer broke the protocol, which it was told.
    pub fn read(&mut self, socket: &mut (impl Read + Write), into: &mut [u8]) -> io::Result<usize> {
        for _ in 0..SILENT_READS {
            match self.0.reader().read(into) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // The network ended it, not the peer: surfaces have a close of their own that tells the two apart.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(0),
                read => return read,
            }
            self.0.read_tls(socket)?;
            let processed = self.0.process_new_packets();
            // The handshake's answers, or the alert that says what is wrong.
            let flushed = self.flush(socket);
            processed.map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
            flushed?;
        }
        Err(io::Error::new(ErrorKind::InvalidData, "the peer sends records without data"))
    }

    /// Takes as much as can leave now, and one record more at the most: less than the first [`SLICES`] is taken only if
    /// the kernel is full, so a WRITABLE is to come.
    ///
    /// # Errors
    /// Those of the socket; [`ErrorKind::WouldBlock`] if nothing was taken.
    pub fn write(&mut self, socket: &mut (impl Read + Write), slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if self.is_handshaking() {
            return Err(ErrorKind::NotConnected.into());
        }
        let mut rest = [IoSlice::new(&[]); SLICES];
        let count = slices.len().min(SLICES);
        rest[..count].copy_from_slice(&slices[..count]);
        let mut rest = &mut rest[..count];
        let mut taken = 0;
        while rest.iter().any(|slice| !slice.is_empty()) {
            if self.flush(socket)?.waits {
                return if taken > 0 { Ok(taken) } else { Err(ErrorKind::WouldBlock.into()) };
            }
            let more = self.0.writer().write_vectored(rest)?;
            IoSlice::advance_slices(&mut rest, more);
            taken += more;
        }
        self.flush(socket)?;
        Ok(taken)
    }

    /// Gives waiting bytes to the kernel.
    ///
    /// # Errors
    /// Those of the socket, but for [`ErrorKind::WouldBlock`].
    pub fn flush(&mut self, socket: &mut impl Write) -> io::Result<Flushed> {
        let mut sent = false;
        while self.0.wants_write() {
            match self.0.write_tls(socket) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(_) => sent = true,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(Flushed { sent, waits: self.0.wants_write() })
    }

    /// Tells the peer that nothing follows. Said once, however often it is asked for; it has left once
    /// [`flush`](Self::flush) says so.
    pub fn end(&mut self) {
        self.0.send_close_notify();
    }
}
