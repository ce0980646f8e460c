"""The native surface: places, resume, changes, read state both ways."""

import json
from collections.abc import Mapping
from typing import Any, Literal

from ..actions import Action
from ..notification import Notification, Position, instant
from . import Address, SurfaceName, query
from .event import (
    Arrived,
    Done,
    Drain,
    Event,
    Heartbeat,
    Hello,
    LeftOut,
    Mark,
    Pong,
    Receipts,
    Refused,
    Retracted,
    Updated,
)


class Native:
    """See `Surface`."""

    name: SurfaceName = "native"
    numbered = True
    ping: Literal["text", "frame"] | None = None

    def address(self, token: str, workspace: str, position: Position | None, last_id: str | None) -> Address:  # noqa: ARG002
        """See `Surface`. The token is in a header, so in no address and no log of a proxy."""
        resume: dict[str, str | int | None] = {}
        if position:
            resume = {"epoch": position.epoch or None, "since": position.seq, "rev": position.rev}
        path = query("/v1/connect", {"workspace": workspace, **resume})
        return Address(path, {"Authorization": f"Bearer {token}"}, "campanile.v1")

    def read(self, frame: Mapping[str, Any]) -> Event | None:
        """See `Surface`."""
        kind = frame.get("type")
        reader = _READERS.get(kind) if isinstance(kind, str) else None
        return reader(frame) if reader else None

    def command(self, action: Action, ref: str) -> str | None:
        """See `Surface`."""
        said: dict[str, Any] = {"action": action.kind, "ref": ref, "key": action.key}
        if action.id is not None:
            said["id"] = action.id
        if action.up_to is not None:
            said["upTo"] = action.up_to
        return json.dumps(said)

    def answered(self, action: Action) -> bool:  # noqa: ARG002
        """See `Surface`."""
        return True


def refresh(token: str, ref: str) -> str:
    """The command that gives a live socket another token."""
    return json.dumps({"action": "refresh", "ref": ref, "token": token})


def _hello(frame: Mapping[str, Any]) -> Event:
    return Hello(
        user=str(frame["user"]),
        workspace=str(frame.get("workspace", "")),
        epoch=_text(frame.get("epoch")),
        seq=int(frame["seq"]),
        head=int(frame.get("head", frame["seq"])),
        rev=int(frame.get("rev", 0)),
        unread=int(frame.get("unread", 0)),
        unseen=int(frame.get("unseen", 0)),
        read_up_to=int(frame.get("readUpTo", 0)),
        seen_up_to=int(frame.get("seenUpTo", 0)),
        resumed=frame.get("resumed") is True,
        heartbeat=int(frame.get("heartbeatMs", 25_000)) / 1000,
        expires_at=instant(frame.get("expiresAt")),
    )


def _arrived(frame: Mapping[str, Any]) -> Event:
    seq = frame.get("seq")
    return Arrived(Notification.of(frame["item"], None if seq is None else int(seq)))


def _updated(frame: Mapping[str, Any]) -> Event:
    return Updated(int(frame["seq"]), str(frame["item"]["id"]), frame["item"])


def _retracted(frame: Mapping[str, Any]) -> Event:
    return Retracted(int(frame["seq"]), str(frame["id"]), str(frame.get("cause", "retracted")), _text(frame.get("by")))


def _receipts(frame: Mapping[str, Any]) -> Event:
    marks = (
        Mark(
            str(item["id"]),
            int(item.get("seq", 0)),
            item.get("seen") is True,
            item.get("read") is True,
            item.get("archived") is True,
        )
        for item in frame.get("items", ())
    )
    return Receipts(
        rev=int(frame["rev"]),
        head=int(frame["head"]),
        unread=int(frame["unread"]),
        unseen=int(frame.get("unseen", 0)),
        read_up_to=int(frame.get("readUpTo", 0)),
        seen_up_to=int(frame.get("seenUpTo", 0)),
        items=tuple(marks),
    )


def _heartbeat(frame: Mapping[str, Any]) -> Event:
    return Heartbeat(
        epoch=_text(frame.get("epoch")),
        seq=int(frame["seq"]),
        head=int(frame["head"]),
        rev=int(frame["rev"]),
        unread=int(frame["unread"]),
        unseen=int(frame.get("unseen", 0)),
    )


def _resync(frame: Mapping[str, Any]) -> Event:
    return LeftOut(_text(frame.get("epoch")), int(frame["seq"]), str(frame.get("reason", "")))


def _drain(frame: Mapping[str, Any]) -> Event:
    return Drain(max(0.0, float(frame["retryAfterMs"]) / 1000))


def _ok(frame: Mapping[str, Any]) -> Event:
    rev, unread, head = frame.get("rev"), frame.get("unread"), frame.get("head")
    return Done(
        ref=str(frame.get("ref", "")),
        changed=frame.get("changed") is True,
        rev=rev if isinstance(rev, int) else None,
        unread=unread if isinstance(unread, int) else None,
        expires_at=instant(frame.get("expiresAt")),
        head=head if isinstance(head, int) else None,
    )


def _error(frame: Mapping[str, Any]) -> Event:
    return Refused(str(frame.get("ref", "")), str(frame.get("code", "")))


def _pong(frame: Mapping[str, Any]) -> Event:  # noqa: ARG001
    return Pong()


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


_READERS = {
    "hello": _hello,
    "notification": _arrived,
    "update": _updated,
    "retract": _retracted,
    "receipts": _receipts,
    "heartbeat": _heartbeat,
    "resync": _resync,
    "drain": _drain,
    "ok": _ok,
    "error": _error,
    "pong": _pong,
}
