//! Sockets on the workspace surface, on a thread of their own, that note how old each message of the steady stream is.
//!
//! They don't read frames: each message is found by a mark in its text, which is much less work than a WebSocket library's,
//! on a machine that the server has to share with its clients.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use futures_util::{StreamExt, future, stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;

use crate::server::token;
use crate::stream::{Door, Stream};

/// Stand around the moment at which a message was due, in microseconds of the [`Audience`]'s own clock.
const MARKS: [&str; 2] = ["~due=", ";"];
/// Handshakes under way at once.
const CONNECTING: usize = 64;

/// Everybody who receives.
pub struct Audience {
    started: Instant,
    ages: Arc<Mutex<Vec<Duration>>>,
}

impl Audience {
    /// Connects users by their numbers to a workspace; returns once all of them are. Each has one socket: who comes
    /// again takes the place of the former.
    pub async fn connect(to: &Door, workspace: &str, users: Range<usize>) -> anyhow::Result<Self> {
        let audience = Self { started: Instant::now(), ages: Arc::default() };
        let (started, ages) = (audience.started, Arc::clone(&audience.ages));
        let tokens = users.map(|n| token(&format!("user-{n}"), workspace));
        let paths: Vec<_> =
            tokens.map(|token| format!("/?workspaceSlug={workspace}&token={token}")).collect();
        let to = to.clone();
        let (connected, are_connected) = oneshot::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async move {
                let connecting = paths.iter().map(|path| upgrade(&to, path));
                let sockets: Vec<_> = stream::iter(connecting).buffer_unordered(CONNECTING).collect().await;
                let sockets = sockets.into_iter().collect::<Result<Vec<_>, _>>()?;
                // Whoever waits for this goes away only with the whole measurement.
                let _gone = connected.send(());
                let reading =
                    sockets.into_iter().map(|socket| tokio::spawn(read(socket, started, Arc::clone(&ages))));
                future::join_all(reading).await;
                anyhow::Ok(())
            })
        });
        are_connected.await.context("not all sockets were connected")?;
        Ok(audience)
    }

    /// A text that says when its message was due.
    pub fn due(&self, at: Instant) -> String {
        let [before, behind] = MARKS;
        format!("{before}{}{behind}", at.duration_since(self.started).as_micros())
    }

    /// How many messages have come since they were taken last.
    pub fn received(&self) -> usize {
        self.ages.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Their ages.
    pub fn take(&self) -> Vec<Duration> {
        std::mem::take(&mut *self.ages.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn upgrade(to: &Door, path: &str) -> anyhow::Result<Box<dyn Stream>> {
    let mut socket = to.connect().await?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    );
    socket.write_all(request.as_bytes()).await?;
    // Nothing comes behind the head before somebody publishes.
    let mut head = vec![];
    while !head.ends_with(b"\r\n\r\n") {
        ensure!(socket.read_buf(&mut head).await? > 0, "the connection ended in the handshake");
    }
    ensure!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
    Ok(socket)
}

/// Reads to the end. Pings stay unanswered: that the bytes are taken is enough for the server.
async fn read(mut socket: Box<dyn Stream>, started: Instant, ages: Arc<Mutex<Vec<Duration>>>) {
    let [before, behind] = MARKS.map(str::as_bytes);
    let mut unread = Vec::with_capacity(4_096);
    while socket.read_buf(&mut unread).await.is_ok_and(|bytes| bytes > 0) {
        let now = started.elapsed();
        // A mark that came in part stays for the next read.
        let mut done = 0;
        while let Some(at) = find(&unread[done..], before) {
            done += at;
            let digits = &unread[done + before.len()..];
            let Some(count) = find(digits, behind) else { break };
            let due = std::str::from_utf8(&digits[..count]).ok().and_then(|digits| digits.parse().ok());
            let age = due.map(|due| now.saturating_sub(Duration::from_micros(due)));
            ages.lock().unwrap_or_else(PoisonError::into_inner).extend(age);
            done += before.len() + count + behind.len();
        }
        if find(&unread[done..], before).is_none() {
            done = done.max(unread.len().saturating_sub(before.len() - 1));
        }
        unread.drain(..done);
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
