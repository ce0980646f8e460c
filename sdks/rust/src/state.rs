//! The state machine of a client: pure. Time and randomness are arguments.

use serde::Serialize;

use crate::backoff::{Backoff, STABLE_MS};
use crate::close_codes::{CLOSE_CODES, ComeBack};

/// What a client is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Not connected: not started, or token or workspace is missing.
    #[default]
    Idle,
    /// Asks for a token, dials, waits for a sign of life.
    Connecting,
    /// Connected.
    Live,
    /// Comes back at `retry_at`.
    Waiting,
    /// Told that there is no network.
    Suspended,
    /// A close that says not to come back. Another token, another workspace or `retry` leaves it.
    Refused,
    /// `close` was called: final.
    Closed,
}

/// Why a client is not live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// The close code, or 1006 where the connection ended without one.
    pub code: u16,
    /// The reason in the close frame, or what went wrong. Never a part of a token.
    pub text: String,
}

/// Why a token is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenReason {
    /// For the first connection.
    Initial,
    /// For another connection: former tokens are not used again.
    Reconnect,
    /// The server said that the former one has expired.
    Expired,
    /// The one in use expires soon.
    Refresh,
}

/// The machine: what happened goes in, [`Machine::state`] and [`Machine::retry_at`] come out.
#[derive(Debug, Clone)]
pub struct Machine {
    state: State,
    reason: Option<Reason>,
    retry_at: Option<u64>,
    drain_until: Option<u64>,
    live_since: Option<u64>,
    backoff: Backoff,
    ask: TokenReason,
}

impl Default for Machine {
    fn default() -> Self {
        Self {
            state: State::Idle,
            reason: None,
            retry_at: None,
            drain_until: None,
            live_since: None,
            backoff: Backoff::default(),
            ask: TokenReason::Initial,
        }
    }
}

impl Machine {
    /// The state.
    pub fn state(&self) -> State {
        self.state
    }

    /// Why it is not live; `None` while nothing has failed.
    pub fn reason(&self) -> Option<&Reason> {
        self.reason.as_ref()
    }

    /// When a waiting client comes back, in milliseconds since 1970.
    pub fn retry_at(&self) -> Option<u64> {
        self.retry_at
    }

    /// What to tell the token callback of the next connection.
    pub fn token_reason(&self) -> TokenReason {
        self.ask
    }

    /// Starts to connect, unless it is closed or under way.
    pub fn connect(&mut self) {
        if !matches!(self.state, State::Closed | State::Connecting | State::Live) {
            self.dial();
        }
    }

    /// Rests until `connect`: it was told to, or token or workspace is missing.
    pub fn stop(&mut self) {
        if self.state != State::Closed {
            self.settle(State::Idle);
        }
    }

    /// The connection shows life.
    pub fn handle_live(&mut self, now: u64) {
        if self.state == State::Connecting {
            self.settle(State::Live);
            self.reason = None;
            self.live_since = Some(now);
            self.ask = TokenReason::Reconnect;
        }
    }

    /// The server ends, and wants this client back after so many milliseconds.
    pub fn handle_drain(&mut self, now: u64, retry_after_ms: u64) {
        self.drain_until = Some(now.saturating_add(retry_after_ms));
    }

    /// The server closed the connection.
    pub fn handle_close(&mut self, now: u64, code: u16, text: &str, random: f64) {
        let come_back = come_back(code, text);
        if come_back == ComeBack::No {
            self.refuse(code, text);
            return;
        }
        self.fall(now, Reason { code, text: text.to_owned() }, None, random);
        if come_back == ComeBack::WithNewToken {
            self.ask = TokenReason::Expired;
        }
    }

    /// The connection broke, or never came to be. `retry_after_ms` is what the server said, if it did.
    pub fn handle_failure(&mut self, now: u64, text: &str, retry_after_ms: Option<u64>, random: f64) {
        self.fall(now, Reason { code: 1006, text: text.to_owned() }, retry_after_ms, random);
    }

    /// Coming back would end in the same way.
    pub fn refuse(&mut self, code: u16, text: &str) {
        if self.is_active() {
            self.settle(State::Refused);
            self.reason = Some(Reason { code, text: text.to_owned() });
        }
    }

    /// Time has passed: true if it starts to connect.
    pub fn poll(&mut self, now: u64) -> bool {
        let due = self.state == State::Waiting && self.retry_at.is_none_or(|at| at <= now);
        if due {
            self.dial();
        }
        due
    }

    /// Connects now, out of `waiting`, `suspended` and `refused`.
    pub fn retry(&mut self) {
        if matches!(self.state, State::Waiting | State::Suspended | State::Refused) {
            self.backoff.reset();
            self.dial();
        }
    }

    /// There is no network.
    pub fn handle_offline(&mut self) {
        if self.is_active() {
            self.settle(State::Suspended);
        }
    }

    /// There is a network again: comes back within a second.
    pub fn handle_online(&mut self, now: u64, random: f64) {
        if matches!(self.state, State::Suspended | State::Waiting) {
            self.settle(State::Waiting);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let pause = (random.clamp(0.0, 1.0) * 1000.0) as u64;
            self.retry_at = Some(now + pause);
        }
    }

    /// Ends for good.
    pub fn close(&mut self) {
        self.settle(State::Closed);
    }

    fn is_active(&self) -> bool {
        matches!(self.state, State::Connecting | State::Live | State::Waiting | State::Suspended)
    }

    fn dial(&mut self) {
        self.settle(State::Connecting);
    }

    fn settle(&mut self, state: State) {
        self.state = state;
        self.retry_at = None;
        if state != State::Live {
            self.live_since = None;
        }
    }

    fn fall(&mut self, now: u64, reason: Reason, retry_after_ms: Option<u64>, random: f64) {
        if !matches!(self.state, State::Connecting | State::Live) {
            return;
        }
        if self.live_since.is_some_and(|since| now.saturating_sub(since) >= STABLE_MS) {
            self.backoff.reset();
        }
        let drained = self.drain_until.take().map(|until| until.saturating_sub(now));
        let jittered = self.backoff.pause_ms(random);
        let pause = retry_after_ms.or(drained).unwrap_or(jittered);
        self.settle(State::Waiting);
        self.reason = Some(reason);
        self.retry_at = Some(now.saturating_add(pause));
    }
}

/// What the registry says about a close. One that it does not know is worth coming back.
pub fn come_back(code: u16, reason: &str) -> ComeBack {
    let mut same_code = CLOSE_CODES.iter().filter(|entry| entry.code == code);
    if let Some(entry) = same_code.clone().find(|entry| entry.reason == reason) {
        return entry.come_back;
    }
    // Other systems word their reasons otherwise. The code alone decides where it has one meaning.
    match (same_code.next(), same_code.next()) {
        (Some(entry), None) => entry.come_back,
        _ if code == 1008 && reason.to_ascii_lowercase().contains("expired") => ComeBack::WithNewToken,
        _ if code == 1008 => ComeBack::No,
        _ => ComeBack::Yes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(now: u64) -> Machine {
        let mut machine = Machine::default();
        machine.connect();
        machine.handle_live(now);
        machine
    }

    #[test]
    fn a_broken_connection_comes_back_after_its_pause() {
        let mut machine = live(0);
        machine.handle_failure(1000, "cut", None, 0.5);
        assert_eq!((machine.state(), machine.retry_at()), (State::Waiting, Some(1750)));
        assert!(!machine.poll(1749));
        assert!(machine.poll(1750));
        assert_eq!(machine.state(), State::Connecting);
        assert_eq!(machine.token_reason(), TokenReason::Reconnect);
    }

    #[test]
    fn a_short_life_forgets_no_failure_but_thirty_seconds_do() {
        let mut machine = live(0);
        machine.handle_failure(10, "cut", None, 1.0);
        machine.retry_at = Some(10);
        machine.poll(10);
        machine.handle_live(20);
        machine.handle_failure(30, "cut", None, 1.0);
        assert_eq!(machine.retry_at(), Some(30 + 1500));
        machine.poll(1530);
        machine.handle_live(2000);
        machine.handle_failure(32_000, "cut", None, 1.0);
        assert_eq!(machine.retry_at(), Some(32_000 + 1000));
    }

    #[test]
    fn the_server_has_the_last_word_on_when() {
        let mut machine = live(0);
        machine.handle_drain(100, 7000);
        machine.handle_close(600, 1001, "server shutting down", 0.9);
        assert_eq!(machine.retry_at(), Some(7100));
        machine.poll(7100);
        machine.handle_failure(7200, "503", Some(60_000), 0.0);
        assert_eq!(machine.retry_at(), Some(67_200));
    }

    #[test]
    fn every_close_is_followed_as_the_registry_says() {
        for entry in CLOSE_CODES {
            let mut machine = live(0);
            machine.handle_close(5, entry.code, entry.reason, 0.0);
            let expected = if entry.come_back == ComeBack::No { State::Refused } else { State::Waiting };
            assert_eq!(machine.state(), expected, "{}", entry.name);
            let asks = entry.come_back == ComeBack::WithNewToken;
            assert_eq!(machine.token_reason() == TokenReason::Expired, asks, "{}", entry.name);
        }
        assert_eq!(come_back(4999, "whatever"), ComeBack::Yes);
        assert_eq!(come_back(4001, "Unauthorized: bad token"), ComeBack::No);
        assert_eq!(come_back(1008, "Token has expired"), ComeBack::WithNewToken);
    }

    #[test]
    fn refused_is_left_by_retry_only_and_closed_by_nothing() {
        let mut machine = live(0);
        machine.handle_close(5, 4001, "unauthorized", 0.0);
        assert!(!machine.poll(u64::MAX));
        machine.handle_online(10, 0.0);
        assert_eq!(machine.state(), State::Refused);
        machine.retry();
        assert_eq!(machine.state(), State::Connecting);
        machine.close();
        machine.retry();
        machine.connect();
        machine.handle_live(20);
        assert_eq!(machine.state(), State::Closed);
    }

    #[test]
    fn without_a_network_it_rests_and_comes_back_within_a_second() {
        let mut machine = live(0);
        machine.handle_offline();
        assert_eq!(machine.state(), State::Suspended);
        assert!(!machine.poll(u64::MAX));
        machine.handle_online(100, 0.999);
        assert_eq!((machine.state(), machine.retry_at()), (State::Waiting, Some(1099)));
    }
}
