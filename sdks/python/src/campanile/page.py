"""A page of the inbox, as the API has it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .notification import Notification


@dataclass(frozen=True)
class Page:
    """One page of the inbox."""

    items: tuple[Notification, ...]
    older: int | None
    head: int
    epoch: str | None
    rev: int
    unread: int
    unseen: int

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> "Page":
        """Of the answer of the inbox. `KeyError`, `TypeError` or `ValueError` for anything else."""
        older = answer.get("older")
        return cls(
            tuple(Notification.of(item, int(item["seq"])) for item in answer["items"]),
            None if older is None else int(older),
            int(answer["head"]),
            answer.get("epoch"),
            int(answer.get("rev", 0)),
            int(answer["unread"]),
            int(answer.get("unseen", 0)),
        )
