//! What a connection could not take yet.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::Bytes;

/// Frames that the socket would not take, in order, bounded in bytes. A connection owns one only while its
/// peer is not reading.
#[derive(Debug, Default)]
pub struct Outbox {
    frames: VecDeque<Bytes>,
    bytes: usize,
    /// The first of `frames` is the rest of a frame whose beginning has left already.
    begun: bool,
}

/// The outbox has no room for a frame; nothing was queued.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

impl Outbox {
    /// Queues what is left of a frame; `begun` if its beginning has left already. The bound holds for
    /// whole frames: the rest of a begun one is always taken, as half a frame can't be taken back.
    ///
    /// # Errors
    /// [`Full`] if more than `limit` bytes would wait.
    pub fn push(&mut self, frame: Bytes, begun: bool, limit: usize) -> Result<(), Full> {
        if !begun && self.bytes + frame.len() > limit {
            return Err(Full);
        }
        debug_assert!(!begun || self.frames.is_empty());
        self.begun |= begun;
        self.bytes += frame.len();
        self.frames.push_back(frame);
        Ok(())
    }

    /// Bytes that wait.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// The first frames as slices for one vectored write; returns how many were filled in.
    pub fn slices<'a>(&'a self, into: &mut [IoSlice<'a>]) -> usize {
        let mut filled = 0;
        for (slice, frame) in into.iter_mut().zip(&self.frames) {
            *slice = IoSlice::new(frame);
            filled += 1;
        }
        filled
    }

    /// Forgets `written` bytes that have left.
    pub fn advance(&mut self, mut written: usize) {
        self.bytes -= written;
        while let Some(front) = self.frames.front_mut() {
            if written < front.len() {
                self.begun |= written > 0;
                let _left = front.split_to(written);
                return;
            }
            written -= front.len();
            self.frames.pop_front();
            self.begun = false;
        }
    }

    /// Drops every frame whose beginning has not left yet; returns how many.
    pub fn drop_whole(&mut self) -> usize {
        let keep = usize::from(self.begun && !self.frames.is_empty());
        let dropped = self.frames.len() - keep;
        self.frames.truncate(keep);
        self.bytes = self.frames.front().map_or(0, Bytes::len);
        dropped
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bound_and_partial_frames() {
        let mut o = Outbox::default();
        o.push(Bytes::from_static(b"abc"), false, 5).unwrap();
        assert_eq!(o.push(Bytes::from_static(b"def"), false, 5), Err(Full));
        o.push(Bytes::from_static(b"de"), false, 5).unwrap();
        o.advance(1);
        assert_eq!((o.bytes(), o.drop_whole(), o.bytes()), (4, 1, 2));
        o.advance(2);
        assert!(o.is_empty());
        o.push(Bytes::from_static(b"xy"), false, 5).unwrap();
        assert_eq!((o.drop_whole(), o.is_empty()), (1, true));
    }

    proptest! {
        #[test]
        fn bytes_leave_in_order(frames in prop::collection::vec("[a-z]{1,9}", 1..20), steps in prop::collection::vec(1usize..12, 1..80)) {
            let mut o = Outbox::default();
            for f in &frames {
                o.push(Bytes::from(f.clone()), false, 1 << 20).unwrap();
            }
            let mut sent = Vec::new();
            for step in steps.into_iter().chain(std::iter::repeat(7)) {
                if o.is_empty() { break; }
                let mut slices = [IoSlice::new(&[]); 4];
                let n = o.slices(&mut slices);
                let joined: Vec<u8> = slices[..n].iter().flat_map(|s| s.iter().copied()).collect();
                let take = step.min(joined.len());
                sent.extend_from_slice(&joined[..take]);
                o.advance(take);
            }
            prop_assert_eq!(sent, frames.concat().into_bytes());
            prop_assert_eq!(o.bytes(), 0);
        }
    }
}
