"""Random histories of calls: users, tokens and networks change. Nobody sees, hears or does what is another's."""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from frames import hello, item, notification, page
from scripted import LIMIT, Asked, ScriptedServer, Socket
from stepped import SteppedClock
from tokens import token

from campanile import (
    ActionRefused,
    Campanile,
    Closed,
    Defect,
    Lagged,
    MemoryStorage,
    Network,
    Notification,
    Problem,
    Snapshot,
)
from campanile.token import TokenSource

USERS = ("alice", "bob")
HEAD = 100
CALLS = 60


def of(entry: str) -> str:
    """Whose an entry is, by its id."""
    return entry.partition("-")[0]


class SlowStorage(MemoryStorage):
    """Takes its time, and looks at what it is given."""

    def __init__(self, history: "History") -> None:
        super().__init__()
        self._history = history

    async def get(self, name: str) -> str | None:
        """See `Storage`."""
        await self._history.ticks(20)
        return await super().get(name)

    async def set(self, name: str, text: str) -> None:
        """See `Storage`."""
        await self._history.ticks(20)
        self._history.faults += [a for a in json.loads(text) if "id" in a and f'"{of(a["id"])}"' not in name]
        await super().set(name, text)


class History:
    """One client, and a server that knows whose each token is."""

    def __init__(self, seed: int, server: ScriptedServer) -> None:
        self._chance = random.Random(seed)
        self._server = server
        self._owners: dict[str, str] = {}
        self._user = self._chance.choice(USERS)
        self._waits: list[Awaitable[Any]] = []
        self._tasks = [asyncio.ensure_future(self._serve()), asyncio.ensure_future(self._answer())]
        self.faults: list[object] = []
        """What must not have happened."""
        self.storage = SlowStorage(self)
        self.clock = SteppedClock()
        self.client = Campanile(server.url, "demo", self._source(), storage=self.storage, clock=self.clock)
        self.client.on("state", self._look)
        self.client.on("change", self._look)
        self.client.on("notification", self._hear)
        self.client.on("error", lambda error: self.faults.append(error) if isinstance(error, Defect) else None)

    async def ticks(self, most: int) -> None:
        """Lets others go on, for a while."""
        for _ in range(self._chance.randrange(most)):
            await asyncio.sleep(0)

    async def play(self) -> None:
        """Calls what can be called, and leaves. Everything that was begun ends."""
        client = self.client
        calls: list[tuple[Callable[[], object], int]] = [
            (client.connect, 15),
            (lambda: self._wait(client.disconnect()), 7),
            (lambda: client.update(token=self._source()), 10),
            (self._change_user, 5),
            (lambda: client.update(token=None), 2),
            (self._act, 16),
            (lambda: self._waits.append(client.read_all()), 5),
            (lambda: self._wait(self._load(**self._chance.choice([{}, {"unread": True}, {"archived": True}]))), 12),
            (lambda: self._wait(self._iterate()), 4),
            (client.retry, 6),
            (client.offline, 3),
            (client.online, 3),
            (lambda: self.clock.step(self._chance.choice([0.5, 5, 20])), 10),
        ]
        for _ in range(CALLS):
            (call,) = self._chance.choices([call for call, _ in calls], [weight for _, weight in calls])
            waits = call()
            if asyncio.iscoroutine(waits):
                await waits
            self._look(client.snapshot)
            await self.ticks(25)
            if self._chance.random() < 0.5:
                await self._server.quiet()
            self._look(client.snapshot)
        await asyncio.wait_for(client.disconnect(), LIMIT)
        await asyncio.wait_for(client.close(), LIMIT)
        for end in await asyncio.wait_for(asyncio.gather(*self._waits, return_exceptions=True), LIMIT):
            if isinstance(end, BaseException) and not isinstance(end, ActionRefused | Closed):
                self.faults.append(end)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _wait(self, work: Awaitable[Any]) -> None:
        self._waits.append(asyncio.ensure_future(work))

    def _change_user(self) -> None:
        self._user = next(user for user in USERS if user != self._user)
        self.client.update(token=self._source())

    def _source(self) -> TokenSource:
        """A text, or a callback that may be of somebody else each time, of nobody, or fail."""
        user, opaque = self._user, self._chance.random() < 0.3
        if self._chance.random() < 0.45:
            return self._token(user, opaque)

        def source(_: str) -> str | None:
            fate = self._chance.random()
            if fate < 0.05:
                raise OSError("no login server")
            return None if fate < 0.15 else self._token(user if fate < 0.9 else self._chance.choice(USERS), opaque)

        return source

    def _token(self, user: str, opaque: bool) -> str:
        text = f"opaque-{len(self._owners)}" if opaque else token(user, 4e9)
        self._owners[text] = user
        return text

    def _look(self, shown: Snapshot) -> None:
        if {of(entry.id) for entry in shown.items} - {shown.user}:
            self.faults.append(shown)

    async def _hear(self, told: Notification) -> None:
        if of(told.id) != self.client.snapshot.user:
            self.faults.append(told)
        await self.ticks(100)

    def _act(self) -> None:
        if items := self.client.snapshot.items:
            self._waits.append(self.client.read(self._chance.choice(items).id))

    async def _load(self, **filters: bool) -> None:
        user = self.client.snapshot.user
        try:
            entries = await self.client.load_more(**filters)
        except (Network, Problem):
            return
        if user and {of(entry.id) for entry in entries} - {user}:
            self.faults.append(entries)

    async def _iterate(self) -> None:
        try:
            async for told in self.client:
                await self._hear(told)
        except Lagged as lagged:
            self.faults.append(lagged)

    async def _serve(self) -> None:
        while True:
            socket = await self._server.dials.get()
            self._tasks.append(asyncio.ensure_future(self._talk(socket)))

    async def _talk(self, socket: Socket) -> None:
        user = self._owners[socket.headers["authorization"].removeprefix("Bearer ")]
        await self.ticks(30)
        resumed = "since" in socket.query and self._chance.random() < 0.7
        head = int(socket.query["since"]) if resumed else HEAD
        socket.send(hello(head, user=user, resumed=resumed, unread=2, unseen=2))
        if "since" in socket.query and not resumed:
            socket.send({"type": "resync", "epoch": "e1", "seq": HEAD, "reason": "position"})
        while not socket.closed.done():
            await self.ticks(40)
            fate = self._chance.random()
            if not socket.frames.empty():
                self._do(socket, user, json.loads(socket.frames.get_nowait()))
            elif fate < 0.3:
                head += 1
                socket.send(notification(head, f"{user}-{head}"))
            elif fate < 0.31:
                socket.cut()
            elif fate < 0.32:
                socket.close(4003, "token expired")
            await asyncio.sleep(0)

    def _do(self, socket: Socket, user: str, command: dict[str, Any]) -> None:
        if command["action"] != "refresh":
            if of(command.get("id", user)) != user:
                self.faults.append(command)
            socket.send({"type": "ok", "ref": command["ref"], "changed": True, "rev": 1, "unread": 1})
        elif self._owners[command["token"]] == user:
            socket.send({"type": "ok", "ref": command["ref"], "changed": True})
        else:
            socket.send({"type": "error", "ref": command["ref"], "code": "token_mismatch"})

    async def _answer(self) -> None:
        while True:
            asked = await self._server.requests.get()
            self._tasks.append(asyncio.ensure_future(self._page(asked)))

    async def _page(self, asked: Asked) -> None:
        user = self._owners[asked.headers["authorization"].removeprefix("Bearer ")]
        await self.ticks(60)
        before = int(asked.query.get("before", HEAD + 1))
        entries = [item(seq, f"{user}-{seq}") for seq in range(before - 1, before - 3, -1)]
        if self._chance.random() < 0.1:
            asked.reply(503)
        else:
            asked.reply(200, page(HEAD, entries, older=before - 2))


@pytest.mark.parametrize("seed", range(30))
async def test_whatever_is_called_nothing_is_anothers(server: ScriptedServer, seed: int) -> None:
    """And nothing hangs, nor is left behind."""
    before = asyncio.all_tasks()
    history = History(seed, server)
    await history.play()
    assert history.faults == []
    # What accepts a connection may be about to end, which is nobody's doing here.
    deadline = asyncio.get_running_loop().time() + LIMIT
    while left := [task for task in asyncio.all_tasks() - before - server.tasks if not task.done()]:
        assert asyncio.get_running_loop().time() < deadline, left
        await asyncio.sleep(0)
