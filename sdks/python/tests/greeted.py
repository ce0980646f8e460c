"""A client and its scripted server, up to where most stories begin."""

import asyncio
from collections.abc import Callable
from typing import Any

from frames import hello, page
from scripted import LIMIT, ScriptedServer, Socket
from stepped import SteppedClock
from tokens import token

from campanile import Campanile, Snapshot, State


def client_of(server: ScriptedServer, **options: Any) -> Campanile:
    """A client of the scripted server, with a clock that is stepped."""
    clock = SteppedClock(server.quiet)
    options = {"workspace": "demo", "token": lambda _: token("alice", clock.utc() + 3600), "clock": clock, **options}
    return Campanile(server.url, **options)


async def until(client: Campanile, predicate: Callable[[Snapshot], bool]) -> Snapshot:
    """What it shows once that is so; soon."""
    return await asyncio.wait_for(client.until(predicate), LIMIT)


async def greeted(
    server: ScriptedServer, client: Campanile, *items: dict[str, Any], user: str = "alice", seq: int = 10
) -> Socket:
    """Its socket, once it is live and shows these items."""
    socket = await server.dialled()
    unread = sum(not entry["read"] for entry in items)
    socket.send(hello(seq, user=user, unread=unread, unseen=unread))
    (await server.asked()).reply(200, page(seq, list(items)))
    await until(client, lambda s: s.state is State.LIVE and len(s.items) == len(items) and not s.loading)
    return socket
