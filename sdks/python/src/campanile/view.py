"""What is shown: entries and counts, as actions leave them that the server's word does not cover yet. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from .actions import Action
from .notification import Notification

Items = dict[str, Notification]


@dataclass(frozen=True)
class View:
    """Items, newest first, and counts, as the user's unconfirmed actions leave them."""

    items: tuple[Notification, ...]
    """Those of the list of all, as far as it has no gap."""
    everything: tuple[Notification, ...]
    """Whatever is held: what is archived, and what was loaded for another list."""
    unread: int
    unseen: int


@dataclass(frozen=True)
class Counted:
    """What counts are of: told by the server as of `head`, and counted here up to `seq`."""

    unread: int
    unseen: int
    head: int
    seq: int


def done(action: Action, item: Notification) -> Notification:
    """An entry after an action, which may mean others."""
    if action.id is not None:
        return item.after(action.kind) if action.id == item.id else item
    if item.seq is None or action.up_to is None or item.seq <= action.up_to:
        return item.marked(seen=True, read=item.read or action.kind == "read_all")
    return item


def with_actions(items: Items, counted: Counted, actions: Iterable[Action]) -> tuple[Items, int, int]:
    """Entries once these actions are done, and how many are unread and unseen then."""
    unread, unseen = counted.unread, counted.unseen
    for action in actions:
        before = items
        if action.id is None:
            items = {name: done(action, item) for name, item in before.items()}
        elif action.id in before:
            items = {**before, action.id: done(action, before[action.id])}
        unread, unseen = _recount(action, before, items, counted, unread, unseen)
    return items, unread, unseen


def _recount(
    action: Action, before: Items, after: Items, counted: Counted, unread: int, unseen: int
) -> tuple[int, int]:
    if action.id is None and (action.up_to is None or action.up_to >= counted.seq):
        # Everything is meant, also what is not held here.
        return (0 if action.kind == "read_all" else unread), 0
    if action.id is None and action.up_to is not None and action.up_to >= counted.head:
        last = max(counted.head, counted.seq)
        later = [item for item in after.values() if item.seq is not None and action.up_to < item.seq <= last]
        unseen = sum(not item.seen for item in later)
        return (sum(not item.read for item in later) if action.kind == "read_all" else unread), unseen
    for name, item in after.items():
        if item.seq is None:
            continue
        unread += before[name].read - item.read
        unseen += before[name].seen - item.seen
    return unread, unseen
