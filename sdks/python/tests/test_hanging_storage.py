"""A storage that hangs, or fails for once: nothing waits for ever, and nothing is written over what was not read."""

import asyncio

import pytest
from frames import hello, item
from greeted import client_of, greeted, until
from scripted import LIMIT, ScriptedServer
from stepped import SteppedClock
from tokens import token

from campanile import Campanile, CampanileError, MemoryStorage, State, StorageFailed


class Hanging(MemoryStorage):
    """Hangs, fails or is cancelled where it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.hangs: set[str] = set()
        self.fails: dict[str, BaseException] = {}
        self.never = asyncio.Event()
        self.asked: asyncio.Queue[str] = asyncio.Queue()

    async def _begin(self, call: str) -> None:
        self.asked.put_nowait(call)
        if call in self.hangs:
            await self.never.wait()
        if call in self.fails:
            raise self.fails[call]

    async def get(self, name: str) -> str | None:
        await self._begin("get")
        return await super().get(name)

    async def set(self, name: str, text: str) -> None:
        await self._begin("set")
        await super().set(name, text)

    async def erase(self, prefix: str) -> None:
        await self._begin("erase")
        await super().erase(prefix)


async def _kept(server: ScriptedServer) -> Hanging:
    """One that has what alice did."""
    storage = Hanging()
    client = client_of(server, storage=storage, token=token("alice", 4e9))
    client.archive("kept")
    await client.disconnect()
    assert len(storage.texts) == 1
    storage.asked = asyncio.Queue()
    return storage


def _client(server: ScriptedServer, storage: Hanging) -> tuple[Campanile, SteppedClock, list[CampanileError]]:
    clock = SteppedClock(server.quiet)
    errors: list[CampanileError] = []
    client = client_of(server, clock=clock, storage=storage, token=lambda _: token("alice", 4e9))
    client.on("error", errors.append)
    return client, clock, errors


async def test_a_storage_that_can_not_be_read_in_time_holds_up_nothing(server: ScriptedServer) -> None:
    """What is done is sent after 2 s; and what was kept is taken up by the next connection."""
    storage = await _kept(server)
    storage.hangs.add("get")
    client, clock, errors = _client(server, storage)
    client.connect()
    socket = await greeted(server, client, item(10, "a"))
    client.read("a")
    await server.quiet()
    assert socket.frames.empty()
    await clock.step(2)
    assert '"read"' in await socket.next()
    assert [type(error) for error in errors] == [StorageFailed]
    (kept,) = storage.texts.values()
    assert '"kept"' in kept, "nothing is written over it"
    assert '"a"' not in kept
    socket.send({"type": "ok", "ref": "1", "changed": True, "rev": 1, "unread": 0})
    await until(client, lambda s: s.pending == 0)
    storage.hangs.clear()
    socket.cut()
    await until(client, lambda s: s.state is State.WAITING)
    client.retry()
    again = await server.dialled()
    again.send(hello(10, resumed=True))
    assert '"archive"' in await again.next()
    await asyncio.wait_for(client.disconnect(), LIMIT)


@pytest.mark.parametrize("failure", [OSError("not now"), asyncio.CancelledError()])
async def test_nothing_is_written_over_what_could_not_be_read(server: ScriptedServer, failure: BaseException) -> None:
    """It is read again before that; what was done since has the last word."""
    storage = await _kept(server)
    storage.fails["get"] = failure
    client, _, errors = _client(server, storage)
    client.connect()
    socket = await greeted(server, client, item(10, "a"))
    client.read("a")
    assert '"read"' in await socket.next()
    await server.quiet()
    assert [type(error) for error in errors] == [StorageFailed]
    (kept,) = storage.texts.values()
    assert ('"kept"' in kept, '"a"' in kept) == (True, False)
    storage.fails.clear()
    await asyncio.wait_for(client.disconnect(), LIMIT)
    (kept,) = storage.texts.values()
    assert ('"kept"' in kept, '"a"' in kept) == (True, True)


async def test_what_could_not_be_read_has_not_the_last_word(server: ScriptedServer) -> None:
    """Though what was done since has been sent, and done."""
    storage = await _kept(server)
    storage.fails["get"] = OSError("not now")
    client, _, _ = _client(server, storage)
    client.connect()
    socket = await greeted(server, client, item(10, "kept"))
    client.unread("kept")
    assert '"unread"' in await socket.next()
    socket.send({"type": "ok", "ref": "1", "changed": True, "rev": 1, "unread": 1})
    await until(client, lambda s: s.pending == 0)
    storage.fails.clear()
    client.read("a")
    await socket.next()
    await asyncio.wait_for(client.disconnect(), LIMIT)
    (kept,) = storage.texts.values()
    assert ('"kept"' in kept, '"a"' in kept) == (False, True)


async def test_another_user_does_not_write_over_it_either(server: ScriptedServer) -> None:
    """What the former did is added to what is kept, where that can be read by then."""
    for readable in (True, False):
        storage = await _kept(server)
        storage.fails["get"] = OSError("not now")
        client, _, _ = _client(server, storage)
        client.connect()
        socket = await greeted(server, client, item(10, "a"))
        client.read("a")
        await socket.next()
        if readable:
            storage.fails.clear()
        client.update(token=token("bob", 4e9))
        await asyncio.wait_for(client.disconnect(), LIMIT)
        (kept,) = storage.texts.values()
        assert ('"kept"' in kept, '"a"' in kept) == (True, readable)


@pytest.mark.parametrize("leaves", ["disconnect", "close"])
@pytest.mark.parametrize("hangs", ["get", "set", "erase"])
async def test_whoever_leaves_waits_for_no_storage_for_ever(server: ScriptedServer, hangs: str, leaves: str) -> None:
    """It is told, and the rest goes on."""
    storage = await _kept(server)
    storage.hangs.add(hangs)
    client, clock, errors = _client(server, storage)
    client.connect()
    await greeted(server, client, item(10, "a"))
    client.read("a")
    leaving = asyncio.ensure_future(getattr(client, leaves)())
    for _ in range(4):
        await clock.step(5)
    await asyncio.wait_for(leaving, LIMIT)
    await server.quiet()
    assert client.state is (State.CLOSED if leaves == "close" else State.IDLE)
    told = (hangs, leaves) != ("erase", "disconnect")
    assert {type(error) for error in errors} == ({StorageFailed} if told else set())
    assert len(storage.texts) == (0 if leaves == "close" and hangs != "erase" else 1)
    storage.hangs.clear()
    storage.never.set()
    await asyncio.wait_for(client.close(), LIMIT)
    await server.quiet()
    assert len(storage.texts) == (1 if (hangs, leaves) == ("erase", "close") else 0), "nothing is written afterwards"


async def test_a_cancellation_that_a_storage_raises_ends_no_signing_out(server: ScriptedServer) -> None:
    """It is its failure."""
    storage = await _kept(server)
    storage.fails = {call: asyncio.CancelledError() for call in ("set", "erase")}
    client, _, errors = _client(server, storage)
    client.connect()
    await greeted(server, client, item(10, "a"))
    client.read("a")
    await asyncio.wait_for(client.close(), LIMIT)
    await server.quiet()
    assert {type(error) for error in errors} == {StorageFailed}
    await until(client, lambda s: s.state is State.CLOSED)
