//! One attempt to connect: a token, what was kept of its user, a socket, a sign of life.

use std::sync::Arc;

use super::link::Link;
use super::task::{self, Task};
use super::{Driver, Outcome};
use crate::close_codes::ComeBack;
use crate::connection::{Connection, DialFault, Target};
use crate::error::{Cause, Error};
use crate::kept::Owner;
use crate::state::{Answer, TokenReason, come_back_after};
use crate::surface::{Hello, Surface, native};
use crate::token::{self, TOKEN_LIMIT_MS, Token};

/// How long dialling may take, up to the sign of life.
pub(super) const DIAL_LIMIT_MS: u64 = 10_000;

/// An attempt under way.
pub(super) struct Attempt {
    pub number: u64,
    pub deadline: u64,
    pub token: Option<Token>,
    dials: bool,
    /// What it waits for.
    _task: Task,
}

impl Attempt {
    /// It has all that it needs but for what is kept.
    fn is_about_to_dial(&self) -> bool {
        self.token.is_some() && !self.dials
    }
}

impl Driver {
    pub(super) fn start_attempt(&mut self) {
        let Some(tokens) = self.tokens.clone().filter(|_| self.is_ready()) else {
            self.machine.stop();
            return;
        };
        let number = self.number();
        // Until another one was taken: whoever remembers tokens must not answer it again.
        let reason = self.expired.as_ref().map_or(self.machine.token_reason(), |_| TokenReason::Expired);
        if !tokens.is_fixed() {
            self.expect_named();
        }
        let asked = self.tasks.spawn(async move { Outcome::Token(number, task::ask(tokens, reason).await) });
        let deadline = self.now() + TOKEN_LIMIT_MS;
        self.attempt = Some(Attempt { number, deadline, token: None, dials: false, _task: asked.into() });
    }

    /// Gives up what takes too long.
    pub(super) fn tick_attempt(&mut self, now: u64) {
        let overdue = self.attempt.as_ref().filter(|attempt| attempt.deadline <= now);
        match overdue.map(|attempt| attempt.token.is_some()) {
            Some(false) => self.handle_token(Err(token::LATE.into())),
            Some(true) => self.fall("no answer in time", None),
            None => {}
        }
        self.dial_if_ready();
    }

    pub(super) fn handle_token(&mut self, result: Result<Option<Token>, Cause>) {
        let token = match result {
            Ok(Some(token)) => token,
            Ok(None) => {
                self.sign_out();
                return;
            }
            Err(cause) => {
                self.report(Error::TokenFailed(cause));
                self.disconnect();
                self.fall_without_token("token_failed");
                return;
            }
        };
        if self.expired.as_ref() == Some(&token) {
            // Coming back with it would end in the same way.
            self.disconnect();
            self.fall_without_token("the token is still the one that has expired");
            return;
        }
        // It outlives what is let go of where the token is another user's.
        let attempt = self.attempt.take();
        self.take_on(&token);
        self.attempt = attempt.map(|attempt| Attempt { token: Some(token), ..attempt });
        self.load_kept();
        self.retry_kept();
        self.dial_if_ready();
    }

    /// Dials once more where that is under way without the place that is known by now.
    pub(super) fn dial_anew(&mut self) {
        let Some(attempt) = self.attempt.take_if(|attempt| attempt.dials) else { return };
        if let Some(link) = self.link.take_if(|link| !link.live) {
            link.connection.finish();
        }
        let number = self.number();
        self.attempt = Some(Attempt { number, dials: false, ..attempt });
    }

    /// Opens the socket of the attempt, once there is a token and what was kept, if that comes in time.
    pub(super) fn dial_if_ready(&mut self) {
        let now = self.now();
        if self.keeper.is_awaited(now) {
            return;
        }
        let Some(attempt) = self.attempt.take_if(|attempt| attempt.is_about_to_dial()) else { return };
        if let Some(token) = &attempt.token {
            let (number, target) = (attempt.number, self.target(token));
            let dialled =
                self.tasks.spawn(async move { Outcome::Dialled(number, Connection::dial(target).await) });
            self.resume = None;
            let deadline = now + DIAL_LIMIT_MS;
            self.attempt = Some(Attempt { deadline, dials: true, _task: dialled.into(), ..attempt });
        }
    }

    pub(super) fn target(&self, token: &Token) -> Target {
        Target {
            address: self.config.address.clone(),
            surface: self.config.surface,
            workspace: self.workspace.clone().unwrap_or_default(),
            token: token.text.clone(),
            position: self.store.position.clone().filter(|_| self.is_native()),
            tls: self.config.tls.clone(),
            clock: Arc::clone(&self.config.environment.clock),
        }
    }

    pub(super) async fn handle_dialled(&mut self, result: Result<Connection, DialFault>) {
        match result {
            Ok(connection) => {
                let pulse = self.config.surface.pulse(native::HEARTBEAT_MS);
                let mut link = Link::new(connection, pulse, self.now());
                let asked = match self.config.surface {
                    // There is no greeting: whoever speaks WebSocket answers this, once it has let the client in.
                    Surface::Workspace => link.connection.ping().await,
                    _ => Ok(()),
                };
                self.link = Some(link);
                if let Err(text) = asked {
                    self.fall(&text, None);
                }
            }
            Err(DialFault::Failed(text)) => self.fall(&text, None),
            Err(DialFault::Answered { status, problem, retry_after_ms }) => {
                let answer = Answer { status, problem: problem.as_deref(), retry_after_ms };
                self.handle_answered(&answer);
            }
        }
    }

    /// There was an answer in place of a socket.
    fn handle_answered(&mut self, answer: &Answer<'_>) {
        tracing::debug!(status = answer.status, problem = answer.problem, "answered in place of an upgrade");
        let token = self.attempt.as_ref().and_then(|attempt| attempt.token.clone());
        self.disconnect();
        if come_back_after(answer.status, answer.problem) == ComeBack::WithNewToken {
            self.expired = token;
        }
        let (now, random, renewable) = (self.now(), self.random(), self.is_renewable());
        self.machine.handle_answer(now, answer, renewable, random);
    }

    /// The workspace surface does not greet: any sign of life counts.
    pub(super) fn greet_silently(&mut self) {
        if self.attempt.is_some() {
            self.go_live(None);
        }
    }

    /// The server greeted.
    pub(super) fn greet(&mut self, hello: &Hello) {
        let Some(attempt) = &self.attempt else { return };
        let token = attempt.token.clone();
        if !hello.user.is_empty() && !self.take_word(&hello.user, token.as_ref()) {
            // What was shown and asked for is another user's.
            self.fall_connecting_at_once("the token is another user's");
            return;
        }
        if self.is_native() {
            let is_resumed = self.store.position.is_some();
            self.store.greet(hello);
            if !is_resumed {
                self.keeper.begun_at = self.store.position.clone();
            }
            self.queue.keep_places_of(hello.epoch.as_deref());
        }
        if let Some(link) = &mut self.link {
            link.pulse = self.config.surface.pulse(hello.heartbeat_ms.unwrap_or(native::HEARTBEAT_MS));
        }
        self.go_live(hello.expires_at.as_deref());
    }

    fn go_live(&mut self, expires_at: Option<&str>) {
        let Some(attempt) = self.attempt.take() else { return };
        self.token = attempt.token;
        self.expired = None;
        self.identity.confirm();
        if let Some(link) = &mut self.link {
            link.live = true;
        }
        let now = self.now();
        self.machine.handle_live(now);
        self.schedule_refresh(expires_at);
        // Where the token does not tell its user, what is kept is known by now only.
        self.load_kept();
        self.dirty = true;
    }

    fn fall_without_token(&mut self, text: &str) {
        let (now, random) = (self.now(), self.random());
        self.machine.handle_no_token(now, text, random);
    }

    fn fall_connecting_at_once(&mut self, text: &str) {
        let now = self.now();
        self.machine.handle_failure(now, text, Some(0), 0.0);
    }

    /// Whose things are kept here; `None` while that is not known.
    pub(super) fn owner(&self) -> Option<Owner> {
        let workspace = self.workspace.as_deref().unwrap_or_default();
        let user = self.identity.claimed.as_deref()?;
        Some(Owner::new(self.config.address.origin(), user, self.config.surface, workspace))
    }
}
