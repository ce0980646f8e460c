//! The client's side, written without the crate: the plainest encoder of frames, and events to compare.

use campanile_ws::{Decoder, Event, Limits, Violation};

pub const CONTINUATION: u8 = 0;
pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;
pub const PONG: u8 = 10;

/// A frame as a client may send it, rightly or wrongly.
#[derive(Debug, Clone)]
pub struct Frame {
    pub fin: bool,
    pub reserved: u8,
    pub opcode: u8,
    pub key: Option<[u8; 4]>,
    pub payload: Vec<u8>,
    /// Bytes of length to use beyond those that are needed: 0, 2 or 8.
    pub length_bytes: usize,
}

impl Frame {
    /// A frame within the rules.
    pub fn new(fin: bool, opcode: u8, key: [u8; 4], payload: impl Into<Vec<u8>>) -> Self {
        Self { fin, reserved: 0, opcode, key: Some(key), payload: payload.into(), length_bytes: 0 }
    }

    /// Its bytes, straight from the picture in RFC 6455 §5.2.
    pub fn encode(&self) -> Vec<u8> {
        let len = self.payload.len();
        let needed = if len < 126 {
            0
        } else if len < 65_536 {
            2
        } else {
            8
        };
        let mask_bit = if self.key.is_some() { 0x80 } else { 0 };
        let mut bytes = vec![(u8::from(self.fin) << 7) | (self.reserved << 4) | self.opcode];
        match needed.max(self.length_bytes) {
            0 => bytes.push(mask_bit | len as u8),
            2 => {
                bytes.push(mask_bit | 126);
                bytes.extend((len as u16).to_be_bytes());
            }
            _ => {
                bytes.push(mask_bit | 127);
                bytes.extend((len as u64).to_be_bytes());
            }
        }
        let key = self.key.unwrap_or([0; 4]);
        bytes.extend(self.key.iter().flatten());
        bytes.extend(self.payload.iter().enumerate().map(|(i, byte)| byte ^ key[i % 4]));
        bytes
    }
}

/// An event that owns what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
    Violation(Violation),
}

impl From<Event<'_>> for Seen {
    fn from(event: Event<'_>) -> Self {
        match event {
            Event::Text(text) => Self::Text(text.into_owned()),
            Event::Binary(bytes) => Self::Binary(bytes.into_owned()),
            Event::Ping(bytes) => Self::Ping(bytes.into_owned()),
            Event::Pong(bytes) => Self::Pong(bytes.into_owned()),
            Event::Close { code, reason } => Self::Close(code, reason.into_owned()),
        }
    }
}

/// Feeds `pieces` one after the other, and checks what holds after each of them.
pub fn decode<'a>(
    decoder: &mut Decoder,
    pieces: impl IntoIterator<Item = &'a [u8]>,
    limits: &Limits,
) -> Vec<Seen> {
    let mut seen = Vec::new();
    for piece in pieces {
        let (mut input, mut consumed) = (piece.to_vec(), 0);
        loop {
            match decoder.next(&mut input, &mut consumed, limits) {
                Ok(Some(event)) => seen.push(event.into()),
                Ok(None) => break,
                Err(violation) => seen.push(Seen::Violation(violation)),
            }
        }
        assert_eq!(consumed, piece.len(), "nothing may be left in the input");
        assert_eq!(decoder.is_idle(), decoder.pinned_bytes() == 0);
        assert!(decoder.pinned_bytes() <= limits.max_message_bytes + 125 + 200);
        assert!(!decoder.has_ended() || decoder.is_idle());
    }
    seen
}

/// Cuts `bytes` at the places given, which may be in any order and repeat.
pub fn cut<'a>(bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<_> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    cuts.extend([0, bytes.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|ends| &bytes[ends[0]..ends[1]]).collect()
}
