"""The product surface through Python's `websockets`."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from client import assert_quiet, closed, received
from server import LIMIT, Server
from tokens import product_token, seconds, sign
from websockets.asyncio.client import ClientConnection, connect

PATH = "/api/ws/notification"
FORGED = sign({"userId": "u", "exp": seconds() + 60}, "x" * 32)


@asynccontextmanager
async def greeted(server: Server, token: str, user: str, more: str = "") -> AsyncIterator[ClientConnection]:
    """A connection whose greeting has come."""
    async with connect(server.product(token, more)) as socket:
        message = "Notification WebSocket connected"
        greeting = {"type": "CONNECTION_ESTABLISHED", "message": message, "userId": user}
        assert await received(socket) == greeting
        yield socket


async def test_a_notification_arrives_as_documented(server: Server) -> None:
    async with greeted(server, product_token("alice"), "alice") as socket:
        sent = server.publish("default", "alice", message="Milk expired", type="error", productName="Milk")
        frame = await received(socket)
        assert list(frame)[:5] == ["id", "message", "type", "productName", "created_at"]
        assert (frame["id"], frame["message"]) == (sent, "Milk expired")
        assert (frame["type"], frame["productName"]) == ("error", "Milk")
        assert frame["created_at"] == frame["timestamp"]
        assert frame["created_at"].endswith("Z")


async def test_a_token_of_the_command_line_opens(server: Server) -> None:
    token = server.run("token", "--user", "bob", "--product")
    async with greeted(server, token, "bob") as socket:
        await assert_quiet(socket)


async def test_pings_and_nonsense(server: Server) -> None:
    async with greeted(server, product_token("carol"), "carol") as socket:
        for ping in ["PING", '"PING"']:
            await socket.send(ping)
            assert await received(socket) == {"type": "pong"}
        for nonsense in ["", "[]", "1", "{", '{"action":"dance"}']:
            await socket.send(nonsense)
            answer = await received(socket)
            assert (answer["type"], answer["code"]) == ("error", "bad_request")
        async with asyncio.timeout(LIMIT):
            await (await socket.ping())
        await socket.send(b"PING")
        assert (await closed(socket))[0] == 1003


async def test_unread_is_replayed_until_it_is_marked_read(server: Server) -> None:
    seen, missed = (server.publish("default", "dave", message=message) for message in ["first", "second"])
    async with greeted(server, product_token("dave"), "dave") as socket:
        assert [(await received(socket))["message"] for _ in range(2)] == ["first", "second"]
        await socket.send(json.dumps({"action": "mark_read", "id": seen}))
        assert await received(socket) == {"type": "marked_read", "id": seen}
    async with greeted(server, product_token("mallory"), "mallory") as stranger:
        await stranger.send(json.dumps({"action": "mark_read", "id": missed}))
        assert await received(stranger) == {"type": "error", "code": "not_found", "id": missed}
    assert server.listed("dave") == [(missed, False), (seen, True)]
    async with greeted(server, product_token("dave"), "dave") as socket:
        assert (await received(socket))["id"] == missed
        await assert_quiet(socket)
    async with greeted(server, product_token("dave"), "dave", "&replay=none") as socket:
        await assert_quiet(socket)


async def test_all_sockets_of_a_user_are_served(server: Server) -> None:
    token = product_token("erin")
    async with greeted(server, token, "erin") as first, greeted(server, token, "erin") as second:
        sent = server.publish("default", "erin")
        assert [(await received(socket))["id"] for socket in (first, second)] == [sent, sent]


async def test_a_token_that_ends_closes_the_live_socket(server: Server) -> None:
    exp = seconds() + 2
    async with greeted(server, product_token("frank", exp=exp), "frank") as socket:
        assert await closed(socket) == (1008, "Access token expired")
        # Promised within 1 s; a second more for a machine that is busy with the other clients.
        assert 0 <= time.time() - exp < 2


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("", "Access token required"),
        ("?access_token=", "Access token required"),
        (f"?token={product_token('u')}", "Access token required"),
        ("?access_token=garbage", "Access token invalid"),
        (f"?access_token=Bearer%20{product_token('u')}", "Access token invalid"),
        (f"?access_token={FORGED}", "Access token invalid"),
        (f"?access_token={product_token('u', exp=seconds() - 1)}", "Access token expired"),
    ],
)
async def test_refusals_are_closes_with_their_reason(server: Server, query: str, reason: str) -> None:
    async with connect(server.ws(PATH + query)) as socket:
        assert await closed(socket) == (1008, reason)
