//! A socket that a script dialled.

use campanile_testkit::{Client, WAIT};
use serde_json::Value;

use super::Closed;

/// From its dial to its end.
pub(super) struct Socket {
    client: Option<Client>,
    /// The `jti` of its token.
    pub(super) token: String,
    /// What came before it was asked for.
    pub(super) early: Vec<Value>,
    closed: Option<Closed>,
    /// How many commands have no answer yet.
    pub(super) unanswered: usize,
}

impl Socket {
    pub(super) fn new(client: Client, token: String) -> Self {
        Self { client: Some(client), token, early: vec![], closed: None, unanswered: 0 }
    }

    fn client(&mut self) -> Result<&mut Client, String> {
        self.client.as_mut().ok_or_else(|| format!("the socket is gone: {:?}", self.closed))
    }

    pub(super) async fn say(&mut self, text: &str) -> Result<(), String> {
        self.client()?.send(text).await;
        Ok(())
    }

    /// The next frame.
    pub(super) async fn next(&mut self) -> Result<Value, String> {
        // Before the client itself gives up, so that the step is named.
        let coming = tokio::time::timeout(WAIT / 2, self.client()?.hear()).await;
        match coming.map_err(|_| "nothing came".to_owned())? {
            Ok(text) => serde_json::from_str(&text).map_err(|_| format!("not JSON: {text}")),
            Err(closed) => {
                self.client = None;
                Err(format!("it is closed: {:?}", self.closed.insert(closed)))
            }
        }
    }

    /// The close, before which nothing else may come. Heartbeats come whenever the server likes.
    pub(super) async fn closed(&mut self) -> Result<Closed, String> {
        loop {
            if let Some(closed) = self.closed.take() {
                return Ok(closed);
            }
            match self.next().await {
                Ok(frame) if frame["type"] != "heartbeat" => return Err(format!("{frame} came")),
                Err(why) if self.closed.is_none() => return Err(why),
                _ => {}
            }
        }
    }

    /// Keeps everything that comes until the close, and the close, for whoever asks later.
    pub(super) async fn hear_out(&mut self) {
        while self.client.is_some() {
            match self.next().await {
                Ok(frame) => self.early.push(frame),
                Err(_) if self.closed.is_some() => {}
                Err(_) => return,
            }
        }
    }

    /// Says the close.
    pub(super) async fn leave(&mut self) -> Result<(), String> {
        self.client()?;
        if let Some(client) = self.client.take() {
            client.leave().await;
        }
        Ok(())
    }

    /// Breaks, once what was sent was done: its answers are lost.
    pub(super) async fn break_off(&mut self) -> Result<(), String> {
        while self.unanswered > 0 {
            let frame = self.next().await?;
            self.handle_answer(&frame);
        }
        self.early.clear();
        self.client()?;
        if let Some(client) = self.client.take() {
            client.vanish();
        }
        Ok(())
    }

    /// Counts an answer to a command.
    pub(super) fn handle_answer(&mut self, frame: &Value) {
        if matches!(frame["type"].as_str(), Some("ok" | "error" | "marked_read")) {
            self.unanswered = self.unanswered.saturating_sub(1);
        }
    }
}
