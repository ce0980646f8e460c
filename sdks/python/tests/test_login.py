"""Tokens of a client: where they come from, when they are asked for, and where they never go."""

import asyncio
import logging

import pytest
from frames import hello, item, page
from greeted import client_of, greeted, until
from scripted import LIMIT, ScriptedServer
from stepped import START, SteppedClock
from tokens import token

from campanile import ActionRefused, Campanile, CampanileError, InsecureUrl, MemoryStorage, Reason, State, TokenFailed


async def test_the_token_is_in_no_address_log_error_or_repr(
    server: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Only the header of the request has it."""
    caplog.set_level(logging.DEBUG)
    secret = token("alice", 4e9)
    errors: list[Exception] = []
    async with client_of(server, token=secret) as client:
        client.on("error", errors.append)
        socket = await greeted(server, client)
        assert socket.headers["authorization"] == f"Bearer {secret}"
        assert secret not in str(socket.query)
        socket.send({"type": "hello"})
        socket.close(4003, "token expired")
        shown = await until(client, lambda s: s.state is State.REFUSED)
        await server.quiet()
        assert errors, "the frame that was no greeting is told"
        assert secret not in caplog.text + repr(shown) + repr(errors) + repr(vars(client))


@pytest.mark.parametrize("url", ["http://example.com", "ws://10.0.0.1:8700", "http://127.0.0.1.example.com"])
def test_no_token_in_the_clear(url: str) -> None:
    """But to this machine, or where it is asked for."""
    with pytest.raises(InsecureUrl):
        Campanile(url, workspace="demo")
    Campanile(url, workspace="demo", allow_insecure=True)


async def test_nobody_logged_in_is_idle(server: ScriptedServer) -> None:
    """Until there are a token and a workspace."""
    async with client_of(server, token=None, workspace=None) as client:
        assert client.state is State.IDLE
        client.update(token=lambda _: None)
        client.update(workspace="demo")
        await until(client, lambda s: s.state is State.IDLE)
        client.update(token=token("alice", 4e9))
        await greeted(server, client)


async def test_a_token_callback_that_fails_is_asked_again(server: ScriptedServer) -> None:
    """It is told, with why it was asked; nothing is dialled without a token."""
    asked: list[str] = []

    def source(reason: str) -> str:
        asked.append(reason)
        if len(asked) == 1:
            raise OSError("login server is away")
        return token("alice", 4e9)

    errors: list[Exception] = []
    client = client_of(server, token=source)
    client.on("error", errors.append)
    async with client:
        waiting = await until(client, lambda s: s.state is State.WAITING)
        assert waiting.reason
        assert waiting.reason.kind == "token"
        client.retry()
        await greeted(server, client)
        assert asked == ["initial", "reconnect"]
        assert [type(error) for error in errors] == [TokenFailed]


async def test_a_text_for_a_token_is_not_tried_again_once_it_has_expired(server: ScriptedServer) -> None:
    """It would end in the same way, until another is given."""
    async with client_of(server, token=token("alice", 4e9)) as client:
        socket = await greeted(server, client)
        socket.close(4003, "token expired")
        await until(client, lambda s: s.state is State.REFUSED)
        client.update(token=token("alice", 4e9))
        await server.dialled()


EXPIRED = (401, {"content-type": "application/problem+json"}, b'{"code":"token_expired"}')


async def test_an_expired_token_before_the_socket_is_asked_for_anew(server: ScriptedServer) -> None:
    """Where there is somebody to ask."""
    asked: list[str] = []

    def source(reason: str) -> str:
        asked.append(reason)
        return token("alice", 4e9)

    server.refusals.append(EXPIRED)
    async with client_of(server, token=source) as client:
        await until(client, lambda s: s.state is State.WAITING)
        client.retry()
        await greeted(server, client)
        assert asked == ["initial", "expired"]


async def test_a_text_that_expired_before_the_socket_is_refused(server: ScriptedServer) -> None:
    """There is no other to be had by asking."""
    server.refusals.append(EXPIRED)
    async with client_of(server, token=token("alice", 4e9)) as client:
        shown = await until(client, lambda s: s.state is State.REFUSED)
        assert shown.reason == Reason("http", 401, "token_expired")


async def test_nobody_at_first_and_then_somebody(server: ScriptedServer) -> None:
    """`connect` asks again."""
    tokens = iter([None, token("alice", 4e9)])
    async with client_of(server, token=lambda _: next(tokens)) as client:
        await until(client, lambda s: s.state is State.CONNECTING)
        await until(client, lambda s: s.state is State.IDLE)
        client.retry()
        assert client.state is State.IDLE
        client.connect()
        await greeted(server, client)


async def test_a_redirect_is_not_followed(server: ScriptedServer) -> None:
    """A token is for one server."""
    async with ScriptedServer() as elsewhere:
        location = elsewhere.url.replace("http", "ws") + "/v1/connect"
        server.refusal = (302, {"location": location}, b"")
        async with client_of(server) as client:
            waiting = await until(client, lambda s: s.state is State.WAITING)
            assert waiting.reason
            assert (waiting.reason.kind, waiting.reason.code) == ("http", 302)
            assert elsewhere.sockets == []


async def test_a_token_callback_that_awaits_what_is_cancelled_is_asked_again(server: ScriptedServer) -> None:
    """That is its own failure, as any other, and not the end of the client."""
    cancelled: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    cancelled.cancel()
    sources = [cancelled]
    errors: list[Exception] = []

    async def source(_: str) -> str:
        return await sources.pop() if sources else token("alice", 4e9)

    client = client_of(server, token=source)
    client.on("error", errors.append)
    async with client:
        await until(client, lambda s: s.state is State.WAITING)
        client.retry()
        await greeted(server, client)
        assert [type(error) for error in errors] == [TokenFailed]


async def test_a_token_callback_that_raises_a_cancellation_is_asked_again(server: ScriptedServer) -> None:
    """Also one that is not async: it cancels nobody by that."""
    errors: list[Exception] = []
    asked: list[str] = []

    def source(reason: str) -> str:
        asked.append(reason)
        if len(asked) == 1:
            raise asyncio.CancelledError
        return token("alice", 4e9)

    client = client_of(server, token=source)
    client.on("error", errors.append)
    async with client:
        await until(client, lambda s: s.state is State.WAITING)
        client.retry()
        await greeted(server, client)
        assert asked == ["initial", "reconnect"]
        assert [type(error) for error in errors] == [TokenFailed]


@pytest.mark.parametrize("leaves", ["disconnect", "close"])
async def test_a_token_callback_may_leave(server: ScriptedServer, leaves: str) -> None:
    """As one would that finds that its user was logged out elsewhere."""
    storage = MemoryStorage()
    async with client_of(server, storage=storage, token=token("alice", 4e9)) as before:
        await greeted(server, before, item(10, "a"))
        before.read("a")
        await before._session.flush()
    assert len(storage.texts) == 1
    left = asyncio.Event()

    async def source(_: str) -> None:
        try:
            await getattr(client, leaves)()
        finally:
            left.set()

    client = client_of(server, storage=storage, user="alice", token=source)
    client.connect()
    await asyncio.wait_for(left.wait(), LIMIT)
    await asyncio.wait_for(getattr(client, leaves)(), LIMIT)
    assert client.state is (State.IDLE if leaves == "disconnect" else State.CLOSED)
    assert len(storage.texts) == (leaves == "disconnect")
    await client.close()


async def test_what_a_former_callback_says_does_not_count(server: ScriptedServer) -> None:
    """Though it was asked before another token was given."""
    for answer in (None, token("bob", 4e9)):
        slow: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        sources: list[str | asyncio.Future[str | None]] = [token("alice", START + 60), slow]
        clock = SteppedClock(server.quiet)
        async with client_of(server, clock=clock, token=lambda _, all=sources: all.pop(0)) as client:
            socket = await server.dialled()
            socket.send(hello(10, expiresAt="2026-01-01T00:01:00.000Z"))
            (await server.asked()).reply(200, page(10, [item(10, "a")]))
            await until(client, lambda s: len(s.items) == 1)
            await clock.step(34)
            assert not sources
            later = token("alice", 4e9)
            client.update(token=later)
            slow.set_result(answer)
            assert later in await socket.next()
            assert (client.state, len(client.snapshot.items)) == (State.LIVE, 1)


@pytest.mark.parametrize("surface", ["native", "workspace"])
async def test_a_clock_that_is_far_ahead_asks_for_no_token_for_ever(surface: str) -> None:
    """The server says when one is over, and is believed."""
    asked: list[str] = []

    def source(reason: str) -> str:
        asked.append(reason)
        return token("alice", START - 3600)

    subprotocol = "campanile.v1" if surface == "native" else None
    async with ScriptedServer(subprotocol) as server:
        clock = SteppedClock(server.quiet)
        async with client_of(server, surface=surface, clock=clock, token=source) as client:
            socket = await server.dialled()
            if surface == "native":
                socket.send(hello(10, expiresAt="2025-12-31T23:00:00.000Z"))
                (await server.asked()).reply(200, page(10, []))
            await until(client, lambda s: s.state is State.LIVE or surface != "native")
            await server.quiet()
            await clock.step(9)
            await clock.step(9)
            assert (asked, server.dials.empty()) == (["initial"], True)
            socket.close(4003, "token expired")
            await until(client, lambda s: s.state is State.WAITING)
            client.retry()
            await server.dialled()
            assert asked == ["initial", "expired"]


async def test_a_token_that_is_not_taken_is_told(server: ScriptedServer) -> None:
    """The connection lives on with the one that it had."""
    async with client_of(server, token=token("alice", 4e9)) as client:
        errors: list[CampanileError] = []
        client.on("error", errors.append)
        socket = await greeted(server, client, item(10, "a"))
        client.update(token=token("alice", 4e9))
        await socket.next()
        socket.send({"type": "error", "ref": "refresh", "code": "token_invalid"})
        await server.quiet()
        assert [(type(error), error.code) for error in errors] == [(ActionRefused, "token_invalid")]
        assert (client.state, len(client.snapshot.items)) == (State.LIVE, 1)
