//! One attempt to connect: a token, what was kept of its user, a socket, a sign of life.

use std::sync::Arc;

use super::link::Link;
use super::{Driver, Outcome};
use crate::close_codes::ComeBack;
use crate::connection::{Connection, DialFault, Target};
use crate::error::{Cause, Error};
use crate::kept::Owner;
use crate::state::{Answer, come_back_after};
use crate::surface::{Hello, Surface, native};
use crate::token::Token;

/// How long a token callback may take.
const TOKEN_LIMIT_MS: u64 = 30_000;
/// How long dialling may take, up to the sign of life.
pub(super) const DIAL_LIMIT_MS: u64 = 10_000;

/// An attempt under way.
pub(super) struct Attempt {
    pub number: u64,
    pub deadline: u64,
    pub token: Option<Token>,
}

impl Driver {
    pub(super) fn start_attempt(&mut self) {
        let Some(tokens) = self.tokens.clone().filter(|_| self.is_ready()) else {
            self.machine.stop();
            return;
        };
        let number = self.number();
        let reason = self.machine.token_reason();
        self.attempt = Some(Attempt { number, deadline: self.now() + TOKEN_LIMIT_MS, token: None });
        if !tokens.is_fixed() {
            self.expect_named();
        }
        self.tasks.spawn(async move { Outcome::Token(number, tokens.token(reason).await) });
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
        if !self.load_kept() && !self.keeper.is_loading() {
            self.dial();
        }
    }

    /// Opens the socket of the attempt.
    pub(super) fn dial(&mut self) {
        let deadline = self.now() + DIAL_LIMIT_MS;
        let Some(attempt) = &mut self.attempt else { return };
        let (number, Some(token)) = (attempt.number, attempt.token.clone()) else { return };
        attempt.deadline = deadline;
        let target = self.target(&token);
        self.tasks.spawn(async move { Outcome::Dialled(number, Connection::dial(target).await) });
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
            let epoch = self.store.position.as_ref().map(|position| position.epoch.clone());
            self.store.greet(hello);
            if epoch.is_some_and(|epoch| epoch.is_some() && epoch != hello.epoch) {
                self.queue.forget_places();
            }
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
