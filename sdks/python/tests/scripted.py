"""A server that says what it is told: WebSocket and HTTP on one port, byte by byte where that matters."""

import asyncio
import json
import logging
import urllib.parse
from dataclasses import dataclass

from stepped import settle
from websockets.frames import Close, Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

# The library's log of this end is not the client's.
_SILENT = logging.Logger("scripted")
_SILENT.disabled = True
LIMIT = 10
"""Seconds to wait for what must come. Generous: it only ends tests that fail."""


@dataclass
class Asked:
    """A request that waits for its answer."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    answer: "asyncio.Future[tuple[int, dict[str, str], bytes]]"

    def reply(self, status: int, body: object = None, headers: dict[str, str] | None = None) -> None:
        """Answers with JSON: with a `code`, a problem document, unless the headers say otherwise."""
        kind = "application/problem+json" if isinstance(body, dict) and "code" in body else "application/json"
        self.answer.set_result((status, {"content-type": kind, **(headers or {})}, json.dumps(body).encode()))


class Socket:
    """The server's end of one WebSocket."""

    def __init__(self, path: str, headers: dict[str, str], writer: asyncio.StreamWriter, protocol: ServerProtocol):
        parts = urllib.parse.urlsplit(path)
        self.path = parts.path
        self.query = dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True))
        self.headers = headers
        self.frames: asyncio.Queue[str] = asyncio.Queue()
        self.closed: asyncio.Future[Close | None] = asyncio.get_running_loop().create_future()
        self.silent = False
        self._writer = writer
        self._protocol = protocol
        self._pongs: dict[bytes, asyncio.Future[None]] = {}
        self._pings = 0

    def send(self, frame: object) -> None:
        """A text frame: JSON, or the text itself."""
        text = frame if isinstance(frame, str) else json.dumps(frame)
        self._protocol.send_text(text.encode())
        self.flush()

    def close(self, code: int, reason: str = "") -> None:
        """Says goodbye, unless the client did so first."""
        if self._protocol.state.name != "OPEN":
            return
        self._protocol.send_close(code, reason)
        self.flush()

    def cut(self) -> None:
        """Breaks the connection without a word."""
        self.silent = True
        self._writer.transport.abort()

    def half_frame(self) -> None:
        """Says half of something, and breaks the connection."""
        self.silent = True
        # A text of 256 bytes, of which a few come.
        self._writer.write(b'\x81\x7e\x01\x00{"type":"notif')
        self._writer.close()

    async def next(self) -> str:
        """What the client says next."""
        return await asyncio.wait_for(self.frames.get(), LIMIT)

    async def ended(self) -> Close | None:
        """How the client closed: `None` if it was without a word."""
        return await asyncio.wait_for(asyncio.shield(self.closed), LIMIT)

    async def quiet(self) -> None:
        """Returns once the client has what was sent, and we have what it sent before."""
        if self.silent or self.closed.done() or self._protocol.state.name != "OPEN":
            return
        self._pings += 1
        name = b"quiet%d" % self._pings
        pong: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pongs[name] = pong
        self._protocol.send_ping(name)
        self.flush()
        await asyncio.wait_for(asyncio.wait((pong, self.closed), return_when=asyncio.FIRST_COMPLETED), LIMIT)

    def flush(self) -> None:
        """Sends what the protocol has ready."""
        for data in self._protocol.data_to_send():
            if data:
                self._writer.write(data)
            else:
                self._writer.close()

    def take(self) -> None:
        """Sorts what came in."""
        for event in self._protocol.events_received():
            if not isinstance(event, Frame):
                continue
            if event.opcode is Opcode.TEXT:
                self.frames.put_nowait(bytes(event.data).decode())
            elif event.opcode is Opcode.PONG and bytes(event.data) in self._pongs:
                pong = self._pongs.pop(bytes(event.data))
                if not pong.done():
                    pong.set_result(None)
            elif event.opcode is Opcode.CLOSE and not self.closed.done():
                self.closed.set_result(Close.parse(event.data))


class ScriptedServer:
    """Listens on a free port. Every socket is accepted; every request waits for its answer."""

    def __init__(self, subprotocol: str | None = "campanile.v1") -> None:
        self._subprotocols = [Subprotocol(subprotocol)] if subprotocol else None
        self._server: asyncio.Server | None = None
        self.tasks: set[asyncio.Task[None]] = set()
        """Its own, one a connection."""
        self.sockets: list[Socket] = []
        self.dials: asyncio.Queue[Socket] = asyncio.Queue()
        self.requests: asyncio.Queue[Asked] = asyncio.Queue()
        self.refusal: tuple[int, dict[str, str], bytes] | None = None
        """What upgrades are answered with, if not accepted."""
        self.refusals: list[tuple[int, dict[str, str], bytes]] = []
        """What the next upgrades are answered with, one each."""
        self.url = ""

    async def __aenter__(self) -> "ScriptedServer":
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server
        self._server.close()
        for task in tuple(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def dialled(self) -> Socket:
        """The next socket that the client opens."""
        return await asyncio.wait_for(self.dials.get(), LIMIT)

    async def asked(self) -> Asked:
        """The next request."""
        return await asyncio.wait_for(self.requests.get(), LIMIT)

    async def quiet(self) -> None:
        """Returns once nothing is on its way on any socket."""
        await settle()
        await asyncio.gather(*(socket.quiet() for socket in self.sockets))
        await settle()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            lines = head.decode().split("\r\n")
            headers = {n.lower(): v.strip() for n, _, v in (line.partition(":") for line in lines[1:] if line)}
            upgrade = headers.get("upgrade", "").lower() == "websocket"
            refusal = self.refusals.pop(0) if upgrade and self.refusals else self.refusal
            if upgrade and refusal is None:
                await self._serve_socket(head, lines[0].split(" ")[1], headers, reader, writer)
            elif upgrade:
                assert refusal
                writer.write(_http(*refusal))
            else:
                await self._serve_http(lines[0], headers, reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _serve_socket(
        self,
        head: bytes,
        path: str,
        headers: dict[str, str],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        protocol = ServerProtocol(subprotocols=self._subprotocols, max_size=None, logger=_SILENT)
        protocol.receive_data(head)
        (request,) = protocol.events_received()
        assert isinstance(request, Request)
        protocol.send_response(protocol.accept(request))
        socket = Socket(path, headers, writer, protocol)
        socket.flush()
        self.sockets.append(socket)
        self.dials.put_nowait(socket)
        try:
            while data := await reader.read(65536):
                if socket.silent:
                    continue
                protocol.receive_data(data)
                socket.take()
                socket.flush()
        finally:
            if not socket.closed.done():
                socket.closed.set_result(None)

    async def _serve_http(
        self, first: str, headers: dict[str, str], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        method, target, _ = first.split(" ")
        parts = urllib.parse.urlsplit(target)
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        query = dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True))
        asked = Asked(method, parts.path, query, headers, body, asyncio.get_running_loop().create_future())
        self.requests.put_nowait(asked)
        writer.write(_http(*await asked.answer))
        await writer.drain()


def _http(status: int, headers: dict[str, str], body: bytes) -> bytes:
    stated = {"content-type": "application/json", "content-length": str(len(body)), "connection": "close", **headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in stated.items())
    return f"HTTP/1.1 {status} As told\r\n{lines}\r\n".encode() + body
