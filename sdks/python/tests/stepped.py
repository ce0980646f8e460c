"""A clock that stands still until it is told to go on."""

import asyncio
import heapq
import math
from collections.abc import Awaitable, Callable

from campanile import Clock

START = 1_767_225_600.0
"""2026-01-01T00:00:00Z, in seconds since 1970."""


async def settle() -> None:
    """Has everything that can go on without time or network do so."""
    for _ in range(30):
        await asyncio.sleep(0)


class SteppedClock(Clock):
    """See `Clock`. `quiet` returns once nothing is on its way between client and server."""

    def __init__(self, quiet: Callable[[], Awaitable[None]] = settle) -> None:
        self._now = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0
        self._quiet = quiet
        self._asleep = asyncio.Event()

    def now(self) -> float:
        """Seconds since the start."""
        return self._now

    def utc(self) -> float:
        """Seconds since 1970."""
        return START + self._now

    async def sleep(self, seconds: float) -> None:
        """Until somebody steps that far."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._sleepers, (self._now + seconds, self._count, future))
        self._asleep.set()
        await future

    async def asleep(self, less_than: float = math.inf) -> None:
        """Returns once somebody sleeps for less than so many seconds more: not one that gives up a request by then."""
        while not any(not future.done() and due - self._now < less_than for due, _, future in self._sleepers):
            self._asleep.clear()
            await asyncio.wait_for(self._asleep.wait(), 10)

    async def step(self, seconds: float) -> None:
        """Lets so much time pass; who sleeps is woken at its own time, one after the other."""
        end = self._now + seconds
        await self._quiet()
        while self._sleepers and self._sleepers[0][0] <= end:
            due, _, future = heapq.heappop(self._sleepers)
            if future.done():
                continue
            self._now = max(self._now, due)
            future.set_result(None)
            await self._quiet()
        self._now = end
        await self._quiet()
