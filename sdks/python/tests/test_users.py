"""Whose client it is: nothing of another user is ever shown, sent or kept."""

import asyncio

import pytest
from frames import hello, item, notification, page
from greeted import client_of, greeted, until
from scripted import LIMIT, ScriptedServer, Socket
from stepped import START, SteppedClock
from tokens import token

from campanile import ActionRefused, Campanile, CampanileError, Closed, MemoryStorage, Reason, Snapshot, State
from campanile.state import End


async def test_another_user_sees_nothing_of_the_former(server: ScriptedServer) -> None:
    """Not for a moment: every snapshot of the other is without it."""
    async with client_of(server, token=token("alice", 4e9)) as client:
        socket = await greeted(server, client, item(10, "secret"))
        client.read("secret")
        snapshots: list[Snapshot] = []
        client.on("change", snapshots.append)
        client.update(token=token("bob", 4e9))
        assert client.snapshot.items == ()
        assert (client.snapshot.user, client.snapshot.pending) == ("bob", 0)
        socket.send(notification(11, "late"))
        other = await server.dialled()
        assert "since" not in other.query
        other.send(hello(10, user="bob"))
        (await server.asked()).reply(200, page(10, [item(9, "bobs")]))
        await until(client, lambda s: len(s.items) == 1)
        await server.quiet()
        assert {entry.id for snapshot in snapshots for entry in snapshot.items} == {"bobs"}
        assert other.frames.empty()


async def test_a_server_that_knows_the_user_by_another_name_is_believed(server: ScriptedServer) -> None:
    """Whose socket it is, the greeting says."""
    sources = iter([token("alice", 4e9), "opaque"])
    async with client_of(server, token=lambda _: next(sources)) as client:
        socket = await greeted(server, client, item(10, "secret"))
        socket.cut()
        await until(client, lambda s: s.state is State.WAITING)
        client.retry()
        other = await server.dialled()
        other.send(hello(10, user="bob", resumed=True))
        await until(client, lambda s: s.user == "bob")
        assert client.snapshot.items == ()
        (await server.asked()).reply(200, page(10, []))


async def test_another_workspace_starts_anew(server: ScriptedServer) -> None:
    """As another user does."""
    async with client_of(server) as client:
        await greeted(server, client, item(10, "a"))
        client.update(workspace="other")
        assert (client.snapshot.items, client.position) == ((), None)
        socket = await server.dialled()
        assert socket.query == {"workspace": "other"}


async def test_logging_out_erases_and_is_final(server: ScriptedServer) -> None:
    """The storage too."""
    storage = MemoryStorage()
    client = client_of(server, storage=storage)
    client.connect()
    await greeted(server, client, item(10, "a"))
    client.read("a")
    await client._session.pending.flush()
    assert len(storage.texts) == 1
    await client.close()
    assert storage.texts == {}
    shown = client.snapshot
    assert (shown.state, shown.items, shown.unread, shown.user, shown.pending) == (State.CLOSED, (), 0, None, 0)
    for call in (client.connect, client.retry, client.read_all, client.notifications):
        with pytest.raises(Closed):
            call()


async def test_what_the_former_user_did_waits_for_her(server: ScriptedServer) -> None:
    """In the storage, under her name; it is sent when she is back, and not before."""
    storage = MemoryStorage()
    async with client_of(server, token=token("alice", 4e9), storage=storage) as client:
        socket = await greeted(server, client, item(10, "a"))
        socket.cut()
        await until(client, lambda s: s.state is State.WAITING)
        client.read("a")
        client.update(token=token("bob", 4e9))
        other = await greeted(server, client, user="bob")
        await server.quiet()
        assert other.frames.empty()
        client.update(token=token("alice", 4e9))
        again = await greeted(server, client, item(10, "a"))
        assert '"read"' in await again.next()
        assert client.snapshot.unread == 0


async def test_a_token_that_does_not_say_whose_it_is_shows_nothing(server: ScriptedServer) -> None:
    """Until the server says."""
    async with client_of(server) as client:
        await greeted(server, client, item(10, "a"))
        client.update(token="opaque")
        assert (client.snapshot.items, client.snapshot.user) == ((), None)
        await greeted(server, client, item(10, "a"))
        assert client.snapshot.user == "alice"


async def test_another_callback_shows_nothing_before_it_is_known_whose_it_is(server: ScriptedServer) -> None:
    """Nor is anything told. The same user goes on after all, without a gap."""
    asked: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    async with client_of(server, token=lambda _: token("alice", 4e9)) as client:
        socket = await greeted(server, client, item(10, "a"))
        told: list[str] = []
        client.on("notification", lambda entry: told.append(entry.id))
        client.update(token=lambda _: asked)
        shown = client.snapshot
        assert (shown.items, shown.user, shown.unread, shown.position) == ((), None, 0, None)
        socket.send(notification(11, "late"))
        await socket.closed
        asked.set_result(token("alice", 4e9))
        other = await server.dialled()
        assert other.query["since"] == "10"
        other.send({**hello(11, resumed=True), "seq": 10})
        other.send(notification(11, "late"))
        await until(client, lambda s: [entry.id for entry in s.items] == ["late", "a"])
        assert told == ["late"]


async def test_another_callback_may_be_of_another_user(server: ScriptedServer) -> None:
    """Then everything begins anew."""
    async with client_of(server, token=lambda _: token("alice", 4e9)) as client:
        await greeted(server, client, item(10, "secret"))
        snapshots: list[Snapshot] = []
        client.on("change", snapshots.append)
        client.update(token=lambda _: token("bob", 4e9))
        other = await greeted(server, client, item(10, "bobs"), user="bob")
        assert "since" not in other.query
        assert {entry.id for snapshot in snapshots for entry in snapshot.items} == {"bobs"}


async def test_another_name_starts_anew(server: ScriptedServer) -> None:
    """As another user does; the same one goes on."""
    async with client_of(server, token=lambda _: "opaque", user="alice") as client:
        await greeted(server, client, item(10, "a"))
        client.update(user="alice")
        assert (client.state, client.snapshot.user) == (State.LIVE, "alice")
        client.update(user="bob")
        assert (client.snapshot.items, client.snapshot.user) == ((), "bob")
        other = await greeted(server, client, item(10, "b"), user="bob")
        assert "since" not in other.query
        client.update(user=None)
        assert (client.snapshot.items, client.snapshot.user) == ((), None)
        await greeted(server, client, item(10, "b"), user="bob")


async def test_a_text_of_the_user_who_is_named_is_taken_over(server: ScriptedServer) -> None:
    """Though it does not say whose it is."""
    async with client_of(server, token="opaque", user="alice") as client:
        socket = await greeted(server, client, item(10, "a"))
        client.update(token="another")
        assert '"refresh"' in await socket.next()
        assert (client.state, len(client.snapshot.items)) == (State.LIVE, 1)


async def test_without_a_token_nothing_is_shown(server: ScriptedServer) -> None:
    """Whoever comes next may be somebody else, also where the former is still named."""
    async with client_of(server, user="alice") as client:
        await greeted(server, client, item(10, "a"))
        client.update(token=None)
        shown = client.snapshot
        assert (shown.state, shown.items, shown.user, shown.unread) == (State.IDLE, (), None, 0)
        client.update(token=token("bob", 4e9))
        await greeted(server, client, item(10, "b"), user="bob")


async def test_where_the_callback_says_that_nobody_is_logged_in_nothing_is_shown(server: ScriptedServer) -> None:
    """Until somebody is."""
    tokens = iter([token("alice", 4e9), None, token("alice", 4e9)])
    async with client_of(server, token=lambda _: next(tokens)) as client:
        socket = await greeted(server, client, item(10, "a"))
        socket.cut()
        await until(client, lambda s: s.state is State.WAITING and len(s.items) == 1)
        client.retry()
        shown = await until(client, lambda s: s.state is State.IDLE)
        assert (shown.items, shown.user, shown.unread) == ((), None, 0)
        client.connect()
        await greeted(server, client, item(10, "a"))


@pytest.mark.parametrize("former", [token("alice", 4e9), "opaque"])
@pytest.mark.parametrize("latter", [token("bob", 4e9), "opaque too"])
@pytest.mark.parametrize("called", [True, False])
@pytest.mark.parametrize("surface", ["workspace", "product"])
async def test_where_the_server_does_not_say_whose_it_is_another_token_shows_nothing_of_the_former(
    surface: str, called: bool, latter: str, former: str
) -> None:
    """Neither what she had, nor what she did."""

    def alive(socket: Socket) -> None:
        if surface == "product":
            socket.send({"type": "CONNECTION_ESTABLISHED"})

    options = {"surface": surface, "token": lambda _: former}
    async with ScriptedServer(None) as plain, client_of(plain, **options) as client:
        socket = await plain.dialled()
        alive(socket)
        socket.send({"id": "secret", "title": "secret", "message": "", "type": "info"})
        await until(client, lambda s: len(s.items) == 1)
        socket.cut()
        await until(client, lambda s: s.state is State.WAITING)
        client.read("secret")
        snapshots: list[Snapshot] = []
        client.on("change", snapshots.append)
        client.update(token=(lambda _: latter) if called else latter)
        shown = client.snapshot
        assert (shown.items, shown.pending) == ((), 0)
        other = await plain.dialled()
        alive(other)
        await until(client, lambda s: s.state is State.LIVE)
        await plain.quiet()
        assert {entry.id for snapshot in snapshots for entry in snapshot.items} == set()
        assert client.snapshot.user == (None if latter == "opaque too" else "bob")
        assert not [text for text in _said(other) if text != "PING"]


@pytest.mark.parametrize("says", ["the token", "the server"])
async def test_another_users_token_at_a_refresh_starts_anew_at_once(server: ScriptedServer, says: str) -> None:
    """Nothing of the former is shown while the callback is asked again, however long that takes."""
    again: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    sources: list[str | asyncio.Future[str]] = [token("alice", START + 3600)]
    sources += [token("bob", 4e9) if says == "the token" else "opaque", again]
    clock = SteppedClock(server.quiet)
    async with client_of(server, clock=clock, random=_middle, token=lambda _: sources.pop(0)) as client:
        socket = await _until_refreshed(server, client, clock)
        if says == "the server":
            assert '"refresh"' in await socket.next()
            socket.send({"type": "error", "ref": "refresh", "code": "token_mismatch"})
        shown = await until(client, lambda s: s.state is not State.LIVE)
        assert (shown.items, shown.user, shown.unread, shown.position) == ((), None, 0, None)
        with pytest.raises(ActionRefused, match="missing"):
            await asyncio.wait_for(client.read("secret"), LIMIT)
        await clock.step(1)
        await until(client, lambda _: not sources)
        assert (client.state, client.snapshot.items, client.snapshot.user) == (State.CONNECTING, (), None)
        again.set_result(token("bob", 4e9))
        other = await greeted(server, client, item(10, "bobs"), user="bob")
        assert "since" not in other.query


async def test_another_user_than_the_server_said_starts_anew_without_a_second_socket() -> None:
    """What the one of the former says would be shown as the other's."""
    clock = SteppedClock()
    sources = ["opaque", token("bob", 4e9), token("bob", 4e9)]
    options = {"surface": "product", "clock": clock, "token": lambda _: sources.pop(0)}
    async with ScriptedServer(None) as plain, client_of(plain, **options) as client:
        socket = await plain.dialled()
        socket.send({"type": "CONNECTION_ESTABLISHED", "userId": "alice"})
        await until(client, lambda s: s.user == "alice")
        assert client._session._line
        client._session._line.exchange(lambda _: sources.pop(0))
        await socket.ended()
        assert plain.dials.empty()
        other = await plain.dialled()
        other.send({"type": "CONNECTION_ESTABLISHED", "userId": "bob"})
        await until(client, lambda s: s.state is State.LIVE and s.user == "bob")
        assert not sources


async def test_nobody_at_a_refresh_is_idle_at_once(server: ScriptedServer) -> None:
    """Nothing is shown, and nobody is asked again, before `connect`."""
    sources = [token("alice", START + 3600), None, token("alice", 4e9)]
    clock = SteppedClock(server.quiet)
    async with client_of(server, clock=clock, random=_middle, token=lambda _: sources.pop(0)) as client:
        socket = await _until_refreshed(server, client, clock)
        shown = await until(client, lambda s: s.state is State.IDLE)
        assert (shown.items, shown.user, shown.unread, shown.position) == ((), None, 0, None)
        await socket.ended()
        await clock.step(600)
        assert (client.state, len(sources)) == (State.IDLE, 1)
        client.connect()
        await greeted(server, client, item(10, "a"))


def _middle() -> float:
    """Has a token of an hour exchanged at the end of a step, so that no callback is given up within the next one."""
    return 0.5


async def _until_refreshed(server: ScriptedServer, client: Campanile, clock: SteppedClock) -> Socket:
    """Up to where its token of an hour was exchanged."""
    socket = await greeted(server, client, item(10, "secret"))
    heartbeat = {"type": "heartbeat", "epoch": "e1", "seq": 10, "head": 10, "rev": 0, "unread": 1, "unseen": 1}
    for _ in range(3600 // 30):
        await clock.step(30)
        if not client.snapshot.items or not socket.frames.empty():
            break
        socket.send(heartbeat)
    return socket


@pytest.mark.parametrize("to", [token("bob", 4e9), "a callback", None])
@pytest.mark.parametrize("surface", ["native", "product"])
async def test_a_page_of_the_former_user_is_told_to_nobody(surface: str, to: str | None) -> None:
    """Whoever asked for it gets nothing; while it is not known who that is, nothing is asked for."""
    never: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    options = {"surface": surface, "token": token("alice", 4e9)}
    subprotocol = "campanile.v1" if surface == "native" else None
    async with ScriptedServer(subprotocol) as server, client_of(server, **options) as client:
        socket = await server.dialled()
        if surface == "native":
            socket.send(hello(10))
            (await server.asked()).reply(200, page(10, [item(10, "a")], older=10))
        else:
            socket.send({"type": "CONNECTION_ESTABLISHED", "userId": "alice"})
        await until(client, lambda s: s.state is State.LIVE and not s.loading)
        loading = asyncio.ensure_future(client.load_more())
        asked = await server.asked()
        client.update(token=(lambda _: never) if to == "a callback" else to)
        secrets = [item(9, "secret")]
        asked.reply(200, page(10, secrets) if surface == "native" else {"notifications": secrets})
        assert await loading == ()
        assert client.snapshot.items == ()
        if to == "a callback":
            assert await client.load_more() == ()
            assert server.requests.empty()


async def test_what_is_shown_again_is_told(server: ScriptedServer) -> None:
    """As soon as the token says whose it is, and not only with what happens next."""
    asked: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    async with client_of(server, token=lambda _: token("alice", 4e9)) as client:
        await greeted(server, client, item(10, "a"))
        client.update(token=lambda _: asked)
        await server.quiet()
        assert client.snapshot.items == ()
        asked.set_result(token("alice", 4e9))
        await server.dialled()
        shown = await until(client, lambda s: len(s.items) == 1)
        assert (shown.state, shown.user, client.snapshot) == (State.CONNECTING, "alice", shown)


@pytest.mark.parametrize("nobody", ["another callback", "no token", "a callback that says so"])
@pytest.mark.parametrize("surface", ["native", "workspace"])
async def test_what_is_not_shown_can_not_be_acted_on(surface: str, nobody: str) -> None:
    """It would be done to somebody else's, or by her."""
    never: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    storage = MemoryStorage()
    tokens = iter([token("alice", 4e9), None])
    subprotocol = "campanile.v1" if surface == "native" else None
    options = {"surface": surface, "token": lambda _: next(tokens), "storage": storage}
    async with ScriptedServer(subprotocol) as server, client_of(server, **options) as client:
        if surface == "native":
            socket = await greeted(server, client, item(10, "a"))
        else:
            socket = await server.dialled()
            socket.send(item(None, "a"))
            await until(client, lambda s: len(s.items) == 1)
        if nobody == "a callback that says so":
            socket.cut()
            await until(client, lambda s: s.state is State.WAITING)
            client.retry()
            await until(client, lambda s: s.state is State.IDLE)
        else:
            client.update(token=None if nobody == "no token" else lambda _: never)
        errors: list[CampanileError] = []
        client.on("error", errors.append)
        for act in (client.read_all, lambda: client.read("a")):
            with pytest.raises(ActionRefused, match="missing"):
                await act()
        await server.quiet()
        assert ([error.code for error in errors], client.snapshot.pending) == (["missing"] * 2, 0)
        client.update(token=token("bob", 4e9))
        other = await server.dialled()
        if surface == "native":
            other.send(hello(10, user="bob"))
            (await server.asked()).reply(200, page(10, [item(9, "a")]))
        await until(client, lambda s: s.state is State.LIVE and not s.loading and s.user == "bob")
        client.read("a")
        await other.next()
        await server.quiet()
        assert _said(other) == []
        await client._session.flush()
        assert not any("alice" in name for name in storage.texts)


@pytest.mark.parametrize("unknown", ["a text", "another callback", "nobody yet", "another user at a refresh"])
async def test_before_the_server_says_whose_it_is_nothing_can_be_acted_on(server: ScriptedServer, unknown: str) -> None:
    """What was meant for the former's would be done as another user."""
    storage = MemoryStorage()
    former = lambda _: "opaque" if unknown == "nobody yet" else token("alice", 4e9)  # noqa: E731
    async with client_of(server, token=former, storage=storage) as client:
        if unknown != "nobody yet":
            await greeted(server, client, item(10, "a"))
        if unknown == "a text":
            client.update(token="opaque")
        elif unknown == "another callback":
            client.update(token=lambda _: "opaque")
        elif unknown == "another user at a refresh":
            client._session.source = lambda _: "opaque"
            assert client._session._line
            client._session._line._leave(End(Reason("token", 0, "another user"), retry_after=0.0))
            client.retry()
        other = await server.dialled()
        assert (client.state, client.snapshot.items, client.snapshot.user) == (State.CONNECTING, (), None)
        for act in (client.read_all, client.seen, lambda: client.read("a")):
            with pytest.raises(ActionRefused, match="missing"):
                await asyncio.wait_for(act(), LIMIT)
        other.send(hello(10, user="bob"))
        (await server.asked()).reply(200, page(10, [item(9, "a")]))
        await until(client, lambda s: s.state is State.LIVE and s.unread == 1 and not s.loading)
        await server.quiet()
        assert (_said(other), client.snapshot.pending, storage.texts) == ([], 0, {})


def _said(socket: Socket) -> list[str]:
    return [socket.frames.get_nowait() for _ in range(socket.frames.qsize())]
