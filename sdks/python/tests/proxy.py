"""A network that can't be relied on: delays, cuts, halves of frames, connections that are open at one end only."""

import asyncio
import random
from typing import Literal

from campanile.clock import ended

Fate = Literal["cut", "half", "open", "refuse", "good"]


class Proxy:
    """Passes bytes on to a server, until it does not. What it does is drawn from one seed."""

    def __init__(self, address: str, seed: int) -> None:
        host, _, port = address.rpartition(":")
        self._host, self._port = host, int(port)
        self._random = random.Random(seed)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.calm = False
        """From now on nothing breaks."""
        self.fates: dict[Fate, int] = {"cut": 0, "half": 0, "open": 0, "refuse": 0, "good": 0}
        self.url = ""

    async def __aenter__(self) -> "Proxy":
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        outgoing: asyncio.StreamWriter | None = None
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            fate = self._draw(b"upgrade: websocket" in head.lower())
            if fate == "refuse":
                return
            incoming, outgoing = await asyncio.open_connection(self._host, self._port)
            outgoing.write(head)
            # A greeting has some 300 bytes: some break before it, some within, some long after. Those that outlive all
            # that is said end by time.
            budget = self._random.choice((150, 400, 600, 1500, 4000, 30_000)) + self._random.randrange(300)
            life = None if fate == "good" or self.calm else self._random.uniform(0.1, 1.0)
            up = asyncio.ensure_future(self._pass(reader, outgoing, fate, budget // 4))
            down = asyncio.ensure_future(self._pass(incoming, writer, fate, budget))
            try:
                await asyncio.wait((up, down), timeout=life, return_when=asyncio.FIRST_COMPLETED)
                if fate == "open":
                    await ended(up, down)
                    # Neither end learns of it; the one that watches for silence leaves.
                    await reader.read(-1)
            finally:
                await ended(up, down)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            for end in (writer, outgoing):
                if end:
                    end.transport.abort()

    def _draw(self, is_socket: bool) -> Fate:
        if self.calm:
            return "good"
        fates: tuple[Fate, ...] = ("cut", "half", "open", "refuse")
        fate: Fate = self._random.choices(fates, (45, 35, 10, 10))[0]
        if not is_socket and fate == "open":
            # A request without an answer ends after half a minute, which is no matter of reconnecting.
            fate = "good"
        self.fates[fate] += 1
        return fate

    async def _pass(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, fate: Fate, budget: int) -> None:
        """Until an end is reached, or the budget is spent."""
        while data := await source.read(4096):
            if self.calm or fate == "good":
                target.write(data)
                continue
            await asyncio.sleep(self._random.random() * 0.01)
            if len(data) < budget:
                budget -= len(data)
                target.write(data)
                continue
            if fate == "half":
                target.write(data[: max(1, len(data) // 2)])
                await target.drain()
            return
        if target.can_write_eof():
            target.write_eof()
