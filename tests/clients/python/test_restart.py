"""A restart of the server under the library's own reconnecting iterator, with replay as the safety net."""

import asyncio
import json
from collections.abc import AsyncIterator

from client import closed, received
from server import LIMIT, Server
from tokens import product_token
from websockets.asyncio.client import ClientConnection, connect


async def test_the_library_reconnects_and_nothing_acknowledged_is_lost() -> None:
    # Restarts are this test's own: no other shares the server.
    with Server() as server:
        connections = aiter(connect(server.product(product_token("alice"))))
        first = await _connected(connections)
        read = server.publish("default", "alice", message="read")
        unread = server.publish("default", "alice", message="unread")
        assert [(await received(first))["id"] for _ in range(2)] == [read, unread]
        await first.send(json.dumps({"action": "mark_read", "id": read}))
        assert await received(first) == {"type": "marked_read", "id": read}

        # In a thread, so that the client can answer the close meanwhile.
        await asyncio.to_thread(server.stop)
        assert await closed(first) == (1001, "server shutting down")
        await asyncio.to_thread(server.boot)

        second = await _connected(connections)
        assert (await received(second))["id"] == unread
        live = server.publish("default", "alice", message="live")
        assert (await received(second))["id"] == live
        await second.close()


async def _connected(connections: AsyncIterator[ClientConnection]) -> ClientConnection:
    async with asyncio.timeout(LIMIT):
        connection = await anext(connections)
        assert (await received(connection))["type"] == "CONNECTION_ESTABLISHED"
        return connection
