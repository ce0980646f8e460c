"""What a client holds: notifications, and places in the log."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Position:
    """A place in a workspace's log: everything up to `seq` was received. Save it, and give it as `resume`."""

    epoch: str
    """The lineage of the log, a place counts in one only; empty at the very beginning."""
    seq: int
    rev: int | None = None
    """The revision of the user's read state that goes with it."""

    @classmethod
    def start(cls) -> "Position":
        """The beginning: as `resume`, everything that is kept comes, 1,000 entries at most."""
        return cls("", 0)

    def to_json(self) -> dict[str, Any]:
        """As an object for `json.dumps`."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Position":
        """Of what `to_json` made. `KeyError` or `TypeError` for anything else."""
        rev = value.get("rev")
        return cls(str(value["epoch"]), int(value["seq"]), None if rev is None else int(rev))


@dataclass(frozen=True)
class Notification:
    """One notification, as this user sees it."""

    id: str
    title: str
    message: str
    type: str
    level: str
    timestamp: str
    """RFC 3339, UTC."""
    seq: int | None = None
    """Its place in the log; `None` where it is in none, or the surface does not say."""
    seen: bool = False
    read: bool = False
    archived: bool = False
    members: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """Everything that the server said, by its own names: `event`, `productName`, `expiryDate` and more."""
    position: Position | None = field(default=None, repr=False, compare=False)
    """Of one that came by the native stream: resume from here, and what comes next is what came after it."""

    @property
    def metadata(self) -> Any:
        """The producer's own JSON; `None` where there is none."""
        return self.members.get("metadata")

    @property
    def superseded(self) -> bool:
        """A later one took its place; this user had read it before."""
        return self.members.get("superseded") is True

    @classmethod
    def of(cls, members: Mapping[str, Any], seq: int | None = None) -> "Notification":
        """Of an item as a surface or the inbox has it. `KeyError` or `TypeError` if it has no `id` of text."""
        name = members["id"]
        if not isinstance(name, str):
            raise TypeError("id is no text")
        kind = str(members.get("type", "info"))
        return cls(
            id=name,
            title=str(members.get("title", "")),
            message=str(members.get("message", "")),
            type=kind,
            level=str(members.get("level", kind)),
            timestamp=str(members.get("timestamp") or members.get("created_at") or members.get("createdAt") or ""),
            seq=seq,
            seen=members.get("seen") is True,
            read=members.get("read") is True or members.get("isRead") is True,
            archived=members.get("archived") is True,
            members=members,
        )

    def changed(self, members: Mapping[str, Any]) -> "Notification":
        """The same entry said anew: read, seen and archived stay as they were."""
        anew = Notification.of({**members, "id": self.id, "superseded": self.superseded}, self.seq)
        return dataclasses.replace(anew, seen=self.seen, read=self.read, archived=self.archived, position=self.position)

    def marked(
        self, *, seen: bool | None = None, read: bool | None = None, archived: bool | None = None
    ) -> "Notification":
        """The same with another read state."""
        return dataclasses.replace(
            self,
            seen=self.seen if seen is None else seen,
            read=self.read if read is None else read,
            archived=self.archived if archived is None else archived,
        )

    def overtaken(self) -> "Notification":
        """The same once a later one took its place."""
        return dataclasses.replace(self, members={**self.members, "superseded": True})

    def after(self, kind: str) -> "Notification":
        """The same as `read`, `unread` or `archive` leaves it."""
        if kind == "read":
            return self.marked(read=True, seen=True)
        if kind == "unread":
            return self.marked(read=False, archived=False)
        return self.marked(read=True, seen=True, archived=True)


@dataclass(frozen=True)
class Update:
    """An entry was said anew."""

    notification: Notification
    seq: int


@dataclass(frozen=True)
class Retraction:
    """An entry is gone."""

    id: str
    cause: str
    """`retracted`, `expired` or `superseded`."""
    by: str | None
    """What took its place, if anything did."""
    seq: int


@dataclass(frozen=True)
class Resync:
    """Something was left out of the stream, and the inbox is being loaded anew. `reason` is the server's word."""

    reason: str
    seq: int


def instant(text: object) -> float | None:
    """Seconds since 1970 of an RFC 3339 instant; `None` if it is none."""
    if not isinstance(text, str):
        return None
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
    except ValueError:
        return None
