"""Has done what the machine decides: stays on the server, waits, and comes back."""

import asyncio
from collections.abc import Callable
from typing import Any

from .call import calling
from .clock import Clock, ended
from .delivery import Delivery
from .errors import Defect
from .session import Session
from .state import End, Machine, State


class Driver:
    """Runs from `start` to `halt`, and again; tells the machine what happened."""

    def __init__(
        self,
        machine: Machine,
        session: Session,
        delivery: Delivery,
        clock: Clock,
        random: Callable[[], float],
        handle_change: Callable[[], None],
    ) -> None:
        """`handle_change` is called where the machine may have another state."""
        self._machine = machine
        self._session = session
        self._delivery = delivery
        self._clock = clock
        self._random = random
        self._handle_change = handle_change
        self._task: asyncio.Task[None] | None = None
        self._running = asyncio.Lock()
        """A former run may still be saying goodbye when the next one begins."""
        self._wake = asyncio.Event()
        self._turn = 0
        """Rises with whatever ends the connection that is there."""

    def start(self) -> None:
        """Runs, from now on."""
        if self._task is None or self._task.done():
            self._task = asyncio.ensure_future(self._run())
        self.turn()

    def turn(self, cuts: bool = True) -> None:
        """The machine was told something. `cuts`: the connection that is there no longer counts."""
        if cuts:
            self._turn += 1
            self._session.cut()
        self._wake.set()
        self._handle_change()

    def halt(self) -> "list[asyncio.Task[None]]":
        """Runs no more. Returns what still ends."""
        self.turn()
        task, self._task = self._task, None
        if task is None:
            return []
        task.cancel()
        return [task]

    def handle_live(self) -> None:
        """The server said its first word."""
        self._machine.handle_live(self._clock.now())
        self._handle_change()

    def handle_left(self, end: End | None) -> None:
        """The user is another from now on, or nobody (`None`): not once the connection has said goodbye."""
        if end is None:
            self._machine.handle_missing()
        else:
            self._handle_end(end)
        self.turn()

    async def _run(self) -> None:
        with calling():
            await self._go()

    async def _go(self) -> None:
        async with self._running:
            while True:
                self._machine.handle_time(self._clock.now())
                self._wake.clear()
                if self._machine.state in (State.CONNECTING, State.LIVE):
                    await self._stay()
                else:
                    await self._rest()

    async def _rest(self) -> None:
        """Until there is something to do."""
        due = self._machine.due
        waits: list[asyncio.Future[Any]] = [asyncio.ensure_future(self._wake.wait())]
        if due is not None:
            waits.append(asyncio.ensure_future(self._clock.sleep(due - self._clock.now())))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await ended(*waits)

    async def _stay(self) -> None:
        """One stay on the server, ended by it or by a turn."""
        turn = self._turn
        self._handle_change()
        stay = asyncio.ensure_future(self._session.stay(self._machine.ask))
        try:
            while not stay.done() and self._turn == turn:
                woken = asyncio.ensure_future(self._wake.wait())
                try:
                    await asyncio.wait((stay, woken), return_when=asyncio.FIRST_COMPLETED)
                finally:
                    await ended(woken)
                self._wake.clear()
        finally:
            await ended(stay)
        if self._turn != turn:
            return
        # Nobody here cancelled it, so what it is made of did.
        error = asyncio.CancelledError() if stay.cancelled() else stay.exception()
        if error:
            defect = Defect()
            defect.__cause__ = error
            self._delivery.report(defect)
        self._handle_end(End.lost("defect") if error else stay.result())
        self._handle_change()

    def _handle_end(self, end: End) -> None:
        self._machine.handle_end(end, self._clock.now(), self._random())
