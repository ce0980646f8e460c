"""The client against a scripted server: it connects, goes on where it was, and leaves."""

import asyncio

import pytest
from frames import hello, item, notification, page
from greeted import client_of, greeted, until
from scripted import LIMIT, ScriptedServer, Socket
from stepped import START, SteppedClock
from tokens import token

from campanile import BadUrl, Campanile, Closed, Position, State


@pytest.mark.parametrize("url", ["ftp://localhost", "localhost:8700", "http://a:b@localhost", "http://localhost?x=1"])
def test_addresses_that_are_none(url: str) -> None:
    """Said at once, not by a client that never connects."""
    with pytest.raises(BadUrl, match="url"):
        Campanile(url, workspace="demo")


async def test_goes_on_from_a_saved_position(server: ScriptedServer) -> None:
    """What came meanwhile is told, in order; the list is loaded beside it."""
    saved = Position.from_json(Position("e1", 10, 3).to_json())
    async with client_of(server, resume=saved) as client:
        feed = client.notifications()
        socket = await server.dialled()
        assert socket.query == {"workspace": "demo", "epoch": "e1", "since": "10", "rev": "3"}
        socket.send(hello(10, head=12, rev=3, unread=3, resumed=True))
        socket.send(notification(11, "b"))
        socket.send(notification(12, "c"))
        (await server.asked()).reply(200, page(12, [item(12, "c"), item(11, "b"), item(10, "a")], rev=3))
        await until(client, lambda s: len(s.items) == 3 and s.unread == 3)
        told = [await anext(feed), await anext(feed)]
        assert [entry.id for entry in told] == ["b", "c"]
        assert told[0].position == Position("e1", 11, 3)


@pytest.mark.parametrize("before", ["nobody", "named otherwise", "no token", "another text", "another callback"])
async def test_a_saved_position_counts_until_the_first_connection(server: ScriptedServer, before: str) -> None:
    """Whatever is to be known before that."""
    tokens = iter([None, token("alice", 4e9)] if before == "nobody" else [token("alice", 4e9)])
    options = {"user": "bob"} if before == "named otherwise" else {}
    client = client_of(server, resume=Position("e1", 10, 3), token=lambda _: next(tokens), **options)
    if before == "no token":
        client.update(token=None)
    if before == "another text":
        client.update(token=token("bob", 4e9))
    if before not in ("nobody", "named otherwise"):
        client.update(token=token("alice", 4e9) if before != "another callback" else lambda _: token("alice", 4e9))
    async with client:
        if before == "nobody":
            await until(client, lambda s: s.state is State.CONNECTING)
            await until(client, lambda s: s.state is State.IDLE)
            client.connect()
        socket = await server.dialled()
        assert socket.query["since"] == "10"
        client.update(token=token("bob", 4e9))
        other = await server.dialled()
        assert "since" not in other.query


@pytest.mark.parametrize("change", [{"workspace": "other"}, {"user": "bob"}])
async def test_a_saved_position_is_of_one_place_and_name(server: ScriptedServer, change: dict[str, str]) -> None:
    """It says nothing of another."""
    client = client_of(server, resume=Position("e1", 10, 3), token=lambda _: "opaque")
    client.update(**change)
    async with client:
        assert "since" not in (await server.dialled()).query


async def test_nothing_is_lost_where_nothing_was_ever_stored(server: ScriptedServer) -> None:
    """A log without a name is read from its start, and what came before the break does not come twice."""
    async with client_of(server) as client:
        feed = client.notifications()
        socket = await server.dialled()
        socket.send(hello(0, epoch=None))
        (await server.asked()).reply(200, page(0, [], epoch=None))
        socket.send(notification(1, "a"))
        await until(client, lambda s: s.unread == 1)
        socket.cut()
        await until(client, lambda s: s.state is State.WAITING)
        client.retry()
        socket = await server.dialled()
        assert socket.query["since"] == "0"
        assert "epoch" not in socket.query
        socket.send(hello(0, epoch="e1", head=2, unread=2, resumed=True))
        socket.send(notification(1, "a"))
        socket.send(notification(2, "b"))
        await until(client, lambda s: s.unread == 2 and len(s.items) == 2)
        assert [(await anext(feed)).id for _ in range(2)] == ["a", "b"]
        assert client.position == Position("e1", 2, 0)


async def test_turned_away_before_the_upgrade_comes_back_when_told(server: ScriptedServer) -> None:
    """By `Retry-After`."""
    server.refusal = (503, {"retry-after": "5", "content-type": "application/problem+json"}, b'{"code":"overloaded"}')
    async with client_of(server) as client:
        waiting = await until(client, lambda s: s.state is State.WAITING)
        assert waiting.reason
        assert (waiting.reason.kind, waiting.reason.code, waiting.reason.reason) == ("http", 503, "overloaded")
        assert waiting.retry_at == pytest.approx(client._clock.utc() + 5)


async def test_turned_away_until_a_date_comes_back_then(server: ScriptedServer) -> None:
    """By the client's own clock; whatever the status."""
    server.refusal = (502, {"retry-after": "Thu, 01 Jan 2026 00:01:00 GMT"}, b"<html>")
    async with client_of(server) as client:
        waiting = await until(client, lambda s: s.state is State.WAITING)
        assert waiting.retry_at == pytest.approx(START + 60)


async def test_offline_while_there_is_no_network(server: ScriptedServer) -> None:
    """And back within a second."""
    async with client_of(server) as client:
        await greeted(server, client)
        client.offline()
        await until(client, lambda s: s.state is State.SUSPENDED)
        client.online()
        shown = await until(client, lambda s: s.state is State.WAITING)
        assert shown.retry_at is not None
        assert shown.retry_at <= client._clock.utc() + 1


async def test_workspace_surface_opens_the_next_socket_before_the_old_one_ends() -> None:
    """What the replaced one says does not count, and repeated ids come once."""
    async with ScriptedServer(None) as plain:
        clock = SteppedClock(plain.quiet)
        client = Campanile(
            plain.url,
            "demo",
            lambda _: token("alice", clock.utc() + 600),
            "workspace",
            clock=clock,
            random=lambda: 0.5,
            ask_missed=True,
        )
        async with client:
            feed = client.notifications()
            old = await plain.dialled()
            assert old.query["workspaceSlug"] == "demo"
            await until(client, lambda s: s.state is State.LIVE)
            old.send({"id": "a", "title": "A", "message": "", "type": "info", "read": False})
            await until(client, lambda s: len(s.items) == 1)

            async def evicts() -> Socket:
                newcomer = await plain.dialled()
                old.close(4009, "replaced by a newer connection")
                return newcomer

            evicted = asyncio.ensure_future(evicts())
            await clock.step(540)
            new = await evicted
            assert new.query["token"] != old.query["token"]
            assert new.query["since"] == "a"
            for name in ("a", "b"):
                new.send({"id": name, "title": name, "message": "", "type": "info", "read": False})
            await until(client, lambda s: s.unread == 2)
            assert client.state is State.LIVE
            assert [(await anext(feed)).id for _ in range(2)] == ["a", "b"]
            client.read("b")
            assert await new.next() == '{"action": "mark_read", "id": "b"}'


async def test_leaving_leaves_no_task_behind(server: ScriptedServer) -> None:
    """In no state, and however it is left."""
    before = asyncio.all_tasks()
    async with client_of(server) as client:
        await greeted(server, client)
        ours = asyncio.all_tasks() - before - server.tasks
        await client.disconnect()
        assert not [task for task in ours if not task.done()]
        client.connect()
        await server.dialled()
        ours = asyncio.all_tasks() - before - server.tasks
        await client.close()
        assert not [task for task in ours if not task.done()]


UNCHANGED: list[dict[str, str | None]] = [
    {},
    {"token": "a.b.c"},
    {"workspace": "demo"},
    {"user": None},
    {"token": "a.b.c", "workspace": "demo"},
]


@pytest.mark.parametrize("same", UNCHANGED)
async def test_an_update_that_changes_nothing_does_nothing(server: ScriptedServer, same: dict[str, str | None]) -> None:
    """Neither before the time that the server said, nor after a refusal, nor to an attempt or a connection."""
    server.refusals += [
        (503, {"retry-after": "60"}, b""),
        (401, {"content-type": "application/problem+json"}, b'{"code":"token_invalid"}'),
    ]
    clock = SteppedClock(server.quiet)
    async with client_of(server, token="a.b.c", clock=clock) as client:
        for state in (State.WAITING, State.REFUSED):
            shown = await until(client, lambda s, state=state: s.state is state)  # type: ignore[misc]
            client.update(**same)
            assert client.snapshot is shown
            await clock.step(59)
            assert client.snapshot is shown
            client.retry()
        socket = await server.dialled()
        for state in (State.CONNECTING, State.LIVE):
            assert client.state is state
            client.update(**same)
            await server.quiet()
            assert (len(server.sockets), socket.frames.empty(), socket.closed.done()) == (1, True, False)
            if state is State.CONNECTING:
                socket.send(hello(10))
                (await server.asked()).reply(200, page(10, []))
                await until(client, lambda s: s.state is State.LIVE and not s.loading)


async def test_coming_back_while_it_says_goodbye_disturbs_nothing(server: ScriptedServer) -> None:
    """The former connection ends in its own time; what is of the next one goes on."""
    async with client_of(server) as client:
        former = await server.dialled()
        former.silent = True
        await server.quiet()
        leaving = asyncio.ensure_future(client.disconnect())
        await until(client, lambda s: s.state is State.IDLE)
        client.connect()
        feed = client.notifications()
        socket = await server.dialled()
        socket.send(hello(10, unread=1, unseen=1))
        asked = await server.asked()
        await leaving
        assert client.snapshot.loading
        asked.reply(200, page(10, [item(10, "b")]))
        await until(client, lambda s: [entry.id for entry in s.items] == ["b"])
        socket.send(notification(11, "c"))
        assert (await anext(feed)).id == "c"


async def test_whoever_waits_for_what_can_not_be_any_more_is_told(server: ScriptedServer) -> None:
    """Once it is closed, nothing changes."""
    client = client_of(server)
    live = asyncio.ensure_future(client.until(lambda s: s.state is State.LIVE))
    closed = asyncio.ensure_future(client.until(lambda s: s.state is State.CLOSED))
    await server.quiet()
    await client.close()
    with pytest.raises(Closed):
        await asyncio.wait_for(live, LIMIT)
    assert (await asyncio.wait_for(closed, LIMIT)).state is State.CLOSED
    with pytest.raises(Closed):
        await asyncio.wait_for(client.until(lambda s: s.state is State.LIVE), LIMIT)
