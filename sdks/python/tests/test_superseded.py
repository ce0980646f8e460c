"""What the user did and what takes an entry's place cross on their way: which came first, the answer's head tells."""

from collections.abc import Callable
from typing import Any

import pytest
from frames import hello, item, notification, page, receipts

from campanile.actions import Action, Kind
from campanile.page import Page
from campanile.store import Store
from campanile.surface.event import Done
from campanile.surface.native import Native

NATIVE = Native()
LISTED = {"id": "a", "seq": 7, "seen": True, "read": True, "archived": False}
"""What receipts say of one that is read."""


class Told:
    """A store with entries at 7 and 8, of which that at 7 is superseded."""

    def __init__(self, **marks: bool) -> None:
        """`marks`: of the entry at 7."""
        self.store = Store(numbered=True)
        self._rev = 0
        items = [item(8, "b"), item(7, "a", **marks)]
        unread = sum(not entry["read"] for entry in items)
        self.heard(hello(8, unread=unread, unseen=unread))
        self.store.apply_page(Page.of(page(8, items)), anew=True)

    def heard(self, frame: dict[str, Any]) -> "Told":
        """The server says something."""
        event = NATIVE.read(frame)
        assert event
        self.store.apply(event)
        return self

    def superseded(self, place: int) -> "Told":
        """Another takes its place."""
        return self.heard({"type": "retract", "seq": place, "id": "a", "itemSeq": 7, "cause": "superseded", "by": "z"})

    def done(self, kind: Kind, head: int | None, changed: bool = True, rev: int | None = None) -> "Told":
        """The answer to what was done at this head."""
        self._rev += rev is None
        named = kind in ("read", "unread", "archive")
        action = Action(kind, str(self._rev), *(("a",) if named else (None, 8, "e1")))
        self.store.confirm(action, Done("r", changed, self._rev if rev is None else rev, 1, None, head))
        return self

    def receipts(self, *marks: dict[str, Any], **members: Any) -> "Told":
        """All that was done by now is told."""
        self._rev += 1
        return self.heard(receipts(self._rev, members.pop("head", 20), 1, *marks, **members))

    def shows(self, *names: str) -> "Told":
        """Ids, with `!` where they are unread."""
        assert [entry.id + ("" if entry.read else "!") for entry in self.store.view().items] == list(names)
        return self


READING: tuple[Kind, ...] = ("read", "read_all")


@pytest.mark.parametrize("kind", READING)
def test_what_was_read_before_is_still_there(kind: Kind) -> None:
    """Whichever is told first."""
    other = "b" if kind == "read_all" else "b!"
    Told().done(kind, 9).superseded(11).shows(other, "a").receipts(LISTED, readUpTo=8).shows("b", "a")
    told = Told().superseded(11).shows("b!").done(kind, 9).shows(other, "a")
    assert told.store.view().items[1].superseded
    told.receipts(LISTED).shows("b!", "a")


@pytest.mark.parametrize("kind", READING)
@pytest.mark.parametrize("head", [11, 12])
def test_what_was_read_after_is_not(kind: Kind, head: int) -> None:
    """It was gone by then."""
    other = "b" if kind == "read_all" else "b!"
    Told().done(kind, head).superseded(11).shows(other)
    Told().superseded(11).done(kind, head).shows(other)


@pytest.mark.parametrize("kind", READING)
def test_without_a_head_what_comes_first_was_first(kind: Kind) -> None:
    """As of servers that do not say it."""
    other = "b" if kind == "read_all" else "b!"
    Told().done(kind, None).superseded(11).shows(other, "a")
    Told().superseded(11).done(kind, None).shows(other)


def test_what_was_archived_before_is_there_when_it_is_brought_back() -> None:
    """It is read, and in no list that is shown."""
    for told in (Told().done("archive", 9).superseded(11), Told().superseded(11).done("archive", 9)):
        told.shows("b!")
        held = told.store.get("a")
        assert held
        assert (held.read, held.archived, held.superseded) == (True, True, True)
    assert Told().superseded(11).done("archive", 12).store.get("a") is None


def test_what_is_only_seen_is_not_brought_back() -> None:
    """Seen is not read, also where it was once."""
    Told().superseded(11).done("seen", 9).shows("b!")
    Told(read=True, seen=True).done("unread", 9).superseded(11).done("seen", 9).shows("b!")


def test_what_is_listed_as_read_was_read_in_time_whatever_was_done_later() -> None:
    """By receipts, or by a page."""
    Told().done("read_all", 12).receipts(LISTED, head=10).superseded(11).shows("b!", "a")
    Told().done("read_all", 12).superseded(11).shows("b").receipts(LISTED, readUpTo=8).shows("b", "a")
    for more in ({}, {"superseded": True}):
        told = Told().done("read_all", 12)
        entries = [item(8, "b", read=True, seen=True), item(7, "a", read=True, seen=True, **more)]
        told.store.apply_page(Page.of(page(12, entries)), anew=True)
        told.superseded(11).shows("b", "a")


def test_what_was_unread_before_is_gone() -> None:
    """Whichever is told first; also where receipts, which say nothing of it, came before the answer."""
    read = {"read": True, "seen": True}
    Told(**read).done("unread", 9).shows("b!", "a!").superseded(11).shows("b!")
    Told(**read).superseded(11).shows("b!", "a").done("unread", 9).shows("b!")
    Told(**read).superseded(11).receipts().done("unread", 9, rev=1).shows("b!")


@pytest.mark.parametrize("order", ["urs", "usr", "sur"])
def test_unread_and_read_again_before_is_still_there(order: str) -> None:
    """In every order in which these can be told."""
    told = Told(read=True, seen=True)
    steps: dict[str, Callable[[], object]] = {
        "u": lambda: told.done("unread", 9),
        "r": lambda: told.done("read", 9),
        "s": lambda: told.superseded(11),
    }
    for step in order:
        steps[step]()
    told.shows("b!", "a")


def test_what_is_superseded_can_not_be_made_unread() -> None:
    """The server says that nothing was changed."""
    Told(read=True, seen=True).superseded(11).done("unread", 12, changed=False).receipts().shows("b!", "a")
    Told().superseded(11).done("unread", 9).shows("b!")


def test_what_was_taken_back_since_stays_away() -> None:
    """Whatever was read before."""
    told = Told().superseded(11)
    told.heard({"type": "retract", "seq": 12, "id": "a", "itemSeq": 7, "cause": "retracted"})
    told.done("read", 9).receipts(LISTED).shows("b!")


@pytest.mark.parametrize(("head", "shown"), [(10, ["b!", "a"]), (11, ["b!"])])
def test_a_heartbeat_ends_the_waiting(head: int, shown: list[str]) -> None:
    """For what was superseded by then."""
    told = Told().superseded(11)
    counts = {"head": head, "rev": 0, "unread": 1, "unseen": 1}
    told.heard({"type": "heartbeat", "epoch": "e1", "seq": head, **counts})
    told.done("read", 9).shows(*shown)


def test_a_page_of_before_does_not_end_the_waiting() -> None:
    """It does not know what was superseded since."""
    told = Told()
    told.store.begin_page()
    told.heard(notification(10, "c"))
    told.heard({"type": "retract", "seq": 11, "id": "c", "itemSeq": 10, "cause": "superseded", "by": "z"})
    told.store.apply_page(Page.of(page(8, [item(8, "b"), item(7, "a")])), anew=True)
    told.shows("b!", "a!").receipts({**LISTED, "id": "c", "seq": 10}).shows("c", "b!", "a!")


def test_a_head_says_nothing_of_another_lineage() -> None:
    """Nor does anything that was done in the former."""
    told = Told().done("read", 12)
    told.heard({"type": "resync", "epoch": "e2", "seq": 3, "reason": "epoch"})
    told.store.apply_page(Page.of(page(3, [item(2, "a")], epoch="e2")), anew=True)
    told.shows("a!")


@pytest.mark.parametrize("first", ["answer", "supersession"])
def test_what_stays_read_is_in_no_count(first: str) -> None:
    """Neither before the server counts it, nor after."""
    told = Told().done("read", 9).superseded(11) if first == "answer" else Told().superseded(11).done("read", 9)
    assert (told.store.view().unread, told.store.view().unseen) == (1, 1)
    told.heard({"type": "heartbeat", "epoch": "e1", "seq": 11, "head": 11, "rev": 1, "unread": 1, "unseen": 1})
    assert (told.store.view().unread, told.store.view().unseen) == (1, 1)
    told.shows("b!", "a")
