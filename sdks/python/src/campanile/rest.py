"""HTTP, by the standard library. Blocking: a client on asyncio calls it in a thread."""

import asyncio
import email.utils
import http.client
import json
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timezone
from typing import Any

from .clock import Clock, within
from .errors import BadUrl, InsecureUrl, Network, Problem

PATIENCE = 30.0
"""Seconds for an answer, which is the server's own bound."""
LONGEST = 16 * 1024 * 1024
"""Bytes of an answer; a longer one is read as none."""
LATEST = 1e9
"""Seconds that a server may ask for, some 30 years: more is for ever, which no clock can sleep for."""
AGENT = "campanile-python/0.1.0"


@dataclass(frozen=True)
class Answer:
    """What came back, whatever the status."""

    status: int
    headers: Mapping[str, str]
    body: Any
    """JSON, or `None` where it is none."""
    retry_after: float | None
    """Seconds of `Retry-After`, given as such or as a date."""

    def checked(self) -> Any:
        """The body of a success; `Problem` of anything else. Only a problem document says what it is about: another
        body is a proxy's."""
        if 200 <= self.status < 300:
            return self.body
        told = is_problem(self.headers.get("content-type")) and isinstance(self.body, dict)
        members = self.body if told else {}
        raise Problem(self.status, members, self.retry_after)


class Rest:
    """The API below one address."""

    def __init__(
        self,
        url: str,
        allow_insecure: bool = False,
        tls: ssl.SSLContext | None = None,
        utc: Callable[[], float] = time.time,
    ) -> None:
        """`url`: `https://…`, or `http://` to this machine. `InsecureUrl` or `BadUrl` for another. `utc`: seconds since
        1970, as dates count."""
        self.base = base_of(url, allow_insecure)
        self._utc = utc
        # No redirects: an Authorization header must not follow one to somewhere else.
        handlers: list[Any] = [_NoRedirects]
        if self.base.startswith("https"):
            handlers.append(urllib.request.HTTPSHandler(context=tls or ssl.create_default_context()))
        self._opener = urllib.request.build_opener(*handlers)

    def call(
        self,
        method: str,
        path: str,
        token: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = PATIENCE,
    ) -> Answer:
        """Asks and waits. `Network` where no answer comes, or none of it for `timeout` seconds."""
        request = urllib.request.Request(self.base + path, data=body, method=method)
        request.add_header("Authorization", f"Bearer {token}")
        request.add_header("User-Agent", AGENT)
        if body is not None:
            request.add_header("Content-Type", "application/json")
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        try:
            with self._open(request, timeout) as answer:
                return self._answer(answer.status, answer.headers, _whole(answer))
        except Exception as error:
            # Also http.client's own errors, for answers that are no HTTP or are cut short.
            raise Network(_what(method, path)) from error

    async def ask(
        self,
        clock: Clock,
        method: str,
        path: str,
        token: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = PATIENCE,
    ) -> Answer:
        """As `call`, in a thread. Given up after `timeout` seconds; the thread itself ends when the socket does."""
        asking = asyncio.to_thread(self.call, method, path, token, body, headers, timeout)
        try:
            return await within(clock, timeout, asking)
        except TimeoutError as late:
            raise Network(_what(method, path)) from late

    def _open(self, request: urllib.request.Request, timeout: float) -> Any:
        try:
            return self._opener.open(request, timeout=timeout)
        except urllib.error.HTTPError as refusal:
            # An answer like any other.
            return refusal

    def _answer(self, status: int, headers: Any, body: bytes) -> Answer:
        try:
            parsed = json.loads(body)
        except ValueError:
            parsed = None
        after = retry_after(headers.get("retry-after"), self._utc())
        return Answer(status, {name.lower(): value for name, value in headers.items()}, parsed, after)


def base_of(url: str, allow_insecure: bool) -> str:
    """The address for HTTP, without a slash at its end. `ws` and `wss` are taken for `http` and `https`."""
    parts = urllib.parse.urlsplit(url)
    scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
    if scheme not in ("http", "https") or not parts.hostname:
        raise BadUrl("url is https://host, or http://localhost")
    if parts.username is not None or parts.query or parts.fragment:
        raise BadUrl("url has no user, query or fragment")
    host = parts.hostname
    loopback = host in ("localhost", "::1") or host.endswith(".localhost") or _is_127(host)
    if scheme == "http" and not loopback and not allow_insecure:
        raise InsecureUrl
    return f"{scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def socket_of(base: str) -> str:
    """The same address for a WebSocket."""
    return "ws" + base.removeprefix("http")


def retry_after(text: str | None, now: float) -> float | None:
    """Seconds of a `Retry-After` (RFC 9110, 10.2.3), as such or to a date in seconds since 1970 as `now`; `None` where
    there is none that can be read. A date that is over says nothing: the clocks may differ, and the back-off counts."""
    text = (text or "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text), LATEST)
    try:
        date = email.utils.parsedate_to_datetime(text)
        # All three forms of a date are in UTC; the oldest one does not say so.
        after = (date if date.tzinfo else date.replace(tzinfo=timezone.utc)).timestamp() - now
    except (TypeError, ValueError, OverflowError):
        return None
    return min(after, LATEST) if after >= 0 else None


def is_problem(content_type: str | None) -> bool:
    """Whether an answer is a problem document (RFC 9457): the server's, and no proxy's or portal's page."""
    return (content_type or "").partition(";")[0].strip().lower() == "application/problem+json"


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def _whole(answer: Any) -> bytes:
    """The body. `http.client` itself takes one that is cut short for whole, where it is told how much to read."""
    body: bytes = answer.read(LONGEST + 1)
    if len(body) > LONGEST:
        return b""
    if answer.length:
        raise http.client.IncompleteRead(body, answer.length)
    return body


def _what(method: str, path: str) -> str:
    return f"{method} {path.partition('?')[0]}"


def _is_127(host: str) -> bool:
    parts = host.split(".")
    return len(parts) == 4 and parts[0] == "127" and all(part.isdigit() for part in parts)
