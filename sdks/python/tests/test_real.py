"""Every surface and the publishers against the real server."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from readme import defined
from real import BINARY, LIMIT, RealServer
from tokens import real_token

from campanile import (
    ActionRefused,
    Campanile,
    Notification,
    Position,
    Problem,
    Publisher,
    Snapshot,
    State,
    SyncPublisher,
)
from campanile.rest import Rest

pytestmark = pytest.mark.skipif(BINARY is None, reason="CAMPANILE_BIN names no server")


@pytest.fixture
async def server() -> AsyncIterator[RealServer]:
    """A server that runs."""
    async with RealServer() as running:
        yield running


def _publisher(server: RealServer, workspace: str = "acme") -> Publisher:
    return Publisher(server.url, workspace, lambda: real_token("backend", workspace, "notifications:write"))


def _client(server: RealServer, **options: Any) -> Campanile:
    return Campanile(server.url, "acme", lambda _: real_token("alice", "acme"), **options)


def _to(user: str, title: str, **members: Any) -> dict[str, Any]:
    return {"to": {"user": user}, "title": title, "message": f"About {title}", **members}


async def _until(client: Campanile, predicate: Callable[[Snapshot], bool]) -> Snapshot:
    try:
        return await asyncio.wait_for(client.until(predicate), LIMIT)
    except asyncio.TimeoutError:
        raise AssertionError(f"never so: {client.snapshot}") from None


async def _live(client: Campanile) -> None:
    await _until(client, lambda s: s.state is State.LIVE and not s.loading)


async def _next(feed: AsyncIterator[Notification]) -> Notification:
    return await asyncio.wait_for(anext(feed), LIMIT)


async def test_publishing_once_whatever_is_repeated(server: RealServer) -> None:
    """One, many, repeated, refused."""
    publisher = _publisher(server)
    first = await publisher.publish(_to("alice", "one"), idempotency_key="k")
    again = await publisher.publish(_to("alice", "one"), idempotency_key="k")
    assert (first.id, first.replayed, again.id, again.replayed) == (first.id, False, first.id, True)
    many = await publisher.publish([_to("alice", f"n{number}") for number in range(1000)])
    assert first.seq is not None
    assert [entry.seq for entry in many] == list(range(first.seq + 1, first.seq + 1001))
    with pytest.raises(Problem) as reused:
        await publisher.publish(_to("alice", "two"), idempotency_key="k")
    assert (reused.value.status, reused.value.code) == (422, "idempotency_key_reused")
    with pytest.raises(Problem) as refused:
        await publisher.publish([_to("alice", "good"), _to("alice", " ")])
    assert (refused.value.code, refused.value.index, refused.value.field) == ("invalid_request", 1, "title")
    plain = SyncPublisher(server.url, "acme", real_token("alice", "acme"))
    with pytest.raises(Problem) as scope:
        await asyncio.to_thread(plain.publish, _to("alice", "no scope"))
    assert scope.value.status == 403


async def test_the_outbox_of_the_readme(server: RealServer) -> None:
    """Taken by the server as it stands; a row that is drained again tells nobody twice."""
    outbox = defined("def place_order")
    database = sqlite3.connect(":memory:", check_same_thread=False)
    outbox["prepare"](database)
    outbox["place_order"](database, "alice", 1)
    outbox["place_order"](database, "alice", 2)
    publisher = SyncPublisher(server.url, "acme", real_token("shop", "acme", "notifications:write"))
    await asyncio.to_thread(outbox["drain"], database, publisher)
    # As if the process had ended before it could note the second one.
    database.execute("UPDATE outbox SET sent = 0 WHERE id = 2")
    await asyncio.to_thread(outbox["drain"], database, publisher)
    async with _client(server) as client:
        await _live(client)
        assert [item.title for item in client.snapshot.items] == ["Order 2 is placed", "Order 1 is placed"]


async def test_native_surface_from_first_word_to_resume(server: RealServer) -> None:
    """Live, read here and elsewhere, taken back, missed and made up for."""
    publisher = _publisher(server)
    await publisher.publish(_to("alice", "before"))
    async with _client(server) as client, _client(server) as elsewhere:
        feed = client.notifications()
        await _live(client)
        await _until(elsewhere, lambda s: s.state is State.LIVE and len(s.items) == 1 and not s.loading)
        assert [item.title for item in client.snapshot.items] == ["before"]
        published = await publisher.publish(_to("alice", "live", metadata={"n": 1}))
        told = await _next(feed)
        assert (told.id, told.seq, told.title, told.metadata) == (published.id, published.seq, "live", {"n": 1})
        await _until(elsewhere, lambda s: s.unread == 2)
        outcome = await asyncio.wait_for(client.read(told.id), LIMIT)
        assert outcome.changed
        await _until(elsewhere, lambda s: s.unread == 1 and s.items[0].read)
        await asyncio.wait_for(elsewhere.read_all(), LIMIT)
        await _until(client, lambda s: s.unread == 0 and all(item.read for item in s.items))
        await asyncio.wait_for(client.archive(told.id), LIMIT)
        await _until(elsewhere, lambda s: [item.title for item in s.items] == ["before"])
        with pytest.raises(ActionRefused) as refused:
            await asyncio.wait_for(client.read("01890a5d-ac96-774b-bcce-b302099a8057"), LIMIT)
        assert refused.value.code == "not_found"
        saved = told.position
    assert saved
    missed = [await publisher.publish(_to("alice", f"missed {number}")) for number in range(3)]
    await publisher.publish(_to("bob", "not hers"))
    async with _client(server, resume=Position.from_json(saved.to_json())) as client:
        feed = client.notifications()
        assert [(await _next(feed)).id for _ in missed] == [entry.id for entry in missed]
        await _until(client, lambda s: s.unread == 3 and len(s.items) == 4)


async def test_native_surface_from_the_start(server: RealServer) -> None:
    """Everything that is kept, where nothing was saved; also where there is no log yet."""
    publisher = _publisher(server)
    async with _client(server, resume=Position.start()) as client:
        feed = client.notifications()
        await _live(client)
        await publisher.publish(_to("alice", "first"))
        assert (await _next(feed)).title == "first"
    async with _client(server, resume=Position.start()) as client:
        assert (await _next(client.notifications())).title == "first"


async def test_native_surface_pages(server: RealServer) -> None:
    """Older ones page by page, and by filter."""
    entries = await _publisher(server).publish([_to("alice", f"n{number}") for number in range(60)])
    async with _client(server) as client:
        await _until(client, lambda s: len(s.items) == 25 and s.has_more and s.state is State.LIVE)
        await asyncio.wait_for(client.archive(entries[-1].id), LIMIT)
        archived = await client.load_more(archived=True)
        assert [item.id for item in archived] == [entries[-1].id]
        assert await client.load_more(archived=True) == ()
        while client.snapshot.has_more:
            await client.load_more()
        assert [item.id for item in client.snapshot.items] == [entry.id for entry in reversed(entries[:-1])]
        assert client.snapshot.unread == 59


async def test_what_was_read_a_moment_before_it_was_superseded_stays(server: RealServer) -> None:
    """Whichever is told first, its reading elsewhere or what takes its place; read by its name, or up to a place."""
    publisher, rest = _publisher(server), Rest(server.url)

    async def elsewhere(path: str) -> None:
        path = f"/v1/workspaces/acme/inbox/{path}"
        answer = await asyncio.to_thread(rest.call, "POST", path, real_token("alice", "acme"), b"")
        answer.checked()

    async with _client(server, page_size=100) as client:
        await _live(client)
        for turn in range(20):
            older = await publisher.publish(_to("alice", f"older {turn}", collapseKey="key"))
            unread = await publisher.publish(_to("alice", f"unread {turn}", collapseKey="other"))

            def is_there(shown: Snapshot, name: str = unread.id) -> bool:
                return any(item.id == name for item in shown.items)

            await _until(client, is_there)
            if turn % 2:
                await elsewhere(f"{older.id}/read")
            else:
                await elsewhere("read-all")
            newer = [_to("alice", f"newer {turn}", collapseKey=key) for key in ("key", "other")]
            last = (await publisher.publish(newer))[-1]
            inbox = await asyncio.to_thread(
                rest.call, "GET", "/v1/workspaces/acme/inbox?limit=100", real_token("alice", "acme"), None
            )
            served = {item["id"]: item["read"] for item in inbox.checked()["items"]}
            assert served[older.id] is True

            def is_the_inbox(shown: Snapshot, served: dict[str, bool] = served) -> bool:
                return {item.id: item.read for item in shown.items} == served

            await _until(client, is_the_inbox)
            assert last.id in served


async def test_native_surface_takes_over_a_token(server: RealServer) -> None:
    """On the socket that is there."""
    async with _client(server) as client:
        await _live(client)
        states: list[State] = []
        client.on("state", lambda snapshot: states.append(snapshot.state))
        client.update(token=real_token("alice", "acme"))
        await _publisher(server).publish(_to("alice", "after"))
        await _until(client, lambda s: s.unread == 1)
        assert states == []


async def test_a_refused_token_is_final(server: RealServer) -> None:
    """Until there is another."""
    async with _client(server) as client:
        await _live(client)
        client.update(token="eyJhbGciOiJIUzI1NiJ9.e30.e30", workspace="acme2")
        refused = await _until(client, lambda s: s.state is State.REFUSED)
        assert refused.reason
        assert refused.reason.code == 4001


async def test_workspace_surface(server: RealServer) -> None:
    """Live, marked as read, and asked for what was missed."""
    publisher = _publisher(server)
    async with _client(server, surface="workspace", ask_missed=True) as client:
        feed = client.notifications()
        await _live(client)
        await publisher.publish(_to("alice", "live"))
        told = await _next(feed)
        client.read(told.id)
        assert client.snapshot.unread == 0
        await client.disconnect()
        await publisher.publish(_to("alice", "missed"))
        client.connect()
        assert (await _next(client.notifications())).title == "missed"
    async with Campanile(server.url, "acme", real_token("alice", "acme"), "workspace") as client:
        await _live(client)
        with pytest.raises(Exception, match="no archive"):
            client.archive("x")


async def test_product_surface(server: RealServer) -> None:
    """Greeted, replayed until it is marked, listed."""
    publisher = _publisher(server, "default")
    published = await publisher.publish(_to("alice", "Milk", productName="Milk", type="warning"))
    token = real_token("alice", "default")
    async with Campanile(server.url, token=token, surface="product", auto_mark_read=True) as client:
        told = await _next(client.notifications())
        assert (told.id, told.members["productName"], told.type) == (published.id, "Milk", "warning")
        await _until(client, lambda s: s.unread == 0 and s.user == "alice" and not s.pending)
        await _until_listed_read(client)
    async with Campanile(server.url, token=token, surface="product") as client:
        feed = client.notifications()
        await _live(client)
        await publisher.publish(_to("alice", "Bread"))
        assert (await _next(feed)).title == "Bread", "milk does not come again"


async def _until_listed_read(client: Campanile) -> None:
    """A mark on this surface has no answer that is documented: its list tells."""
    for _ in range(LIMIT * 20):
        if all(item.read for item in await client.load_more()):
            return
        await asyncio.sleep(0.05)
    raise AssertionError("never read")
