//! The connection in use: whether it lives, and what comes of it.

use super::Driver;
use crate::close_codes::ComeBack;
use crate::connection::{Connection, Signal};
use crate::state::come_back;
use crate::surface::{Pulse, Surface};

/// A connection, and what is known about its life.
pub(super) struct Link {
    pub connection: Connection,
    /// It has shown life.
    pub live: bool,
    pub pulse: Pulse,
    heard_at: u64,
    asked_at: Option<u64>,
    ask_at: u64,
}

impl Link {
    pub fn new(connection: Connection, pulse: Pulse, now: u64) -> Self {
        let ask_at = match pulse {
            Pulse::Listen { .. } => u64::MAX,
            Pulse::Ask { every_ms, .. } => now + every_ms,
        };
        Self { connection, live: false, pulse, heard_at: now, asked_at: None, ask_at }
    }

    /// Somebody talked.
    pub fn hear(&mut self, now: u64) {
        self.heard_at = now;
    }

    /// The answer to what was asked.
    pub fn hear_answer(&mut self) {
        self.asked_at = None;
    }

    /// When it is to be asked, or taken for dead.
    pub fn deadline(&self) -> u64 {
        match (self.pulse, self.asked_at) {
            (Pulse::Listen { silence_ms }, _) => self.heard_at.saturating_add(silence_ms),
            (Pulse::Ask { answer_ms, .. }, Some(asked_at)) => (asked_at + answer_ms).min(self.ask_at),
            (Pulse::Ask { .. }, None) => self.ask_at,
        }
    }

    fn is_dead(&self, now: u64) -> bool {
        match (self.pulse, self.asked_at) {
            (Pulse::Listen { silence_ms }, _) => now >= self.heard_at.saturating_add(silence_ms),
            (Pulse::Ask { answer_ms, .. }, Some(asked_at)) => now >= asked_at + answer_ms,
            (Pulse::Ask { .. }, None) => false,
        }
    }

    /// Asks whether somebody is there, if it is time.
    async fn ask(&mut self, now: u64) -> Result<(), String> {
        let Pulse::Ask { every_ms, text, .. } = self.pulse else { return Ok(()) };
        if now < self.ask_at {
            return Ok(());
        }
        self.ask_at = now + every_ms;
        self.asked_at.get_or_insert(now);
        match text {
            Some(text) => self.connection.send(text.to_owned()).await,
            None => self.connection.ping().await,
        }
    }
}

/// What comes next on a link; never, where there is none.
pub(super) async fn next(link: Option<&mut Link>) -> Signal {
    match link {
        Some(link) => link.connection.next().await,
        None => std::future::pending().await,
    }
}

impl Driver {
    pub(super) async fn tick_link(&mut self, now: u64) {
        let Some(link) = self.link.as_mut().filter(|link| link.live) else { return };
        if link.is_dead(now) {
            self.fall("nobody is there", None);
        } else if let Err(text) = link.ask(now).await {
            self.fall(&text, None);
        }
    }

    pub(super) fn handle_signal(&mut self, signal: Signal) {
        match signal {
            Signal::Text(text) => {
                let now = self.now();
                self.link.iter_mut().for_each(|link| link.hear(now));
                if self.config.surface == Surface::Workspace {
                    self.greet_silently();
                }
                if let Some(frame) = self.config.surface.decode(&text) {
                    self.handle_frame(frame);
                }
            }
            Signal::Alive => {
                if self.config.surface == Surface::Workspace {
                    self.greet_silently();
                    self.link.iter_mut().for_each(Link::hear_answer);
                }
            }
            Signal::Closed { code, text } => self.handle_closed(code, &text),
            Signal::Broken(text) if self.has_successor() => self.lose_replaced(&text),
            Signal::Broken(text) => self.fall(&text, None),
        }
    }

    fn handle_closed(&mut self, code: u16, text: &str) {
        tracing::debug!(code, reason = text, "the server closed");
        if self.has_successor() {
            // It is the one that the newer socket replaces: its end means nothing.
            self.lose_replaced(text);
            return;
        }
        let attempted = self.attempt.as_ref().and_then(|attempt| attempt.token.clone());
        let token = attempted.or_else(|| self.token.clone());
        self.disconnect();
        if come_back(code, text) == ComeBack::WithNewToken {
            self.expired = token;
        }
        let (now, random, renewable) = (self.now(), self.random(), self.is_renewable());
        self.machine.handle_close(now, code, text, renewable, random);
    }
}
