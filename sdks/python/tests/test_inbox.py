"""Pages of the inbox, as a client reads them."""

import asyncio

from frames import hello, item, notification, page
from greeted import client_of, until
from scripted import ScriptedServer
from stepped import SteppedClock

from campanile import Network, Snapshot, State


async def test_an_inbox_that_was_not_read_yet_does_not_look_empty(server: ScriptedServer) -> None:
    """From the moment of being live it is said to be under way."""
    async with client_of(server) as client:
        told: list[Snapshot] = []
        client.on("state", told.append)
        client.on("change", told.append)
        (await server.dialled()).send(hello(10, unread=1, unseen=1))
        asked = await server.asked()
        await until(client, lambda s: s.state is State.LIVE)
        asked.reply(200, page(10, [item(10, "a")]))
        await until(client, lambda s: not s.loading)
        live = [snapshot for snapshot in told if snapshot.state is State.LIVE]
        assert live[0].loading
        assert all(snapshot.loading or snapshot.items for snapshot in live)


async def test_a_page_that_fails_is_asked_for_again(server: ScriptedServer) -> None:
    """Whatever the status: a portal's 403 says nothing about the inbox."""
    async with client_of(server) as client:
        errors: list[Exception] = []
        client.on("error", errors.append)
        socket = await server.dialled()
        socket.send(hello(10))
        (await server.asked()).reply(503, {"code": "storage_unavailable"}, {"retry-after": "2"})
        await until(client, lambda _: bool(errors))
        clock = client._clock
        assert isinstance(clock, SteppedClock)
        await clock.step(2)
        (await server.asked()).reply(403, "log in to the network")
        await until(client, lambda _: len(errors) == 2)
        await clock.step(2)
        (await server.asked()).reply(200, page(10, [item(10, "a")]))
        await until(client, lambda s: len(s.items) == 1)


async def test_a_page_without_an_answer_is_given_up_and_asked_for_again(server: ScriptedServer) -> None:
    """After 30 s; one that fails, when its answer says."""
    async with client_of(server, random=lambda: 0.0) as client:
        errors: list[Exception] = []
        client.on("error", errors.append)
        (await server.dialled()).send(hello(10))
        clock = client._clock
        assert isinstance(clock, SteppedClock)
        unanswered = await server.asked()
        await clock.step(30)
        await until(client, lambda _: bool(errors))
        assert [type(error) for error in errors] == [Network]
        await clock.step(0.5)
        (await server.asked()).reply(503, None, {"retry-after": "Thu, 01 Jan 2026 00:00:32 GMT"})
        await until(client, lambda _: len(errors) == 2)
        await clock.step(1.5)
        (await server.asked()).reply(200, page(10, [item(10, "a")]))
        await until(client, lambda s: len(s.items) == 1)
        unanswered.reply(503)


async def test_what_was_asked_for_is_kept_beyond_the_bound(server: ScriptedServer) -> None:
    """Pages join the items, however many; what arrives later pushes the oldest out."""
    async with client_of(server, max_items=3, page_size=2) as client:
        socket = await server.dialled()
        socket.send(hello(10, unread=6, unseen=6))
        (await server.asked()).reply(200, page(10, [item(10, "f"), item(9, "e")], older=9, unread=6, unseen=6))
        await until(client, lambda s: len(s.items) == 2)
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
        await until(client, lambda s: s.unread == 7)
        assert [entry.id for entry in client.snapshot.items] == list("gfedcb")
        assert client.snapshot.has_more
