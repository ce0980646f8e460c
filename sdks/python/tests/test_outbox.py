"""Outboxes: each row once, in order, under its key."""

import asyncio
import json
import sqlite3
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass

import pytest
from answers import published
from readme import defined
from scripted import ScriptedServer

from campanile import OutboxRow, Problem, Published, Publisher, SyncPublisher

PROBLEM = "application/problem+json"
NOTE = {"to": {"user": "alice"}, "title": "Hello", "message": "World"}


@dataclass(frozen=True)
class Row(OutboxRow):
    """As a program has them: with something of its own."""

    number: int


ROWS = [Row(name, NOTE, number) for number, name in enumerate("abc")]
Sent = Callable[[Row, Published], None]
Refused = Callable[[Row, Problem], None] | None
Drain = Callable[[ScriptedServer, Sent, Refused], "asyncio.Future[int]"]


def _drain(server: ScriptedServer, sent: Sent, refused: Refused) -> "asyncio.Future[int]":
    return asyncio.ensure_future(Publisher(server.url, "demo", "t", attempts=1).drain_outbox(ROWS, sent, refused))


def _drain_slowly(server: ScriptedServer, sent: Sent, refused: Refused) -> "asyncio.Future[int]":
    """With rows that come one by one, and callbacks that take their time."""

    async def rows() -> AsyncGenerator[Row, None]:
        for row in ROWS:
            yield row

    async def later(row: Row, what: Published) -> None:
        await asyncio.sleep(0)
        sent(row, what)

    async def refused_later(row: Row, why: Problem) -> None:
        await asyncio.sleep(0)
        assert refused
        refused(row, why)

    async def drain() -> int:
        publisher = Publisher(server.url, "demo", "t", attempts=1)
        async with aclosing(rows()) as each:
            return await publisher.drain_outbox(each, later, refused_later if refused else None)

    return asyncio.ensure_future(drain())


def _drain_plainly(server: ScriptedServer, sent: Sent, refused: Refused) -> "asyncio.Future[int]":
    publisher = SyncPublisher(server.url, "demo", "t", attempts=1)
    return asyncio.ensure_future(asyncio.to_thread(publisher.drain_outbox, ROWS, sent, refused))


@pytest.mark.parametrize("drain", [_drain, _drain_slowly, _drain_plainly])
async def test_each_is_sent_in_order_and_what_is_refused_is_put_aside(server: ScriptedServer, drain: Drain) -> None:
    """Under the key of its row."""
    noted: list[str] = []
    draining = drain(
        server,
        lambda row, what: noted.append(f"{row.number} is {what.id}"),
        lambda row, why: noted.append(f"{row.number} {why.code}"),
    )
    for key, status in (("a", 201), ("b", 422), ("c", 201)):
        asked = await server.asked()
        assert asked.headers["idempotency-key"] == key
        if status == 201:
            published(asked)
        else:
            problem = {"content-type": "Application/Problem+JSON; charset=utf-8"}
            asked.reply(status, {"code": "invalid_request"}, problem)
    assert await draining == 2
    assert noted == ["0 is n1", "1 invalid_request", "2 is n1"]


@pytest.mark.parametrize("drain", [_drain, _drain_slowly, _drain_plainly])
@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, {"code": "not_now"}, PROBLEM),
        (403, {"code": "not_now"}, PROBLEM),
        (429, {"code": "not_now"}, PROBLEM),
        (503, {"code": "not_now"}, PROBLEM),
        (404, {}, PROBLEM),
        (404, {"code": "not_found"}, "application/json"),
        (404, {"code": "not_found"}, "text/html"),
        (422, {"code": "invalid_request"}, "application/problem+jsonp"),
    ],
)
async def test_what_is_no_fault_of_the_row_ends_it(
    server: ScriptedServer, drain: Drain, status: int, body: dict[str, str], kind: str
) -> None:
    """Such as a token that is not accepted, or a proxy's answer: nothing is put aside for that."""
    noted: list[Row] = []
    draining = drain(server, lambda row, _: noted.append(row), lambda row, _: noted.append(row))
    published(await server.asked())
    (await server.asked()).reply(status, body, {"content-type": kind})
    with pytest.raises(Problem) as refused:
        await draining
    assert refused.value.code == (body.get("code", "http") if kind == PROBLEM else "http")
    assert refused.value.status == status
    assert noted == ROWS[:1]
    assert server.requests.empty()


async def test_where_nothing_puts_it_aside_a_refused_row_ends_it(server: ScriptedServer) -> None:
    """What follows it waits."""
    draining = _drain(server, lambda row, _: pytest.fail(row.key), None)
    (await server.asked()).reply(422, {"code": "invalid_request"})
    with pytest.raises(Problem):
        await draining
    assert server.requests.empty()


async def test_what_can_not_be_noted_ends_it(server: ScriptedServer) -> None:
    """It is sent again, under the same key, when it is drained again."""

    def fails(row: Row, _: Published) -> None:
        raise OSError(row.key)

    draining = _drain(server, fails, lambda row, _: pytest.fail(row.key))
    published(await server.asked())
    with pytest.raises(OSError, match="a"):
        await draining
    assert server.requests.empty()


async def test_the_outbox_of_the_readme_publishes_each_order_once(server: ScriptedServer) -> None:
    """Also where the process ended between the publish and its note of it."""
    scope = defined("def place_order")
    database = sqlite3.connect(":memory:", check_same_thread=False)
    scope["prepare"](database)
    scope["place_order"](database, "alice", 1)
    with pytest.raises(sqlite3.IntegrityError):
        scope["place_order"](database, "bob", 1)
    scope["place_order"](database, "bob", 2)
    publisher = SyncPublisher(server.url, "demo", "t")
    sent: dict[str, bytes] = {}
    served = threading.Event()

    async def serve() -> None:
        while not served.is_set():
            asked = await server.requests.get()
            key = asked.headers["idempotency-key"]
            assert sent.setdefault(key, asked.body) == asked.body
            published(asked)

    serving = asyncio.ensure_future(serve())
    await asyncio.to_thread(scope["drain"], database, publisher)
    assert [json.loads(body)["to"]["user"] for body in sent.values()] == ["alice", "bob"]
    # As if the process had ended before it could note the second one.
    database.execute("UPDATE outbox SET sent = 0 WHERE id = 2")
    await asyncio.to_thread(scope["drain"], database, publisher)
    assert len(sent) == 2
    assert database.execute("SELECT count(*) FROM outbox WHERE sent = 0").fetchone() == (0,)
    serving.cancel()
