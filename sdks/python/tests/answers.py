"""What a server answers to whoever publishes."""

import json

from scripted import Asked


def published(asked: Asked, first: int = 1, headers: dict[str, str] | None = None) -> None:
    """All of it, from this place on; in the form of what was asked."""
    body = json.loads(asked.body)
    count = len(body) if isinstance(body, list) else 1
    entries = [{"id": f"n{n}", "seq": n, "timestamp": "2026-01-01T00:00:00.000Z"} for n in range(first, first + count)]
    asked.reply(201, entries if isinstance(body, list) else entries[0], headers)
