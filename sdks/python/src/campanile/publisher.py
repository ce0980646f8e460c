"""Publishing: batches, repeated safely until the server has answered."""

import inspect
import json
import random as machine_random
import ssl
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeVar, overload
from urllib.parse import quote

from .backoff import Backoff
from .clock import Clock, SystemClock, called, within
from .errors import BadAnswer, BatchTooLarge, Network, Problem, TokenFailed
from .outbox import OutboxRow, is_at_fault, is_passing
from .rest import PATIENCE, Answer, Rest
from .token import PATIENCE as TOKEN_PATIENCE

LARGEST_BATCH = 1000
"""Notifications of one request."""
ATTEMPTS = 8
"""How often a publish is tried, the first time included: for about a minute."""

R = TypeVar("R", bound=OutboxRow)

PublisherToken = str | Callable[[], str | Awaitable[str]]
"""A token with the scope `notifications:write`, or what returns one; asked before each request."""


@dataclass(frozen=True)
class Published:
    """One notification that is on stable storage, or waits for its time there."""

    id: str
    seq: int | None
    """Its place; `None` for one that is not durable, or is sent later."""
    timestamp: str
    send_at: str | None = None
    replayed: bool = False
    """This is the answer to an earlier request of the same key: nothing was published twice."""


class _Attempts:
    """One publish, over as many attempts as it takes. Pure: answers in, what to do next out."""

    def __init__(
        self,
        workspace: str,
        what: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        key: str | None,
        attempts: int,
        renews: bool,
    ) -> None:
        """`renews`: a token that has expired can be exchanged for another."""
        self.many = not isinstance(what, Mapping)
        if self.many and len(what) > LARGEST_BATCH:
            raise BatchTooLarge(len(what), LARGEST_BATCH)
        self.path = f"/v1/workspaces/{quote(workspace, safe='')}/notifications"
        # The bytes are kept: under the same key, the same request is meant to the letter.
        self.body = json.dumps(what if not self.many else list(what), allow_nan=False).encode()
        self.headers = {"Idempotency-Key": key or str(uuid.uuid4())}
        self._left = attempts
        self._backoff = Backoff()
        self._renews = renews

    def judge(self, outcome: Answer | Network, random: float) -> float | list[Published]:
        """What was published, or seconds until the next attempt. Raises what no attempt can cure."""
        if isinstance(outcome, Network):
            return self._wait(outcome, None, random)
        try:
            body = outcome.checked()
        except Problem as problem:
            if is_passing(problem.status):
                return self._wait(problem, problem.retry_after, random)
            if problem.code == "token_expired" and self._renews:
                # It ended on its way; whoever gives tokens has a newer one by now.
                self._renews = False
                return 0.0
            raise
        # A success that can't be read may have been cut short on its way, or be somebody else's page.
        return self._wait(BadAnswer("publish"), None, random) if body is None else self._published(outcome)

    def _wait(self, error: Problem | Network | BadAnswer, after: float | None, random: float) -> float:
        self._left -= 1
        if self._left <= 0:
            raise error
        delay = self._backoff.delay(random)
        return delay if after is None else after

    def _published(self, answer: Answer) -> list[Published]:
        replayed = answer.headers.get("idempotent-replayed") == "true"
        entries = answer.body if self.many else [answer.body]
        try:
            return [
                Published(str(e["id"]), e["seq"], str(e.get("timestamp", "")), e.get("sendAt"), replayed)
                for e in entries
            ]
        except (KeyError, TypeError, AttributeError):
            raise BadAnswer("publish") from None


class Publisher:
    """Publishes from asyncio. May be used by many tasks at once."""

    def __init__(
        self,
        url: str,
        workspace: str,
        token: PublisherToken,
        *,
        attempts: int = ATTEMPTS,
        timeout: float = PATIENCE,
        allow_insecure: bool = False,
        tls: ssl.SSLContext | None = None,
        clock: Clock | None = None,
        random: Callable[[], float] = machine_random.random,
    ) -> None:
        """`attempts`: how often a publish is tried at most; each is given up after `timeout` seconds, by default the
        server's own bound. `InsecureUrl` or `BadUrl` for an address that won't do."""
        self._clock: Clock = clock or SystemClock()
        self._rest = Rest(url, allow_insecure, tls, self._clock.utc)
        self._workspace = workspace
        self._token = token
        self._attempts = attempts
        self._timeout = timeout
        self._random = random

    @overload
    async def publish(self, what: Mapping[str, Any], *, idempotency_key: str | None = None) -> Published: ...
    @overload
    async def publish(
        self, what: Sequence[Mapping[str, Any]], *, idempotency_key: str | None = None
    ) -> list[Published]: ...

    async def publish(
        self, what: Mapping[str, Any] | Sequence[Mapping[str, Any]], *, idempotency_key: str | None = None
    ) -> Published | list[Published]:
        """Publishes one notification, or 1 to 1,000 of them, all or nothing. Returns once they are on stable storage.

        Repeated until there is an answer that can be read, under one `Idempotency-Key`: `idempotency_key`, or a random
        one. Give a key of your own if the publish must be the same after a restart; it holds for 24 hours. `Problem` if
        it is refused, or still answered so after all `attempts`; `Network` if there is no answer to the last one,
        `BadAnswer` if it can't be read; `BatchTooLarge`; `TokenFailed`. A token that has expired is asked for once
        more, where there is a callback."""
        attempts = _Attempts(self._workspace, what, idempotency_key, self._attempts, not isinstance(self._token, str))
        if attempts.many and not what:
            return []
        while True:
            outcome: Answer | Network
            try:
                outcome = await self._rest.ask(
                    self._clock,
                    "POST",
                    attempts.path,
                    await self._ask(),
                    attempts.body,
                    attempts.headers,
                    self._timeout,
                )
            except Network as error:
                outcome = error
            verdict = attempts.judge(outcome, self._random())
            if isinstance(verdict, list):
                return verdict if attempts.many else verdict[0]
            await self._clock.sleep(verdict)

    async def drain_outbox(
        self,
        rows: Iterable[R] | AsyncIterable[R],
        sent: Callable[[R, Published], Any],
        refused: Callable[[R, Problem], Any] | None = None,
    ) -> int:
        """Publishes the rows of an outbox, in their order, each under its own key; returns how many.

        `sent`, async or not, is called after each: delete the row there. A process that ends in between publishes the
        row again, under the same key, which within 24 hours tells nobody twice.

        The first row that fails for a passing reason ends it, as `publish` raises, and so does a token that is not
        accepted. One that is refused for good is given to `refused`, and the next one follows; without `refused` it
        ends there too."""
        count = 0
        async with aclosing(_each(rows)) as each:
            async for row in each:
                try:
                    published = await self.publish(row.draft, idempotency_key=row.key)
                except Problem as problem:
                    if refused is None or not is_at_fault(problem):
                        raise
                    await _settled(refused(row, problem))
                    continue
                await _settled(sent(row, published))
                count += 1
        return count

    async def _ask(self) -> str:
        if isinstance(self._token, str):
            return self._token
        try:
            token = called(self._token)
            if inspect.isawaitable(token):
                token = await within(self._clock, TOKEN_PATIENCE, token)
        except TimeoutError:
            raise TokenFailed("publish", f"did not answer within {TOKEN_PATIENCE:g} s") from None
        except Exception as error:
            raise TokenFailed("publish", "raised") from error
        return _text(token)


class SyncPublisher:
    """Publishes from plain code, one request after the other. May be used by many threads at once."""

    def __init__(
        self,
        url: str,
        workspace: str,
        token: str | Callable[[], str],
        *,
        attempts: int = ATTEMPTS,
        timeout: float = PATIENCE,
        allow_insecure: bool = False,
        tls: ssl.SSLContext | None = None,
        sleep: Callable[[float], None] = time.sleep,
        utc: Callable[[], float] = time.time,
        random: Callable[[], float] = machine_random.random,
    ) -> None:
        """As `Publisher`, but that `timeout` is for how long nothing of an answer may come. `sleep` and `utc` stand for
        the clock."""
        self._rest = Rest(url, allow_insecure, tls, utc)
        self._workspace = workspace
        self._token = token
        self._attempts = attempts
        self._timeout = timeout
        self._sleep = sleep
        self._random = random

    @overload
    def publish(self, what: Mapping[str, Any], *, idempotency_key: str | None = None) -> Published: ...
    @overload
    def publish(self, what: Sequence[Mapping[str, Any]], *, idempotency_key: str | None = None) -> list[Published]: ...

    def publish(
        self, what: Mapping[str, Any] | Sequence[Mapping[str, Any]], *, idempotency_key: str | None = None
    ) -> Published | list[Published]:
        """As `Publisher.publish`, and blocks meanwhile."""
        attempts = _Attempts(self._workspace, what, idempotency_key, self._attempts, not isinstance(self._token, str))
        if attempts.many and not what:
            return []
        while True:
            outcome: Answer | Network
            try:
                outcome = self._rest.call(
                    "POST", attempts.path, self._ask(), attempts.body, attempts.headers, self._timeout
                )
            except Network as error:
                outcome = error
            verdict = attempts.judge(outcome, self._random())
            if isinstance(verdict, list):
                return verdict if attempts.many else verdict[0]
            self._sleep(verdict)

    def drain_outbox(
        self,
        rows: Iterable[R],
        sent: Callable[[R, Published], Any],
        refused: Callable[[R, Problem], Any] | None = None,
    ) -> int:
        """As `Publisher.drain_outbox`, and blocks meanwhile."""
        count = 0
        for row in rows:
            try:
                published = self.publish(row.draft, idempotency_key=row.key)
            except Problem as problem:
                if refused is None or not is_at_fault(problem):
                    raise
                refused(row, problem)
                continue
            sent(row, published)
            count += 1
        return count

    def _ask(self) -> str:
        if isinstance(self._token, str):
            return self._token
        try:
            token = called(self._token)
        except Exception as error:
            raise TokenFailed("publish", "raised") from error
        return _text(token)


def _text(token: object) -> str:
    if not isinstance(token, str) or not token:
        raise TokenFailed("publish", "returned no text")
    return token


async def _each(rows: Iterable[R] | AsyncIterable[R]) -> AsyncGenerator[R, None]:
    if isinstance(rows, AsyncIterable):
        async for row in rows:
            yield row
    else:
        for row in rows:
            yield row


async def _settled(answer: Any) -> None:
    if inspect.isawaitable(answer):
        await answer
