"""Handlers and iterators: whatever they do, the reading goes on."""

import asyncio
import gc

import pytest
from frames import item, notification
from greeted import client_of, greeted, until
from scripted import LIMIT, ScriptedServer
from stepped import settle
from tokens import token

from campanile import BadAnswer, Defect, HandlerFailed, Lagged, MemoryStorage, Notification, Snapshot, State
from campanile.delivery import Handler


async def test_handlers_that_raise_or_hang_stop_nothing(server: ScriptedServer) -> None:
    """Neither the reading, nor the next handler."""
    errors: list[Exception] = []
    seen: list[str] = []

    def raises(_: Notification) -> None:
        raise RuntimeError("mine")

    async def hangs(_: Notification) -> None:
        await asyncio.Event().wait()

    async with client_of(server) as client:
        client.on("error", errors.append)
        client.on("notification", raises)
        client.on("notification", hangs)
        client.on("notification", lambda n: seen.append(n.id))
        socket = await greeted(server, client)
        for seq in range(11, 21):
            socket.send(notification(seq, f"n{seq}"))
        await until(client, lambda s: s.unread == 10)
        await server.quiet()
        assert seen == [f"n{seq}" for seq in range(11, 21)]
        assert [type(error) for error in errors] == [HandlerFailed] * 10
        assert isinstance(errors[0].__cause__, RuntimeError)


async def test_a_slow_iterator_is_told_what_it_lost(server: ScriptedServer) -> None:
    """Its queue is bounded; the client's state is whole."""
    async with client_of(server) as client:
        feed = client.notifications()
        socket = await greeted(server, client)
        for seq in range(11, 1013):
            socket.send(notification(seq, f"n{seq}"))
        await until(client, lambda s: s.unread == 1002)
        with pytest.raises(Lagged) as lagging:
            await anext(feed)
        assert lagging.value.dropped == 1000
        assert [(await anext(feed)).id for _ in range(2)] == ["n1011", "n1012"]
    assert [entry async for entry in feed] == []


async def test_handlers_come_and_go(server: ScriptedServer) -> None:
    """Also by decorator; an unknown event is no typing error that goes unnoticed."""
    async with client_of(server) as client:
        seen: list[str] = []

        @client.on("notification")
        async def decorated(told: Notification) -> None:
            seen.append(f"decorated {told.id}")

        stop = client.on("notification", lambda told: seen.append(told.id))
        socket = await greeted(server, client)
        socket.send(notification(11, "a"))
        await until(client, lambda s: s.unread == 1)
        await server.quiet()
        stop()
        stop()
        socket.send(notification(12, "b"))
        await until(client, lambda s: s.unread == 2)
        await server.quiet()
        assert sorted(seen) == ["a", "decorated a", "decorated b"]
        with pytest.raises(ValueError, match="events are"):
            client.on("notifications", print)  # type: ignore[call-overload]


async def test_leaving_ends_iterators_and_coming_back_goes_on(server: ScriptedServer) -> None:
    """Nothing is forgotten by `disconnect`."""
    client = client_of(server)
    async with client:
        await greeted(server, client, item(10, "a"))
        feed = client.notifications()
    assert [entry async for entry in feed] == []
    assert (client.state, len(client.snapshot.items)) == (State.IDLE, 1)
    async with client:
        socket = await server.dialled()
        assert socket.query["since"] == "10"


HOSTILE = [
    "",
    "null",
    "[]",
    "{",
    "7",
    '"PING"',
    "[" * 50_000,
    '{"type":' + '{"a":' * 50_000,
    '{"type":["hello"]}',
    '{"type":"hello","user":"alice","seq":1e999}',
    '{"type":"hello","user":"alice","seq":11,"heartbeatMs":"soon"}',
    '{"type":"notification"}',
    '{"type":"notification","seq":{},"item":{"id":"x"}}',
    '{"type":"notification","seq":11,"item":{"id":7}}',
    '{"type":"notification","seq":11,"item":[]}',
    '{"type":"update","seq":11}',
    '{"type":"update","seq":11,"item":{"id":"nobody"}}',
    '{"type":"retract","seq":"eleven","id":"a"}',
    '{"type":"receipts","rev":1,"head":11,"unread":1,"items":[7]}',
    '{"type":"receipts"}',
    '{"type":"heartbeat","seq":null}',
    '{"type":"resync","reason":"overflow"}',
    '{"type":"drain","retryAfterMs":"soon"}',
    '{"type":"ok"}',
    '{"type":"ok","ref":"99","changed":"maybe"}',
    '{"type":"error","ref":{}}',
    '{"type":"pong"}',
    '{"type":"from the future","seq":12}',
]


async def test_whatever_a_server_sends_the_reading_goes_on(server: ScriptedServer) -> None:
    """Frames that can't be understood are told and left out; none of them is repeated in an error."""
    async with client_of(server) as client:
        errors: list[Exception] = []
        client.on("error", errors.append)
        socket = await greeted(server, client, item(10, "a"))
        for text in HOSTILE:
            socket.send(text)
        socket.send(notification(20, "b"))
        await until(client, lambda s: len(s.items) == 2)
        await server.quiet()
        assert client.state is State.LIVE
        assert len(server.sockets) == 1
        assert {type(error) for error in errors} == {BadAnswer}


@pytest.mark.parametrize("defect", [ZeroDivisionError, asyncio.CancelledError])
async def test_a_defect_is_told_and_survived(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, defect: type[BaseException]
) -> None:
    """The client connects anew rather than hang without a word."""

    def fails(_: object) -> None:
        raise defect

    async with client_of(server) as client:
        errors: list[Exception] = []
        client.on("error", errors.append)
        socket = await greeted(server, client)
        with monkeypatch.context() as patch:
            patch.setattr(client._session.store, "apply", fails)
            socket.send(notification(11, "a"))
            await until(client, lambda s: s.state is State.WAITING)
        client.retry()
        await server.dialled()
        assert [type(error) for error in errors] == [Defect]
        assert isinstance(errors[0].__cause__, defect)


@pytest.mark.parametrize("latter", ["alice", "bob"])
@pytest.mark.parametrize("called", [True, False])
async def test_what_waits_for_a_handler_is_told_to_its_own_user_alone(
    server: ScriptedServer, called: bool, latter: str
) -> None:
    """Not while it is not known who that is; then all of it, in order, or nothing."""
    asked: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    async with client_of(server, token=token("alice", 4e9)) as client:
        socket = await greeted(server, client, item(10, "a"))
        feed, busy, told = client.notifications(), asyncio.Event(), list[str]()

        @client.on("notification")
        async def slow(told_of: Notification) -> None:
            told.append(told_of.id)
            await busy.wait()

        @client.on("change")
        async def slower(snapshot: Snapshot) -> None:
            told.extend(f"shows {entry.id}" for entry in snapshot.items if entry.id == "secret")
            await busy.wait()

        for seq, name in ((11, "b"), (12, "secret"), (13, "too")):
            socket.send(notification(seq, name))
        await until(client, lambda s: len(s.items) == 4)
        await server.quiet()
        told.clear()
        client.update(token=(lambda _: asked) if called else token(latter, 4e9))
        if called:
            coming = asyncio.ensure_future(anext(feed))
            busy.set()
            await server.quiet()
            assert (told, coming.done()) == ([], False)
            asked.set_result(token(latter, 4e9))
        else:
            coming = asyncio.ensure_future(anext(feed))
        busy.set()
        if latter == "alice":
            assert [(await coming).id, (await anext(feed)).id, (await anext(feed)).id] == ["b", "secret", "too"]
            await server.quiet()
            assert [name for name in told if not name.startswith("shows")] == ["secret", "too"]
        else:
            other = await greeted(server, client, item(10, "bobs"), user="bob")
            other.send(notification(11, "new"))
            assert (await coming).id == "new"
            await server.quiet()
            assert told == ["new"]


async def test_what_is_held_is_not_told_by_an_end(server: ScriptedServer) -> None:
    """An iterator ends without it."""
    never: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    async with client_of(server) as client:
        socket = await greeted(server, client)
        feed = client.notifications()
        socket.send(notification(11, "secret"))
        await until(client, lambda s: len(s.items) == 1)
        client.update(token=lambda _: never)
        later = client.notifications()
    assert [entry async for entry in feed] == []
    assert [entry async for entry in later] == []


async def test_what_an_iterator_did_not_take_before_the_end_is_of_its_user_alone(server: ScriptedServer) -> None:
    """Once another user came, or she signed out, it is told to nobody."""
    client = client_of(server, token=token("alice", 4e9))
    client.connect()
    for leave in (client.disconnect, client.close):
        user = "alice" if leave == client.disconnect else "bob"
        socket = await greeted(server, client, user=user)
        feed = client.notifications()
        for seq in (11, 12):
            socket.send(notification(seq, f"{user} {seq}"))
        await until(client, lambda s: len(s.items) == 2)
        await leave()
        if user == "alice":
            assert (await anext(feed)).id == "alice 11"
            client.update(token=token("bob", 4e9))
            client.connect()
        assert [entry async for entry in feed] == []


async def test_a_state_that_waits_for_a_handler_shows_nothing_of_the_former_user(server: ScriptedServer) -> None:
    """It is told all the same."""
    told: list[Snapshot] = []
    async with client_of(server, token=token("alice", 4e9)) as client:
        socket = await greeted(server, client, item(10, "secret"))
        client.on("state", told.append)
        socket.cut()
        await until(client, lambda s: s.state is State.WAITING)
        told.clear()
        client.retry()
        client.update(token=token("bob", 4e9))
        await greeted(server, client, user="bob")
        await server.quiet()
        assert [snapshot.state for snapshot in told] == [State.CONNECTING, State.LIVE]
        assert [snapshot.items for snapshot in told] == [(), ()]
        assert [snapshot.user for snapshot in told] == [None, "bob"]


async def test_an_iterator_that_nobody_holds_costs_nothing(server: ScriptedServer) -> None:
    """However many there were."""
    async with client_of(server) as client:
        socket = await greeted(server, client)
        for seq in range(11, 14):
            coming = asyncio.ensure_future(anext(client.notifications()))
            await server.quiet()
            socket.send(notification(seq, f"n{seq}"))
            assert (await coming).id == f"n{seq}"
        del coming
        gc.collect()
        assert len(client._delivery._feeds) == 0


async def test_a_handler_that_awaits_what_is_cancelled_is_called_again(server: ScriptedServer) -> None:
    """That is its own failure, and is told."""
    cancelled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    cancelled.cancel()
    errors: list[Exception] = []
    called: list[str] = []
    async with client_of(server) as client:

        @client.on("notification")
        async def fails(told: Notification) -> None:
            called.append(told.id)
            await cancelled

        client.on("error", errors.append)
        socket = await greeted(server, client)
        for seq in (11, 12):
            socket.send(notification(seq, f"n{seq}"))
        await until(client, lambda s: len(s.items) == 2)
        await server.quiet()
        assert called == ["n11", "n12"]
        assert [type(error) for error in errors] == [HandlerFailed] * 2


@pytest.mark.parametrize("leaves", ["disconnect", "close"])
async def test_a_handler_may_leave(server: ScriptedServer, leaves: str) -> None:
    """It goes on to its end; others do not."""
    client = client_of(server)
    left = asyncio.Event()
    others: list[asyncio.Event] = [asyncio.Event(), asyncio.Event()]

    @client.on("notification")
    async def hangs(_: Notification) -> None:
        try:
            await others[0].wait()
        finally:
            others[1].set()

    @client.on("notification")
    async def leaving(_: Notification) -> None:
        await getattr(client, leaves)()
        left.set()

    client.connect()
    socket = await greeted(server, client)
    socket.send(notification(11, "a"))
    await asyncio.wait_for(left.wait(), LIMIT)
    assert others[1].is_set()
    assert client.state is (State.IDLE if leaves == "disconnect" else State.CLOSED)


@pytest.mark.parametrize("leaves", ["disconnect", "close"])
async def test_a_handler_that_leaves_in_another_task_is_cut(server: ScriptedServer, leaves: str) -> None:
    """It can't be told from others by then. The leaving goes on."""
    client = client_of(server)
    cut = asyncio.Event()

    @client.on("notification")
    async def leaving(_: Notification) -> None:
        try:
            await asyncio.gather(getattr(client, leaves)())
        except asyncio.CancelledError:
            cut.set()
            raise

    client.connect()
    socket = await greeted(server, client)
    socket.send(notification(11, "a"))
    await asyncio.wait_for(cut.wait(), LIMIT)
    await asyncio.wait_for(getattr(client, leaves)(), LIMIT)
    assert client.state is (State.IDLE if leaves == "disconnect" else State.CLOSED)


@pytest.mark.parametrize("leaves", ["disconnect", "close"])
@pytest.mark.parametrize("says", ["disconnect", "close"])
@pytest.mark.parametrize("how", ["itself", "in another task", "by another of the device"])
@pytest.mark.parametrize("what", ["a handler", "a token callback"])
async def test_whoever_is_cut_may_leave_too(
    server: ScriptedServer, what: str, how: str, says: str, leaves: str
) -> None:
    """It is waited for, so it does not wait itself. What is to be erased is."""
    storage = MemoryStorage()
    hanging, never = asyncio.Event(), asyncio.Event()
    tokens = [token("alice", 4e9)]

    async def hangs() -> str:
        try:
            hanging.set()
            await never.wait()
        finally:
            leaving = getattr(other if how == "by another of the device" else client, says)()
            await (asyncio.gather(leaving) if how == "in another task" else leaving)
        return ""

    async def source(_: str) -> str:
        return tokens.pop() if tokens else await hangs()

    client = client_of(server, storage=storage, token=source)
    other = client_of(server, storage=storage, token=token("alice", 4e9), workspace="other")
    client.connect()
    socket = await greeted(server, client)
    client.read("a")
    await client._session.flush()
    if what == "a handler":
        client.on("notification", lambda _: hangs())
        socket.send(notification(11, "a"))
    else:
        socket.cut()
        await until(client, lambda s: s.state is State.WAITING)
        client.retry()
    await asyncio.wait_for(hanging.wait(), LIMIT)
    assert len(storage.texts) == 1
    await asyncio.wait_for(getattr(client, leaves)(), LIMIT)
    if says == "close":
        # It goes on though nobody waited.
        await asyncio.wait_for((other if how == "by another of the device" else client).close(), LIMIT)
    closed = "close" in (leaves, says)
    assert client.state is (State.CLOSED if closed else State.IDLE)
    assert len(storage.texts) == (0 if closed else 1)


@pytest.mark.parametrize("leaves", ["disconnect", "close"])
async def test_the_last_state_is_told_by_leaving(server: ScriptedServer, leaves: str) -> None:
    """As any other; whatever another handler does."""
    told: list[State] = []
    client = client_of(server)
    client.connect()
    await greeted(server, client)
    client.on("state", lambda snapshot: told.append(snapshot.state))
    await getattr(client, leaves)()
    assert told == [State.IDLE if leaves == "disconnect" else State.CLOSED]


async def test_what_waits_for_a_handler_is_not_lost_without_a_word(server: ScriptedServer) -> None:
    """Whoever leaves before it was told hears how much that was."""
    errors: list[Exception] = []
    never = asyncio.Event()
    client = client_of(server)
    client.on("notification", lambda _: never.wait())
    client.on("error", errors.append)
    client.connect()
    socket = await greeted(server, client)
    for seq in range(11, 15):
        socket.send(notification(seq, f"n{seq}"))
    await until(client, lambda s: len(s.items) == 4)
    await server.quiet()
    await client.disconnect()
    await server.quiet()
    assert [(type(error), getattr(error, "dropped", 0)) for error in errors] == [(Lagged, 3)]


async def test_coming_back_takes_nothing_from_handlers(server: ScriptedServer) -> None:
    """Though the former connection still says goodbye."""
    told: list[str] = []
    client = client_of(server)
    go_on = asyncio.Event()

    @client.on("notification")
    async def slow(entry: Notification) -> None:
        await go_on.wait()
        told.append(entry.id)

    async with client:
        former = await server.dialled()
        former.silent = True
        await server.quiet()
        leaving = asyncio.ensure_future(client.disconnect())
        await until(client, lambda s: s.state is State.IDLE)
        client.connect()
        socket = await greeted(server, client)
        socket.send(notification(11, "a"))
        await until(client, lambda s: len(s.items) == 1)
        await leaving
        go_on.set()
        await server.quiet()
        assert told == ["a"]


@pytest.mark.parametrize("ticks", range(5))
async def test_what_is_dropped_is_not_told_a_moment_later(ticks: int) -> None:
    """However far its handler was on its way to it."""
    told: list[int] = []

    async def handle(number: int) -> None:
        told.append(number)

    handler = Handler("notification", handle, lambda error: pytest.fail(repr(error)))
    for number in range(5):
        handler.put(number)
    for _ in range(ticks):
        await asyncio.sleep(0)
    handler.drop()
    before = list(told)
    await settle()
    assert told == before
