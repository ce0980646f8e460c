"""Publishers: batches, keys that are kept, and when to come again."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from answers import published
from scripted import Asked, ScriptedServer
from stepped import START, SteppedClock

from campanile import BadAnswer, BatchTooLarge, Network, Problem, Published, Publisher, SyncPublisher, TokenFailed
from campanile.rest import LATEST, retry_after

NOTE = {"to": {"user": "alice"}, "title": "Hello", "message": "World"}


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    """A server that answers what a test has it answer."""
    async with ScriptedServer() as running:
        yield running


async def test_one_and_many(server: ScriptedServer) -> None:
    """An answer in the form of what was asked."""
    publisher = Publisher(server.url, "demo", "t")
    one = asyncio.ensure_future(publisher.publish(NOTE))
    asked = await server.asked()
    assert (asked.method, asked.path) == ("POST", "/v1/workspaces/demo/notifications")
    assert (asked.headers["authorization"], asked.headers["content-type"]) == ("Bearer t", "application/json")
    assert json.loads(asked.body) == NOTE
    published(asked)
    assert await one == Published("n1", 1, "2026-01-01T00:00:00.000Z")
    many = asyncio.ensure_future(publisher.publish([NOTE, NOTE]))
    published(await server.asked(), first=2)
    assert [entry.id for entry in await many] == ["n2", "n3"]


async def test_a_batch_has_its_bound(server: ScriptedServer) -> None:
    """Said before anything is sent; nothing is sent of nothing."""
    publisher = Publisher(server.url, "demo", "t")
    with pytest.raises(BatchTooLarge) as refused:
        await publisher.publish([NOTE] * 1001)
    assert (refused.value.code, refused.value.got) == ("batch_too_large", 1001)
    assert await publisher.publish([]) == []
    assert server.requests.empty()


async def test_repeated_until_it_is_answered_under_one_key(server: ScriptedServer) -> None:
    """Byte for byte, when the server says; a replayed answer says so."""
    clock = SteppedClock()
    publisher = Publisher(server.url, "demo", "t", clock=clock, random=lambda: 0.0)
    publishing = asyncio.ensure_future(publisher.publish(NOTE))
    first = await server.asked()
    first.reply(503, {"code": "storage_unavailable"}, {"retry-after": "5"})
    second = await _after(server, clock, 5)
    second.reply(429, {"code": "too_many_requests"})
    third = await _after(server, clock, 0.5)
    published(third, headers={"idempotent-replayed": "true"})
    assert (await publishing).replayed
    assert first.body == second.body == third.body
    keys = {asked.headers["idempotency-key"] for asked in (first, second, third)}
    assert len(keys) == 1
    another = asyncio.ensure_future(publisher.publish(NOTE))
    asked = await server.asked()
    assert asked.headers["idempotency-key"] not in keys
    published(asked)
    await another


async def test_a_key_of_ones_own(server: ScriptedServer) -> None:
    """For a publish that must be the same after a restart."""
    publishing = asyncio.ensure_future(Publisher(server.url, "demo", "t").publish(NOTE, idempotency_key="order-1"))
    asked = await server.asked()
    assert asked.headers["idempotency-key"] == "order-1"
    published(asked)
    await publishing


async def test_a_refusal_is_final_and_typed(server: ScriptedServer) -> None:
    """It names the entry at fault."""
    publishing = asyncio.ensure_future(Publisher(server.url, "demo", "a-token").publish([NOTE, {}]))
    problem = {"code": "invalid_request", "detail": "title is required", "index": 1, "field": "title"}
    (await server.asked()).reply(422, problem)
    with pytest.raises(Problem) as refused:
        await publishing
    assert (refused.value.status, refused.value.code) == (422, "invalid_request")
    assert (refused.value.index, refused.value.field) == (1, "title")
    assert "a-token" not in repr(refused.value)
    assert server.requests.empty()


async def test_given_up_after_its_attempts(server: ScriptedServer) -> None:
    """With the last answer."""
    clock = SteppedClock()
    publishing = asyncio.ensure_future(Publisher(server.url, "demo", "t", clock=clock, attempts=2).publish(NOTE))
    (await server.asked()).reply(503, {"code": "overloaded"}, {"retry-after": "10"})
    (await _after(server, clock, 10)).reply(503, {"code": "overloaded"}, {"retry-after": "11"})
    with pytest.raises(Problem) as refused:
        await publishing
    assert refused.value.retry_after == 11


async def test_no_server_at_all() -> None:
    """Is told without the token."""
    with pytest.raises(Network) as away:
        await Publisher("http://127.0.0.1:1", "demo", "a-token", attempts=1).publish(NOTE)
    assert "a-token" not in repr(away.value)
    assert isinstance(away.value.__cause__, OSError)


async def test_a_token_that_expired_on_its_way_is_exchanged_once(server: ScriptedServer) -> None:
    """The callback is asked before each request."""
    tokens = iter(["old", "new", "newer"])

    async def token() -> str:
        return next(tokens)

    publishing = asyncio.ensure_future(Publisher(server.url, "demo", token).publish(NOTE))
    (await server.asked()).reply(401, {"code": "token_expired"})
    asked = await server.asked()
    assert asked.headers["authorization"] == "Bearer new"
    asked.reply(401, {"code": "token_expired"})
    with pytest.raises(Problem):
        await publishing


async def test_a_text_that_expired_is_not_tried_again(server: ScriptedServer) -> None:
    """There is no other to be had by asking."""
    publishing = asyncio.ensure_future(Publisher(server.url, "demo", "old").publish(NOTE))
    (await server.asked()).reply(401, {"code": "token_expired"})
    with pytest.raises(Problem, match="token_expired"):
        await publishing
    assert server.requests.empty()


async def test_a_callback_that_raises_is_told() -> None:
    """As its own kind of error."""

    def token() -> str:
        raise OSError("no login server")

    with pytest.raises(TokenFailed):
        await Publisher("http://127.0.0.1:1", "demo", token).publish(NOTE)


async def test_a_callback_that_raises_a_cancellation_is_told() -> None:
    """It cancels nobody by that."""

    def source() -> str:
        raise asyncio.CancelledError

    with pytest.raises(TokenFailed):
        await Publisher("http://127.0.0.1:1", "demo", source).publish(NOTE)
    with pytest.raises(TokenFailed):
        SyncPublisher("http://127.0.0.1:1", "demo", source).publish(NOTE)


async def test_a_callback_that_never_answers_is_given_up() -> None:
    """After 30 s, as that of a client."""
    clock = SteppedClock()
    never: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    publishing = asyncio.ensure_future(
        Publisher("http://127.0.0.1:1", "demo", lambda: never, clock=clock).publish(NOTE)
    )
    await clock.step(29.9)
    assert not publishing.done()
    await clock.step(0.1)
    assert publishing.done()
    with pytest.raises(TokenFailed, match="30 s"):
        await publishing


@pytest.mark.parametrize("nothing", [None, "", 7])
async def test_a_callback_that_gives_no_text_is_told(server: ScriptedServer, nothing: object) -> None:
    """Nobody is asked with that."""
    with pytest.raises(TokenFailed):
        await Publisher(server.url, "demo", lambda: nothing).publish(NOTE)  # type: ignore[arg-type, return-value]
    with pytest.raises(TokenFailed):
        await asyncio.to_thread(SyncPublisher(server.url, "demo", lambda: nothing).publish, NOTE)  # type: ignore[arg-type, return-value]
    assert server.requests.empty()


async def test_redirects_are_not_followed(server: ScriptedServer) -> None:
    """A token is for one server."""
    publishing = asyncio.ensure_future(Publisher(server.url, "demo", "t").publish(NOTE))
    (await server.asked()).reply(307, None, {"location": "/elsewhere"})
    with pytest.raises(Problem) as refused:
        await publishing
    assert refused.value.status == 307
    assert server.requests.empty()


async def test_from_plain_code(server: ScriptedServer) -> None:
    """The same, blocking."""
    slept: list[float] = []
    publisher = SyncPublisher(server.url, "demo", lambda: "t", sleep=slept.append)
    publishing = asyncio.ensure_future(asyncio.to_thread(publisher.publish, [NOTE]))
    (await server.asked()).reply(503, {"code": "overloaded"}, {"retry-after": "3"})
    published(await server.asked())
    assert [entry.seq for entry in await publishing] == [1]
    assert slept == [3.0]


async def test_an_attempt_without_an_answer_is_given_up_and_made_again(server: ScriptedServer) -> None:
    """After its time, under the same key; so is one whose answer is cut short."""
    clock = SteppedClock()
    publisher = Publisher(server.url, "demo", "t", clock=clock, timeout=20, random=lambda: 0.0)
    publishing = asyncio.ensure_future(publisher.publish(NOTE))
    first = await server.asked()
    await clock.step(19.9)
    assert server.requests.empty()
    await clock.step(0.1)
    second = await _after(server, clock, 0.5)
    second.reply(503, {"code": "overloaded"}, {"content-length": "1000"})
    third = await _after(server, clock, 0.5)
    assert {asked.headers["idempotency-key"] for asked in (second, third)} == {first.headers["idempotency-key"]}
    published(third)
    await publishing
    first.reply(503)


@pytest.mark.parametrize("body", [{"id": "n1", "seq": 1, "timestamp": ""}, ["whole", "it seems"], None])
async def test_a_success_that_is_cut_short_is_asked_for_again(server: ScriptedServer, body: object) -> None:
    """Under its key: it is stored already."""
    clock = SteppedClock()
    publishing = asyncio.ensure_future(
        Publisher(server.url, "demo", "t", clock=clock, random=lambda: 0.0).publish(NOTE)
    )
    first = await server.asked()
    first.reply(201, body, {"content-length": "1000"})
    second = await _after(server, clock, 0.5)
    assert second.headers["idempotency-key"] == first.headers["idempotency-key"]
    published(second, headers={"idempotent-replayed": "true"})
    assert (await publishing).replayed
    slept: list[float] = []
    plain = SyncPublisher(server.url, "demo", "t", sleep=slept.append)
    publishing_plainly = asyncio.ensure_future(asyncio.to_thread(plain.publish, NOTE))
    (await server.asked()).reply(201, body, {"content-length": "1000"})
    published(await server.asked())
    await publishing_plainly
    assert len(slept) == 1


@pytest.mark.parametrize("status", [200, 201, 204])
async def test_a_success_that_can_not_be_read_is_asked_for_again(server: ScriptedServer, status: int) -> None:
    """Though it is whole, such as a page of somebody in between. What is none of ours is final."""
    clock = SteppedClock()
    publishing = asyncio.ensure_future(
        Publisher(server.url, "demo", "t", clock=clock, random=lambda: 0.0, attempts=2).publish(NOTE)
    )
    unreadable = (status, {"content-type": "text/html"}, b"" if status == 204 else b"<html>")
    (await server.asked()).answer.set_result(unreadable)
    (await _after(server, clock, 0.5)).answer.set_result(unreadable)
    with pytest.raises(BadAnswer):
        await publishing
    publishing = asyncio.ensure_future(Publisher(server.url, "demo", "t").publish(NOTE))
    (await server.asked()).reply(201, {"hello": "world"})
    with pytest.raises(BadAnswer):
        await publishing


async def test_an_answer_beyond_all_bounds_is_none(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not read to its end."""
    monkeypatch.setattr("campanile.rest.LONGEST", 10)
    publishing = asyncio.ensure_future(Publisher(server.url, "demo", "t").publish(NOTE))
    (await server.asked()).reply(422, {"code": "invalid_request"})
    with pytest.raises(Problem) as refused:
        await publishing
    assert refused.value.code == "http"


async def test_plain_code_gives_up_as_well(server: ScriptedServer) -> None:
    """Where nothing comes."""
    publisher = SyncPublisher(server.url, "demo", "t", timeout=0.05, attempts=1)
    with pytest.raises(Network):
        await asyncio.to_thread(publisher.publish, NOTE)


@pytest.mark.parametrize("status", [408, 429, 500, 501, 507, 599])
async def test_what_passes_is_tried_again(server: ScriptedServer, status: int) -> None:
    """Whatever else is wrong with the server."""
    clock = SteppedClock()
    publishing = asyncio.ensure_future(Publisher(server.url, "demo", "t", clock=clock).publish(NOTE))
    (await server.asked()).reply(status, None, {"retry-after": "1"})
    published(await _after(server, clock, 1))
    await publishing


def test_retry_after_in_all_forms() -> None:
    """Seconds, or a date in one of the three forms that there are; nothing of anything else."""
    now = 784_111_770.0
    assert retry_after("7", now) == 7
    for date in ("Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"):
        assert (retry_after(date, now), retry_after(date, now + 7)) == (7, 0)
        assert retry_after(date, now + 60) is None, "one that is over says nothing"
    for late in ("9" * 12, "9" * 400, "9" * 5000, "Fri, 31 Dec 9999 23:59:59 GMT"):
        assert retry_after(late, now) == LATEST, "what a clock can sleep for"
    dates = ("1994-11-06T08:49:37Z", "Sun, 99 Nov 1994 08:49:37 GMT")
    for nothing in (None, "", "soon", "-7", "7.5", "1e3", "nan", "\u0667", *dates):
        assert retry_after(nothing, now) is None


async def test_a_date_is_waited_for_by_the_given_clock(server: ScriptedServer) -> None:
    """As a proxy gives it."""
    headers = {"retry-after": "Thu, 01 Jan 2026 00:00:07 GMT"}
    clock = SteppedClock()
    publishing = asyncio.ensure_future(Publisher(server.url, "demo", "t", clock=clock).publish(NOTE))
    (await server.asked()).reply(503, None, headers)
    published(await _after(server, clock, 7))
    await publishing
    slept: list[float] = []
    plain = SyncPublisher(server.url, "demo", "t", sleep=slept.append, utc=lambda: START + 2)
    publishing_plainly = asyncio.ensure_future(asyncio.to_thread(plain.publish, NOTE))
    (await server.asked()).reply(503, None, headers)
    published(await server.asked())
    await publishing_plainly
    assert slept == [5.0]


async def _after(server: ScriptedServer, clock: SteppedClock, seconds: float) -> Asked:
    """The request that comes once so much time has passed, and not before."""
    asking = asyncio.ensure_future(server.asked())
    # Not the timer of the request that is being answered.
    await clock.asleep(less_than=20)
    await clock.step(seconds - 0.001)
    assert not asking.done()
    await clock.step(0.001)
    return await asking
