//! The state of one connection's incoming stream: bytes in, events out.

use std::borrow::Cow;

use crate::Violation;
use crate::frame::{Frame, Outcome};
use crate::header::HeaderPart;
use crate::input::Input;
use crate::message::Message;

/// What one message of a client may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one message, over all its fragments. Default 65,536 (the protocol: 64 KB). More is 1009,
    /// decided by the headers before the payload is read.
    pub max_message_bytes: usize,
    /// Frames of one message, empty ones included; from 1. Default 128: above the 64 that a client within
    /// the protocol may need, and far below where headers cost more than they carry. More is 1009.
    pub max_fragments: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_message_bytes: 65_536, max_fragments: 128 }
    }
}

/// What a client sent. Borrowed from the input if it lay there whole, otherwise gathered and owned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event<'a> {
    /// A text message; fragments are joined.
    Text(Cow<'a, str>),
    /// A binary message; fragments are joined.
    Binary(Cow<'a, [u8]>),
    /// To be answered by a pong of the same payload, 0 to 125 bytes.
    Ping(Cow<'a, [u8]>),
    /// An answer to a ping, or an unsolicited sign of life; 0 to 125 bytes.
    Pong(Cow<'a, [u8]>),
    /// The last event: to be answered by a close of the same code, if this is not itself an answer.
    Close {
        /// The client's code, one that [`is_sendable`](crate::close::is_sendable); `None` if the frame was
        /// empty.
        code: Option<u16>,
        /// The client's words, at most [`MAX_REASON`](crate::close::MAX_REASON) bytes. Untrusted: escape them
        /// before logging.
        reason: Cow<'a, str>,
    },
}

/// Decodes the stream of one client, in any pieces.
///
/// At rest, between messages, it is two words and owns no memory. Only what is incomplete at the end of a
/// piece is copied aside, and freed once complete. The events, and the [`Violation`] that may end them,
/// depend on the bytes alone and not on how they were split.
#[derive(Debug, Default)]
pub struct Decoder {
    partial: Option<Box<Partial>>,
    /// After a close or a violation.
    ended: bool,
}

/// What is incomplete; at least one of both, or the box is dropped.
#[derive(Debug, Default)]
struct Partial {
    /// A message between two of its fragments; control frames may go by.
    message: Option<Message>,
    frame: Option<FramePart>,
}

/// The frame that the input ended in.
#[derive(Debug)]
enum FramePart {
    Header(HeaderPart),
    Payload(Frame),
}

impl Decoder {
    /// A decoder for the first byte after the handshake.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Decodes the next event from `input[*consumed..]`, which is unmasked in place, and advances `consumed`.
    ///
    /// Start with `consumed` at 0 and call again with the same input until `Ok(None)`: then all of it is
    /// consumed and may be overwritten. After [`Event::Close`] or a violation every further byte is consumed
    /// and ignored (RFC 6455 §5.5.1, §7.1.7). The order of checks is that of the bytes, and a text fails
    /// with its first impossible byte, however much of its frame is still missing.
    ///
    /// # Errors
    /// The first [`Violation`] of the stream, once.
    pub fn next<'a>(
        &mut self,
        input: &'a mut [u8],
        consumed: &mut usize,
        limits: &Limits,
    ) -> Result<Option<Event<'a>>, Violation> {
        let end = input.len();
        let mut input = Input::new(input, *consumed);
        let result = if self.ended { Ok(None) } else { self.step(&mut input, limits) };
        self.ended |= matches!(result, Err(_) | Ok(Some(Event::Close { .. })));
        if self.ended {
            input.take_all();
        }
        if self.ended || self.partial.as_ref().is_some_and(|partial| partial.is_empty()) {
            self.partial = None;
        }
        *consumed = end - input.len();
        result
    }

    /// Whether nothing is incomplete: no frame and no message has begun without ending.
    ///
    /// A decoder that is not idle pins memory, so the server gives it a deadline. It runs from the first read
    /// after which the decoder is not idle, and starts again with an event: with any, or, while
    /// [`is_mid_message`](Self::is_mid_message), with `Text` and `Binary` only, as pings finish no message.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.partial.is_none()
    }

    /// Whether a text or binary message has begun without ending.
    #[must_use]
    pub fn is_mid_message(&self) -> bool {
        self.partial.as_ref().is_some_and(|partial| partial.is_mid_message())
    }

    /// Whether a close or a violation ended the stream: whatever follows is ignored.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Bytes of heap held for what is incomplete; 0 when idle.
    ///
    /// At most a fixed overhead below 200 bytes, a control frame's 125, and for the message the smaller of
    /// [`Limits::max_message_bytes`] and twice the bytes received of it.
    #[must_use]
    pub fn pinned_bytes(&self) -> usize {
        self.partial.as_ref().map_or(0, |partial| partial.pinned_bytes())
    }

    fn step<'a>(&mut self, input: &mut Input<'a>, limits: &Limits) -> Result<Option<Event<'a>>, Violation> {
        while let Some(frame) = self.frame(input, limits)? {
            match frame.absorb(input, limits)? {
                Outcome::Event(event) => return Ok(Some(event)),
                Outcome::Fragment(message) => self.partial_mut().message = Some(message),
                Outcome::Unfinished(frame) => {
                    self.partial_mut().frame = Some(FramePart::Payload(frame));
                    break;
                }
            }
        }
        Ok(None)
    }

    /// The frame under way, or the next one if its whole header is there.
    fn frame(&mut self, input: &mut Input<'_>, limits: &Limits) -> Result<Option<Frame>, Violation> {
        let mut part = match self.partial.as_mut().and_then(|partial| partial.frame.take()) {
            Some(FramePart::Payload(frame)) => return Ok(Some(frame)),
            Some(FramePart::Header(part)) => part,
            None => HeaderPart::default(),
        };
        let Some(header) = part.read(input)? else {
            if !part.is_empty() {
                self.partial_mut().frame = Some(FramePart::Header(part));
            }
            return Ok(None);
        };
        // A control frame passes by the open message; every other frame is part of it, or a violation.
        let open = self.partial.as_mut().filter(|_| !header.opcode.is_control());
        Frame::begin(&header, open.and_then(|partial| partial.message.take()), limits).map(Some)
    }

    fn partial_mut(&mut self) -> &mut Partial {
        self.partial.get_or_insert_default()
    }
}

impl Partial {
    fn is_empty(&self) -> bool {
        self.message.is_none() && self.frame.is_none()
    }

    fn is_mid_message(&self) -> bool {
        let in_payload = matches!(&self.frame, Some(FramePart::Payload(frame)) if frame.is_data());
        self.message.is_some() || in_payload
    }

    fn pinned_bytes(&self) -> usize {
        let frame = match &self.frame {
            Some(FramePart::Payload(frame)) => frame.capacity(),
            _ => 0,
        };
        size_of::<Self>() + frame + self.message.as_ref().map_or(0, Message::capacity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A masked frame; the payload is below 126 bytes.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let key = [0x11, 0x22, 0x33, 0x44];
        let mut bytes = vec![first, 0x80 | payload.len() as u8];
        bytes.extend(key);
        bytes.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
        bytes
    }

    fn decode(
        decoder: &mut Decoder,
        mut input: Vec<u8>,
        limits: &Limits,
    ) -> Vec<Result<Event<'static>, Violation>> {
        let (mut consumed, mut seen) = (0, Vec::new());
        loop {
            match decoder.next(&mut input, &mut consumed, limits) {
                Ok(None) => break,
                Ok(Some(event)) => seen.push(Ok(owned(event))),
                Err(violation) => seen.push(Err(violation)),
            }
        }
        assert_eq!(consumed, input.len());
        seen
    }

    fn owned(event: Event<'_>) -> Event<'static> {
        match event {
            Event::Text(text) => Event::Text(Cow::Owned(text.into_owned())),
            Event::Binary(bytes) => Event::Binary(Cow::Owned(bytes.into_owned())),
            Event::Ping(bytes) => Event::Ping(Cow::Owned(bytes.into_owned())),
            Event::Pong(bytes) => Event::Pong(Cow::Owned(bytes.into_owned())),
            Event::Close { code, reason } => Event::Close { code, reason: Cow::Owned(reason.into_owned()) },
        }
    }

    fn once(input: &[Vec<u8>]) -> Vec<Result<Event<'static>, Violation>> {
        decode(&mut Decoder::new(), input.concat(), &Limits::default())
    }

    #[test]
    fn small_at_rest() {
        assert!(size_of::<Decoder>() <= 16);
        assert!(size_of::<Partial>() < 200);
        let decoder = Decoder::new();
        assert!(decoder.is_idle() && !decoder.is_mid_message() && !decoder.has_ended());
        assert_eq!(decoder.pinned_bytes(), 0);
    }

    #[test]
    fn whole_frames_are_borrowed_from_the_input() {
        let mut decoder = Decoder::new();
        for first in [0x81, 0x82, 0x89, 0x8A] {
            let (mut input, mut consumed) = (frame(first, b"hello"), 0);
            let borrowed = match decoder.next(&mut input, &mut consumed, &Limits::default()) {
                Ok(Some(Event::Text(text))) => matches!(text, Cow::Borrowed("hello")),
                Ok(Some(Event::Binary(body) | Event::Ping(body) | Event::Pong(body))) => {
                    matches!(body, Cow::Borrowed(b"hello"))
                }
                _ => false,
            };
            assert!(borrowed, "{first:x}");
            assert!(decoder.is_idle());
        }
    }

    #[test]
    fn control_frames_between_fragments() {
        let seen = once(&[
            frame(0x01, b"a"),
            frame(0x89, b"1"),
            frame(0x00, b""),
            frame(0x8A, b"2"),
            frame(0x80, b"b"),
            frame(0x88, b""),
        ]);
        assert_eq!(
            seen,
            [
                Ok(Event::Ping(b"1".into())),
                Ok(Event::Pong(b"2".into())),
                Ok(Event::Text("ab".into())),
                Ok(Event::Close { code: None, reason: "".into() }),
            ]
        );
    }

    #[test]
    fn fragments_out_of_place() {
        assert_eq!(once(&[frame(0x80, b"a")]), [Err(Violation::StrayContinuation)]);
        assert_eq!(once(&[frame(0x00, b"a")]), [Err(Violation::StrayContinuation)]);
        assert_eq!(once(&[frame(0x01, b"a"), frame(0x81, b"b")]), [Err(Violation::InterleavedMessage)]);
        assert_eq!(once(&[frame(0x01, b"a"), frame(0x02, b"b")]), [Err(Violation::InterleavedMessage)]);
        let after_the_end = [frame(0x01, b"a"), frame(0x80, b"b"), frame(0x80, b"c")];
        assert_eq!(once(&after_the_end), [Ok(Event::Text("ab".into())), Err(Violation::StrayContinuation)]);
    }

    #[test]
    fn nothing_is_read_after_the_end() {
        let text = frame(0x81, b"late");
        let close = Event::Close { code: Some(1000), reason: "bye".into() };
        assert_eq!(once(&[frame(0x88, b"\x03\xE8bye"), text.clone()]), [Ok(close)]);
        assert_eq!(once(&[vec![0xFF], text.clone()]), [Err(Violation::ReservedBits)]);

        let mut decoder = Decoder::new();
        decode(&mut decoder, [frame(0x01, b"open"), frame(0x88, b"")].concat(), &Limits::default());
        assert!(decoder.has_ended() && decoder.is_idle());
        assert_eq!(decode(&mut decoder, text, &Limits::default()), []);
        assert_eq!(decoder.pinned_bytes(), 0);
    }

    #[test]
    fn text_fails_before_its_frame_is_complete() {
        let mut input = frame(0x81, b"ok\xFFand more");
        input.truncate(6 + 3);
        assert_eq!(once(&[input]), [Err(Violation::InvalidUtf8)]);
        // A character cut by the end of its message, in one frame and over two.
        assert_eq!(once(&[frame(0x81, b"\xE2\x82")]), [Err(Violation::InvalidUtf8)]);
        assert_eq!(once(&[frame(0x01, b"\xE2"), frame(0x80, b"\x82")]), [Err(Violation::InvalidUtf8)]);
        let euro = [frame(0x01, b"\xE2"), frame(0x89, b""), frame(0x80, b"\x82\xAC")];
        assert_eq!(once(&euro), [Ok(Event::Ping(b"".into())), Ok(Event::Text("€".into()))]);
    }

    #[test]
    fn a_message_too_big_is_refused_by_its_header() {
        let limits = Limits { max_message_bytes: 10, max_fragments: 4 };
        let mut decoder = Decoder::new();
        assert_eq!(decode(&mut decoder, frame(0x82, &[0; 10]), &limits).len(), 1);
        let too_big = Violation::TooBig { size: 11, limit: 10 };
        let header = frame(0x82, &[0; 11])[..6].to_vec();
        assert_eq!(decode(&mut decoder, header, &limits), [Err(too_big)]);

        let mut decoder = Decoder::new();
        assert_eq!(decode(&mut decoder, frame(0x02, &[0; 10]), &limits), []);
        assert_eq!(decode(&mut decoder, frame(0x00, &[0; 1])[..6].to_vec(), &limits), [Err(too_big)]);
    }

    #[test]
    fn the_longest_length_is_refused_without_overflow() {
        let mut huge = b"\x82\xFF\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFFmask".to_vec();
        let size = u64::MAX >> 1;
        assert_eq!(once(&[huge.clone()]), [Err(Violation::TooBig { size, limit: 65_536 })]);
        huge[0] = 0x80;
        let size = size + 5;
        let seen = once(&[frame(0x02, b"fives"), huge]);
        assert_eq!(seen, [Err(Violation::TooBig { size, limit: 65_536 })]);
    }

    #[test]
    fn fragments_are_counted_empty_ones_too() {
        let limits = Limits { max_fragments: 3, ..Limits::default() };
        let within = [frame(0x01, b""), frame(0x00, b"a"), frame(0x80, b"")].concat();
        assert_eq!(decode(&mut Decoder::new(), within, &limits), [Ok(Event::Text("a".into()))]);
        let beyond = [frame(0x01, b""), frame(0x00, b""), frame(0x00, b""), frame(0x80, b"")].concat();
        let violation = Violation::TooManyFragments { limit: 3 };
        assert_eq!(decode(&mut Decoder::new(), beyond, &limits), [Err(violation)]);
    }

    #[test]
    fn an_unfinished_message_pins_what_it_sent_and_not_what_it_announced() {
        let mut decoder = Decoder::new();
        let limits = Limits::default();
        decode(&mut decoder, b"\x82\xFF\0\0\0\0\0\x01\0\0mask".to_vec(), &limits);
        assert!(!decoder.is_idle() && decoder.is_mid_message());
        assert!(decoder.pinned_bytes() < 200);
        decode(&mut decoder, vec![0; 1_000], &limits);
        assert!(decoder.pinned_bytes() < 2_200);
        let seen = decode(&mut decoder, vec![0; 64_536], &limits);
        assert!(matches!(&seen[..], [Ok(Event::Binary(body))] if body.len() == 65_536));
        assert!(decoder.is_idle());
    }

    #[test]
    fn part_of_a_control_frame_is_not_part_of_a_message() {
        let mut decoder = Decoder::new();
        let ping = frame(0x89, b"12345");
        for len in [1, 6, 8] {
            let (left, right) = ping.split_at(len);
            assert_eq!(decode(&mut decoder, left.to_vec(), &Limits::default()), []);
            assert!(!decoder.is_idle() && !decoder.is_mid_message());
            let seen = decode(&mut decoder, right.to_vec(), &Limits::default());
            assert_eq!(seen, [Ok(Event::Ping(b"12345".into()))]);
            assert!(decoder.is_idle());
        }
    }
}
