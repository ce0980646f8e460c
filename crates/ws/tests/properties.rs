//! What holds for every stream of bytes, however it is split.

use crate::reference::{BINARY, CLOSE, CONTINUATION, Frame, PING, PONG, Seen, TEXT, cut, decode};
use campanile_ws::{Decoder, Limits, Violation};
use proptest::prelude::*;

/// Small enough for random streams to break them.
const TIGHT: Limits = Limits { max_message_bytes: 300, max_fragments: 4 };

fn cuts() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(any::<usize>(), 0..12)
}

/// Some text, with characters of every width.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::collection::vec(any::<char>(), 0..20).prop_map(|chars| chars.into_iter().collect()),
        "[ -~]{0,200}".prop_map(String::from),
        (0..90_000_usize).prop_map(|len| "né🔔".repeat(len / 7)),
    ]
}

fn body(longest: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..=longest)
}

/// A control frame other than close, and the event it is.
fn control() -> impl Strategy<Value = (Frame, Seen)> {
    (any::<bool>(), any::<[u8; 4]>(), body(125)).prop_map(|(ping, key, body)| {
        let opcode = if ping { PING } else { PONG };
        let seen = if ping { Seen::Ping(body.clone()) } else { Seen::Pong(body.clone()) };
        (Frame::new(true, opcode, key, body), seen)
    })
}

/// A message cut into fragments with control frames between them, and the events that this is.
fn message() -> impl Strategy<Value = (Vec<Frame>, Vec<Seen>)> {
    let whole = prop_oneof![
        text().prop_map(|text| (TEXT, text.clone().into_bytes(), Seen::Text(text))),
        body(300).prop_map(|body| (BINARY, body.clone(), Seen::Binary(body))),
    ];
    let cuts = prop_oneof![Just(vec![]), prop::collection::vec(any::<usize>(), 0..6)];
    (whole, cuts, any::<[u8; 4]>(), prop::collection::vec(prop::option::of(control()), 0..6)).prop_map(
        |((opcode, bytes, seen), cuts, key, between)| {
            let pieces = cut(&bytes, &cuts);
            let (mut frames, mut events, mut between) = (vec![], vec![], between.into_iter());
            for (i, piece) in pieces.iter().enumerate() {
                let opcode = if i == 0 { opcode } else { CONTINUATION };
                frames.push(Frame::new(i + 1 == pieces.len(), opcode, key, *piece));
                if i + 1 < pieces.len()
                    && let Some((frame, event)) = between.next().flatten()
                {
                    frames.push(frame);
                    events.push(event);
                }
            }
            events.push(seen);
            (frames, events)
        },
    )
}

fn close() -> impl Strategy<Value = (Frame, Seen)> {
    let code = prop_oneof![1000..=1003_u16, 1007..=1014_u16, 3000..=4999_u16];
    let told = (code, "[ -~]{0,40}é?").prop_map(|(code, reason)| (Some(code), reason));
    (prop_oneof![Just((None, String::new())), told], any::<[u8; 4]>()).prop_map(|((code, reason), key)| {
        let mut body: Vec<u8> = code.iter().flat_map(|code| code.to_be_bytes()).collect();
        body.extend(reason.as_bytes());
        (Frame::new(true, CLOSE, key, body), Seen::Close(code, reason))
    })
}

/// A frame that may break any rule.
fn any_frame() -> impl Strategy<Value = Frame> {
    let opcode = prop_oneof![
        8 => prop::sample::select(vec![CONTINUATION, TEXT, BINARY, PING, PONG]),
        1 => Just(CLOSE),
        1 => 0..16_u8,
    ];
    let payload = prop_oneof![
        4 => "[a-zé€🔔]{0,30}".prop_map(String::into_bytes),
        2 => body(140),
        1 => body(400),
        1 => close().prop_map(|(frame, _)| frame.payload),
    ];
    let reserved = prop_oneof![30 => Just(0_u8), 1 => 1..8_u8];
    let key = prop_oneof![30 => any::<[u8; 4]>().prop_map(Some), 1 => Just(None)];
    let length_bytes = prop::sample::select([vec![0; 30], vec![2, 8]].concat());
    (any::<bool>(), reserved, opcode, key, payload, length_bytes).prop_map(
        |(fin, reserved, opcode, key, payload, length_bytes)| {
            let fin = fin || (opcode >= CLOSE && payload.len() % 8 != 0);
            Frame { fin, reserved, opcode, key, payload, length_bytes }
        },
    )
}

/// What a decoder has seen and where that leaves it.
fn outcome(bytes: &[u8], cuts: &[usize], limits: &Limits) -> (Vec<Seen>, bool, bool, bool) {
    let mut decoder = Decoder::new();
    let seen = decode(&mut decoder, cut(bytes, cuts), limits);
    (seen, decoder.is_idle(), decoder.is_mid_message(), decoder.has_ended())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_a_client_says_is_what_is_heard(
        messages in prop::collection::vec(prop_oneof![
            4 => message(),
            1 => control().prop_map(|(frame, seen)| (vec![frame], vec![seen])),
        ], 0..6),
        close in prop::option::of(close()),
        late in body(40),
        cuts in cuts(),
    ) {
        let (frames, mut expected): (Vec<_>, Vec<_>) = messages.into_iter().unzip();
        let mut bytes: Vec<u8> = frames.iter().flatten().flat_map(Frame::encode).collect();
        if let Some((frame, seen)) = close {
            bytes.extend(frame.encode());
            bytes.extend(late);
            expected.push(vec![seen]);
        }
        let limits = Limits { max_message_bytes: 90_000, ..Limits::default() };
        let mut decoder = Decoder::new();
        let seen = decode(&mut decoder, cut(&bytes, &cuts), &limits);
        prop_assert_eq!(seen, expected.concat());
        prop_assert!(decoder.is_idle());
    }

    #[test]
    fn splits_change_nothing_for_frames(
        frames in prop::collection::vec(any_frame(), 1..10),
        flips in prop::collection::vec((any::<usize>(), any::<u8>()), 0..2),
        cuts in cuts(),
    ) {
        let mut bytes: Vec<u8> = frames.iter().flat_map(Frame::encode).collect();
        for (at, value) in flips {
            let at = at % bytes.len();
            bytes[at] = value;
        }
        let every_byte: Vec<_> = (0..bytes.len()).collect();
        let whole = outcome(&bytes, &[], &TIGHT);
        prop_assert_eq!(&whole, &outcome(&bytes, &cuts, &TIGHT));
        prop_assert_eq!(&whole, &outcome(&bytes, &every_byte, &TIGHT));
        let violations = whole.0.iter().filter(|seen| matches!(seen, Seen::Violation(_))).count();
        prop_assert!(violations <= 1);
    }

    #[test]
    fn splits_change_nothing_for_garbage(bytes in body(600), cuts in cuts()) {
        prop_assert_eq!(outcome(&bytes, &[], &TIGHT), outcome(&bytes, &cuts, &TIGHT));
    }

    #[test]
    fn text_is_refused_exactly_if_std_refuses_it(bytes in body(40), valid in text(), cuts in cuts()) {
        let payload = [valid.as_bytes(), &bytes].concat();
        let expected = match String::from_utf8(payload.clone()) {
            Ok(text) => Seen::Text(text),
            Err(_) => Seen::Violation(Violation::InvalidUtf8),
        };
        let limits = Limits { max_message_bytes: 100_000, ..Limits::default() };
        let stream = Frame::new(true, TEXT, *b"mask", payload).encode();
        prop_assert_eq!(outcome(&stream, &cuts, &limits).0, [expected]);
    }
}

/// The documented limit, with the numbers of the conformance list.
#[test]
fn sixty_four_fragments_fail_by_their_size_and_not_by_their_number() {
    let fragments = |size: usize| -> Vec<u8> {
        let frame =
            |i| Frame::new(i == 63, if i == 0 { TEXT } else { CONTINUATION }, *b"mask", vec![b'x'; size]);
        (0..64).flat_map(|i| frame(i).encode()).collect()
    };
    let limits = Limits::default();
    let fitting = outcome(&fragments(1_024), &[], &limits).0;
    assert_eq!(fitting, [Seen::Text("x".repeat(65_536))]);
    let violation = Violation::TooBig { size: 65_600, limit: 65_536 };
    assert_eq!(outcome(&fragments(1_025), &[], &limits).0, [Seen::Violation(violation)]);
    assert_eq!(violation.close_code(), 1009);
}

#[test]
fn one_byte_above_the_limit_is_too_big() {
    let limits = Limits::default();
    let stream = |size| Frame::new(true, BINARY, *b"mask", vec![0; size]).encode();
    assert_eq!(outcome(&stream(65_536), &[], &limits).0, [Seen::Binary(vec![0; 65_536])]);
    let violation = Violation::TooBig { size: 65_537, limit: 65_536 };
    assert_eq!(outcome(&stream(65_537), &[], &limits).0, [Seen::Violation(violation)]);
}
