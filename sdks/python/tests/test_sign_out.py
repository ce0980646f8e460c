"""Signing out: nothing of a user is left, of any workspace, whichever of the clients of a device says it."""

import asyncio
from pathlib import Path

import pytest
from frames import item
from greeted import client_of, greeted, until
from scripted import LIMIT, ScriptedServer
from stepped import settle
from tokens import token

from campanile import Campanile, FileStorage, MemoryStorage, State, Storage, StorageFailed


async def _acts(client: Campanile, server: ScriptedServer, name: str, user: str = "alice") -> None:
    """It is live, and something that it did waits and is kept."""
    client.connect()
    socket = await greeted(server, client, item(10, name), user=user)
    client.read(name)
    # What was kept before is read by then.
    await socket.next()
    await client._session.flush()


def _files(directory: Path) -> int:
    return len(list(directory.iterdir()))


def _shows_nothing(client: Campanile) -> bool:
    shown = client.snapshot
    return (shown.state, shown.items, shown.unread, shown.user, shown.pending) == (State.CLOSED, (), 0, None, 0)


async def test_the_workspaces_that_it_was_in_before_are_forgotten(server: ScriptedServer) -> None:
    """All that is kept of the user is."""
    storage = MemoryStorage()
    client = client_of(server, storage=storage)
    await _acts(client, server, "a")
    client.update(workspace="other")
    await _acts(client, server, "b")
    assert len(storage.texts) == 2
    await client.close()
    assert (storage.texts, _shows_nothing(client)) == ({}, True)


async def test_files_are_gone(server: ScriptedServer, tmp_path: Path) -> None:
    """Also those that were written by a process before this one."""
    for workspace in ("demo", "other"):
        async with client_of(server, storage=FileStorage(tmp_path), workspace=workspace) as client:
            await _acts(client, server, "a")
    bob = client_of(server, storage=FileStorage(tmp_path), token=token("bob", 4e9))
    await _acts(bob, server, "b", user="bob")
    assert _files(tmp_path) == 3
    await client_of(server, storage=FileStorage(tmp_path), user="alice", token=None).close()
    assert _files(tmp_path) == 1
    await bob.close()
    assert _files(tmp_path) == 0


async def test_clients_that_share_a_storage_are_signed_out_together(server: ScriptedServer) -> None:
    """In whichever workspace, and whether or not they are connected. Others go on."""
    storage = MemoryStorage()
    first, second, third = (client_of(server, storage=storage, workspace=name) for name in ("demo", "other", "third"))
    elsewhere = client_of(server, storage=MemoryStorage())
    bob = client_of(server, storage=storage, token=token("bob", 4e9))
    for number, client in enumerate((first, second, third, elsewhere)):
        await _acts(client, server, f"n{number}")
    await _acts(bob, server, "b", user="bob")
    await third.disconnect()
    await second.close()
    assert all(_shows_nothing(client) for client in (first, second, third))
    assert [elsewhere.state, bob.state] == [State.LIVE, State.LIVE]
    (kept,) = storage.texts
    assert '"bob"' in kept
    await elsewhere.close()
    await bob.close()
    assert storage.texts == {}


@pytest.mark.parametrize("named", ["by the program", "by the token"])
async def test_a_client_that_never_connected_signs_out_the_others(server: ScriptedServer, named: str) -> None:
    """It is told who that is."""
    storage: Storage = MemoryStorage()
    client = client_of(server, storage=storage)
    await _acts(client, server, "a")
    who = {"token": token("alice", 4e9)} if named == "by the token" else {"token": None, "user": "alice"}
    await client_of(server, storage=storage, workspace=None, **who).close()
    assert _shows_nothing(client)
    assert isinstance(storage, MemoryStorage)
    assert storage.texts == {}


async def test_who_has_no_token_any_more_can_still_sign_out(server: ScriptedServer) -> None:
    """It is known who that was."""
    storage = MemoryStorage()
    client = client_of(server, storage=storage)
    await _acts(client, server, "a")
    client.update(token=None)
    assert len(storage.texts) == 1
    await client.close()
    assert storage.texts == {}


async def test_who_an_opaque_token_is_of_the_server_says(server: ScriptedServer) -> None:
    """So by that name it is kept, and erased."""
    storage = MemoryStorage()
    client, other = (client_of(server, storage=storage, token=lambda _: "opaque") for _ in range(2))
    await _acts(client, server, "a")
    await _acts(other, server, "a")
    assert len(storage.texts) == 1
    await client.close()
    assert (storage.texts, _shows_nothing(other)) == ({}, True)


async def test_a_client_that_went_over_to_another_user_signs_out_that_one(server: ScriptedServer) -> None:
    """The former one's things wait for her."""
    storage = MemoryStorage()
    client = client_of(server, storage=storage, token=token("alice", 4e9))
    await _acts(client, server, "a")
    client.update(token=token("bob", 4e9))
    await _acts(client, server, "b", user="bob")
    await client.close()
    (kept,) = storage.texts
    assert '"alice"' in kept
    await client_of(server, storage=storage, user="alice").close()
    assert storage.texts == {}


async def test_a_storage_that_can_not_erase_is_told(server: ScriptedServer) -> None:
    """It is closed all the same."""

    class Broken(MemoryStorage):
        async def erase(self, prefix: str) -> None:
            raise OSError(f"not now: {prefix[:0]}")

    errors: list[Exception] = []
    client = client_of(server, storage=Broken())
    client.on("error", errors.append)
    await _acts(client, server, "a")
    await client.close()
    await server.quiet()
    assert _shows_nothing(client)
    assert [type(error) for error in errors] == [StorageFailed]
    await until(client, lambda s: s.state is State.CLOSED)


async def test_a_name_says_less_than_a_token(server: ScriptedServer) -> None:
    """Of the same tokens: who they are of was said."""
    storage = MemoryStorage()
    client = client_of(server, storage=storage)
    await _acts(client, server, "a")
    client.update(user="bob")
    await client.close()
    assert storage.texts == {}


async def test_a_name_with_another_token_counts_until_that_one_is_asked_for(server: ScriptedServer) -> None:
    """What is kept of the former waits for her."""
    storage = MemoryStorage()
    client = client_of(server, storage=storage)
    await _acts(client, server, "a")
    bob = client_of(server, storage=storage, token=token("bob", 4e9))
    await _acts(bob, server, "b", user="bob")
    await bob.disconnect()
    client.update(token=lambda _: "opaque", user="bob")
    await client.close()
    (kept,) = storage.texts
    assert '"alice"' in kept


async def test_a_second_call_waits_for_the_first(server: ScriptedServer) -> None:
    """Also of another client of the device: what is kept is gone once it returns."""
    erasing, go_on = asyncio.Event(), asyncio.Event()

    class Slow(MemoryStorage):
        async def erase(self, prefix: str) -> None:
            erasing.set()
            await go_on.wait()
            await super().erase(prefix)

    storage = Slow()
    client, other = (client_of(server, storage=storage, workspace=name) for name in ("demo", "other"))
    await _acts(client, server, "a")
    await _acts(other, server, "b")
    closing = asyncio.ensure_future(client.close())
    await asyncio.wait_for(erasing.wait(), LIMIT)
    calls = [asyncio.ensure_future(one.close()) for one in (client, other)]
    await settle()
    assert (len(storage.texts), [call.done() for call in calls]) == (2, [False, False])
    go_on.set()
    await asyncio.gather(*calls)
    assert storage.texts == {}
    await closing
    await client.close()


async def test_whoever_gives_up_waiting_does_not_stop_the_erasing(server: ScriptedServer) -> None:
    """It goes on, and can be waited for again."""
    erasing, go_on = asyncio.Event(), asyncio.Event()

    class Slow(MemoryStorage):
        async def erase(self, prefix: str) -> None:
            erasing.set()
            await go_on.wait()
            await super().erase(prefix)

    storage = Slow()
    client = client_of(server, storage=storage)
    await _acts(client, server, "a")
    closing = asyncio.ensure_future(client.close())
    await asyncio.wait_for(erasing.wait(), LIMIT)
    closing.cancel()
    await asyncio.wait((closing,))
    again = asyncio.ensure_future(client.close())
    await settle()
    assert not again.done()
    go_on.set()
    await asyncio.wait_for(again, LIMIT)
    assert storage.texts == {}
