//! A message that does not arrive in one piece.

use std::borrow::Cow;

use crate::header::DataKind;
use crate::utf8::TextBuffer;
use crate::{Event, Limits, Violation};

/// The parts of a message so far, joined: fragments cost no memory beyond their bytes.
#[derive(Debug)]
pub(crate) struct Message {
    body: Body,
    /// Frames begun.
    fragments: u32,
}

#[derive(Debug)]
enum Body {
    Text(TextBuffer),
    Binary(Vec<u8>),
}

impl Message {
    /// A message of which nothing has arrived, and nothing is allocated.
    pub(crate) fn new(kind: DataKind) -> Self {
        let body = match kind {
            DataKind::Text => Body::Text(TextBuffer::default()),
            DataKind::Binary => Body::Binary(Vec::new()),
        };
        Self { body, fragments: 0 }
    }

    /// Counts a frame of it that announces `len` bytes, or refuses it before any of them is read.
    pub(crate) fn begin_fragment(&mut self, len: u64, limits: &Limits) -> Result<(), Violation> {
        // No overflow: memory holds less than 2^63 bytes, and so does a frame (its length's highest bit).
        let size = self.len() as u64 + len;
        if size > limits.max_message_bytes as u64 {
            return Err(Violation::TooBig { size, limit: limits.max_message_bytes });
        }
        if self.fragments > 0 && self.fragments >= limits.max_fragments {
            return Err(Violation::TooManyFragments { limit: limits.max_fragments });
        }
        self.fragments += 1;
        Ok(())
    }

    /// Whether only one frame of it has begun.
    pub(crate) fn is_unfragmented(&self) -> bool {
        self.fragments == 1
    }

    /// Text or binary.
    pub(crate) fn kind(&self) -> DataKind {
        match self.body {
            Body::Text(_) => DataKind::Text,
            Body::Binary(_) => DataKind::Binary,
        }
    }

    /// Bytes received.
    pub(crate) fn len(&self) -> usize {
        match &self.body {
            Body::Text(text) => text.len(),
            Body::Binary(bytes) => bytes.len(),
        }
    }

    /// Bytes allocated.
    pub(crate) fn capacity(&self) -> usize {
        match &self.body {
            Body::Text(text) => text.capacity(),
            Body::Binary(bytes) => bytes.capacity(),
        }
    }

    /// Adds unmasked bytes. `ceiling` is the most this message can come to, in bytes.
    ///
    /// Memory follows what was received, not what was announced: the room doubles, up to `ceiling`.
    pub(crate) fn push(&mut self, piece: &[u8], ceiling: usize) -> Result<(), Violation> {
        let needed = self.len() + piece.len();
        if needed > self.capacity() {
            let total = self.capacity().saturating_mul(2).min(ceiling).max(needed);
            match &mut self.body {
                Body::Text(text) => text.reserve_total(total),
                Body::Binary(bytes) => bytes.reserve_exact(total - bytes.len()),
            }
        }
        match &mut self.body {
            Body::Text(text) => text.push(piece),
            Body::Binary(bytes) => {
                bytes.extend_from_slice(piece);
                Ok(())
            }
        }
    }

    /// The whole message. Fails if its text ends within a character.
    pub(crate) fn finish<'a>(self) -> Result<Event<'a>, Violation> {
        Ok(match self.body {
            Body::Text(text) => Event::Text(Cow::Owned(text.finish()?)),
            Body::Binary(bytes) => Event::Binary(Cow::Owned(bytes)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_doubles_up_to_the_ceiling() {
        for kind in [DataKind::Text, DataKind::Binary] {
            let mut message = Message::new(kind);
            for received in 1..=1_000 {
                message.push(b"x", 1_000).unwrap();
                assert_eq!(message.len(), received);
                assert!(message.capacity() <= (2 * received).min(1_000), "{received}");
            }
        }
    }

    #[test]
    fn a_large_piece_allocates_once_and_exactly() {
        let mut message = Message::new(DataKind::Binary);
        message.push(&[0; 700], 1_000).unwrap();
        assert_eq!(message.capacity(), 700);
        message.push(&[0; 300], 1_000).unwrap();
        assert_eq!(message.capacity(), 1_000);
    }
}
