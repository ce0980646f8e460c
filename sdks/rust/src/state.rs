//! The state machine of a client: pure. Time and randomness are arguments.

use serde::Serialize;

use crate::backoff::{Backoff, STABLE_MS};
use crate::close_codes::ComeBack;
use crate::come_back::settled;
pub use crate::come_back::{Answer, come_back, come_back_after};

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
    /// Told that there is no network. Looks for itself after 5 minutes.
    Suspended,
    /// The server said not to come back. Another token, another workspace or `retry` leaves it.
    Refused,
    /// `close` was called: final.
    Closed,
}

/// How a connection ended, or could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReasonKind {
    /// The server closed.
    Close,
    /// It was refused before the socket.
    Http,
    /// No close was said.
    Lost,
    /// There is no token to be had.
    Token,
}

/// Why a connection is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// What it was.
    pub kind: ReasonKind,
    /// The close code or the HTTP status; 0 where there is none.
    pub code: u16,
    /// The server's words, the code of its problem, or ours. Never a part of a token.
    pub reason: String,
}

impl Reason {
    fn new(kind: ReasonKind, code: u16, reason: &str) -> Self {
        Self { kind, code, reason: reason.to_owned() }
    }
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

/// How long a client that was told of no network believes that: 5 min.
pub const OFFLINE_RETRY_MS: u64 = 300_000;
/// A client that is told of a network comes back within this time, so that not all come at once: 1 s.
pub const ONLINE_SPREAD_MS: u64 = 1_000;

/// The machine: what happened goes in, [`Machine::state`] and [`Machine::retry_at`] come out.
#[derive(Debug, Clone)]
pub struct Machine {
    state: State,
    reason: Option<Reason>,
    due: Option<u64>,
    /// When the server wants this client back: nothing but `retry` and another token make that earlier.
    told: Option<u64>,
    drain_until: Option<u64>,
    live_since: Option<u64>,
    online: bool,
    backoff: Backoff,
    ask: TokenReason,
}

impl Default for Machine {
    fn default() -> Self {
        Self {
            state: State::Idle,
            reason: None,
            due: None,
            told: None,
            drain_until: None,
            live_since: None,
            online: true,
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

    /// Why it is waiting, suspended or refused; `None` in other states.
    pub fn reason(&self) -> Option<&Reason> {
        self.reason.as_ref()
    }

    /// When a waiting client comes back, in milliseconds since 1970.
    pub fn retry_at(&self) -> Option<u64> {
        self.due.filter(|_| self.state == State::Waiting)
    }

    /// When [`Machine::poll`] makes a difference.
    pub fn due(&self) -> Option<u64> {
        self.due
    }

    /// What to tell the token callback of the next connection.
    pub fn token_reason(&self) -> TokenReason {
        self.ask
    }

    /// Starts to connect, out of `idle`.
    pub fn connect(&mut self) {
        if self.state == State::Idle {
            self.settle(State::Connecting, None, None);
        }
    }

    /// Starts to connect anew, as another token or workspace was given.
    pub fn begin(&mut self) {
        if self.state != State::Closed {
            self.backoff.reset();
            self.ask = TokenReason::Initial;
            self.settle(State::Connecting, None, None);
        }
    }

    /// Rests until `connect`: it was told to, or token or workspace is missing.
    pub fn stop(&mut self) {
        if self.state != State::Closed {
            self.backoff.reset();
            self.ask = TokenReason::Initial;
            self.settle(State::Idle, None, None);
        }
    }

    /// The connection shows life: there is a network, whatever was said.
    pub fn handle_live(&mut self, now: u64) {
        if self.state == State::Connecting {
            self.settle(State::Live, None, None);
            self.live_since = Some(now);
            self.online = true;
            self.ask = TokenReason::Reconnect;
        }
    }

    /// The server ends, and wants this client back after so many milliseconds.
    pub fn handle_drain(&mut self, now: u64, retry_after_ms: u64) {
        self.drain_until = Some(now.saturating_add(retry_after_ms));
    }

    /// The server closed the connection. `renewable`: another token can be had by asking.
    pub fn handle_close(&mut self, now: u64, code: u16, text: &str, renewable: bool, random: f64) {
        let reason = Reason::new(ReasonKind::Close, code, text);
        self.fall(now, reason, settled(come_back(code, text), renewable), None, random);
    }

    /// The server, or whoever is before it, answered something else than a socket. `problem`: the code of its problem.
    pub fn handle_answer(&mut self, now: u64, answer: &Answer<'_>, renewable: bool, random: f64) {
        let reason = Reason::new(ReasonKind::Http, answer.status, answer.problem.unwrap_or("http"));
        let come_back = settled(come_back_after(answer.status, answer.problem), renewable);
        self.fall(now, reason, come_back, answer.retry_after_ms, random);
    }

    /// The connection broke, or never came to be. `retry_after_ms` is when to come back, where that is not by chance.
    pub fn handle_failure(&mut self, now: u64, text: &str, retry_after_ms: Option<u64>, random: f64) {
        let reason = Reason::new(ReasonKind::Lost, 0, text);
        self.fall(now, reason, ComeBack::Yes, retry_after_ms, random);
    }

    /// There is no token that could be used.
    pub fn handle_no_token(&mut self, now: u64, text: &str, random: f64) {
        self.fall(now, Reason::new(ReasonKind::Token, 0, text), ComeBack::Yes, None, random);
    }

    /// Time has passed: true if it starts to connect.
    pub fn poll(&mut self, now: u64) -> bool {
        let due = self.due.is_some_and(|at| at <= now);
        if due {
            self.settle(State::Connecting, None, None);
        }
        due
    }

    /// Connects now, out of `waiting`, `suspended` and `refused`.
    pub fn retry(&mut self) {
        if matches!(self.state, State::Waiting | State::Suspended | State::Refused) {
            self.backoff.reset();
            self.settle(State::Connecting, None, None);
        }
    }

    /// There is no network.
    pub fn handle_offline(&mut self, now: u64) {
        self.online = false;
        if matches!(self.state, State::Connecting | State::Live) {
            self.ask = TokenReason::Reconnect;
        }
        if matches!(self.state, State::Connecting | State::Live | State::Waiting) {
            self.rest(now, Reason::new(ReasonKind::Lost, 0, "offline"), self.told);
        }
    }

    /// There is a network again: comes back within a second, or when the server said.
    pub fn handle_online(&mut self, now: u64, random: f64) {
        self.online = true;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let soon = now.saturating_add((random.clamp(0.0, 1.0) * ONLINE_SPREAD_MS as f64) as u64);
        let planned = self.retry_at().unwrap_or(u64::MAX);
        if matches!(self.state, State::Suspended | State::Waiting) {
            let (reason, told) = (self.reason.take(), self.told);
            self.settle(State::Waiting, reason, Some(told.unwrap_or(soon.min(planned))));
            self.told = told;
        }
    }

    /// Ends for good.
    pub fn close(&mut self) {
        self.settle(State::Closed, None, None);
    }

    fn settle(&mut self, state: State, reason: Option<Reason>, due: Option<u64>) {
        self.state = state;
        self.reason = reason;
        self.due = due;
        self.told = None;
        self.drain_until = None;
        if state != State::Live {
            self.live_since = None;
        }
    }

    /// Suspended: whoever says that there is no network may be wrong, or never say that it is back.
    fn rest(&mut self, now: u64, reason: Reason, told: Option<u64>) {
        let due = now.saturating_add(OFFLINE_RETRY_MS).max(told.unwrap_or(0));
        self.settle(State::Suspended, Some(reason), Some(due));
        self.told = told;
    }

    fn fall(
        &mut self,
        now: u64,
        reason: Reason,
        come_back: ComeBack,
        retry_after_ms: Option<u64>,
        random: f64,
    ) {
        if !matches!(self.state, State::Connecting | State::Live) {
            return;
        }
        if self.live_since.is_some_and(|since| now.saturating_sub(since) >= STABLE_MS) {
            self.backoff.reset();
        }
        let expired = come_back == ComeBack::WithNewToken;
        self.ask = if expired { TokenReason::Expired } else { TokenReason::Reconnect };
        if come_back == ComeBack::No {
            self.settle(State::Refused, Some(reason), None);
            return;
        }
        let jittered = self.backoff.pause_ms(random);
        let told = retry_after_ms.map(|after| now.saturating_add(after)).or(self.drain_until);
        if self.online {
            let due = told.unwrap_or(now.saturating_add(jittered));
            self.settle(State::Waiting, Some(reason), Some(due));
            self.told = told;
        } else {
            self.rest(now, reason, told);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::close_codes::CLOSE_CODES;

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
        machine.due = Some(10);
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
        machine.handle_close(600, 1001, "server shutting down", true, 0.9);
        assert_eq!(machine.retry_at(), Some(7100));
        machine.poll(7100);
        machine.handle_failure(7200, "503", Some(60_000), 0.0);
        assert_eq!(machine.retry_at(), Some(67_200));
    }

    #[test]
    fn every_close_is_followed_as_the_registry_says() {
        for entry in CLOSE_CODES {
            let mut machine = live(0);
            machine.handle_close(5, entry.code, entry.reason, true, 0.0);
            let expected = if entry.come_back == ComeBack::No { State::Refused } else { State::Waiting };
            assert_eq!(machine.state(), expected, "{}", entry.name);
            let asks = entry.come_back == ComeBack::WithNewToken;
            assert_eq!(machine.token_reason() == TokenReason::Expired, asks, "{}", entry.name);
        }
    }

    #[test]
    fn refused_is_left_by_retry_only_and_closed_by_nothing() {
        let mut machine = live(0);
        machine.handle_close(5, 4001, "unauthorized", true, 0.0);
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
    fn an_expired_token_is_final_where_there_is_no_other_one() {
        for (renewable, expected) in [(true, State::Waiting), (false, State::Refused)] {
            let mut machine = live(0);
            let answer = Answer { status: 401, problem: Some("token_expired"), retry_after_ms: None };
            machine.handle_answer(1, &answer, renewable, 0.0);
            assert_eq!(machine.state(), expected);
            let mut machine = live(0);
            machine.handle_close(1, 4003, "token expired", renewable, 0.0);
            assert_eq!(machine.state(), expected);
        }
    }

    #[test]
    fn what_the_server_said_outlives_signs_of_life() {
        for goes_offline in [false, true] {
            let mut machine = live(0);
            machine.handle_drain(0, 60_000);
            machine.handle_close(0, 1001, "server shutting down", true, 0.5);
            if goes_offline {
                machine.handle_offline(1);
            }
            machine.handle_online(2, 0.5);
            machine.handle_online(3, 0.5);
            assert_eq!((machine.state(), machine.retry_at()), (State::Waiting, Some(60_000)));
            machine.retry();
            machine.handle_failure(4, "cut", None, 0.9);
            machine.handle_online(4, 0.0);
            assert_eq!(machine.retry_at(), Some(4));
        }
    }

    #[test]
    fn a_sign_of_life_makes_nothing_later() {
        let mut machine = live(0);
        machine.handle_failure(0, "cut", None, 0.0);
        machine.handle_online(0, 0.9);
        assert_eq!(machine.retry_at(), Some(500));
    }

    #[test]
    fn without_a_network_it_rests_and_comes_back_within_a_second() {
        let mut machine = live(0);
        machine.handle_offline(0);
        assert!(!machine.poll(299_999));
        assert_eq!((machine.state(), machine.retry_at()), (State::Suspended, None));
        machine.handle_online(100, 0.999);
        assert_eq!((machine.state(), machine.retry_at()), (State::Waiting, Some(1099)));
    }

    #[test]
    fn being_offline_is_not_believed_for_ever() {
        let mut machine = live(0);
        machine.handle_offline(0);
        for now in [300_000, 600_000] {
            assert!(machine.poll(now));
            machine.handle_failure(now, "no connection", None, 0.5);
            assert_eq!(machine.state(), State::Suspended);
        }
        assert!(machine.poll(900_000));
        machine.handle_live(900_000);
        machine.handle_failure(900_001, "cut", None, 0.5);
        assert_eq!(machine.state(), State::Waiting);
        machine.stop();
        machine.handle_online(900_002, 0.0);
        assert_eq!((machine.state(), machine.due()), (State::Idle, None));
    }
}
