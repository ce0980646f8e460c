//! The reconnecting client of the workspace documents, written from their description: base 1 s, doubling to
//! 30 s, 5 attempts, reset on open, no return after 4001, a fresh token for every attempt. Its timers are
//! the test's, which drives it along with the server's clock.

use std::net::SocketAddr;
use std::time::Duration;

use campanile_testkit::WAIT;
use futures_util::StreamExt;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::secs;

/// What a browser reports when a connection ends without a close frame, or never came to be.
const ABNORMAL: u16 = 1006;

pub struct Manager<'a> {
    /// The full path for a token fetched now.
    path: Box<dyn FnMut() -> String + 'a>,
    socket: Option<mpsc::Receiver<Heard>>,
    attempts: u32,
    delay: Duration,
    /// When the next attempt is due.
    pub wake_at: Option<Duration>,
    /// HTTP statuses of refused upgrades, with when they came.
    pub refused: Vec<(u16, Duration)>,
    /// Delays it waited, or waits, before its attempts.
    pub delays: Vec<Duration>,
    /// The attempts were used up.
    pub gave_up: bool,
}

enum Heard {
    Notification(Value),
    Closed(u16),
}

impl<'a> Manager<'a> {
    pub fn new(path: impl FnMut() -> String + 'a) -> Self {
        Self {
            path: Box::new(path),
            socket: None,
            attempts: 0,
            delay: secs(1),
            wake_at: None,
            refused: vec![],
            delays: vec![],
            gave_up: false,
        }
    }

    /// `connect()`: whether it opened.
    pub async fn connect(&mut self, to: SocketAddr, now: Duration) -> bool {
        self.wake_at = None;
        let url = format!("ws://{to}{}", (self.path)());
        let connecting = tokio_tungstenite::connect_async(url);
        match tokio::time::timeout(WAIT, connecting).await.expect("an answer to the upgrade") {
            Ok((mut stream, _)) => {
                (self.attempts, self.delay) = (0, secs(1));
                let (tell, socket) = mpsc::channel(256);
                self.socket = Some(socket);
                // Reads all the time, as a browser does, so that pings and closes are answered.
                tokio::spawn(async move {
                    let mut code = ABNORMAL;
                    while let Some(Ok(message)) = stream.next().await {
                        match message {
                            Message::Text(text) => {
                                let value = serde_json::from_str(&text).expect("a notification is JSON");
                                let _heard = tell.send(Heard::Notification(value)).await;
                            }
                            Message::Close(frame) => code = frame.map_or(1005, |frame| frame.code.into()),
                            _ => {}
                        }
                    }
                    let _heard = tell.send(Heard::Closed(code)).await;
                });
                true
            }
            Err(error) => {
                if let Error::Http(response) = error {
                    assert!(response.headers().contains_key("retry-after"), "{response:?}");
                    self.refused.push((response.status().as_u16(), now));
                }
                self.on_close(ABNORMAL, now);
                false
            }
        }
    }

    /// Whether it has a connection.
    pub fn is_open(&self) -> bool {
        self.socket.is_some()
    }

    /// The next notification.
    pub async fn notification(&mut self) -> Value {
        match self.hear().await {
            Heard::Notification(value) => value,
            Heard::Closed(code) => panic!("closed with {code} where a notification was expected"),
        }
    }

    /// The close that ends its connection, before any other notification; then does what the documents say.
    pub async fn closed(&mut self, now: Duration) -> u16 {
        match self.hear().await {
            Heard::Closed(code) => {
                self.socket = None;
                self.on_close(code, now);
                code
            }
            Heard::Notification(value) => panic!("{value} where a close was expected"),
        }
    }

    async fn hear(&mut self) -> Heard {
        let socket = self.socket.as_mut().expect("an open connection");
        tokio::time::timeout(WAIT, socket.recv()).await.expect("something in time").expect("an end")
    }

    fn on_close(&mut self, code: u16, now: Duration) {
        if code == 4001 {
            return;
        }
        if self.attempts >= 5 {
            self.gave_up = true;
            return;
        }
        self.attempts += 1;
        self.wake_at = Some(now + self.delay);
        self.delays.push(self.delay);
        self.delay = (self.delay * 2).min(secs(30));
    }
}
