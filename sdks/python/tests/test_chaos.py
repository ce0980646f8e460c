"""The client and the real server over a network that breaks all the time."""

import asyncio
import os
import random
import time
from typing import Any

import pytest
from proxy import Proxy
from real import BINARY, LIMIT, RealServer
from tokens import real_token

from campanile import Backoff, Campanile, Clock, Notification, Publisher, Snapshot, State
from campanile.rest import Rest

RECONNECTS = int(os.environ.get("CAMPANILE_CHAOS", "60"))
SEED = int(os.environ.get("CAMPANILE_SEED", "20260101"))
HASTE = 20.0
"""How much faster than the server's the client's time runs, so that a silence of half a minute takes two seconds."""
WORKSPACE = "acme"

pytestmark = pytest.mark.skipif(BINARY is None, reason="CAMPANILE_BIN names no server")


class HastyClock(Clock):
    """The machine's time, in a hurry until it is told to calm down. Tokens end when they end."""

    def __init__(self) -> None:
        self._haste = HASTE
        self._base = self._since = time.monotonic()

    def calm(self) -> None:
        """From now on a second is a second."""
        self._base, self._since, self._haste = self.now(), time.monotonic(), 1.0

    def now(self) -> float:
        """See `Clock`."""
        return self._base + (time.monotonic() - self._since) * self._haste

    def utc(self) -> float:
        """See `Clock`."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """See `Clock`."""
        await asyncio.sleep(max(0.0, seconds) / self._haste)


class Chaos:
    """One run: who publishes, who reads, and what the client saw of it."""

    def __init__(self, server: RealServer, proxy: Proxy) -> None:
        self.random = random.Random(SEED)
        self.clock = HastyClock()
        self.client = Campanile(
            proxy.url,
            WORKSPACE,
            lambda _: real_token("alice", WORKSPACE),
            clock=self.clock,
            random=self.random.random,
            backoff=Backoff(cap=1.0),
        )
        self.received: list[int | None] = []
        self.lives = 0
        self.published: list[int | None] = []
        self.resyncs: list[str] = []
        self._rest = Rest(server.url)
        self._publisher = Publisher(
            server.url, WORKSPACE, lambda: real_token("backend", WORKSPACE, "notifications:write")
        )
        self.client.on("notification", self._receive)
        self.client.on("state", self._count)
        self.client.on("resync", lambda resync: self.resyncs.append(resync.reason))
        # Breaks are what this is about: they are no errors of the test.
        self.client.on("error", lambda _: None)

    def _receive(self, notification: Notification) -> None:
        self.received.append(notification.seq)

    def _count(self, snapshot: Snapshot) -> None:
        self.lives += snapshot.state is State.LIVE

    async def stir(self) -> None:
        """Publishes and reads until there were enough reconnects."""
        while self.lives <= RECONNECTS:
            users = [self.random.choice(("alice", "alice", "bob")) for _ in range(self.random.randrange(1, 4))]
            notes: list[dict[str, Any]] = [
                {"to": {"user": user}, "title": f"For {user}", "message": "Chaos"} for user in users
            ]
            for user, entry in zip(users, await self._publisher.publish(notes), strict=True):
                if user == "alice":
                    self.published.append(entry.seq)
            items = self.client.snapshot.items
            if items:
                chosen = self.random.choice(items[:50])
                await self._touch(chosen.id)
            await asyncio.sleep(self.random.random() * 0.1)

    async def _touch(self, name: str) -> None:
        what = self.random.choice(("read", "unread", "archive", "all", "elsewhere", "elsewhere"))
        if what == "elsewhere":
            # Another device of hers.
            await self.ask("POST", f"/inbox/{name}/read")
        elif what == "all":
            if self.random.random() < 0.1:
                self.client.read_all()
        else:
            getattr(self.client, what)(name)

    async def ask(self, method: str, path: str) -> Any:
        """What the server says, without a proxy between."""
        token = real_token("alice", WORKSPACE)
        body = b"" if method == "POST" else None
        answer = await asyncio.to_thread(self._rest.call, method, f"/v1/workspaces/{WORKSPACE}{path}", token, body)
        return answer.checked()


async def test_nothing_is_lost_and_nothing_comes_twice() -> None:
    """Whatever the network does, the sequence is the log's and the badge the server's."""
    async with RealServer() as server, Proxy(server.address, SEED) as proxy:
        chaos = Chaos(server, proxy)
        async with chaos.client as client:
            await _until(client, lambda s: s.state is State.LIVE)
            await asyncio.wait_for(chaos.stir(), max(180, 2 * RECONNECTS))
            proxy.calm = True
            chaos.clock.calm()
            last = chaos.published[-1] or 0
            await _until(
                client,
                lambda s: s.state is State.LIVE and not s.pending and s.position is not None and s.position.seq >= last,
            )
            inbox = await chaos.ask("GET", "/inbox?limit=1")
            await _until(client, lambda s: (s.unread, s.unseen) == (inbox["unread"], inbox["unseen"]))
            broken = {fate: count for fate, count in proxy.fates.items() if count}
            print(f"\n{chaos.lives} connections, {len(chaos.published)} notifications; {broken}; seed {SEED}")
            assert chaos.resyncs == [], "nothing was too much to replay"
            assert chaos.received == chaos.published
            await _assert_read_states(chaos)
            assert all(broken.get(fate) for fate in ("cut", "half", "open", "refuse")), broken


async def _assert_read_states(chaos: Chaos) -> None:
    """What is held shows what the server has, entry by entry."""
    held = {item.id: (item.seq, item.read, item.seen) for item in chaos.client.snapshot.items}
    before: int | None = None
    served: dict[str, tuple[int, bool, bool]] = {}
    while len(served) < len(held):
        page = await chaos.ask("GET", f"/inbox?limit=100{'' if before is None else f'&before={before}'}")
        served.update({item["id"]: (item["seq"], item["read"], item["seen"]) for item in page["items"]})
        before = page["older"]
        if before is None:
            break
    assert held == {name: served[name] for name in held if name in served}


async def _until(client: Campanile, predicate: Any) -> Snapshot:
    """Within one heartbeat and what may be left of a break."""
    try:
        return await asyncio.wait_for(client.until(predicate), 2 * LIMIT)
    except asyncio.TimeoutError:
        raise AssertionError(f"never so: {client.snapshot}") from None
