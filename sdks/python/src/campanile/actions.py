"""What the user did and the server has not confirmed yet: shown at once, sent in order, each under its key."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from .errors import QueueFull

Kind = Literal["read", "unread", "archive", "read_all", "seen"]
KINDS: tuple[Kind, ...] = ("read", "unread", "archive", "read_all", "seen")
LIMIT = 1000
"""Actions that may wait."""
WINDOW = 16
"""Commands without an answer at a time; the server reads on up to 32."""


@dataclass(frozen=True)
class Action:
    """One thing the user did."""

    kind: Kind
    key: str
    """Under which the server knows a repetition."""
    id: str | None = None
    """The entry, for `read`, `unread` and `archive`."""
    up_to: int | None = None
    """The place, for `read_all` and `seen`; `None` where none was known."""
    epoch: str | None = None
    """The lineage that `up_to` counts in."""

    def to_json(self) -> dict[str, Any]:
        """As an object for `json.dumps`."""
        said = {"kind": self.kind, "key": self.key, "id": self.id, "upTo": self.up_to, "epoch": self.epoch}
        return {name: value for name, value in said.items() if value is not None}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Action":
        """Of what `to_json` made. `KeyError`, `TypeError` or `ValueError` for anything else."""
        if value["kind"] not in KINDS:
            raise ValueError("kind")
        up_to = value.get("upTo")
        return cls(
            cast(Kind, value["kind"]),
            str(value["key"]),
            value.get("id"),
            None if up_to is None else int(up_to),
            value.get("epoch"),
        )


class Actions:
    """The queue. At most `LIMIT` wait; one more is refused, since dropping one would be a loss without a word."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._waiting: dict[str, Action] = {}
        self._sent: dict[str, str] = {}
        """Keys of those that were sent on this connection, by their `ref`."""

    def __iter__(self) -> Iterator[Action]:
        return iter(self._waiting.values())

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, action: Action) -> list[Action]:
        """Takes an action; returns those it replaces: the last word on an item counts.

        One that is under way is never replaced. Where the new one changes nothing, it is itself returned.
        `QueueFull` beyond the limit."""
        under_way = set(self._sent.values())
        replaced = []
        for other in self._waiting.values():
            if other.key in under_way:
                continue
            if other.kind == "archive" and action.kind == "read" and other.id == action.id:
                # An archived entry is read already; "read" alone would bring it back.
                return [action]
            if _covers(action, other):
                replaced.append(other)
        if len(self._waiting) - len(replaced) >= self._limit:
            raise QueueFull(self._limit)
        for other in replaced:
            del self._waiting[other.key]
        self._waiting[action.key] = action
        return replaced

    def poll_send(self, ref: Callable[[Action], str]) -> Action | None:
        """The next to send, which then counts as under way; `None` while nothing waits or the window is full."""
        if len(self._sent) >= WINDOW:
            return None
        under_way = set(self._sent.values())
        for action in self._waiting.values():
            if action.key not in under_way:
                self._sent[ref(action)] = action.key
                return action
        return None

    def settle(self, ref: str) -> Action | None:
        """The command with this `ref` was answered: it waits no longer."""
        key = self._sent.pop(ref, None)
        return self._waiting.pop(key, None) if key else None

    def drop(self, action: Action) -> None:
        """Takes one out, wherever it stands."""
        self._waiting.pop(action.key, None)
        self._sent = {ref: key for ref, key in self._sent.items() if key != action.key}

    def handle_disconnected(self) -> None:
        """What was not answered will be sent again, under the same key and in the same order."""
        self._sent.clear()

    def clear(self) -> list[Action]:
        """Forgets all; returns what it forgot."""
        forgotten = list(self._waiting.values())
        self._waiting.clear()
        self._sent.clear()
        return forgotten


def _covers(new: Action, old: Action) -> bool:
    """Whether nothing is left of the old one once the new one is done."""
    if new.id is not None:
        return new.id == old.id
    if new.kind != old.kind or new.epoch != old.epoch:
        return False
    return new.up_to is None or (old.up_to is not None and new.up_to >= old.up_to)
