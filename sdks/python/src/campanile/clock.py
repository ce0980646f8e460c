"""Time as an argument, so that tests step it."""

import asyncio
import time
from collections.abc import Awaitable, Coroutine
from typing import Any, Protocol, TypeVar

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


async def within(clock: Clock, seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """What `work` returns or raises; `TimeoutError` if that takes longer. The work has ended either way."""
    task = asyncio.ensure_future(work)
    timer = asyncio.ensure_future(clock.sleep(seconds))
    try:
        await asyncio.wait((task, timer), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return await task
        raise TimeoutError
    finally:
        await ended(task, timer)


async def first(*works: Awaitable[Any]) -> None:
    """Returns once one of these has; the others are cancelled. What they raise is dropped."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await ended(*tasks)


async def ended(*tasks: "asyncio.Future[Any]") -> None:
    """Cancels these, and returns when the last has ended."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
