"""Time as an argument, so that tests step it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Clock(Protocol):
    """Where a client's time comes from."""

    def now(self) -> float:
        """Seconds that only ever rise. Differences count, the value means nothing."""
        ...

    def utc(self) -> float:
        """Seconds since 1970, as tokens count."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Returns after so many seconds, at once for zero or less. Can be cancelled."""
        ...


class SystemClock:
    """The machine's."""

    def now(self) -> float:
        """See `Clock`."""
        return time.monotonic()

    def utc(self) -> float:
        """See `Clock`."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """See `Clock`."""
        await asyncio.sleep(max(0.0, seconds))


def called(call: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
    """What a function of the program returns or raises; of what it raises, a cancellation is an error like others. That
    of a task does not come from a call."""
    try:
        return call(*args, **named)
    except asyncio.CancelledError as error:
        raise RuntimeError("what was called is cancelled") from error


async def within(clock: Clock, seconds: float | None, work: Awaitable[T]) -> T:
    """What `work` returns or raises; `TimeoutError` if that takes longer. The work has ended either way.

    A cancellation of the work that nobody here asked for is an error like others, `RuntimeError`: it would be taken for
    that of whoever waits."""
    task: asyncio.Future[T] = asyncio.ensure_future(work)
    timers: list[asyncio.Future[Any]] = [] if seconds is None else [asyncio.ensure_future(clock.sleep(seconds))]
    waits: list[asyncio.Future[Any]] = [task, *timers]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise TimeoutError
        if task.cancelled():
            raise RuntimeError("what was waited for is cancelled")
        return task.result()
    finally:
        await ended(*waits)


async def ended(*tasks: "asyncio.Future[Any]") -> None:
    """Cancels these, and returns when the last has ended."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
