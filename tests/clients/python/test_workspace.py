"""The workspace surface through Python's `websockets`."""

import asyncio
import time

import pytest
from client import assert_quiet, closed, received
from server import LIMIT, Server
from tokens import seconds, sign, workspace_token
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

FORGED = sign({"userId": "u", "workspaces": ["acme"], "exp": seconds() + 60}, "x" * 32)


async def test_a_notification_arrives_as_documented(server: Server) -> None:
    async with connect(server.workspace(workspace_token("alice"))) as socket:
        fields = {"title": "New Order", "message": "Order #12345", "type": "record_created"}
        metadata = {"order": 12345, "of": [1.5, None, "ü"]}
        sent = server.publish("acme", "alice", **fields, metadata=metadata)
        frame = await received(socket)
        assert frame.pop("timestamp").endswith("Z")
        assert frame == {"id": sent, "read": False, "metadata": metadata, **fields}
        server.publish("acme", "bob")
        await assert_quiet(socket)


async def test_a_token_of_the_command_line_opens(server: Server) -> None:
    token = server.run("token", "--user", "carol", "--workspace", "acme")
    async with connect(server.workspace(token)) as socket:
        sent = server.publish("acme", "carol")
        assert (await received(socket))["id"] == sent


async def test_pings_fragments_and_nonsense(server: Server) -> None:
    async with connect(server.workspace(workspace_token("dave"))) as socket:
        for nonsense in ["", "null", "[]", '{"action":"dance"}']:
            await socket.send(nonsense)
        await socket.send(b"\x00")
        await socket.send(["PI", "NG"])
        assert await received(socket) == {"type": "pong"}
        async with asyncio.timeout(LIMIT):
            await (await socket.ping())


async def test_mark_read_and_replay(server: Server) -> None:
    async with connect(server.workspace(workspace_token("erin"))) as socket:
        first = server.publish("acme", "erin")
        assert (await received(socket))["id"] == first
    second = server.publish("acme", "erin")
    third = server.publish("acme", "erin")
    async with connect(server.workspace(workspace_token("erin"))) as socket:
        await assert_quiet(socket)
    async with connect(server.workspace(workspace_token("erin"), f"&since={first}")) as socket:
        assert [(await received(socket))["id"] for _ in range(2)] == [second, third]
        await socket.send(f'{{"action":"mark_read","id":"{second}"}}')
        # Nothing announces it on this surface.
        end = time.monotonic() + LIMIT
        while server.unread("erin") != 2:
            assert time.monotonic() < end
            await asyncio.sleep(0.02)
    async with connect(server.workspace(workspace_token("erin"), "&replay=unread")) as socket:
        assert [(await received(socket))["id"] for _ in range(2)] == [first, third]
        await assert_quiet(socket)


async def test_the_newest_connection_wins(server: Server) -> None:
    address = server.workspace(workspace_token("frank"))
    async with connect(address) as older, connect(address) as newer:
        assert await closed(older) == (4009, "replaced by a newer connection")
        sent = server.publish("acme", "frank")
        assert (await received(newer))["id"] == sent


async def test_large_messages(server: Server) -> None:
    async with connect(server.workspace(workspace_token("grace"))) as socket:
        await socket.send("x" * 65_536)
        await assert_quiet(socket)
        server.publish("acme", "grace", message="y" * 65_000)
        assert len((await received(socket))["message"]) == 65_000
        await socket.send("x" * 65_537)
        assert (await closed(socket))[0] == 1009


async def test_a_token_that_ends_closes_the_live_socket(server: Server) -> None:
    exp = seconds() + 2
    async with connect(server.workspace(workspace_token("heidi", exp=exp))) as socket:
        assert await closed(socket) == (4003, "token expired")
        # Promised within 1 s; a second more for a machine that is busy with the other clients.
        assert 0 <= time.time() - exp < 2


@pytest.mark.parametrize(
    ("query", "close"),
    [
        ("", (4001, "unauthorized")),
        ("token=&workspaceSlug=acme", (4001, "unauthorized")),
        ("token=garbage&workspaceSlug=acme", (4001, "unauthorized")),
        (
            f"token={sign({'userId': 'u', 'exp': 4_000_000_000}, 'x' * 32)}&workspaceSlug=acme",
            (4001, "unauthorized"),
        ),
        (f"token={workspace_token('u', exp=None)}&workspaceSlug=acme", (4001, "unauthorized")),
        (f"token={workspace_token('u', workspaces=['a'])}&workspaceSlug=acme", (4001, "unauthorized")),
        (f"token={workspace_token('u')}", (4002, "workspaceSlug required")),
        (f"token={workspace_token('u', exp=seconds() - 1)}&workspaceSlug=acme", (4003, "token expired")),
    ],
)
async def test_refusals_are_closes(server: Server, query: str, close: tuple[int, str]) -> None:
    async with connect(server.ws(f"/?{query}")) as socket:
        assert await closed(socket) == close


async def test_who_keeps_coming_with_a_refused_token_is_turned_away(server: Server) -> None:
    address = server.workspace(workspace_token("ivan", exp=seconds() - 1))
    for _ in range(5):
        async with connect(address) as socket:
            assert (await closed(socket))[0] == 4003
    with pytest.raises(InvalidStatus) as refused:
        await connect(address)
    response = refused.value.response
    assert response.status_code == 429
    assert 50 < int(response.headers["Retry-After"]) <= 60
