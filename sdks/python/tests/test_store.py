"""The store: frames and pages in, items and counts out."""

from typing import Any

from frames import hello, item, notification, page, receipts

from campanile.actions import Action
from campanile.lists import EVERYTHING
from campanile.notification import Notification, Position
from campanile.page import Page
from campanile.store import Store
from campanile.surface.event import Done
from campanile.surface.native import Native

NATIVE = Native()


def _apply(store: Store, *frames: dict[str, Any]) -> list[Any]:
    changes: list[Any] = []
    for frame in frames:
        event = NATIVE.read(frame)
        assert event, frame
        changes += store.apply(event)
    return changes


def _loaded(*items: dict[str, Any], seq: int = 10) -> Store:
    store = Store(numbered=True)
    unread = sum(not entry["read"] for entry in items)
    _apply(store, hello(seq, unread=unread, unseen=unread))
    store.apply_page(Page.of(page(seq, list(items))), anew=True)
    return store


def _heartbeat(seq: int, unread: int) -> dict[str, Any]:
    counts = {"unread": unread, "unseen": unread}
    return {"type": "heartbeat", "epoch": "e1", "seq": seq, "head": seq, "rev": 0, **counts}


def _ids(store: Store, *actions: Action) -> list[str]:
    return [shown.id for shown in store.view(actions).items]


def test_every_entry_once_in_order() -> None:
    """A repeated place is no second entry."""
    store = _loaded(item(10, "a"))
    told = _apply(store, notification(12, "b"), notification(12, "b"), notification(11, "x"), notification(15, "c"))
    assert [change.id for change in told] == ["b", "c"]
    assert _ids(store) == ["c", "b", "a"]
    assert store.view().unread == 3
    assert store.position
    assert (store.position.epoch, store.position.seq) == ("e1", 15)


def test_a_notification_carries_the_place_behind_it() -> None:
    """From which a program that has dealt with it goes on."""
    (told,) = _apply(_loaded(), notification(12, "b"))
    assert told.position.seq == 12


def test_entries_up_to_the_head_are_counted_already() -> None:
    """As in a replay."""
    store = _loaded(item(10, "a"))
    _apply(store, hello(10, head=13, unread=3, unseen=3, resumed=True), notification(12, "b"), notification(13, "c"))
    assert store.view().unread == 3
    _apply(store, notification(14, "d"), notification(15, "e", read=True, seen=True))
    assert (store.view().unread, store.view().unseen) == (4, 4)


def test_an_entry_of_the_page_that_comes_again_is_one_item_and_is_told_once() -> None:
    """The page was ahead of the stream."""
    store = Store(numbered=True)
    _apply(store, hello(10))
    store.apply_page(Page.of(page(12, [item(12, "b"), item(10, "a")])), anew=True)
    assert [change.id for change in _apply(store, notification(12, "b"))] == ["b"]
    assert _ids(store) == ["b", "a"]
    assert store.view().unread == 2


def test_what_happens_while_a_page_is_on_its_way_is_not_undone_by_it() -> None:
    """New entries, changes, retractions and receipts that the page does not know."""
    store = Store(numbered=True)
    _apply(store, hello(10, unread=3, unseen=3))
    store.begin_page()
    _apply(
        store,
        notification(11, "d"),
        {"type": "update", "seq": 12, "item": {"id": "a", "seq": 8, "title": "anew", "type": "info"}},
        {"type": "retract", "seq": 13, "id": "b", "itemSeq": 9, "cause": "retracted"},
        receipts(1, 13, 2, {"id": "c", "seq": 10, "seen": True, "read": True, "archived": False}),
    )
    store.apply_page(Page.of(page(10, [item(10, "c"), item(9, "b"), item(8, "a")])), anew=True)
    shown = {entry.id: entry for entry in store.view().items}
    assert list(shown) == ["d", "c", "a"]
    assert shown["a"].title == "anew"
    assert shown["c"].read
    assert store.view().unread == 2


def test_receipts_apply_up_to_a_place_then_items() -> None:
    """In this order, as often as they come."""
    store = _loaded(item(10, "c"), item(9, "b"), item(8, "a"))
    frame = receipts(
        2, 10, 1, {"id": "b", "seq": 9, "seen": True, "read": False, "archived": False}, readUpTo=10, seenUpTo=10
    )
    for _ in range(2):
        _apply(store, frame)
        assert [(entry.id, entry.read) for entry in store.view().items] == [("c", True), ("b", False), ("a", True)]
        assert store.view().unread == 1
    assert store.rev == 2


def test_a_resume_reads_what_was_read_elsewhere() -> None:
    """By the places of the greeting, and then by receipts."""
    store = _loaded(item(10, "b"), item(9, "a"))
    _apply(store, hello(10, rev=5, resumed=True, readUpTo=9, seenUpTo=10, unread=1))
    assert [(entry.read, entry.seen) for entry in store.view().items] == [(False, True), (True, True)]
    assert store.rev == 0, "receipts up to 5 are still to come"


def test_a_heartbeat_heals_counts() -> None:
    """Those held beyond its head come on top."""
    store = _loaded(item(10, "a"))
    _apply(store, notification(11, "b"))
    _apply(store, {"type": "heartbeat", "epoch": "e1", "seq": 11, "head": 10, "rev": 0, "unread": 7, "unseen": 5})
    assert (store.view().unread, store.view().unseen) == (8, 6)


def test_superseded_stays_for_whom_it_was_read() -> None:
    """And is gone for others."""
    store = _loaded(item(10, "b"), item(9, "a", read=True, seen=True))
    gone = [
        {"type": "retract", "seq": seq, "id": name, "itemSeq": seq, "cause": "superseded", "by": "z"}
        for seq, name in ((11, "a"), (12, "b"))
    ]
    told = _apply(store, *gone)
    assert [change.by for change in told] == ["z", "z"]
    assert _ids(store) == ["a"]
    assert store.view().unread == 0


def test_superseded_in_a_replay_is_gone_also_for_whom_it_was_read() -> None:
    """The server tells of it only where the entry is gone: it was read after that, or unread before."""
    gone = {"type": "retract", "seq": 11, "id": "a", "itemSeq": 9, "cause": "superseded", "by": "z"}
    for replayed in (True, False):
        store = _loaded(item(10, "b"), item(9, "a", read=True, seen=True))
        _apply(store, hello(10, head=11, unread=1, unseen=1, resumed=True))
        if not replayed:
            _apply(store, _heartbeat(10, unread=1))
        # A page of before, that comes later, changes nothing.
        store.begin_page()
        _apply(store, gone, _heartbeat(11, unread=1))
        store.apply_page(Page.of(page(10, [item(10, "b"), item(9, "a", read=True, seen=True)])), anew=True)
        assert _ids(store) == (["b"] if replayed else ["b", "a"])
        assert store.view().unread == 1


def test_what_came_from_a_log_without_a_name_comes_again_and_is_no_news() -> None:
    """The replay begins before it. What that leaves out is gone, also where it takes two of them to get that far."""
    store = Store(numbered=True)
    _apply(store, hello(0, epoch=None))
    store.apply_page(Page.of(page(0, [], epoch=None)), anew=True)
    _apply(store, *(notification(seq, name) for seq, name in ((1, "a"), (2, "b"), (3, "c"))))
    assert store.resume_from == Position("", 0, 0)
    greeting = hello(0, head=4, unread=3, unseen=3, resumed=True)
    told = _apply(store, greeting, notification(1, "a", title="anew"))
    # That replay broke as well. Whoever saves the place has had more than that.
    assert (store.position, store.resume_from) == (Position("e1", 3, 0), Position("e1", 1, 0))
    assert _ids(store) == ["c", "b", "a"]
    told += _apply(store, {**greeting, "seq": 1}, notification(3, "c"), notification(4, "d"), _heartbeat(4, unread=3))
    assert [change.id for change in told] == ["d"]
    assert [entry.title for entry in store.view().items] == ["d", "c", "anew"]
    assert (store.loaded, store.view().unread) == (True, 3)


def test_a_page_that_comes_amid_a_replay_may_be_older_than_that() -> None:
    """What it is ahead with is gone, unless the replay has it too."""
    store = _loaded(item(10, "a"))
    store.begin_page()
    _apply(store, hello(10, head=13, unread=2, unseen=2, resumed=True))
    store.apply_page(Page.of(page(12, [item(12, "c"), item(11, "b"), item(10, "a")])), anew=True)
    _apply(store, notification(12, "c"))
    # An older one has no word on what stands above it.
    store.begin_page()
    store.apply_page(Page.of(page(13, [item(9, "z", read=True)])), anew=False)
    _apply(store, _heartbeat(13, unread=2))
    assert (_ids(store), store.view().unread) == (["c", "a", "z"], 2)


def test_what_a_replay_passed_over_no_page_of_before_brings_back() -> None:
    """It came, was listed, and was taken back before the replay got there: that it is gone nobody tells."""
    for anew in (True, False):
        store = Store(numbered=True)
        store.resume(Position("e1", 10, 0))
        _apply(store, hello(10, head=12, unread=2, unseen=2, resumed=True))
        store.begin_page()
        late = notification(14, "d")
        _apply(store, notification(12, "c"), late, *([] if anew else [_heartbeat(14, unread=3)]))
        store.apply_page(Page.of(page(12, [item(12, "c"), item(11, "gone"), item(10, "a")])), anew=anew)
        assert (_ids(store), store.loaded) == (["d", "c", "a"], False)
        _apply(store, _heartbeat(14, unread=3))
        store.begin_page()
        store.apply_page(Page.of(page(14, [late["item"], item(12, "c"), item(10, "a")])), anew=True)
        assert (_ids(store), store.loaded, store.view().unread) == (["d", "c", "a"], True, 3)


def test_what_was_read_elsewhere_before_it_was_superseded_comes_back() -> None:
    """Once the server says so: by name, by a place as of before, or else in the inbox."""
    gone = {"type": "retract", "seq": 12, "id": "a", "itemSeq": 9, "cause": "superseded", "by": "c"}
    read = {"id": "a", "seq": 9, "seen": True, "read": True, "archived": False}
    for told, back, loaded in (
        (receipts(1, 12, 1, read), True, True),
        (receipts(1, 11, 1, readUpTo=10), True, True),
        (receipts(1, 12, 1, readUpTo=10), False, False),
        (receipts(1, 12, 1, {**read, "id": "b", "seq": 10}), False, True),
        (_heartbeat(12, unread=2), False, True),
        (hello(12, rev=1, readUpTo=11, unread=1, unseen=1, resumed=True), False, False),
    ):
        store = _loaded(item(10, "b"), item(9, "a"))
        _apply(store, notification(11, "c"), gone)
        assert _ids(store) == ["c", "b"], "nobody sees it while it is not known"
        _apply(store, told)
        assert (_ids(store), store.loaded) == (["c", "b", "a"] if back else ["c", "b"], loaded)
        if back:
            shown = store.view().items[-1]
            assert (shown.read, shown.superseded, store.view().unread) == (True, True, 1)
        # Everything was told by now.
        _apply(store, _heartbeat(12, unread=1), receipts(2, 12, 1, read))
        assert ("a" in _ids(store)) == back


def test_what_a_late_page_has_of_superseded_entries_is_not_waited_for() -> None:
    """That it was not read had been told before the page came."""
    store = Store(numbered=True)
    _apply(store, hello(10, unread=1, unseen=1))
    store.begin_page()
    gone = {"type": "retract", "seq": 12, "id": "a", "itemSeq": 10, "cause": "superseded", "by": "b"}
    _apply(store, notification(11, "b"), gone, _heartbeat(12, unread=1))
    store.apply_page(Page.of(page(10, [item(10, "a")])), anew=True)
    _apply(store, receipts(1, 12, 0, readUpTo=12, seenUpTo=12))
    assert (_ids(store), store.loaded) == (["b"], True)


def test_what_was_read_up_to_before_a_break_holds_for_a_page_of_before() -> None:
    """The greeting tells it, and nothing else."""
    store = _loaded(item(10, "b"))
    store.begin_page()
    _apply(store, hello(10, rev=1, seenUpTo=10, unread=2, resumed=True), receipts(1, 10, 2, seenUpTo=10))
    store.apply_page(Page.of(page(10, [item(9, "a")])), anew=False)
    assert [entry.seen for entry in store.view().items] == [True, True]


def test_a_page_of_before_the_greeting_is_not_enough() -> None:
    """It may have what the replay leaves out, and come after that."""
    store = Store(numbered=True)
    _apply(store, hello(10))
    store.begin_page()
    _apply(store, hello(10, head=12, resumed=True), _heartbeat(12, unread=0))
    store.apply_page(Page.of(page(12, [item(11, "gone")])), anew=True)
    assert not store.loaded
    store.begin_page()
    store.apply_page(Page.of(page(12, [])), anew=True)
    assert (store.loaded, _ids(store)) == (True, [])


def test_an_update_keeps_the_read_state() -> None:
    """It says the text anew, nothing else."""
    store = _loaded(item(10, "a", read=True, seen=True))
    _apply(store, {"type": "update", "seq": 11, "item": {"id": "a", "seq": 10, "title": "anew", "type": "info"}})
    (entry,) = store.view().items
    assert (entry.title, entry.read, entry.seq) == ("anew", True, 10)


def test_one_in_no_log_is_shown_once_and_not_counted() -> None:
    """Its place is behind what was newest."""
    store = _loaded(item(10, "a"))
    told = _apply(store, notification(None, "r"), notification(None, "r"), notification(11, "b"))
    assert [change.id for change in told] == ["r", "b"]
    assert _ids(store) == ["b", "r", "a"]
    assert store.view().unread == 2


def test_another_lineage_leaves_nothing() -> None:
    """Places of the former mean nothing."""
    store = _loaded(item(10, "a"))
    _apply(store, hello(3, epoch="e2"), {"type": "resync", "epoch": "e2", "seq": 3, "reason": "epoch"})
    assert not store.loaded
    store.apply_page(Page.of(page(3, [item(3, "n")], epoch="e2")), anew=True)
    assert (store.loaded, _ids(store)) == (True, ["n"])


def test_a_page_from_before_the_gap_is_not_enough() -> None:
    """It may lack what was left out."""
    store = _loaded(item(10, "a"))
    store.begin_page()
    _apply(store, {"type": "resync", "epoch": "e1", "seq": 20, "reason": "overflow"})
    store.apply_page(Page.of(page(15, [item(10, "a")])), anew=True)
    assert not store.loaded


def test_actions_show_at_once() -> None:
    """Without changing what the server said."""
    store = _loaded(item(10, "c"), item(9, "b"), item(8, "a"))
    assert store.view([Action("read", "k", "b")]).unread == 2
    assert store.view([Action("read", "k", "nobody")]).unread == 3
    assert _ids(store, Action("archive", "k", "c")) == ["b", "a"]
    everything = [Action("read_all", "k", up_to=10, epoch="e1"), Action("unread", "l", "a")]
    assert [(entry.id, entry.read) for entry in store.view(everything).items] == [
        ("c", True),
        ("b", True),
        ("a", False),
    ]
    assert store.view(everything).unread == 1
    assert store.view([Action("seen", "k", up_to=10)]).unseen == 0
    assert store.view().unread == 3


def test_the_answer_to_a_repetition_undoes_nothing_that_happened_since() -> None:
    """Only the state as of its revision is true, and that came already or is to come."""
    store = _loaded(item(10, "a"), item(9, "b"))
    unread = Action("unread", "k1", "a")
    # It was done at revision 1, but the answer was lost; then another device read the entry, at revision 2.
    seen = {"id": "a", "seq": 10, "seen": True, "read": True, "archived": False}
    _apply(store, receipts(2, 10, 1, seen))
    # Sent again it is answered as of revision 3, which has something else in it.
    again = Done("r", changed=False, rev=3, unread=1, expires_at=None, head=10)
    store.confirm(unread, again)
    assert [i.read for i in store.view().items] == [False, False], "shown until the word comes"
    _apply(store, receipts(3, 10, 0, {**seen, "id": "b", "seq": 9}))
    assert [i.read for i in store.view().items] == [True, True]
    assert store.view().unread == 0
    store.confirm(unread, again)
    assert [i.read for i in store.view().items] == [True, True], "all of it was known"


def test_read_all_does_not_read_what_comes_later() -> None:
    """It means what was there."""
    store = _loaded(item(10, "a"))
    _apply(store, notification(11, "b"))
    assert store.view([Action("read_all", "k", up_to=10, epoch="e1")]).unread == 1


def test_memory_is_bounded_to_the_newest() -> None:
    """Older ones can be loaded again, from where they stood."""
    store = Store(numbered=True, limit=5)
    _apply(store, hello(0), *(notification(seq, f"n{seq}") for seq in range(1, 9)))
    assert _ids(store) == ["n8", "n7", "n6", "n5", "n4"]
    assert store.depths.bottom(EVERYTHING) == 4
    assert store.view().unread == 8


def test_documented_surfaces_drop_repeated_ids_and_count_by_themselves() -> None:
    """Also of those that are no longer in memory."""
    from campanile.surface.event import Arrived

    store = Store(numbered=False, limit=2)
    names = ["a", "b", "c", "a", "b"]
    told = [change for name in names for change in store.apply(Arrived(Notification.of({"id": name})))]
    assert [getattr(change, "id", None) for change in told] == ["a", "b", "c"]
    assert store.last_id == "c"
    assert store.view([Action("read", "k", "c")]).unread == 1
