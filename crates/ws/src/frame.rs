//! A frame whose header is known and whose payload is under way.

use std::borrow::Cow;

use crate::header::{ControlKind, DataKind, Header, Opcode};
use crate::input::Input;
use crate::mask::unmask;
use crate::message::Message;
use crate::{Event, Limits, Violation, close};

/// A frame under way.
#[derive(Debug)]
pub(crate) enum Frame {
    /// A part of a message, and what arrived of the message before.
    Data { message: Message, fin: bool, payload: Payload },
    /// A control frame; `bytes` holds what arrived of it in earlier inputs.
    Control { kind: ControlKind, bytes: Vec<u8>, payload: Payload },
}

/// What became of a frame at the end of an input, or of the frame.
#[derive(Debug)]
pub(crate) enum Outcome<'a> {
    /// It completed an event.
    Event(Event<'a>),
    /// It is complete; its message waits for the next fragment.
    Fragment(Message),
    /// It waits for more input.
    Unfinished(Frame),
}

impl Frame {
    /// Begins the frame of `header`, within the message that is `open` between two fragments.
    pub(crate) fn begin(header: &Header, open: Option<Message>, limits: &Limits) -> Result<Self, Violation> {
        let mut message = match (header.opcode, open) {
            (Opcode::Control(kind), _) => {
                return Ok(Self::Control { kind, bytes: Vec::new(), payload: Payload::new(header) });
            }
            (Opcode::Data(kind), None) => Message::new(kind),
            (Opcode::Continuation, Some(message)) => message,
            (Opcode::Data(_), Some(_)) => return Err(Violation::InterleavedMessage),
            (Opcode::Continuation, None) => return Err(Violation::StrayContinuation),
        };
        message.begin_fragment(header.len, limits)?;
        Ok(Self::Data { message, fin: header.fin, payload: Payload::new(header) })
    }

    /// Whether it is part of a message.
    pub(crate) fn is_data(&self) -> bool {
        matches!(self, Self::Data { .. })
    }

    /// Bytes allocated.
    pub(crate) fn capacity(&self) -> usize {
        match self {
            Self::Data { message, .. } => message.capacity(),
            Self::Control { bytes, .. } => bytes.capacity(),
        }
    }

    /// Takes its payload from `input`, as far as it goes.
    pub(crate) fn absorb<'a>(self, input: &mut Input<'a>, limits: &Limits) -> Result<Outcome<'a>, Violation> {
        match self {
            Self::Data { message, fin, payload } => absorb_data(message, fin, payload, input, limits),
            Self::Control { kind, bytes, payload } => absorb_control(kind, bytes, payload, input),
        }
    }
}

fn absorb_data<'a>(
    mut message: Message,
    fin: bool,
    mut payload: Payload,
    input: &mut Input<'a>,
    limits: &Limits,
) -> Result<Outcome<'a>, Violation> {
    // The common case: one frame, one piece. Nothing is copied.
    if fin && message.is_unfragmented() && payload.is_whole_in(input) {
        return whole_message(message.kind(), payload.take(input)).map(Outcome::Event);
    }
    let ceiling = if fin { message.len() + payload.left() } else { limits.max_message_bytes };
    message.push(payload.take(input), ceiling)?;
    if payload.left() > 0 {
        Ok(Outcome::Unfinished(Frame::Data { message, fin, payload }))
    } else if fin {
        message.finish().map(Outcome::Event)
    } else {
        Ok(Outcome::Fragment(message))
    }
}

fn whole_message(kind: DataKind, payload: &[u8]) -> Result<Event<'_>, Violation> {
    Ok(match kind {
        DataKind::Text => {
            let text = simdutf8::basic::from_utf8(payload).map_err(|_| Violation::InvalidUtf8)?;
            Event::Text(Cow::Borrowed(text))
        }
        DataKind::Binary => Event::Binary(Cow::Borrowed(payload)),
    })
}

fn absorb_control<'a>(
    kind: ControlKind,
    mut bytes: Vec<u8>,
    mut payload: Payload,
    input: &mut Input<'a>,
) -> Result<Outcome<'a>, Violation> {
    let body = if payload.is_whole_in(input) {
        Cow::Borrowed(&*payload.take(input))
    } else {
        bytes.reserve_exact(payload.left());
        bytes.extend_from_slice(payload.take(input));
        if payload.left() > 0 {
            return Ok(Outcome::Unfinished(Frame::Control { kind, bytes, payload }));
        }
        Cow::Owned(bytes)
    };
    Ok(Outcome::Event(match kind {
        ControlKind::Ping => Event::Ping(body),
        ControlKind::Pong => Event::Pong(body),
        ControlKind::Close => closing(body)?,
    }))
}

fn closing(body: Cow<'_, [u8]>) -> Result<Event<'_>, Violation> {
    Ok(match body {
        Cow::Borrowed(body) => {
            let (code, reason) = close::parse(body)?;
            Event::Close { code, reason: Cow::Borrowed(reason) }
        }
        Cow::Owned(body) => {
            let (code, reason) = close::parse(&body)?;
            Event::Close { code, reason: Cow::Owned(reason.to_owned()) }
        }
    })
}

/// The part of a payload that is still to come.
#[derive(Debug)]
pub(crate) struct Payload {
    mask: [u8; 4],
    len: usize,
    taken: usize,
}

impl Payload {
    /// For a header within the limits, so that its length is one of memory.
    fn new(header: &Header) -> Self {
        let len = usize::try_from(header.len).unwrap_or(usize::MAX);
        Self { mask: header.mask, len, taken: 0 }
    }

    fn left(&self) -> usize {
        self.len - self.taken
    }

    /// Whether none of it was taken, and `input` holds all of it.
    fn is_whole_in(&self, input: &Input<'_>) -> bool {
        self.taken == 0 && self.len <= input.len()
    }

    /// Takes what `input` holds of it, unmasked.
    fn take<'a>(&mut self, input: &mut Input<'a>) -> &'a mut [u8] {
        let piece = input.take(self.left());
        unmask(piece, self.mask, self.taken);
        self.taken += piece.len();
        piece
    }
}
