//! Checks 98 to 103 and 109: frames as RFC 6455 has them, on both surfaces.

use super::raw::{CLOSE, PING, PONG, Raw, TEXT};
use super::*;

fn protocol_error() -> Closed {
    closed(1002, "protocol error")
}

/// Sees what each surface makes of `bytes` on a connection of its own.
async fn is_closed(server: &TestServer, bytes: &[u8], expected: Closed) {
    for mut raw in Raw::on_both(server).await {
        raw.is_open().await;
        raw.send(bytes).await;
        assert_eq!(raw.close().await, expected, "{:02x?}", &bytes[..bytes.len().min(16)]);
    }
}

fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    campanile_testkit::frame(first, payload)
}

#[tokio::test]
async fn check_098_unmasked_frames_are_closed_1002() {
    let server = server().await;
    for first in [TEXT, 0x82, PING, PONG, CLOSE] {
        is_closed(&server, &[&[first, 4], &b"PING"[..]].concat(), protocol_error()).await;
    }
    is_closed(&server, &[TEXT, 0], protocol_error()).await;
}

#[tokio::test]
async fn check_099_reserved_bits_and_opcodes_are_closed_1002() {
    let server = server().await;
    for bits in [0x40, 0x20, 0x10, 0x70] {
        for first in [TEXT, PING, 0x01] {
            is_closed(&server, &frame(first | bits, b"PING"), protocol_error()).await;
        }
    }
    for opcode in [3, 4, 5, 6, 7, 0xb, 0xc, 0xd, 0xe, 0xf] {
        is_closed(&server, &frame(0x80 | opcode, b"PING"), protocol_error()).await;
        is_closed(&server, &frame(opcode, b""), protocol_error()).await;
    }
}

#[tokio::test]
async fn check_100_control_frames_are_short_and_whole() {
    let server = server().await;
    for first in [PING, PONG, CLOSE] {
        is_closed(&server, &frame(first, &[b'x'; 126]), protocol_error()).await;
        is_closed(&server, &frame(first, &[b'x'; 70_000]), protocol_error()).await;
        is_closed(&server, &frame(first & 0x7f, b"x"), protocol_error()).await;
    }
    // Fragments out of place, and lengths in more bytes than they need.
    is_closed(&server, &frame(0x80, b"x"), protocol_error()).await;
    is_closed(&server, &[frame(0x01, b"PI"), frame(TEXT, b"NG")].concat(), protocol_error()).await;
    is_closed(&server, &[TEXT, 0xfe, 0, 4, 0, 0, 0, 0, b'P', b'I', b'N', b'G'], protocol_error()).await;
    is_closed(&server, &[&[TEXT, 0xff, 0x80], &[0; 11][..]].concat(), protocol_error()).await;
}

#[tokio::test]
async fn check_101_close_frames_that_must_not_be_are_refused() {
    let server = server().await;
    let with_code = |code: u16| frame(CLOSE, &code.to_be_bytes());
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535] {
        is_closed(&server, &with_code(code), protocol_error()).await;
    }
    is_closed(&server, &frame(CLOSE, &[0x03]), protocol_error()).await;
    is_closed(&server, &frame(CLOSE, b"\x03\xe8\xff"), closed(1007, "invalid UTF-8")).await;
    is_closed(&server, &frame(CLOSE, b"\x03\xe8caf\xc3"), closed(1007, "invalid UTF-8")).await;
}

#[tokio::test]
async fn check_102_a_close_is_echoed_and_the_connection_ended() {
    let server = server().await;
    for code in [1000_u16, 1001, 1003, 1011, 3000, 4000, 4999] {
        for mut raw in Raw::on_both(&server).await {
            raw.frame(CLOSE, &[&code.to_be_bytes(), &b"goodbye"[..]].concat()).await;
            let (first, payload) = raw.next().await.expect("an echo");
            assert_eq!((first, &payload[..2]), (CLOSE, &code.to_be_bytes()[..]));
            // No time passes, and the server is the one to end it.
            assert_eq!(raw.next().await, None);
        }
    }
    for mut raw in Raw::on_both(&server).await {
        raw.frame(CLOSE, b"").await;
        let (first, payload) = raw.next().await.expect("an echo");
        assert!(first == CLOSE && (payload.is_empty() || payload == 1000_u16.to_be_bytes()), "{payload:?}");
        assert_eq!(raw.next().await, None);
    }
    server.sockets(0).await;
}

#[tokio::test]
async fn check_103_what_comes_after_a_close_is_ignored() {
    let server = server().await;
    let close = frame(CLOSE, &1000_u16.to_be_bytes());
    let after = [frame(TEXT, b"PING"), frame(PING, b"x"), frame(0x8f, b"x"), vec![0xff; 500]].concat();
    for mut raw in Raw::on_both(&server).await {
        raw.send(&[close.clone(), after.clone()].concat()).await;
        assert_eq!(raw.next().await, Some((CLOSE, 1000_u16.to_be_bytes().to_vec())));
        assert_eq!(raw.next().await, None);
    }
    // The same where the server closed first: the client's close still ends it cleanly.
    let [mut raw, _product] = Raw::on_both(&server).await;
    let _newer = server.workspace("raw").await;
    let (first, payload) = raw.next().await.expect("a close");
    assert_eq!((first, &payload[..2]), (CLOSE, &4009_u16.to_be_bytes()[..]));
    raw.send(&[frame(TEXT, b"PING"), frame(PING, b"x"), close].concat()).await;
    assert_eq!(raw.next().await, None);
}

#[tokio::test]
async fn check_109_control_frames_inside_a_fragmented_message() {
    let server = server().await;
    for mut raw in Raw::on_both(&server).await {
        let bytes = [
            frame(0x01, b"PI"),
            frame(PING, b"one"),
            frame(0x00, b""),
            frame(PONG, b"unasked"),
            frame(0x00, b"N"),
            frame(PING, b"two"),
            frame(0x80, b"G"),
        ];
        raw.send(&bytes.concat()).await;
        assert_eq!(raw.next().await, Some((PONG, b"one".to_vec())));
        assert_eq!(raw.next().await, Some((PONG, b"two".to_vec())));
        assert_eq!(raw.text().await, r#"{"type":"pong"}"#);
        // The same, a byte at a time.
        for byte in bytes.concat() {
            raw.send(&[byte]).await;
        }
        assert_eq!(raw.next().await, Some((PONG, b"one".to_vec())));
        assert_eq!(raw.next().await, Some((PONG, b"two".to_vec())));
        assert_eq!(raw.text().await, r#"{"type":"pong"}"#);
        // A close inside a message ends both.
        raw.frame(0x01, b"PI").await;
        raw.frame(CLOSE, &1000_u16.to_be_bytes()).await;
        assert_eq!(raw.next().await, Some((CLOSE, 1000_u16.to_be_bytes().to_vec())));
        assert_eq!(raw.next().await, None);
    }
}
