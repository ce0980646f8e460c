"""What happened on a connection, in the words of no surface."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..notification import Notification


@dataclass(frozen=True)
class Alive:
    """The documented surfaces' sign of life. `user` is `None` where the surface does not say."""

    user: str | None


@dataclass(frozen=True)
class Hello:
    """The native surface's first frame."""

    user: str
    workspace: str
    epoch: str | None
    seq: int
    head: int
    rev: int
    unread: int
    unseen: int
    read_up_to: int
    seen_up_to: int
    resumed: bool
    heartbeat: float
    """Seconds between heartbeats."""
    expires_at: float | None
    """Seconds since 1970."""


@dataclass(frozen=True)
class Arrived:
    """A new entry. `item.seq` is `None` for one that is in no log."""

    item: Notification


@dataclass(frozen=True)
class Updated:
    """The entry `id` was said anew, at place `seq`."""

    seq: int
    id: str
    members: Mapping[str, Any]


@dataclass(frozen=True)
class Retracted:
    """The entry `id` is gone, at place `seq`."""

    seq: int
    id: str
    cause: str
    by: str | None


@dataclass(frozen=True)
class Mark:
    """The read state of one entry."""

    id: str
    seq: int
    seen: bool
    read: bool
    archived: bool


@dataclass(frozen=True)
class Receipts:
    """What the user did, here or elsewhere, up to `rev`; counts as of `head`."""

    rev: int
    head: int
    unread: int
    unseen: int
    read_up_to: int
    seen_up_to: int
    items: tuple[Mark, ...]


@dataclass(frozen=True)
class Heartbeat:
    """The horizon, and the counts as of `head`."""

    epoch: str | None
    seq: int
    head: int
    rev: int
    unread: int
    unseen: int


@dataclass(frozen=True)
class LeftOut:
    """A resync: read the inbox again and go on from `seq`."""

    epoch: str | None
    seq: int
    reason: str


@dataclass(frozen=True)
class Drain:
    """The server ends: come back after so many seconds."""

    retry_after: float


@dataclass(frozen=True)
class Done:
    """A command is done, durably."""

    ref: str
    changed: bool
    rev: int | None
    unread: int | None
    expires_at: float | None
    head: int | None = None
    """The log's head that it was done at: what stands above it came later."""


@dataclass(frozen=True)
class Refused:
    """A command is not done, and will not be."""

    ref: str
    code: str


@dataclass(frozen=True)
class Pong:
    """The answer to a PING."""


Event = Alive | Hello | Arrived | Updated | Retracted | Receipts | Heartbeat | LeftOut | Drain | Done | Refused | Pong
