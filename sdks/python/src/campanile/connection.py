"""One connection of one surface, from dialling to its close."""

import asyncio
import json
import logging
import ssl
from collections.abc import Callable
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from .clock import Clock, ended, within
from .rest import AGENT, is_problem, retry_after
from .state import End
from .surface import Address, Surface
from .surface.event import Drain, Event, Hello, Pong

DIAL = 10.0
"""Seconds from dialling to the server's first word."""
GRACE = 10.0
"""Seconds by which a heartbeat or a pong may be late."""
PING_EVERY = 25.0
"""Seconds between the client's own pings, where the surface has no heartbeats."""
FAREWELL = 1.0
"""Seconds for the server's answer to our close. Of the machine's clock: no test waits for it."""
OUTGOING = 1100
"""Texts that may wait to be sent: more than actions can."""
LARGEST = 1024 * 1024
"""Bytes of a message; the server's are at most 64 KiB."""
BREATH = 32
"""Messages after which other tasks have their turn, even if more are there already."""

# The library logs requests in full, and so tokens, to whoever turns on its debug log.
_SILENT = logging.Logger("campanile.wire")
_SILENT.disabled = True


class Connection:
    """Dials, reads, writes and watches, until it ends; `run` then says how. It is used once."""

    def __init__(
        self,
        url: str,
        address: Address,
        surface: Surface,
        clock: Clock,
        tls: ssl.SSLContext | None,
        handle: Callable[["Connection", Event], None],
        handle_bad: Callable[[str], None],
    ) -> None:
        """`handle` is called for everything that happens, in order, and must not block or raise."""
        self._url = url
        self._address = address
        self._surface = surface
        self._clock = clock
        self._tls = tls
        self._handle = handle
        self._handle_bad = handle_bad
        self._outgoing: asyncio.Queue[str] = asyncio.Queue(OUTGOING)
        self._heartbeat: float | None = None
        self._due = 0.0
        self._ponged = asyncio.Event()
        self._drain: float | None = None
        self._alive = asyncio.Event()

    async def run(self) -> End:
        """From dialling to the end. Cancelled, it closes the socket without waiting for the server."""
        self._due = self._clock.now() + DIAL
        try:
            socket = await self._dialled()
        except TimeoutError:
            return End.lost("timeout")
        except InvalidStatus as refusal:
            return _refused(refusal, self._clock.utc())
        except (OSError, EOFError, WebSocketException, ValueError) as error:
            # Its kind alone: the library's words can hold the address.
            return End.lost(type(error).__name__)
        tasks = [asyncio.ensure_future(work) for work in (self._read(socket), self._write(socket))]
        tasks.append(asyncio.ensure_future(self._watch(socket)))
        farewell = FAREWELL
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            # The reader first: it knows the close that made the others fail.
            end = next(task for task in tasks if task.done()).result()
            farewell = 0.0
        finally:
            await ended(*tasks)
            await _let_go(socket, farewell)
        return end

    def try_send(self, text: str) -> bool:
        """Sends a text soon, in order; false if too many wait."""
        try:
            self._outgoing.put_nowait(text)
        except asyncio.QueueFull:
            return False
        return True

    def handle_alive(self) -> None:
        """The server said its first word."""
        self._alive.set()

    async def _dialled(self) -> ClientConnection:
        dial = asyncio.ensure_future(self._dial())
        try:
            return await within(self._clock, DIAL, dial)
        except BaseException:
            # It may have been there in the very moment in which it was given up: then nobody else would close it.
            if not dial.cancelled() and dial.exception() is None:
                dial.result().transport.abort()
            raise

    async def _dial(self) -> ClientConnection:
        subprotocols = [Subprotocol(self._address.subprotocol)] if self._address.subprotocol else None
        options: dict[str, Any] = {"ssl": self._tls} if self._tls else {}
        return await _Connect(
            self._url + self._address.path,
            additional_headers=dict(self._address.headers),
            subprotocols=subprotocols,
            user_agent_header=AGENT,
            compression=None,
            open_timeout=None,
            ping_interval=None,
            close_timeout=1,
            max_size=LARGEST,
            max_queue=BREATH,
            logger=_SILENT,
            **options,
        )

    async def _read(self, socket: ClientConnection) -> End:
        received = 0
        try:
            while True:
                message = await socket.recv()
                received += 1
                if isinstance(message, str):
                    self._take(message)
                if received % BREATH == 0:
                    await asyncio.sleep(0)
        except ConnectionClosed as close:
            if close.rcvd is None:
                return End.lost("network", self._drain)
            return End.closed(close.rcvd.code, close.rcvd.reason, self._drain)

    def _take(self, message: str) -> None:
        if self._heartbeat is not None:
            self._due = self._clock.now() + self._heartbeat + GRACE
        try:
            frame = json.loads(message)
            event = self._surface.read(frame) if isinstance(frame, dict) else None
        except Exception as error:
            # Whatever somebody sends: the reading goes on. The kind alone, no part of the frame.
            self._handle_bad(type(error).__name__)
            return
        if isinstance(event, Hello):
            self._heartbeat = event.heartbeat
            self._due = self._clock.now() + self._heartbeat + GRACE
        elif isinstance(event, Drain):
            self._drain = event.retry_after
        elif isinstance(event, Pong):
            self._ponged.set()
        if event is not None:
            self._handle(self, event)

    async def _write(self, socket: ClientConnection) -> End:
        try:
            while True:
                await socket.send(await self._outgoing.get())
        except ConnectionClosed:
            # The reader learns how it ended, and says so.
            await asyncio.Event().wait()
        return End.lost("network")

    async def _watch(self, socket: ClientConnection) -> End:
        if self._surface.ping == "frame":
            # A refusal comes as a close right after the upgrade: who answers a ping did not refuse.
            if not await self._ping(socket, DIAL):
                return End.lost("timeout")
            self._handle(self, Pong())
        if self._surface.ping is None:
            return await self._await_silence()
        if self._surface.ping == "text":
            try:
                await within(self._clock, self._due - self._clock.now(), self._alive.wait())
            except TimeoutError:
                return End.lost("timeout")
        while True:
            await self._clock.sleep(PING_EVERY)
            if not await self._ping(socket, GRACE):
                return End.lost("silence", self._drain)

    async def _await_silence(self) -> End:
        while self._clock.now() < self._due:
            await self._clock.sleep(self._due - self._clock.now())
        return End.lost("timeout") if self._heartbeat is None else End.lost("silence", self._drain)

    async def _ping(self, socket: ClientConnection, patience: float) -> bool:
        try:
            if self._surface.ping == "frame":
                pong: Any = await socket.ping()
            else:
                self._ponged.clear()
                self.try_send("PING")
                pong = self._ponged.wait()
            await within(self._clock, patience, pong)
        except TimeoutError:
            return False
        except ConnectionClosed:
            await asyncio.Event().wait()
        return True


class _Connect(connect):
    """Follows no redirect: a token must not go to where it was not meant for."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        """The redirect, as the refusal that it is then."""
        return exc


async def _let_go(socket: ClientConnection, patience: float) -> None:
    """Says goodbye; a peer that is gone holds nobody up for longer than `patience` seconds."""
    closing = asyncio.ensure_future(socket.close())
    try:
        await asyncio.wait((closing,), timeout=patience)
    finally:
        closing.cancel()
        socket.transport.abort()


def _refused(refusal: InvalidStatus, now: float) -> End:
    response = refusal.response
    problem = None
    if is_problem(response.headers.get("Content-Type")):
        try:
            problem = json.loads(response.body or b"").get("code")
        except (ValueError, AttributeError):
            problem = None
    after = retry_after(response.headers.get("Retry-After"), now)
    return End.refused(response.status_code, problem if isinstance(problem, str) else None, after)
