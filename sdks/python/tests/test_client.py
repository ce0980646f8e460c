"""The client against a scripted server: users, tokens, handlers, storage."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from frames import hello, item, notification, page
from scripted import LIMIT, ScriptedServer, Socket
from stepped import SteppedClock
from tokens import token

from campanile import (
    ActionRefused,
    BadFrame,
    Campanile,
    ClientClosed,
    Defect,
    HandlerFailed,
    InsecureUrl,
    Lagging,
    MemoryStorage,
    Notification,
    Position,
    Snapshot,
    State,
    TokenFailed,
)


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    """A server that says what a test has it say."""
    async with ScriptedServer() as running:
        yield running


def _client(server: ScriptedServer, **options: Any) -> Campanile:
    clock = SteppedClock(server.quiet)
    options = {"workspace": "demo", "token": lambda _: token("alice", clock.utc() + 3600), "clock": clock, **options}
    return Campanile(server.url, **options)


async def _until(client: Campanile, predicate: Callable[[Snapshot], bool]) -> Snapshot:
    return await asyncio.wait_for(client.until(predicate), LIMIT)


async def _greeted(
    server: ScriptedServer, client: Campanile, *items: dict[str, Any], user: str = "alice", seq: int = 10
) -> Socket:
    socket = await server.dialled()
    unread = sum(not entry["read"] for entry in items)
    socket.send(hello(seq, user=user, unread=unread, unseen=unread))
    (await server.asked()).reply(200, page(seq, list(items)))
    await _until(client, lambda s: s.state is State.LIVE and len(s.items) == len(items) and not s.loading)
    return socket


async def test_the_token_is_in_no_address_log_error_or_repr(
    server: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Only the header of the request has it."""
    caplog.set_level(logging.DEBUG)
    secret = token("alice", 4e9)
    errors: list[Exception] = []
    async with _client(server, token=secret) as client:
        client.on("error", errors.append)
        socket = await _greeted(server, client)
        assert socket.headers["authorization"] == f"Bearer {secret}"
        assert secret not in str(socket.query)
        socket.send({"type": "hello"})
        socket.close(4003, "token expired")
        shown = await _until(client, lambda s: s.state is State.REFUSED)
        await server.quiet()
        assert errors, "the frame that was no greeting is told"
        assert secret not in caplog.text + repr(shown) + repr(errors) + repr(vars(client))


@pytest.mark.parametrize("url", ["http://example.com", "ws://10.0.0.1:8700", "http://127.0.0.1.example.com"])
def test_no_token_in_the_clear(url: str) -> None:
    """But to this machine, or where it is asked for."""
    with pytest.raises(InsecureUrl):
        Campanile(url, workspace="demo")
    Campanile(url, workspace="demo", allow_insecure=True)


@pytest.mark.parametrize("url", ["ftp://localhost", "localhost:8700", "http://a:b@localhost", "http://localhost?x=1"])
def test_addresses_that_are_none(url: str) -> None:
    """Said at once, not by a client that never connects."""
    with pytest.raises(ValueError, match="url"):
        Campanile(url, workspace="demo")


async def test_nobody_logged_in_is_idle(server: ScriptedServer) -> None:
    """Until there are a token and a workspace."""
    async with _client(server, token=None, workspace=None) as client:
        assert client.state is State.IDLE
        client.update(token=lambda _: None)
        client.update(workspace="demo")
        await _until(client, lambda s: s.state is State.IDLE)
        client.update(token=token("alice", 4e9))
        await _greeted(server, client)


async def test_another_user_sees_nothing_of_the_former(server: ScriptedServer) -> None:
    """Not for a moment: every snapshot of the other is without it."""
    async with _client(server, token=token("alice", 4e9)) as client:
        socket = await _greeted(server, client, item(10, "secret"))
        client.read("secret")
        snapshots: list[Snapshot] = []
        client.on("change", snapshots.append)
        client.update(token=token("bob", 4e9))
        assert client.snapshot.items == ()
        assert (client.snapshot.user, client.snapshot.waiting_actions) == ("bob", 0)
        socket.send(notification(11, "late"))
        other = await server.dialled()
        assert "since" not in other.query
        other.send(hello(10, user="bob"))
        (await server.asked()).reply(200, page(10, [item(9, "bobs")]))
        await _until(client, lambda s: len(s.items) == 1)
        await server.quiet()
        assert {entry.id for snapshot in snapshots for entry in snapshot.items} == {"bobs"}
        assert other.frames.empty()


async def test_a_server_that_knows_the_user_by_another_name_is_believed(server: ScriptedServer) -> None:
    """Whose socket it is, the greeting says."""
    sources = iter([token("alice", 4e9), "opaque"])
    async with _client(server, token=lambda _: next(sources)) as client:
        socket = await _greeted(server, client, item(10, "secret"))
        socket.cut()
        await _until(client, lambda s: s.state is State.WAITING)
        client.retry()
        other = await server.dialled()
        other.send(hello(10, user="bob", resumed=True))
        await _until(client, lambda s: s.user == "bob")
        assert client.snapshot.items == ()
        (await server.asked()).reply(200, page(10, []))


async def test_another_workspace_starts_anew(server: ScriptedServer) -> None:
    """As another user does."""
    async with _client(server) as client:
        await _greeted(server, client, item(10, "a"))
        client.update(workspace="other")
        assert (client.snapshot.items, client.position) == ((), None)
        socket = await server.dialled()
        assert socket.query == {"workspace": "other"}


async def test_logging_out_erases_and_is_final(server: ScriptedServer) -> None:
    """The storage too."""
    storage = MemoryStorage()
    client = _client(server, storage=storage)
    client.connect()
    await _greeted(server, client, item(10, "a"))
    client.read("a")
    await client._session.pending.flush()
    assert len(storage.texts) == 1
    await client.close()
    assert storage.texts == {}
    shown = client.snapshot
    assert (shown.state, shown.items, shown.unread, shown.user, shown.waiting_actions) == (State.CLOSED, (), 0, None, 0)
    for call in (client.connect, client.retry, client.read_all, client.notifications):
        with pytest.raises(ClientClosed):
            call()


async def test_actions_outlive_the_process(server: ScriptedServer) -> None:
    """They are sent once there is a connection, in order, under the keys they had."""
    storage = MemoryStorage()
    async with _client(server, storage=storage) as client:
        socket = await _greeted(server, client, item(10, "a"), item(9, "b"))
        socket.cut()
        await _until(client, lambda s: s.state is State.WAITING)
        client.read("a")
        client.archive("b")
        assert (client.snapshot.unread, client.snapshot.waiting_actions) == (0, 2)
    (kept,) = storage.texts.values()
    assert "eyJ" not in kept
    async with _client(server, storage=storage) as client:
        socket = await server.dialled()
        socket.send(hello(10, unread=2, unseen=2))
        said = [await socket.next(), await socket.next()]
        assert '"read"' in said[0]
        assert '"archive"' in said[1]
        (await server.asked()).reply(200, page(10, [item(10, "a"), item(9, "b")]))
        await _until(client, lambda s: len(s.items) == 1 and s.unread == 0)
        for ref in ("1", "2"):
            socket.send({"type": "ok", "ref": ref, "changed": True, "rev": int(ref), "unread": 2 - int(ref)})
        await _until(client, lambda s: s.waiting_actions == 0)
        assert client.snapshot.unread == 0
    assert list(storage.texts.values()) == ["[]"]


async def test_a_refused_action_is_undone_and_told(server: ScriptedServer) -> None:
    """To whoever waits for it, and as an error."""
    async with _client(server) as client:
        errors: list[Exception] = []
        client.on("error", errors.append)
        socket = await _greeted(server, client, item(10, "a"))
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


async def test_handlers_that_raise_or_hang_stop_nothing(server: ScriptedServer) -> None:
    """Neither the reading, nor the next handler."""
    errors: list[Exception] = []
    seen: list[str] = []

    def raises(_: Notification) -> None:
        raise RuntimeError("mine")

    async def hangs(_: Notification) -> None:
        await asyncio.Event().wait()

    async with _client(server) as client:
        client.on("error", errors.append)
        client.on("notification", raises)
        client.on("notification", hangs)
        client.on("notification", lambda n: seen.append(n.id))
        socket = await _greeted(server, client)
        for seq in range(11, 21):
            socket.send(notification(seq, f"n{seq}"))
        await _until(client, lambda s: s.unread == 10)
        await server.quiet()
        assert seen == [f"n{seq}" for seq in range(11, 21)]
        assert [type(error) for error in errors] == [HandlerFailed] * 10
        assert isinstance(errors[0].__cause__, RuntimeError)


async def test_a_slow_iterator_is_told_what_it_lost(server: ScriptedServer) -> None:
    """Its queue is bounded; the client's state is whole."""
    async with _client(server) as client:
        feed = client.notifications()
        socket = await _greeted(server, client)
        for seq in range(11, 1013):
            socket.send(notification(seq, f"n{seq}"))
        await _until(client, lambda s: s.unread == 1002)
        with pytest.raises(Lagging) as lagging:
            await anext(feed)
        assert lagging.value.dropped == 1000
        assert [(await anext(feed)).id for _ in range(2)] == ["n1011", "n1012"]
    assert [entry async for entry in feed] == []


async def test_goes_on_from_a_saved_position(server: ScriptedServer) -> None:
    """What came meanwhile is told, in order; the list is loaded beside it."""
    saved = Position.from_json(Position("e1", 10, 3).to_json())
    async with _client(server, resume=saved) as client:
        feed = client.notifications()
        socket = await server.dialled()
        assert socket.query == {"workspace": "demo", "epoch": "e1", "since": "10", "rev": "3"}
        socket.send(hello(10, head=12, rev=3, unread=3, resumed=True))
        socket.send(notification(11, "b"))
        socket.send(notification(12, "c"))
        (await server.asked()).reply(200, page(12, [item(12, "c"), item(11, "b"), item(10, "a")], rev=3))
        await _until(client, lambda s: len(s.items) == 3 and s.unread == 3)
        told = [await anext(feed), await anext(feed)]
        assert [entry.id for entry in told] == ["b", "c"]
        assert told[0].position == Position("e1", 11, 3)


async def test_nothing_is_lost_where_nothing_was_ever_stored(server: ScriptedServer) -> None:
    """A log without a name is read from its start, and what came before the break does not come twice."""
    async with _client(server) as client:
        feed = client.notifications()
        socket = await server.dialled()
        socket.send(hello(0, epoch=None))
        (await server.asked()).reply(200, page(0, [], epoch=None))
        socket.send(notification(1, "a"))
        await _until(client, lambda s: s.unread == 1)
        socket.cut()
        await _until(client, lambda s: s.state is State.WAITING)
        client.retry()
        socket = await server.dialled()
        assert socket.query["since"] == "0"
        assert "epoch" not in socket.query
        socket.send(hello(0, epoch="e1", head=2, unread=2, resumed=True))
        socket.send(notification(1, "a"))
        socket.send(notification(2, "b"))
        await _until(client, lambda s: s.unread == 2 and len(s.items) == 2)
        assert [(await anext(feed)).id for _ in range(2)] == ["a", "b"]
        assert client.position == Position("e1", 2, 0)


async def test_a_token_callback_that_fails_is_asked_again(server: ScriptedServer) -> None:
    """It is told, with why it was asked; nothing is dialled without a token."""
    asked: list[str] = []

    def source(reason: str) -> str:
        asked.append(reason)
        if len(asked) == 1:
            raise OSError("login server is away")
        return token("alice", 4e9)

    errors: list[Exception] = []
    client = _client(server, token=source)
    client.on("error", errors.append)
    async with client:
        waiting = await _until(client, lambda s: s.state is State.WAITING)
        assert waiting.reason
        assert waiting.reason.kind == "token"
        client.retry()
        await _greeted(server, client)
        assert asked == ["initial", "reconnect"]
        assert [type(error) for error in errors] == [TokenFailed]


async def test_a_text_for_a_token_is_not_tried_again_once_it_has_expired(server: ScriptedServer) -> None:
    """It would end in the same way, until another is given."""
    async with _client(server, token=token("alice", 4e9)) as client:
        socket = await _greeted(server, client)
        socket.close(4003, "token expired")
        await _until(client, lambda s: s.state is State.REFUSED)
        client.update(token=token("alice", 4e9))
        await server.dialled()


async def test_turned_away_before_the_upgrade_comes_back_when_told(server: ScriptedServer) -> None:
    """By `Retry-After`."""
    server.refusal = (503, {"retry-after": "5"}, b'{"code":"overloaded"}')
    async with _client(server) as client:
        waiting = await _until(client, lambda s: s.state is State.WAITING)
        assert waiting.reason
        assert (waiting.reason.kind, waiting.reason.code, waiting.reason.reason) == ("http", 503, "overloaded")
        assert waiting.retry_at == pytest.approx(client._clock.utc() + 5)


async def test_suspended_while_there_is_no_network(server: ScriptedServer) -> None:
    """And back within a second."""
    async with _client(server) as client:
        await _greeted(server, client)
        client.suspend()
        await _until(client, lambda s: s.state is State.SUSPENDED)
        client.wake()
        shown = await _until(client, lambda s: s.state is State.WAITING)
        assert shown.retry_at is not None
        assert shown.retry_at <= client._clock.utc() + 1


async def test_an_inbox_that_was_not_read_yet_does_not_look_empty(server: ScriptedServer) -> None:
    """From the moment of being live it is said to be under way."""
    async with _client(server) as client:
        told: list[Snapshot] = []
        client.on("state", told.append)
        client.on("change", told.append)
        (await server.dialled()).send(hello(10, unread=1, unseen=1))
        asked = await server.asked()
        await _until(client, lambda s: s.state is State.LIVE)
        asked.reply(200, page(10, [item(10, "a")]))
        await _until(client, lambda s: not s.loading)
        live = [snapshot for snapshot in told if snapshot.state is State.LIVE]
        assert live[0].loading
        assert all(snapshot.loading or snapshot.items for snapshot in live)


async def test_a_page_that_fails_is_asked_for_again(server: ScriptedServer) -> None:
    """As long as that can help."""
    async with _client(server) as client:
        errors: list[Exception] = []
        client.on("error", errors.append)
        socket = await server.dialled()
        socket.send(hello(10))
        (await server.asked()).reply(503, {"code": "storage_unavailable"}, {"retry-after": "2"})
        await _until(client, lambda _: bool(errors))
        clock = client._clock
        assert isinstance(clock, SteppedClock)
        await clock.step(2)
        (await server.asked()).reply(200, page(10, [item(10, "a")]))
        await _until(client, lambda s: len(s.items) == 1)


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
            await _until(client, lambda s: s.state is State.LIVE)
            old.send({"id": "a", "title": "A", "message": "", "type": "info", "read": False})
            await _until(client, lambda s: len(s.items) == 1)

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
            await _until(client, lambda s: s.unread == 2)
            assert client.state is State.LIVE
            assert [(await anext(feed)).id for _ in range(2)] == ["a", "b"]
            client.read("b")
            assert await new.next() == '{"action": "mark_read", "id": "b"}'


async def test_what_the_former_user_did_waits_for_her(server: ScriptedServer) -> None:
    """In the storage, under her name; it is sent when she is back, and not before."""
    storage = MemoryStorage()
    async with _client(server, token=token("alice", 4e9), storage=storage) as client:
        socket = await _greeted(server, client, item(10, "a"))
        socket.cut()
        await _until(client, lambda s: s.state is State.WAITING)
        client.read("a")
        client.update(token=token("bob", 4e9))
        other = await _greeted(server, client, user="bob")
        await server.quiet()
        assert other.frames.empty()
        client.update(token=token("alice", 4e9))
        again = await _greeted(server, client, item(10, "a"))
        assert '"read"' in await again.next()
        assert client.snapshot.unread == 0


async def test_handlers_come_and_go(server: ScriptedServer) -> None:
    """Also by decorator; an unknown event is no typing error that goes unnoticed."""
    async with _client(server) as client:
        seen: list[str] = []

        @client.on("notification")
        async def decorated(told: Notification) -> None:
            seen.append(f"decorated {told.id}")

        stop = client.on("notification", lambda told: seen.append(told.id))
        socket = await _greeted(server, client)
        socket.send(notification(11, "a"))
        await _until(client, lambda s: s.unread == 1)
        await server.quiet()
        stop()
        stop()
        socket.send(notification(12, "b"))
        await _until(client, lambda s: s.unread == 2)
        await server.quiet()
        assert sorted(seen) == ["a", "decorated a", "decorated b"]
        with pytest.raises(ValueError, match="events are"):
            client.on("notifications", print)  # type: ignore[call-overload]


async def test_leaving_ends_iterators_and_coming_back_goes_on(server: ScriptedServer) -> None:
    """Nothing is forgotten by `disconnect`."""
    client = _client(server)
    async with client:
        await _greeted(server, client, item(10, "a"))
        feed = client.notifications()
    assert [entry async for entry in feed] == []
    assert (client.state, len(client.snapshot.items)) == (State.IDLE, 1)
    async with client:
        socket = await server.dialled()
        assert socket.query["since"] == "10"


async def test_leaving_leaves_no_task_behind(server: ScriptedServer) -> None:
    """In no state, and however it is left."""
    before = asyncio.all_tasks()
    async with _client(server) as client:
        await _greeted(server, client)
        ours = asyncio.all_tasks() - before - server.tasks
        await client.disconnect()
        assert not [task for task in ours if not task.done()]
        client.connect()
        await server.dialled()
        ours = asyncio.all_tasks() - before - server.tasks
        await client.close()
        assert not [task for task in ours if not task.done()]


async def test_a_redirect_is_not_followed(server: ScriptedServer) -> None:
    """A token is for one server."""
    async with ScriptedServer() as elsewhere:
        location = elsewhere.url.replace("http", "ws") + "/v1/connect"
        server.refusal = (302, {"location": location}, b"")
        async with _client(server) as client:
            waiting = await _until(client, lambda s: s.state is State.WAITING)
            assert waiting.reason
            assert (waiting.reason.kind, waiting.reason.code) == ("http", 302)
            assert elsewhere.sockets == []


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
    async with _client(server) as client:
        errors: list[Exception] = []
        client.on("error", errors.append)
        socket = await _greeted(server, client, item(10, "a"))
        for text in HOSTILE:
            socket.send(text)
        socket.send(notification(20, "b"))
        await _until(client, lambda s: len(s.items) == 2)
        await server.quiet()
        assert client.state is State.LIVE
        assert len(server.sockets) == 1
        assert {type(error) for error in errors} == {BadFrame}


async def test_a_defect_is_told_and_survived(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client connects anew rather than hang without a word."""
    async with _client(server) as client:
        errors: list[Exception] = []
        client.on("error", errors.append)
        socket = await _greeted(server, client)
        with monkeypatch.context() as patch:
            patch.setattr(client._session.store, "apply", lambda _: 1 / 0)
            socket.send(notification(11, "a"))
            await _until(client, lambda s: s.state is State.WAITING)
        client.retry()
        await server.dialled()
        assert [type(error) for error in errors] == [Defect]
        assert isinstance(errors[0].__cause__, ZeroDivisionError)


async def test_a_token_that_does_not_say_whose_it_is_shows_nothing(server: ScriptedServer) -> None:
    """Until the server says."""
    async with _client(server) as client:
        await _greeted(server, client, item(10, "a"))
        client.update(token="opaque")
        assert (client.snapshot.items, client.snapshot.user) == ((), None)
        await _greeted(server, client, item(10, "a"))
        assert client.snapshot.user == "alice"


async def test_what_was_asked_for_is_kept_beyond_the_bound(server: ScriptedServer) -> None:
    """Pages join the items, however many; what arrives later pushes the oldest out."""
    async with _client(server, max_items=3, page_size=2) as client:
        socket = await server.dialled()
        socket.send(hello(10, unread=6, unseen=6))
        (await server.asked()).reply(200, page(10, [item(10, "f"), item(9, "e")], older=9, unread=6, unseen=6))
        await _until(client, lambda s: len(s.items) == 2)
        for older in ([item(8, "d"), item(7, "c")], [item(6, "b"), item(5, "a")]):
            more = asyncio.ensure_future(client.load_more())
            last = older[-1]["seq"]
            asked = await server.asked()
            assert asked.query["before"] == str(older[0]["seq"] + 1)
            asked.reply(200, page(10, older, older=last if last > 5 else None, unread=6, unseen=6))
            assert len(await more) == 2
        assert [entry.id for entry in client.snapshot.items] == list("fedcba")
        assert not client.snapshot.has_more
        socket.send(notification(11, "g"))
        await _until(client, lambda s: s.unread == 7)
        assert [entry.id for entry in client.snapshot.items] == list("gfedcb")
        assert client.snapshot.has_more
