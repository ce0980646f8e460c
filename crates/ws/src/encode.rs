//! The server's frames. Never masked, so one encoding serves every receiver (RFC 6455 §5.1).

use bytes::Bytes;

use crate::close::{self, NO_STATUS};
use crate::header::{ControlKind, DataKind, MAX_CONTROL, Opcode};

/// The longest header without a mask: two bytes and a 64-bit length.
const ROOM: usize = 10;
const FIN: u8 = 0x80;
/// What is sent in place of a code that must not be sent: internal error.
const INTERNAL: u16 = 1011;

/// A ping of 0 to 125 bytes.
///
/// # Errors
/// [`ControlTooLong`] if `payload` is longer. It is not cut: a pong must return it unchanged.
pub fn encode_ping(payload: &[u8]) -> Result<Bytes, ControlTooLong> {
    control(ControlKind::Ping, payload)
}

/// A pong of 0 to 125 bytes. The payload of an [`Event::Ping`](crate::Event::Ping) always fits.
///
/// # Errors
/// [`ControlTooLong`] if `payload` is longer.
pub fn encode_pong(payload: &[u8]) -> Result<Bytes, ControlTooLong> {
    control(ControlKind::Pong, payload)
}

/// A close. `reason` is cut between two characters to at most [`MAX_REASON`](close::MAX_REASON) bytes.
///
/// [`NO_STATUS`] gives an empty frame, the answer to a close without a code. Any other code for which
/// [`is_sendable`](close::is_sendable) does not hold is a fault of the caller and is sent as 1011.
#[must_use]
pub fn encode_close(code: u16, reason: &str) -> Bytes {
    let mut frame = Vec::with_capacity(2 + MAX_CONTROL);
    frame.extend([FIN | Opcode::Control(ControlKind::Close).bits(), 0]);
    if code != NO_STATUS {
        let code = if close::is_sendable(code) { code } else { INTERNAL };
        frame.extend(code.to_be_bytes());
        frame.extend(close::fitting(reason).as_bytes());
    }
    // At most 125: the code's two bytes and a fitting reason.
    frame[1] = (frame.len() - 2) as u8;
    frame.into()
}

/// A ping or pong above the 125 bytes of a control frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a control frame of {got} bytes exceeds the limit of {MAX_CONTROL}")]
pub struct ControlTooLong {
    /// Bytes given.
    pub got: usize,
}

fn control(kind: ControlKind, payload: &[u8]) -> Result<Bytes, ControlTooLong> {
    let got = payload.len();
    if got > MAX_CONTROL {
        return Err(ControlTooLong { got });
    }
    let mut frame = Vec::with_capacity(2 + got);
    frame.extend([FIN | Opcode::Control(kind).bits(), got as u8]);
    frame.extend(payload);
    Ok(frame.into())
}

/// A text message written in place, in one [`Bytes`] to be shared by all receivers: room for the header is
/// kept in front, so the payload is never moved.
///
/// ```
/// use campanile_ws::FrameBuilder;
///
/// let mut frame = FrameBuilder::text(64);
/// frame.push(b"{\"seq\":");
/// frame.push(b"7}");
/// assert_eq!(&frame.finish()[..], b"\x81\x09{\"seq\":7}");
/// ```
#[derive(Debug, Clone)]
pub struct FrameBuilder {
    /// The header's room, then the payload.
    frame: Vec<u8>,
}

impl FrameBuilder {
    /// A text message. What is written must be UTF-8 as a whole, or browsers close the connection with 1007;
    /// debug builds check it. `expected` bytes of payload are allocated; it grows if there are more.
    #[must_use]
    pub fn text(expected: usize) -> Self {
        let mut frame = Vec::with_capacity(ROOM.saturating_add(expected));
        frame.extend([0; ROOM]);
        Self { frame }
    }

    /// Adds bytes to the payload.
    pub fn push(&mut self, bytes: &[u8]) {
        self.frame.extend_from_slice(bytes);
    }

    /// The frame: header and payload in one piece. Unused memory is given back if it is more than an eighth.
    #[must_use]
    pub fn finish(mut self) -> Bytes {
        let (room, payload) = self.frame.split_at_mut(ROOM);
        debug_assert!(simdutf8::basic::from_utf8(payload).is_ok());
        let head = Head::new(payload.len());
        let start = ROOM - head.as_slice().len();
        room[start..].copy_from_slice(head.as_slice());
        if self.frame.capacity() - self.frame.len() > self.frame.len() / 8 {
            self.frame.shrink_to_fit();
        }
        Bytes::from(self.frame).slice(start..)
    }
}

/// The header of a text message in one frame.
struct Head {
    bytes: [u8; ROOM],
    len: usize,
}

impl Head {
    fn new(payload: usize) -> Self {
        let mut bytes = [0; ROOM];
        bytes[0] = FIN | Opcode::Data(DataKind::Text).bits();
        let len = if payload <= MAX_CONTROL {
            bytes[1] = payload as u8;
            2
        } else if let Ok(short) = u16::try_from(payload) {
            bytes[1] = 126;
            bytes[2..4].copy_from_slice(&short.to_be_bytes());
            4
        } else {
            bytes[1] = 127;
            bytes[2..].copy_from_slice(&(payload as u64).to_be_bytes());
            10
        };
        Self { bytes, len }
    }

    fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_in_their_three_forms() {
        for (len, head) in [
            (0, &b"\x81\x00"[..]),
            (125, b"\x81\x7D"),
            (126, b"\x81\x7E\x00\x7E"),
            (65_535, b"\x81\x7E\xFF\xFF"),
            (65_536, b"\x81\x7F\0\0\0\0\0\x01\0\0"),
        ] {
            let payload = "x".repeat(len);
            let expected = [head, payload.as_bytes()].concat();
            let mut builder = FrameBuilder::text(len / 2);
            builder.push(payload.as_bytes());
            assert_eq!(builder.finish(), expected);
        }
    }

    #[test]
    fn pings_and_pongs_up_to_125_bytes() {
        assert_eq!(&encode_ping(b"").unwrap()[..], b"\x89\x00");
        assert_eq!(&encode_pong(b"hi").unwrap()[..], b"\x8A\x02hi");
        assert_eq!(encode_pong(&[7; 125]).unwrap().len(), 127);
        assert_eq!(encode_ping(&[7; 126]), Err(ControlTooLong { got: 126 }));
    }

    #[test]
    fn closes() {
        assert_eq!(&encode_close(4001, "bye")[..], b"\x88\x05\x0F\xA1bye");
        assert_eq!(&encode_close(NO_STATUS, "unsaid")[..], b"\x88\x00");
        for unsendable in [0, 999, 1004, 1006, 1015, 5000] {
            assert_eq!(&encode_close(unsendable, "")[..], b"\x88\x02\x03\xF3");
        }
        let cut = encode_close(1000, &"é".repeat(100));
        assert_eq!(cut.len(), 2 + 2 + 122);
        assert_eq!(cut[1], 124);
        assert!(std::str::from_utf8(&cut[4..]).is_ok());
    }
}
