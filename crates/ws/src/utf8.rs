//! Text that arrives in pieces, cut anywhere.

use crate::Violation;

/// A text under way: every byte is judged once, as soon as it arrives.
///
/// What is kept is a valid text at every moment, so the finished message needs no second look. At most
/// three bytes wait beside it: the beginning of a character whose end is still to come.
#[derive(Debug, Default)]
pub(crate) struct TextBuffer {
    text: String,
    tail: [u8; 4],
    tail_len: u8,
}

impl TextBuffer {
    /// Bytes received.
    pub(crate) fn len(&self) -> usize {
        self.text.len() + usize::from(self.tail_len)
    }

    /// Bytes allocated.
    pub(crate) fn capacity(&self) -> usize {
        self.text.capacity()
    }

    /// Makes room for `total` bytes, and no more than that.
    pub(crate) fn reserve_total(&mut self, total: usize) {
        self.text.reserve_exact(total.saturating_sub(self.text.len()));
    }

    /// Adds a piece. Fails with the first byte after which nothing could make a text of it.
    pub(crate) fn push(&mut self, mut piece: &[u8]) -> Result<(), Violation> {
        while self.tail_len > 0
            && let Some((&byte, rest)) = piece.split_first()
        {
            self.push_byte(byte)?;
            piece = rest;
        }
        let (whole, tail) = piece.split_at(whole_characters(piece));
        self.text.push_str(simdutf8::basic::from_utf8(whole).map_err(|_| Violation::InvalidUtf8)?);
        tail.iter().try_for_each(|&byte| self.push_byte(byte))
    }

    /// Adds a byte to the character under way.
    fn push_byte(&mut self, byte: u8) -> Result<(), Violation> {
        // Never out of range: four bytes are a character or an error, and neither leaves a tail.
        let Some(free) = self.tail.get_mut(usize::from(self.tail_len)) else {
            return Err(Violation::InvalidUtf8);
        };
        *free = byte;
        self.tail_len += 1;
        match std::str::from_utf8(self.tail.split_at(usize::from(self.tail_len)).0) {
            Ok(character) => {
                self.text.push_str(character);
                self.tail_len = 0;
                Ok(())
            }
            // No error length means: right so far, and too short.
            Err(error) if error.error_len().is_none() => Ok(()),
            Err(_) => Err(Violation::InvalidUtf8),
        }
    }

    /// The text, unless it ends within a character.
    pub(crate) fn finish(self) -> Result<String, Violation> {
        if self.tail_len == 0 { Ok(self.text) } else { Err(Violation::InvalidUtf8) }
    }
}

/// How much of `bytes` lies before a character that is cut by its end.
fn whole_characters(bytes: &[u8]) -> usize {
    for (behind, &byte) in (1..=3).zip(bytes.iter().rev()) {
        let width = match byte {
            0x80..=0xBF => continue,
            0xF0.. => 4,
            0xE0.. => 3,
            0xC0.. => 2,
            _ => 1,
        };
        return if width > behind { bytes.len() - behind } else { bytes.len() };
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<String, Violation> {
        let mut buffer = TextBuffer::default();
        for piece in pieces {
            buffer.push(piece)?;
        }
        buffer.finish()
    }

    #[test]
    fn fails_at_the_first_impossible_byte() {
        // One byte after the other; the last is the one that cannot be (RFC 3629: overlong forms,
        // surrogates, above U+10FFFF, stray continuations, unknown leads).
        let impossible: [&[u8]; 12] = [
            b"\x80",
            b"\xC0",
            b"\xC1",
            b"\xC3(",
            b"\xE0\x9F",
            b"\xED\xA0",
            b"\xE2\x82(",
            b"\xF0\x8F",
            b"\xF4\x90",
            b"\xF0\x9F\x94(",
            b"\xF5",
            b"\xFF",
        ];
        for bytes in impossible {
            let mut buffer = TextBuffer::default();
            let (last, first) = bytes.split_last().unwrap();
            for byte in first {
                assert_eq!(buffer.push(&[*byte]), Ok(()), "{bytes:x?}");
            }
            assert_eq!(buffer.push(&[*last]), Err(Violation::InvalidUtf8), "{bytes:x?}");
            assert_eq!(read([bytes]), Err(Violation::InvalidUtf8), "{bytes:x?}");
        }
    }

    #[test]
    fn a_cut_character_is_counted_but_not_a_text() {
        let mut buffer = TextBuffer::default();
        buffer.push("é🔔".as_bytes().split_last().unwrap().1).unwrap();
        assert_eq!(buffer.len(), 5);
        assert_eq!(buffer.finish(), Err(Violation::InvalidUtf8));
    }

    /// Bytes that are nearly text: whole characters, with a few of them broken.
    fn nearly_text() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            8 => any::<char>().prop_map(|c| c.to_string().into_bytes()),
            4 => "[ -~]{0,40}".prop_map(String::into_bytes),
            1 => prop::collection::vec(any::<u8>(), 1..3),
            1 => any::<char>().prop_map(|c| c.to_string().into_bytes().split_last().unwrap().1.to_vec()),
        ];
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn equals_std_at_any_split(
            bytes in nearly_text(),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces = cuts.windows(2).map(|ends| &bytes[ends[0]..ends[1]]);
            prop_assert_eq!(read(pieces).ok(), String::from_utf8(bytes.clone()).ok());
        }

        #[test]
        fn fails_exactly_where_std_does(bytes in nearly_text()) {
            let mut buffer = TextBuffer::default();
            let failed_at = bytes.iter().position(|byte| buffer.push(&[*byte]).is_err());
            let expected = std::str::from_utf8(&bytes).err().and_then(|error| {
                // The lengths that std gives count up to the last possible byte; the impossible one
                // follows, except for a lone byte which is impossible itself.
                let from = error.valid_up_to();
                error.error_len().map(|_| {
                    (from + 1..=bytes.len()).find(|end| {
                        std::str::from_utf8(&bytes[from..*end]).is_err_and(|e| e.error_len().is_some())
                    })
                })
            });
            prop_assert_eq!(failed_at.map(|at| Some(at + 1)), expected);
        }
    }
}
