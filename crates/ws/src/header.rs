//! The header of a client's frame (RFC 6455 §5.2).

use crate::Violation;
use crate::input::Input;

/// The longest header: two bytes, a 64-bit length, the mask.
pub(crate) const MAX_HEADER: usize = 14;
/// The longest payload of a control frame (§5.5).
pub(crate) const MAX_CONTROL: usize = 125;

/// What a frame carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opcode {
    /// More of the open message.
    Continuation,
    /// The start of a message.
    Data(DataKind),
    /// A frame for the connection itself; allowed between the fragments of a message.
    Control(ControlKind),
}

/// The two kinds of message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DataKind {
    Text,
    Binary,
}

/// The three control frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ControlKind {
    Close,
    Ping,
    Pong,
}

impl Opcode {
    fn from_bits(bits: u8) -> Result<Self, Violation> {
        Ok(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Data(DataKind::Text),
            0x2 => Self::Data(DataKind::Binary),
            0x8 => Self::Control(ControlKind::Close),
            0x9 => Self::Control(ControlKind::Ping),
            0xA => Self::Control(ControlKind::Pong),
            _ => return Err(Violation::UnknownOpcode(bits)),
        })
    }

    /// Whether it is a ping, a pong or a close.
    pub(crate) fn is_control(self) -> bool {
        matches!(self, Self::Control(_))
    }

    /// The bits on the wire.
    pub(crate) fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0x0,
            Self::Data(DataKind::Text) => 0x1,
            Self::Data(DataKind::Binary) => 0x2,
            Self::Control(ControlKind::Close) => 0x8,
            Self::Control(ControlKind::Ping) => 0x9,
            Self::Control(ControlKind::Pong) => 0xA,
        }
    }
}

/// A header that breaks no rule which can be judged without its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// The last frame of its message. Always true for control frames.
    pub fin: bool,
    pub opcode: Opcode,
    /// Bytes of payload: at most [`MAX_CONTROL`] for control frames, below 2^63 for the others.
    pub len: u64,
    pub mask: [u8; 4],
}

impl Header {
    /// Reads a header from the start of `bytes`, and says how many bytes it took. `None`: more are needed.
    ///
    /// Rules are judged in the order of the bytes, so a refused prefix is refused for the same reason
    /// however it goes on: this is what makes decoding independent of how the stream was split.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, Violation> {
        let Some((&first, rest)) = bytes.split_first() else { return Ok(None) };
        if first & 0x70 != 0 {
            return Err(Violation::ReservedBits);
        }
        let opcode = Opcode::from_bits(first & 0x0F)?;
        let fin = first & 0x80 != 0;
        if opcode.is_control() && !fin {
            return Err(Violation::FragmentedControl);
        }

        let Some((&second, rest)) = rest.split_first() else { return Ok(None) };
        if second & 0x80 == 0 {
            return Err(Violation::Unmasked);
        }
        let short = second & 0x7F;
        if opcode.is_control() && usize::from(short) > MAX_CONTROL {
            return Err(Violation::ControlTooLong);
        }

        let Some((len, rest)) = payload_len(short, rest)? else { return Ok(None) };
        let Some((&mask, rest)) = rest.split_first_chunk() else { return Ok(None) };
        Ok(Some((Self { fin, opcode, len, mask }, bytes.len() - rest.len())))
    }
}

/// The payload's length, from the seven bits and the bytes that follow them; and the bytes after it.
fn payload_len(short: u8, rest: &[u8]) -> Result<Option<(u64, &[u8])>, Violation> {
    let (len, rest, least) = match short {
        126 => match rest.split_first_chunk() {
            Some((long, rest)) => (u64::from(u16::from_be_bytes(*long)), rest, 126),
            None => return Ok(None),
        },
        127 => match rest.split_first_chunk() {
            Some((long, rest)) => (u64::from_be_bytes(*long), rest, 1 << 16),
            None => return Ok(None),
        },
        _ => (u64::from(short), rest, 0),
    };
    if len >> 63 != 0 {
        return Err(Violation::LengthHighBit);
    }
    if len < least {
        return Err(Violation::LengthNotMinimal);
    }
    Ok(Some((len, rest)))
}

/// The beginning of a header whose end has not arrived.
#[derive(Debug, Default)]
pub(crate) struct HeaderPart {
    bytes: [u8; MAX_HEADER],
    len: u8,
}

impl HeaderPart {
    /// Reads on. `None`: the input is used up, and this is the beginning of a header, or still empty.
    pub(crate) fn read(&mut self, input: &mut Input<'_>) -> Result<Option<Header>, Violation> {
        if self.is_empty()
            && let Some((header, len)) = Header::parse(input.peek())?
        {
            input.take(len);
            return Ok(Some(header));
        }
        // Byte by byte is rare and short. The room suffices: fourteen bytes are always a whole header.
        while let Some(free) = self.bytes.get_mut(usize::from(self.len))
            && let Some(byte) = input.take(1).first()
        {
            *free = *byte;
            self.len += 1;
            if let Some((header, _)) = Header::parse(self.bytes.split_at(usize::from(self.len)).0)? {
                return Ok(Some(header));
            }
        }
        Ok(None)
    }

    /// Whether no byte of a header has arrived.
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(bytes: &[u8]) -> Result<Option<(Header, usize)>, Violation> {
        Header::parse(bytes)
    }

    #[test]
    fn lengths_in_their_three_forms() {
        for (bytes, len, took) in [
            (&b"\x82\x80mask"[..], 0, 6),
            (b"\x82\xFDmask", 125, 6),
            (b"\x82\xFE\x00\x7Emask", 126, 8),
            (b"\x82\xFE\xFF\xFFmask", 65_535, 8),
            (b"\x82\xFF\0\0\0\0\0\x01\0\0mask", 65_536, 14),
            (b"\x82\xFF\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFFmask", u64::MAX >> 1, 14),
        ] {
            let expected = Header { fin: true, opcode: Opcode::Data(DataKind::Binary), len, mask: *b"mask" };
            assert_eq!(parse(bytes), Ok(Some((expected, took))));
            for cut in 0..bytes.len() {
                assert_eq!(parse(&bytes[..cut]), Ok(None), "{cut} of {bytes:?}");
            }
        }
    }

    #[test]
    fn what_is_refused_and_when() {
        for (bytes, violation) in [
            (&b"\xC1"[..], Violation::ReservedBits),
            (b"\xA1", Violation::ReservedBits),
            (b"\x91", Violation::ReservedBits),
            (b"\x83", Violation::UnknownOpcode(3)),
            (b"\x8B", Violation::UnknownOpcode(11)),
            (b"\x09", Violation::FragmentedControl),
            (b"\x81\x00", Violation::Unmasked),
            (b"\x89\xFE", Violation::ControlTooLong),
            (b"\x88\xFF", Violation::ControlTooLong),
            (b"\x81\xFE\x00\x7D", Violation::LengthNotMinimal),
            (b"\x81\xFF\0\0\0\0\0\0\xFF\xFF", Violation::LengthNotMinimal),
            (b"\x81\xFF\x80\0\0\0\0\0\0\0", Violation::LengthHighBit),
        ] {
            assert_eq!(parse(bytes), Err(violation), "{bytes:?}");
            assert_eq!(parse(&bytes[..bytes.len() - 1]), Ok(None), "{bytes:?} is refused by its last byte");
        }
    }

    #[test]
    fn every_opcode_returns_to_its_bits() {
        for bits in 0..16 {
            if let Ok(opcode) = Opcode::from_bits(bits) {
                assert_eq!(opcode.bits(), bits);
            }
        }
    }
}
