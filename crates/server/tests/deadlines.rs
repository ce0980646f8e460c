//! Deadlines hold whatever the client does meanwhile: dribble, end its side, read slowly.

use std::time::Duration;

use campanile_testkit::{Client, TestServer, frame};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::conformance::raw::{CLOSE, PING, PONG, Raw, TEXT};
use crate::conformance::*;

/// The length of a message's frame head with a length of 64 bits and a mask.
const LONG_HEAD: usize = 14;
/// Bytes it sends in 100 ms.
const BYTES: usize = 150;

/// What a close frame holds.
fn closing(code: u16, reason: &str) -> (u8, Vec<u8>) {
    (CLOSE, [&code.to_be_bytes()[..], reason.as_bytes()].concat())
}

/// A client that sends one message of 64 KiB byte by byte.
struct Dribbler {
    raw: Raw,
    left: std::vec::IntoIter<u8>,
}

impl Dribbler {
    async fn connect(server: &TestServer, path: &str) -> Self {
        let mut raw = Raw::upgrade(server, path).await;
        // Every byte leaves at once, not with the next one's acknowledgement.
        raw.stream.set_nodelay(true).unwrap();
        let mut head = frame(TEXT, &[b'x'; 65_536]);
        let left = head.split_off(LONG_HEAD).into_iter();
        raw.send(&head).await;
        Self { raw, left }
    }

    /// 100 ms pass while bytes come in, so that the shard finds some whenever it looks at the clock.
    async fn dribble(&mut self, server: &TestServer, witness: &mut Client) {
        for nth in 0..BYTES {
            let byte = self.left.next().expect("a byte of the message");
            // The server may have ended the connection.
            let _sent = self.raw.stream.write_all(&[byte]).await;
            if nth == BYTES / 2 {
                server.clock.advance(millis(100));
            }
        }
        caught_up(witness).await;
    }

    /// The next frame but pings.
    async fn next(&mut self) -> Option<(u8, Vec<u8>)> {
        loop {
            match self.raw.next().await {
                Some((PING, _)) => {}
                next => return next,
            }
        }
    }
}

/// Dribbles until `deadline` and sees the close; then goes on until the connection is dropped.
async fn dribbles_in_vain(token_lives: i64, deadline: Duration, close: (u8, Vec<u8>)) {
    let server = configured(ONE_SHARD).await;
    let mut witness = server.product("witness").await;
    to_the_second(&server);
    let token = server.token("alice").with("exp", server.now() + token_lives).sign();
    let mut dribbler = Dribbler::connect(&server, &workspace_at(&token)).await;
    caught_up(&mut witness).await;
    // Time is looked at in tenths of a second.
    for _ in 0..=deadline.as_millis() / 100 {
        dribbler.dribble(&server, &mut witness).await;
    }
    assert_eq!(dribbler.next().await, Some(close));
    let mut lingered = 0;
    while server.running().gauge.sockets() > 1 {
        assert!(lingered <= 50, "still there {lingered} tenths of a second after its close");
        dribbler.dribble(&server, &mut witness).await;
        lingered += 1;
    }
    assert!(lingered >= 48, "it had only {lingered} tenths of a second to answer");
}

#[tokio::test]
async fn dribbling_outlives_no_token() {
    dribbles_in_vain(3, secs(3), closing(4003, "token expired")).await;
}

#[tokio::test]
async fn dribbling_finishes_no_message_in_time() {
    dribbles_in_vain(3600, secs(30), closing(1008, "message not finished in time")).await;
}

#[tokio::test]
async fn a_client_that_only_ends_its_side_is_told_so() {
    let server = server().await;
    for mut raw in Raw::on_both(&server).await {
        raw.frame(PING, b"last words").await;
        raw.stream.shutdown().await.unwrap();
        assert_eq!(raw.next().await, Some((PONG, b"last words".to_vec())));
        let (first, payload) = raw.next().await.expect("a close before the end");
        assert_eq!((first, &payload[..2]), (CLOSE, &1002_u16.to_be_bytes()[..]));
        assert_eq!(raw.next().await, None);
    }
    server.sockets(0).await;
}

/// Entries that wait for a slow reader, of 60 KB each: far more than the kernel keeps.
const WAITING: usize = 400;
/// What it reads between two looks at it: enough that the kernel takes more from the server.
const SIP: usize = 2_000_000;

/// A client whose token has just expired and that has read nothing, with its close behind a long backlog.
async fn slow_reader() -> (TestServer, Client, Raw) {
    let server = configured("[server]\nshards = 1\n[connection]\noutbox_bytes = 33554432\n").await;
    let mut witness = server.product("witness").await;
    to_the_second(&server);
    let token = server.token("slow").with("exp", server.now() + 3).sign();
    let slow = Raw::upgrade(&server, &workspace_at(&token)).await;
    // A size that was set does not grow, or the kernel would read for it.
    socket2::SockRef::from(&slow.stream).set_recv_buffer_size(100_000).unwrap();
    let message = "x".repeat(60_000);
    for nth in 0..WAITING {
        let body = json!({"to": {"user": "slow"}, "title": nth.to_string(), "message": message});
        server.publish("acme", body).await;
    }
    delivers(&server, "default", "witness", &mut witness).await;
    assert_eq!(server.running().gauge.backlogs(), 1, "everything went to the kernel");
    server.pass(millis(3_500)).await;
    caught_up(&mut witness).await;
    (server, witness, slow)
}

/// Reads a little, and lets time pass.
async fn sip(server: &TestServer, witness: &mut Client, slow: &mut Raw, read: &mut Vec<u8>, pause: Duration) {
    let from = read.len();
    read.resize(from + SIP, 0);
    let sip = slow.stream.read_exact(&mut read[from..]);
    tokio::time::timeout(campanile_testkit::WAIT, sip).await.expect("bytes in time").expect("no end yet");
    caught_up(witness).await;
    server.pass(pause).await;
    caught_up(witness).await;
    assert_eq!(server.running().gauge.sockets(), 2, "it was dropped while it read");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_gets_to_its_close() {
    let (server, mut witness, mut slow) = slow_reader().await;
    let mut read = vec![];
    for _ in 0..6 {
        sip(&server, &mut witness, &mut slow, &mut read, secs(4)).await;
    }
    assert_eq!(server.running().gauge.backlogs(), 1, "the close left long ago");
    let rest = slow.stream.read_to_end(&mut read);
    let close = [&[0x88, 15][..], &closing(4003, "token expired").1].concat();
    // It does not answer, so the end comes with the linger, which begins once the last byte left.
    let ends = async {
        server.sockets(2).await;
        until("the backlog leaves", || server.running().gauge.backlogs() == 0).await;
        server.pass(millis(4_800)).await;
        caught_up(&mut witness).await;
        assert_eq!(server.running().gauge.sockets(), 2, "its answer was not waited for");
        server.pass(millis(400)).await;
        server.sockets(1).await;
    };
    let (rest, ()) = tokio::join!(rest, ends);
    rest.expect("an end that is no reset");
    assert!(read.ends_with(&close), "the end: {:?}", &read[read.len() - 20..]);
    assert!(read.len() > WAITING * 60_000, "{} bytes", read.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_has_thirty_seconds_in_all() {
    let (server, mut witness, mut slow) = slow_reader().await;
    let mut read = vec![];
    for _ in 0..7 {
        sip(&server, &mut witness, &mut slow, &mut read, secs(4)).await;
    }
    assert_eq!(server.running().gauge.backlogs(), 1, "the close left long ago");
    sip(&server, &mut witness, &mut slow, &mut read, millis(1_800)).await;
    server.pass(millis(400)).await;
    server.sockets(1).await;
}
