//! The decoder on arbitrary bytes: no panic, bounded memory, and the same events however they are split.
//!
//! The first byte of the input says how its stream is cut. Streams are taken as they are, and once more with
//! every client frame's mask bit set, since few random bytes get past "not masked".

#![no_main]

use campanile_ws::{Decoder, Event, Limits, Violation};
use libfuzzer_sys::fuzz_target;

/// Small, so that short inputs reach them.
const LIMITS: Limits = Limits { max_message_bytes: 1_024, max_fragments: 8 };
/// A control frame waiting beside a message, and the fixed part.
const OVERHEAD: usize = 125 + 200;

#[derive(Debug, PartialEq)]
enum Seen {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
    Violation(Violation),
}

fuzz_target!(|data: &[u8]| {
    let Some((&cut, stream)) = data.split_first() else { return };
    compare(stream, cut);
    compare(&masked(stream), cut);
});

fn compare(stream: &[u8], cut: u8) {
    let whole = decode([stream]);
    assert_eq!(whole, decode(stream.chunks(usize::from(cut) + 1)));
    assert_eq!(whole, decode(stream.chunks(1)));
}

/// The stream as a sequence of frames with a mask each, as far as it can be read as one.
fn masked(stream: &[u8]) -> Vec<u8> {
    let (mut frames, mut rest) = (Vec::new(), stream);
    while let Some(([first, second], after)) = rest.split_first_chunk() {
        let short = usize::from(second & 0x7F);
        let body = match short {
            126 => 2 + 4 + usize::from(after.first().copied().unwrap_or(0)),
            127 => 8 + 4,
            _ => 4 + short,
        };
        frames.extend([*first, second | 0x80]);
        let (body, after) = after.split_at(body.min(after.len()));
        frames.extend(body);
        rest = after;
    }
    frames
}

fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Seen>, bool, bool) {
    let (mut decoder, mut seen) = (Decoder::new(), Vec::new());
    for piece in pieces {
        let (mut input, mut consumed) = (piece.to_vec(), 0);
        loop {
            match decoder.next(&mut input, &mut consumed, &LIMITS) {
                Ok(None) => break,
                Ok(Some(event)) => seen.push(owned(event)),
                Err(violation) => seen.push(Seen::Violation(violation)),
            }
        }
        assert_eq!(consumed, input.len());
        assert!(decoder.pinned_bytes() <= LIMITS.max_message_bytes + OVERHEAD);
        assert_eq!(decoder.is_idle(), decoder.pinned_bytes() == 0);
    }
    (seen, decoder.is_mid_message(), decoder.has_ended())
}

fn owned(event: Event<'_>) -> Seen {
    match event {
        Event::Text(text) => Seen::Text(text.into_owned()),
        Event::Binary(bytes) => Seen::Binary(bytes.into_owned()),
        Event::Ping(bytes) => Seen::Ping(bytes.into_owned()),
        Event::Pong(bytes) => Seen::Pong(bytes.into_owned()),
        Event::Close { code, reason } => Seen::Close(code, reason.into_owned()),
    }
}
