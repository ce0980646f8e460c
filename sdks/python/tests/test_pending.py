"""Actions on their way: kept across restarts, and undone only if they are refused."""

import asyncio

import pytest
from frames import hello, item, page
from greeted import client_of, greeted, until
from scripted import LIMIT, ScriptedServer, Socket
from tokens import token

from campanile import ActionRefused, MemoryStorage, State


async def test_actions_outlive_the_process(server: ScriptedServer) -> None:
    """They are sent once there is a connection, in order, under the keys they had."""
    storage = MemoryStorage()
    async with client_of(server, storage=storage) as client:
        socket = await greeted(server, client, item(10, "a"), item(9, "b"))
        socket.cut()
        await until(client, lambda s: s.state is State.WAITING)
        client.read("a")
        client.archive("b")
        assert (client.snapshot.unread, client.snapshot.pending) == (0, 2)
    (kept,) = storage.texts.values()
    assert "eyJ" not in kept
    async with client_of(server, storage=storage) as client:
        socket = await server.dialled()
        socket.send(hello(10, unread=2, unseen=2))
        said = [await socket.next(), await socket.next()]
        assert '"read"' in said[0]
        assert '"archive"' in said[1]
        (await server.asked()).reply(200, page(10, [item(10, "a"), item(9, "b")]))
        await until(client, lambda s: len(s.items) == 1 and s.unread == 0)
        for ref in ("1", "2"):
            socket.send({"type": "ok", "ref": ref, "changed": True, "rev": int(ref), "unread": 2 - int(ref)})
        await until(client, lambda s: s.pending == 0)
        assert client.snapshot.unread == 0
    assert list(storage.texts.values()) == ["[]"]


async def test_what_is_done_while_the_storage_is_read_is_kept_by_leaving(server: ScriptedServer) -> None:
    """However slow that is."""
    read = asyncio.Event()

    class Slow(MemoryStorage):
        async def get(self, name: str) -> str | None:
            await read.wait()
            return await super().get(name)

    storage = Slow()
    client = client_of(server, storage=storage)
    client.connect()
    await greeted(server, client, item(10, "a"))
    client.read("a")
    leaving = asyncio.ensure_future(client.disconnect())
    await server.quiet()
    assert not leaving.done()
    read.set()
    await asyncio.wait_for(leaving, LIMIT)
    (kept,) = storage.texts.values()
    assert '"read"' in kept


async def test_a_refused_action_is_undone_and_told(server: ScriptedServer) -> None:
    """To whoever waits for it, and as an error."""
    async with client_of(server) as client:
        errors: list[Exception] = []
        client.on("error", errors.append)
        socket = await greeted(server, client, item(10, "a"))
        future = client.read("a")
        assert client.snapshot.unread == 0
        await socket.next()
        socket.send({"type": "error", "ref": "1", "code": "not_found", "message": "…"})
        with pytest.raises(ActionRefused) as refused:
            await asyncio.wait_for(future, LIMIT)
        assert refused.value.code == "not_found"
        assert client.snapshot.unread == 1
        await server.quiet()
        assert errors == [refused.value]


async def test_what_was_done_before_there_was_a_connection_is_kept(server: ScriptedServer) -> None:
    """Where it is known whose it is."""
    for who in ({"token": token("alice", 4e9)}, {"token": lambda _: "opaque", "user": "alice"}):
        storage = MemoryStorage()
        client = client_of(server, storage=storage, **who)
        client.read("a")
        await client.disconnect()
        (kept,) = storage.texts.values()
        assert '"read"' in kept


async def test_what_was_done_before_the_storage_was_read_is_kept(server: ScriptedServer) -> None:
    """Behind what was kept before, though another user came meanwhile; it is sent when she is back."""
    readable = asyncio.Event()

    class Slow(MemoryStorage):
        async def get(self, name: str) -> str | None:
            await readable.wait()
            return await super().get(name)

    storage = Slow()
    alice = token("alice", 4e9)
    before = client_of(server, storage=storage, token=alice)
    readable.set()
    before.read("before")
    await before.disconnect()
    readable.clear()
    async with client_of(server, storage=storage, token=alice) as client:
        await greeted(server, client, item(10, "a"))
        client.read("a")
        client.update(token=token("bob", 4e9))
        bobs = await greeted(server, client, item(10, "b"), user="bob")
        client.update(token=alice)
        readable.set()
        socket = await greeted(server, client, item(10, "a"))
        assert ["before" in await socket.next(), '"a"' in await socket.next()] == [True, True]
        assert bobs.frames.empty()


async def test_what_was_done_right_before_another_user_came_is_kept(server: ScriptedServer) -> None:
    """Though nothing had the time to begin."""
    storage = MemoryStorage()
    client = client_of(server, storage=storage, token=token("alice", 4e9))
    client.read("a")
    client.update(token=token("bob", 4e9))
    client.read("b")
    await client.disconnect()
    assert ["alice" in name for name in storage.texts] == [True, False]
    assert [text.count('"read"') for text in storage.texts.values()] == [1, 1]


@pytest.mark.parametrize("leaves", ["another user", "nobody", "closed"])
async def test_whoever_waits_for_what_is_no_longer_done_is_told(server: ScriptedServer, leaves: str) -> None:
    """By an error: a cancellation would be taken for that of the task that waits."""
    async with client_of(server) as client:
        socket = await greeted(server, client, item(10, "a"))
        waiting = [client.read("a"), client.seen()]
        await socket.next()
        if leaves == "closed":
            await client.close()
        else:
            client.update(token=None if leaves == "nobody" else token("bob", 4e9))
        for future in waiting:
            with pytest.raises(ActionRefused, match="missing"):
                await asyncio.wait_for(future, LIMIT)


async def test_whoever_waits_when_another_callback_is_given_waits_on(server: ScriptedServer) -> None:
    """Until that has said whose its tokens are."""
    asked: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    async with client_of(server) as client:
        socket = await greeted(server, client, item(10, "a"))
        waiting = client.read("a")
        await socket.next()
        client.update(token=lambda _: asked)
        await server.quiet()
        assert not waiting.done()
        asked.set_result(token("alice", 4e9))
        again = await server.dialled()
        again.send(hello(10, unread=1, unseen=1, resumed=True))
        assert '"read"' in await again.next()
        again.send({"type": "ok", "ref": "2", "changed": True, "rev": 1, "unread": 0})
        assert (await asyncio.wait_for(waiting, LIMIT)).changed


@pytest.mark.parametrize("surface", ["workspace", "product"])
@pytest.mark.parametrize("kept", [True, False])
async def test_what_is_done_where_nobody_says_whose_it_is_is_sent(surface: str, kept: bool) -> None:
    """Also what was done before there was a connection. It is not kept: by no name could it be found."""

    def alive(socket: Socket) -> None:
        if surface == "product":
            socket.send({"type": "CONNECTION_ESTABLISHED"})
        socket.send({"id": "a", "title": "a", "message": "", "type": "info"})

    storage = MemoryStorage()
    options = {"surface": surface, "token": lambda _: "opaque", "storage": storage if kept else None}
    async with ScriptedServer(None) as plain, client_of(plain, **options) as client:
        before = client.read("before")
        socket = await plain.dialled()
        alive(socket)
        assert '"before"' in await socket.next()
        assert (await before).changed
        await until(client, lambda s: len(s.items) == 1)
        assert (await asyncio.wait_for(client.read("a"), LIMIT)).changed
        assert '"a"' in await socket.next()
        assert (client.snapshot.unread, client.snapshot.pending, client.snapshot.user) == (0, 0, None)
        assert storage.texts == {}


async def test_what_is_done_before_anything_was_received_is_nothing(server: ScriptedServer) -> None:
    """What comes meanwhile was not shown to anybody: it stays unread."""
    async with client_of(server, token=token("alice", 4e9)) as client:
        for act in (client.read_all, client.seen):
            assert not (await act()).changed
        assert client.snapshot.pending == 0
        socket = await greeted(server, client, item(10, "a"))
        await server.quiet()
        assert (client.snapshot.unread, client.snapshot.unseen) == (1, 1)
        assert socket.frames.empty()


async def test_what_a_token_says_counts_more_than_a_name(server: ScriptedServer) -> None:
    """It is kept under the name under which it is found, and erased."""
    storage = MemoryStorage()
    client = client_of(server, storage=storage, token=token("alice", 4e9), user="bob")
    client.read("a")
    await client._session.flush()
    assert ["alice" in name for name in storage.texts] == [True]
    assert client.snapshot.user == "alice"
    await client.close()
    assert storage.texts == {}
