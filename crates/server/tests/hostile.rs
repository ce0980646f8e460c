//! 10^5 hostile frames and tokens from a seeded generator: every connection ends with a close frame, the
//! process lives, and its memory stays where it was.
//!
//! `CAMPANILE_HOSTILE_FRAMES` sets how many (default 100,000).

use std::net::SocketAddr;

use campanile_testkit::{SECRET, Token, WAIT, frame, raw_upgrade};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::process::Process;
use crate::program::Program;

/// A small seeded generator (xorshift64*), so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| (self.next() >> 33) as u8).collect()
    }
}

/// One frame or heap of bytes; most are valid, so that connections live to see the others.
fn hostile(random: &mut Random) -> Vec<u8> {
    let texts: [&[u8]; 12] = [
        b"PING",
        b"\"PING\"",
        b"ping",
        b"",
        b"[]",
        b"null",
        b"{\"action\":\"mark_read\",\"id\":\"01890a5d-ac96-774b-bcce-b302099a8057\"}",
        b"{\"action\":\"mark_read\",\"id\":5}",
        b"{\"action\":\"mark_read\",\"action\":\"x\"}",
        b"{\"action\":",
        b"{\"id\":{\"a\":[[[[[[]]]]]]}}",
        b"\xc3\xa9\xf0\x9f\x94\x94",
    ];
    match random.below(60) {
        0..=39 => frame(0x81, texts[random.below(12) as usize]),
        40..=44 => {
            let len = random.below(126) as usize;
            frame(0x89, &random.bytes(len))
        }
        45..=47 => frame(0x8A, b"unasked"),
        48 => [frame(0x01, b"{\"a"), frame(0x89, b"between"), frame(0x80, b"\":1}")].concat(),
        49 => {
            let len = random.below(70_000) as usize;
            frame(0x81, &vec![b'x'; len])
        }
        50 => frame(0x82, b"binary"),
        51 => frame(0x81, &[0xff, 0xfe]),
        52 => frame(0x80, b"stray"),
        53 => frame(0x83 + random.below(5) as u8, b"reserved"),
        54 => frame(0xC1, b"compressed?"),
        55 => vec![0x81, 0x04, b'P', b'I', b'N', b'G'],
        56 => frame(0x88, &random.bytes(2)),
        57 => frame(0x89, &[0; 126]),
        58 => vec![0x81, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 2, 3, 4],
        _ => {
            let len = 1 + random.below(40) as usize;
            random.bytes(len)
        }
    }
}

/// Whether whole frames of a server lead to a close frame.
fn hold_a_close(bytes: &[u8]) -> bool {
    let mut at = 0;
    while let Some(head) = bytes.get(at..at + 2) {
        if head[0] == 0x88 {
            return true;
        }
        let extended = |i: usize| usize::from(*bytes.get(at + i).unwrap_or(&0));
        at += match head[1] {
            126 => 4 + (extended(2) << 8 | extended(3)),
            len => 2 + usize::from(len),
        };
    }
    false
}

/// Reads to the end of the stream: an orderly one, or a reset, which is no loss behind a close frame.
async fn read_to_end(stream: &mut (impl AsyncReadExt + Unpin)) -> Vec<u8> {
    let mut bytes = vec![];
    let mut piece = [0; 8192];
    while let Ok(read) = tokio::time::timeout(WAIT, stream.read(&mut piece)).await.expect("an end in time") {
        if read == 0 {
            break;
        }
        bytes.extend_from_slice(&piece[..read]);
    }
    bytes
}

async fn attack(address: SocketAddr, path: &str, random: &mut Random, frames: u64) {
    let seed = random.0;
    let (answer, mut stream) = raw_upgrade(address, path).await;
    if answer.status == 429 || answer.status == 409 {
        return;
    }
    assert_eq!(answer.status, 101);
    let mut bytes: Vec<u8> = (0..frames).flat_map(|_| hostile(random)).collect();
    bytes.extend(frame(0x88, &1000u16.to_be_bytes()));
    // Completes whatever frame was left open, so that the connection ends for a reason of the server's.
    bytes.extend([0xFF; 140_000]);
    let (mut read, mut write) = stream.split();
    let send = async {
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let piece = (1 + random.below(9_000) as usize).min(rest.len());
            // The server may have closed by now.
            if write.write_all(&rest[..piece]).await.is_err() {
                return;
            }
            rest = &rest[piece..];
        }
    };
    let ((), answers) = tokio::join!(send, read_to_end(&mut read));
    assert!(hold_a_close(&answers), "seed {seed}: {} bytes came without a close frame", answers.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_frames_and_tokens_end_in_a_close_and_leave_nothing_behind() {
    #[allow(clippy::disallowed_methods, reason = "how long to try is the caller's of the test")]
    let frames = std::env::var("CAMPANILE_HOSTILE_FRAMES");
    let frames: u64 = frames.map_or(100_000, |frames| frames.parse().expect("a number of frames"));
    let program = Program::new().set("CAMPANILE_SECRET", SECRET);
    let server = Process::start(&program);
    let now = campanile_server::clock::Clock::system().now().as_secs();
    let mut random = Random(0x00C0_FFEE_D00D);
    let mut sent = 0;
    let mut connections = 0u64;
    let mut settled = None;
    while sent < frames {
        connections += 1;
        let user = format!("user-{}", connections % 97);
        let token = Token::of(&user, now).with("workspaces", serde_json::json!(["acme", "default"])).sign();
        if connections.is_multiple_of(4) {
            // A token with one byte changed, or cut short.
            let mut bytes = token.into_bytes();
            let at = random.below(bytes.len() as u64) as usize;
            match random.below(3) {
                0 => bytes.truncate(at),
                1 => bytes[at] = b"._-~%+A"[random.below(7) as usize],
                _ => bytes.insert(at, b'A'),
            }
            let token = String::from_utf8(bytes).unwrap();
            let path = match random.below(2) {
                0 => format!("/?token={token}&workspaceSlug=acme"),
                _ => format!("/api/ws/notification?access_token={token}"),
            };
            let (answer, mut stream) = raw_upgrade(server.address, &path).await;
            assert!([101, 429].contains(&answer.status), "{}", answer.status);
            if answer.status == 101 {
                stream.write_all(&frame(0x88, &1000u16.to_be_bytes())).await.unwrap_or_default();
                assert!(hold_a_close(&read_to_end(&mut stream).await));
            }
            sent += 1;
            continue;
        }
        let path = match random.below(2) {
            0 => format!("/?token={token}&workspaceSlug=acme"),
            _ => format!("/api/ws/notification?access_token={token}"),
        };
        let batch = 1 + random.below(60);
        attack(server.address, &path, &mut random, batch).await;
        sent += batch;
        if settled.is_none() && sent > frames / 5 {
            settled = Some(server.resident_kib());
        }
    }
    let (settled, end) = (settled.expect("a fifth of the run"), server.resident_kib());
    assert!(end < settled + 4096, "resident memory grew from {settled} to {end} KiB");
    // It still does its work.
    let token = Token::of("alice", now).without("workspaces").sign();
    let mut alice = campanile_testkit::Client::connect(
        server.address,
        &format!("/api/ws/notification?access_token={token}"),
    )
    .await;
    assert_eq!(alice.json().await["type"], "CONNECTION_ESTABLISHED");
}
