"""Short ways to say what tests ask of the library's connections. Every wait ends after LIMIT seconds."""

import asyncio
import json
from typing import Any

import pytest
from server import LIMIT
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed


async def received(connection: ClientConnection) -> Any:
    """The next message, which is a text, as JSON."""
    async with asyncio.timeout(LIMIT):
        message = await connection.recv()
    assert isinstance(message, str), message
    return json.loads(message)


async def closed(connection: ClientConnection) -> tuple[int, str]:
    """The server's close, before which nothing else comes."""
    with pytest.raises(ConnectionClosed) as end:
        await asyncio.wait_for(connection.recv(), LIMIT)
    frame = end.value.rcvd
    assert frame, f"no close frame: {end.value!r}"
    return frame.code, frame.reason


async def assert_quiet(connection: ClientConnection) -> None:
    """Shows that nothing came before the answer to a PING that is sent now."""
    await connection.send("PING")
    assert await received(connection) == {"type": "pong"}
