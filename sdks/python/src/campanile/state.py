"""The state machine of a client. Pure: time and randomness are arguments."""

import enum
from dataclasses import dataclass
from typing import Literal

from .backoff import STABLE, Backoff
from .close_codes import CLOSE_CODES, ComeBack


class State(str, enum.Enum):
    """Where a client stands."""

    IDLE = "idle"
    """Not connected: not started, or token or workspace is missing."""
    CONNECTING = "connecting"
    """Asks for a token, dials, waits for the server's first word."""
    LIVE = "live"
    """Connected."""
    WAITING = "waiting"
    """Comes back at `retry_at`."""
    SUSPENDED = "suspended"
    """The program said that there is no network."""
    REFUSED = "refused"
    """The server said not to come back; `reason` says why."""
    CLOSED = "closed"
    """Closed, which is final."""


TokenReason = Literal["initial", "reconnect", "expired", "refresh"]
"""Why a token is asked for."""


@dataclass(frozen=True)
class End:
    """How a connection, or the attempt at one, ended."""

    kind: Literal["close", "http", "network", "silence", "timeout", "token"]
    """`close`: with a close frame; `http`: refused before the upgrade; `token`: there was none to be had."""
    code: int | None = None
    """The close code, or the HTTP status."""
    reason: str = ""
    """The server's words, the code of its problem, or the kind of what the network did."""
    come_back: ComeBack = "yes"
    retry_after: float | None = None
    """Seconds, where the server says when."""

    @classmethod
    def closed(cls, code: int, reason: str, retry_after: float | None = None) -> "End":
        """By a close frame, judged by the registry."""
        return cls("close", code, reason, _come_back(code, reason), retry_after)

    @classmethod
    def refused(cls, status: int, problem: str | None, retry_after: float | None) -> "End":
        """Before the upgrade. Only a problem of the registry can be final: other answers are a proxy's."""
        final = problem is not None and status in (400, 403, 405, 414, 421, 426, 431)
        return cls("http", status, problem or "", "no" if final else "yes", retry_after)


ONLINE_SPREAD = 1.0
"""Seconds within which a client comes back that is told of a network, so that not all come at once."""


class Machine:
    """Decides when to connect. The client does what it says, and tells it what happened."""

    def __init__(self, backoff: Backoff) -> None:
        self._backoff = backoff
        self._live_since: float | None = None
        self._ready = False
        self.state = State.IDLE
        self.reason: End | None = None
        self.retry_at: float | None = None
        """By the clock's `now`."""
        self.ask: TokenReason = "initial"

    def handle_options(self, ready: bool) -> None:
        """Another token or workspace was given. `ready`: both are there."""
        if self.state is State.CLOSED:
            return
        self._ready = ready
        if self.state is State.SUSPENDED:
            return
        self._backoff.forget()
        self.ask = "initial"
        self._go(State.CONNECTING if ready else State.IDLE)

    def handle_missing(self) -> None:
        """The token callback says that there is nobody: until `handle_options` or `handle_retry`."""
        self._go(State.IDLE)

    def handle_live(self, now: float) -> None:
        """The server's first word came."""
        if self.state is State.CONNECTING:
            self._live_since = now
            self._go(State.LIVE)
            self.reason = None

    def handle_end(self, end: End, now: float, random: float) -> None:
        """The connection ended, or could not be made."""
        if self.state not in (State.CONNECTING, State.LIVE):
            return
        if self._live_since is not None and now - self._live_since >= STABLE:
            self._backoff.forget()
        self._live_since = None
        self.ask = "expired" if end.come_back == "with_new_token" else "reconnect"
        if end.come_back == "no":
            self._go(State.REFUSED)
        else:
            delay = self._backoff.delay(random) if end.retry_after is None else end.retry_after
            self._go(State.WAITING)
            self.retry_at = now + delay
        self.reason = end

    def handle_retry(self) -> None:
        """The user wants it now."""
        if self.state in (State.WAITING, State.REFUSED, State.SUSPENDED, State.IDLE) and self._ready:
            self._backoff.forget()
            self._go(State.CONNECTING)

    def handle_suspend(self) -> None:
        """There is no network."""
        if self.state in (State.CONNECTING, State.LIVE, State.WAITING):
            self._live_since = None
            self.ask = "reconnect"
            self._go(State.SUSPENDED)

    def handle_wake(self, now: float, random: float) -> None:
        """There may be a network again: come back within a second."""
        if self.state in (State.WAITING, State.SUSPENDED):
            if not self._ready:
                self._go(State.IDLE)
                return
            self._go(State.WAITING)
            self.retry_at = now + random * ONLINE_SPREAD

    def handle_close(self) -> None:
        """For ever."""
        self._go(State.CLOSED)

    def handle_time(self, now: float) -> None:
        """Time passed."""
        if self.state is State.WAITING and self.retry_at is not None and now >= self.retry_at:
            self._go(State.CONNECTING)

    def _go(self, state: State) -> None:
        self.state = state
        self.retry_at = None
        if state is not State.CONNECTING:
            self.reason = None


def _come_back(code: int, reason: str) -> ComeBack:
    known = [entry for entry in CLOSE_CODES if entry.code == code]
    for entry in known:
        if entry.reason == reason:
            return entry.come_back
    words = {entry.come_back for entry in known}
    if len(words) == 1:
        return words.pop()
    if code == 1008:
        # A policy in other words: only an expired token has a cure.
        return "with_new_token" if "expired" in reason.lower() else "no"
    # Not of the registry: a proxy's, or a broken connection. Never a dead end.
    return "yes"
