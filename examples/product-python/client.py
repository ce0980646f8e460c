"""A client of the product surface, as its documents have it: `websockets`, and nothing of Campanile's.

It comes back after every break, says PING every 25 seconds, and marks what it has dealt with as read: whatever it has
not comes again with the next connection. Run by itself, it prints what comes:
ACCESS_TOKEN=… python client.py ws://127.0.0.1:8700
"""

import asyncio
import json
import os
import random
import sys
import time
from collections.abc import AsyncGenerator, Callable
from typing import Any
from urllib.parse import quote

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

PING_EVERY = 25.0
PONG_WITHIN = 10.0
STABLE = 30.0
"""All in seconds."""


class Refused(Exception):
    """The token is not accepted: coming back with it would end in the same way."""


class Notifications:
    """`async for notification in Notifications(url, token)`: each until it is marked as read."""

    def __init__(self, url: str, token: Callable[[], str]) -> None:
        self._url = url
        self._token = token
        self._socket: ClientConnection | None = None
        self._pong = asyncio.Event()
        self.user = ""

    async def mark_read(self, notification_id: str) -> None:
        """If there is no connection, it comes again, and can be marked then."""
        if self._socket:
            await self._socket.send(json.dumps({"action": "mark_read", "id": notification_id}))

    async def __aiter__(self) -> AsyncGenerator[dict[str, Any]]:
        failures = 0
        while True:
            began = time.monotonic()
            try:
                # A new token for each connection: the old one may have expired.
                address = f"{self._url}/api/ws/notification?access_token={quote(self._token(), safe='')}"
                async with connect(address, ping_interval=None) as socket:
                    async for message in self._messages(socket):
                        yield message
            except (OSError, InvalidHandshake, ConnectionClosed) as error:
                close = error.rcvd if isinstance(error, ConnectionClosed) else None
                if close and close.code == 1008 and "expired" not in close.reason:
                    raise Refused(close.reason) from None
            # Only what held is forgiven: a server that accepts and drops is not to be hammered.
            failures = 0 if time.monotonic() - began > STABLE else min(failures + 1, 10)
            # Full jitter, so that not everybody comes back at once.
            await asyncio.sleep(0.5 + random.random() * min(20.0, 0.5 * 2**failures))

    async def _messages(self, socket: ClientConnection) -> AsyncGenerator[dict[str, Any]]:
        self._socket = socket
        pinging = asyncio.create_task(self._ping(socket))
        try:
            async for text in socket:
                message = json.loads(text)
                if message.get("type") == "CONNECTION_ESTABLISHED":
                    self.user = message["userId"]
                elif message.get("type") == "pong":
                    self._pong.set()
                elif "id" in message and "message" in message:
                    yield message
        finally:
            self._socket = None
            pinging.cancel()

    async def _ping(self, socket: ClientConnection) -> None:
        while True:
            await asyncio.sleep(PING_EVERY)
            self._pong.clear()
            await socket.send("PING")
            try:
                await asyncio.wait_for(self._pong.wait(), PONG_WITHIN)
            except asyncio.TimeoutError:
                await socket.close()
                return


async def main() -> None:
    """Prints what comes, and marks it as read."""
    notifications = Notifications(sys.argv[1], lambda: os.environ["ACCESS_TOKEN"])
    async for notification in notifications:
        print(f"{notification['type']}: {notification['message']}")
        await notifications.mark_read(notification["id"])


if __name__ == "__main__":
    asyncio.run(main())
