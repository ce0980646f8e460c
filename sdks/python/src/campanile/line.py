"""What holds a client to its server: a token and a connection, and for a moment two of them."""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .clock import Clock, ended
from .connection import Connection
from .errors import ActionRefused, BadAnswer, CampanileError, TokenFailed
from .notification import Position
from .state import End, Reason, TokenReason
from .surface import Surface
from .surface.event import Alive, Arrived, Done, Event, Hello, LeftOut, Pong, Refused
from .surface.native import refresh
from .token import Claims, TokenSource, ask, refresh_at

REFRESH = "refresh"
"""The `ref` of a refresh; those of actions are numbers."""
_NOBODY = End(Reason("token", 0, "nobody"))
_ANOTHER = End(Reason("token", 0, "another user"), retry_after=0.0)


@dataclass(frozen=True)
class Plan:
    """What a line needs to know."""

    url: str
    workspace: str
    surface: Surface
    source: TokenSource
    clock: Clock
    random: Callable[[], float]
    tls: ssl.SSLContext | None


class Line:
    """One stay on the server: a token, a connection, and its exchange before the token ends. Used once."""

    def __init__(
        self,
        plan: Plan,
        handle: Callable[[Event], None],
        handle_error: Callable[[CampanileError], None],
        resume: Callable[[Claims], tuple[Position | None, str | None]],
        leave: Callable[[End | None], None],
        whose: Callable[[], str | None],
    ) -> None:
        """`handle` gets everything of the connection that counts, in order; `resume` is asked before dialling. `leave`
        is told that the next token is another user's, or that nobody is logged in (`None`): what is here must not be
        shown from then on, and whoever is told ends it, however it ends by itself. `whose`: who the server says that
        it is of."""
        self._plan = plan
        self._handle = handle
        self._handle_error = handle_error
        self._resume = resume
        self._leave = leave
        self._whose = whose
        self._source = plan.source
        self._current: Connection | None = None
        self._next: Connection | None = None
        self._next_token: str | None = None
        self._tasks: dict[Connection, asyncio.Task[End]] = {}
        self._leaving: set[asyncio.Task[End]] = set()
        self._turned = asyncio.Event()
        self._refresh_due: float | None = None
        self._moved = asyncio.Event()
        self._offered: str | None = None
        self.token: str | None = None
        self.live = False
        """Whether the server said its first word."""

    async def run(self, reason: TokenReason) -> End:
        """Until the connection ends, or could not be made."""
        plan = self._plan
        try:
            self.token = await ask(self._source, reason, plan.clock)
        except TokenFailed as error:
            self._handle_error(error)
            return End(Reason("token", 0, "token_failed"))
        if not self.token:
            self._leave(None)
            return _NOBODY
        self._current = self._dial(self.token)
        refreshing = asyncio.ensure_future(self._refresh())
        try:
            return await self._follow()
        finally:
            await ended(refreshing, *self._tasks.values(), *self._leaving)

    def try_send(self, text: str) -> bool:
        """Sends a text on the connection that counts; false if it can't be taken now."""
        return self._current is not None and self._current.try_send(text)

    def exchange(self, source: TokenSource) -> None:
        """Goes on with a token of this source, of the same user, and without a gap."""
        self._source = source
        self._refresh_due = self._plan.clock.utc()
        self._moved.set()

    async def _follow(self) -> End:
        while True:
            self._turned.clear()
            turned = asyncio.ensure_future(self._turned.wait())
            try:
                await asyncio.wait((turned, *self._tasks.values()), return_when=asyncio.FIRST_COMPLETED)
            finally:
                await ended(turned)
            current, following = self._current, self._next
            assert current
            if following and self._tasks[following].done():
                # It did not get through; the old one may have been put out by it.
                self._tasks.pop(following)
                self._next = None
                self._later()
            task = self._tasks[current]
            if task.done() and self._next is None:
                return task.result()
            if task.done():
                # Put out by its successor, which is about to say its first word.
                self._tasks.pop(current)
                self._current, self._next = self._next, None
                self.token = self._next_token
                self.live = False

    def _dial(self, token: str) -> Connection:
        plan = self._plan
        position, last_id = self._resume(Claims.of(token))
        address = plan.surface.address(token, plan.workspace, position, last_id)
        connection = Connection(
            plan.url, address, plan.surface, plan.clock, plan.tls, self._on_event, self._on_bad_frame
        )
        self._tasks[connection] = asyncio.ensure_future(connection.run())
        expires_at = Claims.of(token).expires_at
        if expires_at is not None:
            self._plan_refresh(expires_at, Claims.of(token).issued_at)
        return connection

    def _on_event(self, connection: Connection, event: Event) -> None:
        if connection is self._next and isinstance(event, (Alive, Arrived, Pong, LeftOut)):
            self._promote()
        if connection is not self._current:
            return
        if isinstance(event, (Alive, Arrived, Pong, Hello)):
            connection.handle_alive()
            self.live = True
        if isinstance(event, Hello) and event.expires_at is not None and self.token:
            self._plan_refresh(event.expires_at, Claims.of(self.token).issued_at)
        if isinstance(event, (Done, Refused)) and event.ref == REFRESH:
            self._refreshed(event)
            return
        self._handle(event)

    def _on_bad_frame(self, kind: str) -> None:
        self._handle_error(BadAnswer(kind))

    def _promote(self) -> None:
        """The new socket is live: what the old one says no longer counts."""
        former, self._current, self._next = self._current, self._next, None
        self.token = self._next_token
        task = self._tasks.pop(former, None) if former else None
        if task:
            # It says goodbye in its own time.
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)
            task.cancel()
        self._turned.set()

    def _refreshed(self, answer: Done | Refused) -> None:
        if isinstance(answer, Done):
            self.token = self._offered
            if answer.expires_at is not None and self.token:
                self._plan_refresh(answer.expires_at, Claims.of(self.token).issued_at)
        elif answer.code == "token_mismatch":
            # Another user's, or not for this workspace: that takes another connection.
            self._leave(_ANOTHER)
        else:
            self._handle_error(ActionRefused("refresh", answer.code))
            self._later()

    async def _refresh(self) -> None:
        plan = self._plan
        while True:
            self._moved.clear()
            moved: asyncio.Future[Any] = asyncio.ensure_future(self._moved.wait())
            waits = [moved]
            if self._refresh_due is not None:
                waits.append(asyncio.ensure_future(_sleep(plan.clock, self._refresh_due)))
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                await ended(*waits)
            if self._refresh_due is None or plan.clock.utc() < self._refresh_due:
                continue
            self._refresh_due = None
            await self._exchange()

    async def _exchange(self) -> None:
        source = self._source
        try:
            token = await ask(source, "refresh", self._plan.clock)
        except TokenFailed as error:
            self._handle_error(error)
            self._later()
            return
        if source is not self._source:
            # Another was given meanwhile, which is asked next: what this one says is over.
            return
        if not token:
            self._leave(None)
        elif token == self.token:
            self._later()
        elif self._is_of_another(token):
            self._leave(_ANOTHER)
        elif self._plan.surface.name == "native":
            self._offered = token
            if not self.try_send(refresh(token, REFRESH)):
                self._later()
        elif self._next is None:
            self._next_token = token
            self._next = self._dial(token)
            self._turned.set()

    def _is_of_another(self, token: str) -> bool:
        user, former = Claims.of(token).user, Claims.of(self.token or "").user
        if former is None and self._plan.surface.name != "native":
            # The native surface's server tells by itself, without a second socket.
            former = self._whose()
        return user is not None and former is not None and user != former

    def _later(self) -> None:
        """Again after 5 to 10 s. A token that is only a text does not change by asking."""
        if isinstance(self._source, str):
            return
        self._refresh_due = self._plan.clock.utc() + 5 + 5 * self._plan.random()
        self._moved.set()

    def _plan_refresh(self, expires_at: float, issued_at: float | None) -> None:
        if isinstance(self._source, str):
            return
        now = self._plan.clock.utc()
        self._refresh_due = refresh_at(now, issued_at, expires_at, self._plan.random())
        self._moved.set()


async def _sleep(clock: Clock, until: float) -> None:
    await clock.sleep(until - clock.utc())
