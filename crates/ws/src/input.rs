//! A place in the bytes just read.

/// What is left of the input. Pieces are cut off its front and outlive it.
#[derive(Debug)]
pub(crate) struct Input<'a> {
    rest: &'a mut [u8],
}

impl<'a> Input<'a> {
    /// Everything in `bytes` from `start`; nothing if that is beyond the end.
    pub(crate) fn new(bytes: &'a mut [u8], start: usize) -> Self {
        Self { rest: bytes.get_mut(start..).unwrap_or_default() }
    }

    /// Bytes left.
    pub(crate) fn len(&self) -> usize {
        self.rest.len()
    }

    /// The bytes left, not taken.
    pub(crate) fn peek(&self) -> &[u8] {
        self.rest
    }

    /// Takes `len` bytes, or what is left if that is less.
    pub(crate) fn take(&mut self, len: usize) -> &'a mut [u8] {
        let rest = std::mem::take(&mut self.rest);
        let (taken, rest) = rest.split_at_mut(len.min(rest.len()));
        self.rest = rest;
        taken
    }

    /// Takes all that is left.
    pub(crate) fn take_all(&mut self) -> &'a mut [u8] {
        std::mem::take(&mut self.rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_in_order_and_never_too_many() {
        let mut bytes = *b"abcdef";
        let mut input = Input::new(&mut bytes, 1);
        assert_eq!(input.take(2), b"bc");
        assert_eq!(input.peek(), b"def");
        assert_eq!(input.take(9), b"def");
        assert_eq!(input.take(1), b"");
        assert_eq!(input.len(), 0);
        assert_eq!(Input::new(&mut bytes, 7).take_all(), b"");
    }
}
