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
    """The program said that there is no network. It looks for itself after 5 minutes."""
    REFUSED = "refused"
    """The server said not to come back; `reason` says why."""
    CLOSED = "closed"
    """Closed, which is final."""


TokenReason = Literal["initial", "reconnect", "expired", "refresh"]
"""Why a token is asked for."""


@dataclass(frozen=True)
class Reason:
    """Why a connection is not there."""

    kind: Literal["close", "http", "lost", "token"]
    """`close`: the server closed. `http`: it was refused before the socket. `lost`: no close was said. `token`: there
    is none to be had."""
    code: int = 0
    """The close code or the HTTP status; 0 where there is none."""
    reason: str = ""
    """The server's words, the code of its problem, or ours. Holds no token."""


OFFLINE = Reason("lost", 0, "offline")
"""The program said so."""


@dataclass(frozen=True)
class End:
    """How a connection, or the attempt at one, ended."""

    reason: Reason
    come_back: ComeBack = "yes"
    retry_after: float | None = None
    """Seconds, where the server says when."""

    @classmethod
    def lost(cls, reason: str, retry_after: float | None = None) -> "End":
        """Without a word."""
        return cls(Reason("lost", 0, reason), "yes", retry_after)

    @classmethod
    def closed(cls, code: int, reason: str, retry_after: float | None = None) -> "End":
        """By a close frame, judged by the registry."""
        return cls(Reason("close", code, reason), _come_back(code, reason), retry_after)

    @classmethod
    def refused(cls, status: int, problem: str | None, retry_after: float | None) -> "End":
        """Before the socket. `problem` is the code of a problem document; whoever answers without one is a proxy."""
        final = problem is not None and status in (401, 403)
        come_back: ComeBack = "with_new_token" if problem == "token_expired" else "no" if final else "yes"
        return cls(Reason("http", status, problem or "http"), come_back, retry_after)


ONLINE_SPREAD = 1.0
"""Seconds within which a client comes back that is told of a network, so that not all come at once."""
OFFLINE_RETRY = 300.0
"""Seconds after which a client that was told of no network looks for itself."""


class Machine:
    """Decides when to connect. The client does what it says, and tells it what happened."""

    def __init__(self, backoff: Backoff) -> None:
        self._backoff = backoff
        self._live_since: float | None = None
        self._ready = False
        self._online = True
        self._told_until: float | None = None
        """The server said when to come back: nothing but `handle_retry` and another token make that earlier."""
        self._retry_at: float | None = None
        self.state = State.IDLE
        self.reason: Reason | None = None
        """Why it is waiting, suspended or refused."""
        self.ask: TokenReason = "initial"

    @property
    def retry_at(self) -> float | None:
        """When it comes back, by the clock's `now`; `None` unless it waits."""
        return self._retry_at if self.state is State.WAITING else None

    @property
    def due(self) -> float | None:
        """When `handle_time` makes a difference."""
        return self._retry_at

    def handle_options(self, ready: bool) -> None:
        """Another token or workspace was given. `ready`: both are there."""
        if self.state is State.CLOSED:
            return
        self._ready = ready
        self._backoff.forget()
        self.ask = "initial"
        self._go(State.CONNECTING if ready else State.IDLE)

    def handle_missing(self) -> None:
        """The token callback says that there is nobody: until `handle_options`."""
        self._go(State.IDLE)

    def handle_live(self, now: float) -> None:
        """The server's first word came: there is a network, whatever was said."""
        if self.state is State.CONNECTING:
            self._live_since = now
            self._online = True
            self._go(State.LIVE)

    def handle_end(self, end: End, now: float, random: float) -> None:
        """The connection ended, or could not be made."""
        if self.state not in (State.CONNECTING, State.LIVE):
            return
        if self._live_since is not None and now - self._live_since >= STABLE:
            self._backoff.forget()
        self.ask = "expired" if end.come_back == "with_new_token" else "reconnect"
        if end.come_back == "no":
            self._go(State.REFUSED, end.reason)
            return
        delay = self._backoff.delay(random)
        told = None if end.retry_after is None else now + end.retry_after
        if self._online:
            self._go(State.WAITING, end.reason, now + delay if told is None else told)
        else:
            self._rest(now, end.reason, told)
        self._told_until = told

    def handle_retry(self) -> None:
        """The user wants it now."""
        if self.state in (State.WAITING, State.REFUSED, State.SUSPENDED) and self._ready:
            self._backoff.forget()
            self._go(State.CONNECTING)

    def handle_offline(self, now: float) -> None:
        """There is no network."""
        self._online = False
        if self.state in (State.CONNECTING, State.LIVE):
            self.ask = "reconnect"
        if self.state in (State.CONNECTING, State.LIVE, State.WAITING):
            told = self._told_until
            self._rest(now, OFFLINE, told)
            self._told_until = told

    def handle_online(self, now: float, random: float) -> None:
        """There may be a network again: come back within a second, or when the server said."""
        self._online = True
        if self.state not in (State.WAITING, State.SUSPENDED):
            return
        told, reason = self._told_until, self.reason
        soon = now + random * ONLINE_SPREAD
        if told is not None:
            soon = told
        elif self.state is State.WAITING and self._retry_at is not None:
            soon = min(soon, self._retry_at)
        self._go(State.WAITING, reason, soon)
        self._told_until = told

    def handle_close(self) -> None:
        """For ever."""
        self._go(State.CLOSED)

    def handle_time(self, now: float) -> None:
        """Time passed."""
        if self._retry_at is not None and now >= self._retry_at:
            self._go(State.CONNECTING)

    def _rest(self, now: float, reason: Reason, told: float | None) -> None:
        """Suspended: whoever says that there is no network may be wrong, or never say that it is back."""
        self._go(State.SUSPENDED, reason, max(now + OFFLINE_RETRY, told or 0.0))

    def _go(self, state: State, reason: Reason | None = None, retry_at: float | None = None) -> None:
        self.state = state
        self.reason = reason
        self._retry_at = retry_at
        self._told_until = None
        if state is not State.LIVE:
            self._live_since = None


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
