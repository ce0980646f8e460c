"""Older pages: read by the user's own token, and by no other, also while there is no connection."""

import asyncio

import pytest
from frames import hello, item, page
from greeted import client_of, greeted, until
from scripted import LIMIT, ScriptedServer
from tokens import token

from campanile import Network, State


async def test_without_a_connection_a_page_is_read_by_the_last_token(server: ScriptedServer) -> None:
    """The callback, which may be another user's by now, is the connection's to ask."""
    alices = token("alice", 4e9)
    sources = iter([alices, token("bob", 4e9)])
    async with client_of(server, token=lambda _: next(sources)) as client:
        socket = await server.dialled()
        socket.send(hello(10, unread=2, unseen=2))
        (await server.asked()).reply(200, page(10, [item(10, "b")], older=10, unread=2, unseen=2))
        await until(client, lambda s: s.state is State.LIVE and not s.loading)
        socket.cut()
        await until(client, lambda s: s.state is State.WAITING)
        loading = asyncio.ensure_future(client.load_more())
        asked = await server.asked()
        assert asked.headers["authorization"] == f"Bearer {alices}"
        asked.reply(200, page(10, [item(9, "a")], unread=2, unseen=2))
        assert [entry.id for entry in await loading] == ["a"]
        client.retry()
        other = await greeted(server, client, item(10, "bobs"), user="bob")
        assert "since" not in other.query


async def test_a_token_that_does_not_say_whose_it_is_reads_nothing_before_the_server_said(
    server: ScriptedServer,
) -> None:
    """It may be another user's."""
    sources = iter(["alice's", "bob's"])
    async with client_of(server, token=lambda _: next(sources)) as client:
        socket = await server.dialled()
        socket.send(hello(10, unread=1, unseen=1))
        (await server.asked()).reply(200, page(10, [item(10, "a")], older=10))
        await until(client, lambda s: s.state is State.LIVE and not s.loading)
        socket.cut()
        await until(client, lambda s: s.state is State.WAITING)
        client.retry()
        other = await server.dialled()
        loading = asyncio.ensure_future(client.load_more())
        await server.quiet()
        assert server.requests.empty()
        other.send(hello(10, user="bob", resumed=True))
        (await server.asked()).reply(200, page(10, [item(10, "bobs")]))
        assert await loading == ()
        shown = await until(client, lambda s: s.user == "bob" and not s.loading)
        assert [entry.id for entry in shown.items] == ["bobs"]


async def test_a_token_is_asked_for_once() -> None:
    """Whoever wants a page while the connection is made waits for it."""
    asked: list[str] = []

    def source(reason: str) -> str:
        asked.append(reason)
        return token("alice", 4e9)

    async with (
        ScriptedServer(None) as plain,
        client_of(plain, surface="product", token=source) as client,
    ):
        loading = asyncio.ensure_future(client.load_more())
        socket = await plain.dialled()
        socket.send({"type": "CONNECTION_ESTABLISHED", "userId": "alice"})
        (await plain.asked()).reply(200, {"notifications": [item(9, "a")]})
        assert [entry.id for entry in await asyncio.wait_for(loading, LIMIT)] == ["a"]
        assert asked == ["initial"]


async def test_without_a_token_there_is_no_page(server: ScriptedServer) -> None:
    """Neither before a connection, nor where it can't be made; that is told."""
    server.refusal = (503, {}, b"")
    client = client_of(server, user="alice")
    with pytest.raises(Network):
        await client.load_more(archived=True)
    async with client:
        with pytest.raises(Network):
            await asyncio.wait_for(client.load_more(archived=True), LIMIT)
    assert server.requests.empty()


async def test_the_first_page_of_another_user_waits_for_none_of_the_former(server: ScriptedServer) -> None:
    """And whoever waits behind that one is told nothing of the other's."""
    async with client_of(server, token=token("alice", 4e9)) as client:
        socket = await server.dialled()
        socket.send(hello(10, unread=2, unseen=2))
        (await server.asked()).reply(200, page(10, [item(10, "a")], older=10, unread=2, unseen=2))
        await until(client, lambda s: s.state is State.LIVE and not s.loading)
        loads = [asyncio.ensure_future(client.load_more()) for _ in range(2)]
        slow = await server.asked()
        client.update(token=token("bob", 4e9))
        assert not client.snapshot.loading
        other = await server.dialled()
        other.send(hello(10, user="bob", unread=2, unseen=2))
        (await server.asked()).reply(200, page(10, [item(10, "bobs")], older=10, unread=2, unseen=2))
        await until(client, lambda s: len(s.items) == 1)
        slow.reply(200, page(10, [item(9, "secret")]))
        assert await asyncio.gather(*loads) == [(), ()]
        assert server.requests.empty()
        assert [entry.id for entry in client.snapshot.items] == ["bobs"]


async def test_of_nobody_there_is_nothing_to_load(server: ScriptedServer) -> None:
    """Though a token would read somebody's."""
    client = client_of(server, token="opaque")
    assert not client.list().has_more
    assert await client.load_more() == ()
    assert server.requests.empty()
    await client.close()
