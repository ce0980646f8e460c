"""Frames of the native surface, as short as tests want them."""

from typing import Any

TIME = "2026-01-01T00:00:00.000Z"


def hello(seq: int = 0, **members: Any) -> dict[str, Any]:
    """The greeting of alice in demo."""
    return {
        "type": "hello",
        "session": "s",
        "user": "alice",
        "workspace": "demo",
        "epoch": "e1",
        "seq": seq,
        "head": seq,
        "rev": 0,
        "unread": 0,
        "unseen": 0,
        "readUpTo": 0,
        "seenUpTo": 0,
        "resumed": False,
        "heartbeatMs": 25_000,
        "expiresAt": "2026-01-01T01:00:00.000Z",
        **members,
    }


def item(seq: int | None, name: str, **members: Any) -> dict[str, Any]:
    """An entry as the inbox has it."""
    return {
        "seq": seq,
        "id": name,
        "title": name,
        "message": "",
        "type": "info",
        "level": "info",
        "timestamp": TIME,
        "seen": False,
        "read": False,
        "archived": False,
        **members,
    }


def notification(seq: int | None, name: str, **members: Any) -> dict[str, Any]:
    """A new entry."""
    return {"type": "notification", "seq": seq, "item": item(seq, name, **members)}


def page(head: int, items: list[dict[str, Any]], **members: Any) -> dict[str, Any]:
    """A page of the inbox."""
    unread = sum(not entry["read"] for entry in items)
    return {
        "items": items,
        "older": None,
        "newer": head,
        "unread": unread,
        "unseen": unread,
        "head": head,
        "epoch": "e1",
        "rev": 0,
        **members,
    }


def receipts(rev: int, head: int, unread: int, *items: dict[str, Any], **members: Any) -> dict[str, Any]:
    """What the user did."""
    return {
        "type": "receipts",
        "rev": rev,
        "head": head,
        "unread": unread,
        "unseen": unread,
        "readUpTo": 0,
        "seenUpTo": 0,
        "items": list(items),
        **members,
    }
