"""Lists by filter: each without a gap, down to where it was loaded."""

import asyncio
from typing import Any

from frames import hello, item, page
from greeted import client_of, greeted, until
from scripted import Asked, ScriptedServer

from campanile import Campanile, List, Notification

READ = {"read": True, "seen": True}


def _ids(shown: List | tuple[Notification, ...]) -> list[str]:
    return [entry.id for entry in (shown.items if isinstance(shown, List) else shown)]


async def _page(
    server: ScriptedServer, client: Campanile, *items: dict[str, Any], older: int | None, **filters: bool
) -> Asked:
    """What is asked for the next page of a list, once it is there."""
    more = asyncio.ensure_future(client.load_more(**filters))
    asked = await server.asked()
    assert client.list(**filters).loading
    asked.reply(200, page(10, list(items), older=older, unread=4, unseen=4))
    assert _ids(await more) == [entry["id"] for entry in items]
    assert not client.list(**filters).loading
    return asked


async def test_each_list_has_no_gap(server: ScriptedServer) -> None:
    """What one has loaded stands in no other that did not get that far."""
    async with client_of(server, page_size=2) as client:
        assert client.list() == List((), False, False), "of nobody there is nothing to load"
        socket = await server.dialled()
        assert client.list() == client.list(unread=True) == client.list(archived=True) == List((), True, False)
        socket.send(hello(10, unread=4, unseen=4))
        first = page(10, [item(10, "g"), item(9, "f", **READ)], older=9, unread=4, unseen=4)
        (await server.asked()).reply(200, first)
        await until(client, lambda s: len(s.items) == 2 and not s.loading)
        assert (_ids(client.list()), client.list().has_more) == (["g", "f"], True)
        assert (_ids(client.list(unread=True)), client.list(unread=True).has_more) == (["g"], True)
        assert client.list(archived=True) == List((), True, False)

        # The list of all has the unread ones so far: they go on from there.
        asked = await _page(server, client, item(4, "b"), item(2, "a"), older=2, unread=True)
        assert asked.query == {"limit": "2", "before": "9", "minSeq": "10", "unread": "true"}
        assert (_ids(client.list(unread=True)), client.list(unread=True).has_more) == (["g", "b", "a"], True)
        assert (_ids(client.list()), client.snapshot.items) == (["g", "f"], client.list().items)

        asked = await _page(server, client, item(8, "e", archived=True, **READ), older=None, archived=True)
        assert asked.query == {"limit": "2", "minSeq": "10", "archived": "true"}
        assert (_ids(client.list(archived=True)), client.list(archived=True).has_more) == (["e"], False)
        assert await client.load_more(archived=True) == ()

        asked = await _page(server, client, item(7, "d", **READ), item(4, "b"), older=4)
        assert asked.query == {"limit": "2", "before": "9", "minSeq": "10"}
        assert (_ids(client.list()), client.snapshot.has_more) == (["g", "f", "d", "b"], True)

        client.read("b")
        client.archive("g")
        assert _ids(client.list()) == ["f", "d", "b"]
        assert _ids(client.list(unread=True)) == ["a"]
        assert _ids(client.list(archived=True)) == ["g", "e"]
        assert _ids(client.list(archived=True, unread=True)) == []


async def test_a_list_that_is_read_again_leaves_nothing_of_the_others(server: ScriptedServer) -> None:
    """What they hold may have a gap by then."""
    async with client_of(server) as client:
        socket = await greeted(server, client, item(10, "b"))
        await _page(server, client, item(8, "a", archived=True, **READ), older=None, archived=True)
        socket.send({"type": "resync", "epoch": "e1", "seq": 20, "reason": "overflow"})
        (await server.asked()).reply(200, page(20, [item(20, "c"), item(10, "b")]))
        await until(client, lambda s: len(s.items) == 2 and not s.loading)
        assert client.list(archived=True) == List((), True, False)


async def test_a_list_is_the_same_object_until_something_changes(server: ScriptedServer) -> None:
    """So that it is cheap to ask for."""
    async with client_of(server) as client:
        await greeted(server, client, item(10, "a"))
        shown = client.list(unread=True)
        assert client.list(unread=True) is shown
        client.read("a")
        assert client.list(unread=True).items == ()


async def test_what_is_not_in_memory_any_more_is_in_no_list(server: ScriptedServer) -> None:
    """Each ends where the oldest that is held stands, and can be loaded from there."""
    async with client_of(server, max_items=2) as client:
        socket = await greeted(server, client, item(10, "b"), item(9, "a"))
        await _page(server, client, older=None, archived=True)
        for seq, name in ((11, "c"), (12, "d")):
            socket.send({"type": "notification", "seq": seq, "item": item(seq, name)})
        await until(client, lambda s: _ids(s.items) == ["d", "c"])
        assert (_ids(client.list()), client.list().has_more) == (["d", "c"], True)
        assert client.list(archived=True).has_more


async def test_documented_surfaces_have_unread_ones_and_no_more() -> None:
    """They have no archive and no places to go on from."""
    async with ScriptedServer(None) as plain, client_of(plain, surface="workspace") as client:
        socket = await plain.dialled()
        for name, read in (("a", False), ("b", True)):
            socket.send({"id": name, "title": name, "message": "", "type": "info", "read": read})
        await until(client, lambda s: len(s.items) == 2)
        assert client.list(unread=True) == List((client.snapshot.items[1],), False, False)
        assert client.list(archived=True) == List((), False, False)
