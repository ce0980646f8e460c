"""From the client to handlers and iterators: each has a bounded queue and its own pace, and stops nobody."""

import asyncio
import inspect
import logging
import weakref
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any

from .call import calling
from .errors import CampanileError, HandlerFailed, Lagged
from .notification import Notification

_log = logging.getLogger("campanile")
QUEUE = 1000
"""Events that may wait for one handler or iterator. More are dropped all at once, and it is told."""

_PERSONAL = ("notification", "update", "retract", "receipts", "resync")
"""Events of one user."""


class Handler:
    """One handler of one event. Each call is a task, one after the other."""

    def __init__(
        self,
        event: str,
        call: Callable[[Any], Any],
        report: Callable[[CampanileError], None],
        limit: int = QUEUE,
    ) -> None:
        self._event = event
        self._call = call
        self._report = report
        # Of states only the newest says anything.
        self._queue: deque[Any] = deque(maxlen=1 if event == "change" else None)
        self._limit = limit
        self._held = False
        self._task: asyncio.Task[None] | None = None
        self._stopped = False

    def put(self, payload: Any) -> None:
        """Has the handler called with this, soon."""
        if len(self._queue) >= self._limit:
            dropped = len(self._queue)
            self._queue.clear()
            self._report(Lagged(dropped))
        self._queue.append(payload)
        self._start()

    def hold(self, held: bool) -> None:
        """What waits, waits on; or goes on."""
        self._held = held
        self._start()

    @property
    def waiting(self) -> int:
        """How many events wait."""
        return len(self._queue)

    def drop(self) -> None:
        """What waits is never told."""
        self._queue.clear()

    def empty(self) -> None:
        """What waits is told without what it shows."""
        self._queue = deque((payload.emptied() for payload in self._queue), self._queue.maxlen)

    def stop(self, but: "asyncio.Task[Any] | None" = None) -> "asyncio.Task[None] | None":
        """Calls it no more; returns the call that is under way, cancelled, unless it is the one that asks, or this."""
        self._queue.clear()
        if self._task is None or self._task in (but, asyncio.current_task()):
            return None
        self._stopped = True
        self._task.cancel()
        return self._task

    def _start(self) -> None:
        if self._queue and not self._held and self._task is None:
            self._task = asyncio.ensure_future(self._tell())
            self._task.add_done_callback(self._handle_told)

    async def _tell(self) -> None:
        # Looked at again: what waited may be of a former user by now.
        if self._queue and not self._held:
            with calling():
                answer = self._call(self._queue.popleft())
                if inspect.isawaitable(answer):
                    await answer

    def _handle_told(self, task: "asyncio.Task[None]") -> None:
        # What is cancelled by anything but `stop` failed by itself, such as by awaiting what was cancelled elsewhere.
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if error and not (task.cancelled() and self._stopped):
            failed = HandlerFailed(self._event)
            failed.__cause__ = error
            self._report(failed)
        self._task, self._stopped = None, False
        self._start()


class Feed(AsyncIterator[Notification]):
    """An iterator over notifications as they come. `Lagged` is raised once if it is too slow; then it goes on."""

    def __init__(self, limit: int = QUEUE) -> None:
        self._queue: deque[Notification] = deque()
        self._limit = limit
        self._dropped = 0
        self._ended = False
        self._held = False
        self._changed = asyncio.Event()

    def put(self, notification: Notification) -> None:
        """Adds one, before the end."""
        if self._ended:
            return
        if len(self._queue) >= self._limit:
            self._dropped += len(self._queue)
            self._queue.clear()
        self._queue.append(notification)
        self._changed.set()

    def hold(self, held: bool) -> None:
        """What waits, waits on; or goes on."""
        self._held = held
        self._changed.set()

    def drop(self) -> None:
        """What waits is never told."""
        self._queue.clear()

    def end(self) -> None:
        """Ends the iteration once what waits is taken; what is held is not told any more."""
        self._ended = True
        self._changed.set()

    def __aiter__(self) -> "Feed":
        return self

    async def __anext__(self) -> Notification:
        while True:
            if self._dropped:
                dropped, self._dropped = self._dropped, 0
                raise Lagged(dropped)
            if self._queue and not self._held:
                return self._queue.popleft()
            if self._ended:
                raise StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()

    async def aclose(self) -> None:
        """Takes no more."""
        self.end()
        self._queue.clear()


class Delivery:
    """All handlers and iterators of a client."""

    def __init__(self, events: tuple[str, ...]) -> None:
        self._handlers: dict[str, list[Handler]] = {name: [] for name in events}
        self._feeds: weakref.WeakSet[Feed] = weakref.WeakSet()
        """Also those that have ended, as long as somebody may take what waits in them."""
        self._held = False

    def add(self, event: str, call: Callable[[Any], Any]) -> Callable[[], None]:
        """Has a function called on an event; returns what stops that. `ValueError` for an unknown event."""
        if event not in self._handlers:
            raise ValueError(f"events are {', '.join(self._handlers)}")
        handlers = self._handlers[event]
        # A handler of errors that fails is told to nobody but the log: there is no end to it otherwise.
        handler = Handler(event, call, _log_only if event == "error" else self.report)
        handler.hold(self._held and event in _PERSONAL)
        handlers.append(handler)

        def stop() -> None:
            if handler in handlers:
                handlers.remove(handler)
            handler.stop()

        return stop

    def feed(self) -> Feed:
        """Another iterator."""
        feed = Feed()
        feed.hold(self._held)
        self._feeds.add(feed)
        return feed

    def hold(self, held: bool) -> None:
        """Whose what happened is must be known first: it waits until that is so. What it looked like is never told."""
        self._held = held
        for one in self._personal():
            one.hold(held)
        if held:
            self._hide()

    def drop(self) -> None:
        """What happened to another user is not told any more, nor what it looked like."""
        for one in self._personal():
            one.drop()
        self._hide()

    def wants(self, event: str) -> bool:
        """Whether anybody would be told."""
        return bool(self._handlers[event])

    def emit(self, event: str, payload: Any) -> None:
        """Tells everybody, soon."""
        if event == "error" and not self.wants(event):
            _log_only(payload)
        for handler in tuple(self._handlers[event]):
            handler.put(payload)
        if event == "notification":
            for feed in self._feeds:
                feed.put(payload)

    def report(self, error: CampanileError) -> None:
        """Tells of an error; without a handler, the log."""
        self.emit("error", error)

    def end(self) -> None:
        """Ends iterators. Handlers go on."""
        for feed in self._feeds:
            feed.end()

    def stop(self, but: "asyncio.Task[Any] | None") -> "list[asyncio.Task[None]]":
        """Returns the calls that are under way, cancelled, but for this one. Handlers stay, for what comes later; what
        waits for them is dropped, and it is told."""
        dropped = sum(handler.waiting for event in _PERSONAL for handler in self._handlers[event])
        calls = [handler.stop(but) for handlers in self._handlers.values() for handler in handlers]
        if dropped:
            self.report(Lagged(dropped))
        return [call for call in calls if call]

    def _hide(self) -> None:
        for handler in self._handlers["change"]:
            handler.drop()
        for handler in self._handlers["state"]:
            handler.empty()

    def _personal(self) -> list[Handler | Feed]:
        return [*self._feeds, *(handler for event in _PERSONAL for handler in self._handlers.get(event, ()))]


def _log_only(error: CampanileError) -> None:
    _log.warning("%s", error)
