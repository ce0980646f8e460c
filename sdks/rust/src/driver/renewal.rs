//! Another token before the one in use expires: told to the live connection, or by a newer socket that takes its place.

use super::attempt::DIAL_LIMIT_MS;
use super::link::Link;
use super::task::{self, Task};
use super::{Driver, Outcome};
use crate::connection::{Connection, DialFault, Signal};
use crate::error::{Cause, Error};
use crate::instant;
use crate::state::TokenReason;
use crate::surface::{Done, Frame, Surface, native};
use crate::token::{self, TOKEN_LIMIT_MS, Token};

/// A token is replaced at least this long before it expires.
const LEAD_MS: u64 = 30_000;
/// But not sooner than this after the last one, however short its life is.
const SOONEST_MS: u64 = 5_000;

/// A renewal under way.
pub(super) struct Renewal {
    pub number: u64,
    pub deadline: u64,
    token: Option<Token>,
    /// The newer socket.
    pub link: Option<Link>,
    /// What it waits for.
    _task: Task,
}

impl Renewal {
    fn reference(&self) -> String {
        format!("refresh-{}", self.number)
    }
}

/// What comes next on the newer socket; never, where there is none.
pub(super) async fn next(renewal: Option<&mut Renewal>) -> Signal {
    super::link::next(renewal.and_then(|renewal| renewal.link.as_mut())).await
}

/// How long before its end a token is replaced: 30 s or 10 % of its life, ±10 %, but never more than half of it.
fn lead_ms(life_ms: u64, random: f64) -> u64 {
    let lead = LEAD_MS.max(life_ms / 10);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    let spread = (lead as f64 * (0.9 + 0.2 * random)) as u64;
    spread.min(life_ms / 2)
}

impl Driver {
    /// Plans the next renewal. `expires_at` is what the server said.
    pub(super) fn schedule_refresh(&mut self, expires_at: Option<&str>) {
        let claimed = self.token.as_ref().and_then(|token| token.expires_at);
        let fixed = self.tokens.as_ref().is_none_or(crate::token::TokenSource::is_fixed);
        let end = expires_at.and_then(instant::parse).or(claimed).filter(|_| !fixed);
        let (now, random) = (self.now(), self.random());
        // One that was taken is not over: it is the clock that is wrong, and the server says when it is over.
        let planned = end.filter(|end| *end > now).map(|end| end.saturating_sub(lead_ms(end - now, random)));
        self.refresh_at = planned.map(|at| at.max(now + SOONEST_MS));
    }

    pub(super) async fn tick_renewal(&mut self, now: u64) {
        let overdue = self.renewal.as_ref().filter(|renewal| renewal.deadline <= now);
        match overdue.map(|renewal| renewal.token.is_some()) {
            Some(false) => self.handle_renewal_token(Err(token::LATE.into())).await,
            Some(true) => self.fail_renewal("no answer in time"),
            None => {}
        }
        if self.is_live() && self.renewal.is_none() && self.refresh_at.is_some_and(|at| at <= now) {
            self.start_renewal();
        }
    }

    pub(super) fn start_renewal(&mut self) {
        let Some(tokens) = self.tokens.clone() else { return };
        self.refresh_at = None;
        let number = self.number();
        let asked = self
            .tasks
            .spawn(async move { Outcome::Token(number, task::ask(tokens, TokenReason::Refresh).await) });
        let deadline = self.now() + TOKEN_LIMIT_MS;
        self.renewal = Some(Renewal { number, deadline, token: None, link: None, _task: asked.into() });
    }

    pub(super) async fn handle_renewal_token(&mut self, result: Result<Option<Token>, Cause>) {
        let token = match result {
            Ok(Some(token)) => token,
            Ok(None) => {
                self.sign_out();
                return;
            }
            Err(cause) => {
                self.report(Error::TokenFailed(cause));
                self.fail_renewal("no token could be had");
                return;
            }
        };
        if self.identity.is_of_another(&token) {
            self.change_user();
            return;
        }
        self.identity.take(&token);
        self.dirty = true;
        let (deadline, target) = (self.now() + DIAL_LIMIT_MS, self.target(&token));
        let Some(renewal) = &mut self.renewal else { return };
        renewal.deadline = deadline;
        renewal.token = Some(token.clone());
        if self.config.surface != Surface::Native {
            let number = renewal.number;
            let dialled =
                self.tasks.spawn(async move { Outcome::Dialled(number, Connection::dial(target).await) });
            renewal._task = dialled.into();
            return;
        }
        let frame = native::refresh(&token.text, &renewal.reference());
        let Some(link) = &mut self.link else { return };
        if let Err(text) = link.connection.send(frame).await {
            self.fall(&text, None);
        }
    }

    /// The newer socket is open, or is not.
    pub(super) async fn handle_renewal_dialled(&mut self, result: Result<Connection, DialFault>) {
        let connection = match result {
            Ok(connection) => connection,
            Err(DialFault::Failed(text)) => {
                self.fail_renewal(&text);
                return;
            }
            Err(DialFault::Answered { status, .. }) => {
                self.fail_renewal(&format!("answered {status} in place of an upgrade"));
                return;
            }
        };
        let mut link = Link::new(connection, self.config.surface.pulse(native::HEARTBEAT_MS), self.now());
        if self.config.surface == Surface::Workspace {
            // Whether it is there shows in what comes of it.
            let _ = link.connection.ping().await;
        }
        if let Some(renewal) = &mut self.renewal {
            renewal.link = Some(link);
        }
    }

    /// The newer socket's sign of life makes it the one in use.
    pub(super) fn handle_renewal_signal(&mut self, signal: Signal) {
        match signal {
            Signal::Text(text) => match self.config.surface.decode(&text) {
                // What is here, and what waits to be done, is not of whom this token is.
                Some(Frame::Hello(hello)) if self.identity.is_stranger(&hello.user) => self.change_user(),
                _ => {
                    self.succeed();
                    self.handle_signal(Signal::Text(text));
                }
            },
            // The product surface greets; a bare ping of the server is no greeting.
            Signal::Alive if self.config.surface == Surface::Workspace => self.succeed(),
            Signal::Alive => {}
            Signal::Closed { text, .. } | Signal::Broken(text) => {
                if let Some(renewal) = &mut self.renewal {
                    renewal.link = None;
                }
                self.fail_renewal(&text);
            }
        }
    }

    fn succeed(&mut self) {
        let Some(renewal) = self.renewal.take() else { return };
        let Some(mut link) = renewal.link else { return };
        link.live = true;
        link.hear(self.now());
        if let Some(former) = self.link.replace(link) {
            former.connection.finish();
        }
        self.queue.handle_disconnect();
        self.token = renewal.token;
        self.schedule_refresh(None);
    }

    /// Whether a newer socket is about to take the place of the one in use.
    pub(super) fn has_successor(&self) -> bool {
        !self.is_native() && self.renewal.as_ref().is_some_and(|renewal| renewal.token.is_some())
    }

    /// The replaced socket ended before the newer one showed life: that one has its time.
    pub(super) fn lose_replaced(&mut self, text: &str) {
        tracing::debug!(reason = text, "the replaced connection ended");
        self.link = None;
    }

    /// The answer to a `refresh`. False: it is another command's.
    pub(super) fn handle_refreshed(&mut self, done: &Done) -> bool {
        let renewal = self.renewal.take_if(|renewal| done.reference.as_ref() == Some(&renewal.reference()));
        let Some(renewal) = renewal else { return false };
        self.token = renewal.token;
        self.identity.confirm();
        self.schedule_refresh(done.expires_at.as_deref());
        true
    }

    /// The server does not take the token. False: the error is another command's.
    pub(super) fn handle_refresh_refused(&mut self, code: &str, reference: Option<&str>) -> bool {
        let ours = self.renewal.as_ref().is_some_and(|renewal| reference == Some(&renewal.reference()));
        if !ours {
            return false;
        }
        if code == "token_mismatch" {
            self.change_user();
        } else {
            self.report(Error::ActionRefused { action: "refresh", code: code.to_owned() });
            self.fail_renewal(code);
        }
        true
    }

    /// Asks again in 5 to 10 seconds, unless there is nobody to ask; the connection lives on with the token it has.
    fn fail_renewal(&mut self, text: &str) {
        tracing::debug!(reason = text, "the token was not renewed");
        self.renewal = None;
        if self.link.is_none() && self.is_live() {
            self.fall(text, None);
            return;
        }
        if !self.is_renewable() {
            return;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let pause = 5_000 + (self.random() * 5_000.0) as u64;
        self.refresh_at = Some(self.now() + pause);
    }

    /// The tokens are another user's now: everything begins anew.
    fn change_user(&mut self) {
        self.start_anew();
        // Whoever is named still may be the former one.
        self.identity.concealed = true;
        let now = self.now();
        self.machine.handle_failure(now, "another user", Some(0), 0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::lead_ms;

    #[test]
    fn a_token_is_replaced_in_time_but_not_at_once() {
        assert_eq!(lead_ms(3_600_000, 0.5), 360_000);
        assert_eq!(lead_ms(100_000, 0.5), 30_000);
        assert_eq!(lead_ms(100_000, 0.0), 27_000);
        assert_eq!(lead_ms(20_000, 0.5), 10_000);
        assert_eq!(lead_ms(0, 0.5), 0);
    }
}
