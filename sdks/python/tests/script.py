"""Plays a conformance script: the server's part over a real socket, the client's by calling it."""

import asyncio
import contextlib
import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from scripted import LIMIT, Asked, ScriptedServer, Socket
from stepped import SteppedClock
from tokens import token

from campanile import Campanile, Closed, Snapshot, State

SCRIPTS = Path(__file__).parents[2] / "conformance" / "scripts"
ALWAYS_PLACEHOLDERS = ("ref", "key", "token")
LIFE_MS = 3_600_000


class Player:
    """Plays one script."""

    def __init__(self, script: dict[str, Any]) -> None:
        self._script = script
        self._options = script.get("options", {})
        self._values: dict[str, Any] = {}
        self._known: dict[str, Any] = script.get("values", {})
        self._server = ScriptedServer("campanile.v1" if script["surface"] == "native" else None)
        self._clock = SteppedClock(self._server.quiet)
        self._sockets: list[Socket] = []
        self._errors: list[Exception] = []
        self._loads: list[asyncio.Future[Any]] = []

    async def play(self) -> None:
        """Plays all steps. `AssertionError` says which went wrong."""
        async with self._server:
            client = self._client()
            client.on("error", self._errors.append)
            try:
                for number, step in enumerate(self._script["steps"]):
                    try:
                        await self._step(client, step)
                    except (AssertionError, asyncio.TimeoutError, TimeoutError) as error:
                        raise AssertionError(
                            f"step {number} {json.dumps(step)}: {error!r}; {client.snapshot}; "
                            f"errors {self._errors}; asked {self._server.requests}"
                        ) from error
                await self._server.quiet()
                assert not self._server.refusals, f"a refusal is left over: {self._server.refusals}"
                assert self._server.requests.empty(), f"a request is left over: {self._server.requests}"
                for socket in self._server.sockets:
                    assert socket.frames.empty(), f"a frame is left over: {socket.frames}"
            finally:
                await client.close()
                await asyncio.gather(*self._loads, return_exceptions=True)

    def _client(self) -> Campanile:
        return Campanile(
            self._server.url,
            workspace=self._options.get("workspace"),
            token=lambda _: self._token(),
            surface=self._script["surface"],
            auto_mark_read=bool(self._options.get("autoMarkRead")),
            clock=self._clock,
        )

    def _token(self) -> str:
        life = self._options.get("tokenLifeMs", LIFE_MS) / 1000
        return token(self._options.get("user", "alice"), self._clock.utc() + life)

    async def _step(self, client: Campanile, step: dict[str, Any]) -> None:
        if "do" in step:
            await self._do(client, step)
        elif "refuse" in step:
            self._refuse(step["refuse"])
        elif "dial" in step:
            await self._dial(step["dial"])
        elif "send" in step:
            self._socket(step).send(self._filled(step["send"]))
        elif "expect" in step:
            self._compare(step["expect"], _frame(await self._socket(step).next()))
        elif "http" in step:
            await self._answer(client, step)
        elif "close" in step:
            await self._close(step)
        elif "fault" in step:
            self._fault(step)
        elif "pass" in step:
            await self._clock.step(step["pass"] / 1000)
        elif "state" in step:
            wanted = step["state"]
            await asyncio.wait_for(client.until(lambda snapshot: self._shows(snapshot, wanted)), LIMIT)
        else:
            assert "cause" in step, "a step of an unknown kind"

    async def _do(self, client: Campanile, step: dict[str, Any]) -> None:
        what = step["do"]
        if what in ("read", "unread", "archive"):
            getattr(client, what)(self._filled(step["id"]))
        elif what == "load_more":
            self._loads.append(asyncio.ensure_future(client.load_more()))
        elif what == "token":
            client.update(token=lambda _: self._token())
        elif what in ("close", "disconnect"):
            await getattr(client, what)()
        else:
            assert what in ("connect", "retry", "offline", "online", "read_all", "seen"), "an unknown call"
            with contextlib.nullcontext() if client.state is not State.CLOSED else pytest.raises(Closed):
                getattr(client, what)()

    def _refuse(self, refusal: dict[str, Any]) -> None:
        body = refusal["body"]
        headers = {"content-type": refusal["type"]}
        if "retryAfter" in refusal:
            headers["retry-after"] = str(refusal["retryAfter"])
        text = body if isinstance(body, str) else json.dumps(body)
        self._server.refusals.append((refusal["status"], headers, text.encode()))

    async def _dial(self, wanted: dict[str, Any]) -> None:
        socket = await self._server.dialled()
        self._sockets.append(socket)
        for name, value in wanted.get("query", {}).items():
            assert name in socket.query, f"{name} is missing in {sorted(socket.query)}"
            self._compare(value, socket.query[name])
        for name in wanted.get("absent", ()):
            assert name not in socket.query, f"{name} is there"

    def _socket(self, step: dict[str, Any]) -> Socket:
        return self._sockets[step["socket"] - 1 if "socket" in step else -1]

    async def _answer(self, client: Campanile, step: dict[str, Any]) -> None:
        asked: Asked = await self._server.asked()
        wanted = step["http"]
        assert (asked.method, asked.path) == (wanted["method"], self._filled(wanted["path"]))
        assert asked.headers["authorization"].startswith("Bearer ")
        for name, value in wanted.get("query", {}).items():
            assert name in asked.query, f"{name} is missing in {asked.query}"
            self._compare(value, asked.query[name])
        if "body" in wanted:
            self._compare(wanted["body"], json.loads(asked.body))
        answer = step["answer"]
        headers = {name: str(value) for name, value in answer.get("headers", {}).items()}
        asked.reply(answer["status"], self._filled(answer.get("body")), headers)
        # Requests have a thread of their own: no clock moves before the client has the answer.
        await asyncio.wait_for(client.until(lambda snapshot: not snapshot.loading), LIMIT)

    async def _close(self, step: dict[str, Any]) -> None:
        close = step["close"]
        if (close.get("by") or step.get("by")) == "client":
            said = await self._socket(step).ended()
            assert said is not None, "closed without a word"
            assert said.code == close.get("code", said.code)
        else:
            self._socket(step).close(close["code"], close.get("reason", ""))

    def _fault(self, step: dict[str, Any]) -> None:
        socket = self._socket(step)
        if step["fault"] == "cut":
            socket.cut()
        elif step["fault"] == "half_frame":
            socket.half_frame()
        else:
            assert step["fault"] == "silence", "an unknown fault"
            socket.silent = True

    def _shows(self, snapshot: Snapshot, wanted: dict[str, Any]) -> bool:
        position = snapshot.position
        shown: dict[str, Any] = {
            "state": snapshot.state.value,
            "unread": snapshot.unread,
            "unseen": snapshot.unseen,
            "hasMore": snapshot.has_more,
            "user": snapshot.user,
            "position": position and {"epoch": position.epoch, "seq": position.seq, "rev": position.rev},
            "items": [
                {
                    "id": item.id,
                    "read": item.read,
                    "seen": item.seen,
                    "archived": item.archived,
                    "title": item.title,
                    "message": item.message,
                }
                for item in snapshot.items
            ],
            "reason": snapshot.reason and {"code": snapshot.reason.code, "reason": snapshot.reason.reason},
        }
        kept = dict(self._values)
        try:
            for name, value in wanted.items():
                assert name in shown, f"{name} of a state is not known here"
                if name == "position" and not isinstance(value, dict):
                    self._compare(value, position and position.seq)
                    continue
                self._compare(value, shown[name])
        except AssertionError:
            self._values = kept
            return False
        return True

    def _compare(self, wanted: Any, got: Any) -> None:
        if isinstance(wanted, str) and wanted.startswith("$"):
            if wanted.startswith("$time"):
                assert isinstance(got, str)
                return
            name = wanted[1:]
            if name in self._values:
                assert str(self._values[name]) == str(got), f"{wanted} is {got}"
            elif name in self._known:
                # A value that was sent is told back; one that was not sent yet is not known to the client.
                self._values[name] = got
            else:
                self._values[name] = got
        elif isinstance(wanted, dict):
            assert isinstance(got, dict), got
            for name, value in wanted.items():
                assert name in got, f"{name} is missing in {got}"
                if name in ALWAYS_PLACEHOLDERS and not str(value).startswith("$"):
                    continue
                self._compare(value, got[name])
        elif isinstance(wanted, list):
            assert isinstance(got, list)
            assert len(wanted) == len(got), got
            for one, other in zip(wanted, got, strict=True):
                self._compare(one, other)
        else:
            assert wanted == got or str(wanted) == str(got), f"{got!r} in place of {wanted!r}"

    def _filled(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self._filled(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self._filled(inner) for inner in value]
        if not isinstance(value, str) or "$" not in value:
            return value
        if value.startswith("$time"):
            later = float(value[5:] or 0) / 1000
            moment = datetime.fromtimestamp(self._clock.utc() + later, timezone.utc)
            return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        if value.startswith("$"):
            return self._value(value[1:])
        return "/".join(str(self._value(part[1:])) if part.startswith("$") else part for part in value.split("/"))

    def _value(self, name: str) -> Any:
        return self._values.setdefault(name, self._known.get(name, name))


def _frame(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
