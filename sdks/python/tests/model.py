"""A server's memory in a few lines, for random histories: what a client must come to hold, whatever happens between."""

import random
from dataclasses import dataclass, field
from typing import Any

from frames import hello, item, notification, receipts

Frame = dict[str, Any]


@dataclass
class Entry:
    """One notification, and what the user did with it."""

    seq: int
    title: str
    seen: bool = False
    read: bool = False
    archived: bool = False
    put_away: bool = False
    """Whether it was ever archived: the list that a client has may then lack it, though it is back in the server's."""
    updated: int = 0
    """The place of its last change."""
    overtaken: int = 0
    """The place at which another one took its place."""
    withdrawn: int = 0
    """The place of its retraction, or of that."""
    gone: int = 0
    """The place from which on the user does not see it any more."""
    rev: int = 0
    """The revision of its last change by the user, unless the watermarks tell that."""
    unread_at: int = 0
    """The revision at which it was unread again."""

    @property
    def name(self) -> str:
        """Its id."""
        return f"n{self.seq}"

    def shown(self) -> Frame:
        """As the inbox has it."""
        marks = {"seen": self.seen, "read": self.read, "archived": self.archived}
        return item(self.seq, self.name, title=self.title, superseded=self.overtaken > 0, **marks)


@dataclass
class Model:
    """One user's log in one workspace, and the socket that is open."""

    chance: random.Random
    entries: dict[str, Entry] = field(default_factory=dict)
    head: int = 0
    rev: int = 0
    read_up_to: int = 0
    seen_up_to: int = 0
    told: list[int] = field(default_factory=list)
    """Places of all notifications that were ever published."""
    queue: list[Frame] = field(default_factory=list)
    """What the client has not read yet."""
    connected: bool = False
    replayed: int | None = None
    """Up to where a replay has come: what happens meanwhile is told by that."""
    told_rev: int = 0
    """The revision that the client was told of."""
    told_head: int = 0
    """The place as of which counts were told last: they are never told as of one before it."""
    uncounted: bool = False
    """Something was told that no client can count: a heartbeat is due."""

    @property
    def epoch(self) -> str | None:
        """The log's name: it has none before anything is in it."""
        return "e1" if self.told else None

    def publish(self) -> None:
        """A new entry, behind some of others."""
        self.head += self.chance.randrange(1, 4)
        entry = Entry(self.head, f"title {self.head}")
        self.entries[entry.name] = entry
        self.told.append(entry.seq)
        self._say(notification(entry.seq, entry.name, title=entry.title))
        if len(self.told) == 1:
            # The log has a name from now on.
            self.uncounted = True

    def update(self) -> None:
        """An entry says something else."""
        entry = self._any()
        if entry and not entry.overtaken:
            self.head += 1
            entry.title, entry.updated = f"anew {self.head}", self.head
            self._say(_update(entry))

    def retract(self) -> None:
        """An entry is gone. Counts are told soon after, as no client can follow them."""
        if entry := self._any():
            self.head += 1
            entry.gone = entry.withdrawn = self.head
            self._say(_retract(entry, "retracted"))
            self.uncounted = True

    def supersede(self) -> None:
        """A new entry takes the place of one: that is gone, unless it had been read."""
        entry = self._any()
        if not entry or entry.overtaken or (entry.unread_at > self.told_rev and self.connected):
            # That one was unread again a moment ago is told to nobody once it is superseded.
            return
        self.publish()
        self.head += 1
        entry.overtaken = entry.withdrawn = self.head
        if not entry.read:
            entry.gone = self.head
        self._say(_retract(entry, "superseded"))
        self.uncounted = True

    def act(self, kind: str, name: str | None = None, up_to: int | None = None) -> bool:
        """What the user does, on whichever device. Returns whether it changed anything."""
        changed = [entry for entry in self._meant(name, up_to) if _apply(entry, kind)]
        told_by_place = {"read_all": self.read_up_to, "seen": max(self.read_up_to, self.seen_up_to)}
        place = self.head if up_to is None else up_to
        moved = False
        if name is None:
            moved = place > (self.read_up_to if kind == "read_all" else self.seen_up_to)
            if kind == "read_all":
                self.read_up_to = max(self.read_up_to, place)
            self.seen_up_to = max(self.seen_up_to, place)
        if not changed and not moved:
            return False
        self.rev += 1
        for entry in changed:
            if entry.seq <= told_by_place.get(kind, self.head):
                entry.rev = self.rev
            if not entry.read:
                entry.unread_at = self.rev
        return True

    def look(self) -> None:
        """Tells what the user did, wherever it was, and the counts if they are due."""
        if not self.connected or self.replayed is not None:
            return
        if self.told_rev < self.rev:
            self._tell_receipts(late=not self.uncounted)
        if self.uncounted:
            self.queue.append(self.heartbeat())
            self.uncounted = False

    def connect(self, since: int | None, rev: int | None) -> None:
        """A new socket: the greeting, then what was missed."""
        self.connected, self.queue, self.uncounted = True, [], False
        self.told_head = self.head
        self.told_rev = self.rev if since is None or rev is None else rev
        self._say(
            hello(
                self.head if since is None else since,
                epoch=self.epoch,
                head=self.head,
                rev=self.rev,
                readUpTo=self.read_up_to,
                seenUpTo=self.seen_up_to,
                resumed=since is not None,
                **self._counts(self.head),
            )
        )
        self.replayed = since

    def replay(self) -> None:
        """Tells some of what was missed, as it is by now; after the last of it, what was done."""
        if not self.connected or self.replayed is None:
            return
        after, up_to = self.replayed, min(self.head, self.replayed + self.chance.choice((1, 8, 64)))
        missed: list[tuple[int, Frame]] = []
        for entry in self.entries.values():
            if after < entry.seq <= up_to and not entry.gone:
                missed.append((entry.seq, {"type": "notification", "seq": entry.seq, "item": entry.shown()}))
            if after < entry.updated <= up_to and not entry.gone:
                missed.append((entry.updated, _update(entry)))
            if entry.gone and entry.seq <= after < entry.withdrawn <= up_to:
                cause = "superseded" if entry.overtaken == entry.withdrawn else "retracted"
                missed.append((entry.withdrawn, _retract(entry, cause)))
        self.queue += [frame for _, frame in sorted(missed, key=lambda told: told[0])]
        self.replayed = up_to
        if up_to == self.head:
            self.replayed = None
            if self.told_rev < self.rev:
                self._tell_receipts()
            self.queue.append(self.heartbeat())

    def disconnect(self) -> None:
        """The socket breaks; what was on its way is lost."""
        self.connected, self.queue, self.replayed = False, [], None

    def heartbeat(self) -> Frame:
        """The counts of now."""
        self.told_head = self.head
        counts = self._counts(self.head)
        places = {"epoch": self.epoch, "seq": self.head, "head": self.head, "rev": self.rev}
        return {"type": "heartbeat", **places, **counts}

    def page(self, limit: int, before: int | None = None) -> Frame:
        """A page of the inbox of now."""
        listed = [e for e in self.visible() if not e.archived and (before is None or e.seq < before)]
        held = listed[:limit]
        return {
            "items": [entry.shown() for entry in held],
            "older": held[-1].seq if len(listed) > limit else None,
            "head": self.head,
            "epoch": self.epoch,
            "rev": self.rev,
            **self._counts(self.head),
        }

    def visible(self) -> list[Entry]:
        """What was not taken back, newest first."""
        return [entry for entry in reversed(self.entries.values()) if not entry.gone]

    def counts(self) -> tuple[int, int]:
        """Unread and unseen, of now."""
        counts = self._counts(self.head)
        return counts["unread"], counts["unseen"]

    def _counts(self, head: int) -> dict[str, int]:
        within = [entry for entry in self.visible() if entry.seq <= head]
        return {"unread": sum(not e.read for e in within), "unseen": sum(not e.seen for e in within)}

    def _tell_receipts(self, late: bool = False) -> None:
        since, self.told_rev = self.told_rev, self.rev
        self.queue.append(self._receipts(since, late))

    def _receipts(self, since: int, late: bool) -> Frame:
        # A live count may be of a while ago: what came since is counted by the client.
        head = max(self.told_head, self.head - self.chance.randrange(3)) if late else self.head
        self.told_head = head
        items = [
            {"id": e.name, "seq": e.seq, "seen": e.seen, "read": e.read, "archived": e.archived}
            for e in self.visible()
            if e.rev > since
        ]
        places = {"readUpTo": self.read_up_to, "seenUpTo": self.seen_up_to}
        return {**receipts(self.rev, head, 0, *items, **places), **self._counts(head)}

    def _meant(self, name: str | None, up_to: int | None) -> list[Entry]:
        if name is not None:
            entry = self.entries.get(name)
            return [entry] if entry and not entry.gone else []
        return [entry for entry in self.visible() if up_to is None or entry.seq <= up_to]

    def _any(self) -> Entry | None:
        visible = self.visible()
        return self.chance.choice(visible[:20]) if visible else None

    def _say(self, frame: Frame) -> None:
        if self.connected and (self.replayed is None or frame["type"] == "hello"):
            self.queue.append(frame)


def _apply(entry: Entry, kind: str) -> bool:
    before = (entry.seen, entry.read, entry.archived)
    if kind == "unread" and entry.overtaken:
        return False
    if kind in ("read", "read_all", "archive"):
        entry.read = entry.seen = True
    if kind == "seen":
        entry.seen = True
    if kind == "archive":
        entry.archived = entry.put_away = True
    if kind == "unread":
        entry.read = entry.archived = False
    return before != (entry.seen, entry.read, entry.archived)


def _update(entry: Entry) -> Frame:
    return {
        "type": "update",
        "seq": entry.updated,
        "item": {"id": entry.name, "seq": entry.seq, "title": entry.title, "type": "info"},
    }


def _retract(entry: Entry, cause: str) -> Frame:
    return {"type": "retract", "seq": entry.withdrawn, "id": entry.name, "itemSeq": entry.seq, "cause": cause}
