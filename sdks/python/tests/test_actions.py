"""The queue of actions."""

import pytest

from campanile import QueueFull
from campanile.actions import WINDOW, Action, Actions


def _read(key: str, name: str) -> Action:
    return Action("read", key, name)


def _keys(actions: Actions) -> list[str]:
    return [action.key for action in actions]


def test_the_last_word_on_an_item_counts() -> None:
    """Earlier ones are dropped, and said to be."""
    actions = Actions()
    actions.add(_read("1", "a"))
    actions.add(_read("2", "b"))
    replaced = actions.add(Action("unread", "3", "a"))
    assert [action.key for action in replaced] == ["1"]
    assert _keys(actions) == ["2", "3"]


def test_an_archived_entry_is_not_brought_back_by_reading_it() -> None:
    """It is read already."""
    actions = Actions()
    actions.add(Action("archive", "1", "a"))
    needless = _read("2", "a")
    assert actions.add(needless) == [needless]
    assert _keys(actions) == ["1"]


def test_what_is_under_way_stays() -> None:
    """Its answer is still to come."""
    actions = Actions()
    actions.add(_read("1", "a"))
    assert actions.poll_send(lambda _: "r1")
    assert actions.add(Action("unread", "2", "a")) == []
    assert _keys(actions) == ["1", "2"]


def test_read_all_of_more_replaces_read_all_of_less() -> None:
    """Never the other way, nor across lineages."""
    actions = Actions()
    actions.add(Action("read_all", "1", up_to=100, epoch="e"))
    actions.add(Action("read_all", "2", up_to=50, epoch="e"))
    assert _keys(actions) == ["1", "2"]
    actions.add(Action("read_all", "3", up_to=120, epoch="e"))
    assert _keys(actions) == ["3"]
    actions.add(Action("read_all", "4", up_to=120, epoch="f"))
    actions.add(Action("seen", "5", up_to=120, epoch="f"))
    assert _keys(actions) == ["3", "4", "5"]


def test_one_too_many_is_refused() -> None:
    """None that was taken is lost for it."""
    actions = Actions(limit=3)
    for name in "abc":
        actions.add(_read(name, name))
    with pytest.raises(QueueFull) as full:
        actions.add(_read("d", "d"))
    assert full.value.limit == 3
    assert actions.add(Action("archive", "e", "a")), "one that replaces another has room"
    assert len(actions) == 3


def test_sent_in_order_within_a_window_and_again_after_a_break() -> None:
    """Under the same keys."""
    actions = Actions()
    for number in range(WINDOW + 5):
        actions.add(_read(f"k{number}", f"n{number}"))
    first = [action.key for action in iter(lambda: actions.poll_send(lambda a: a.key), None)]
    assert first == [f"k{number}" for number in range(WINDOW)]
    settled = actions.settle("k0")
    assert settled
    assert settled.id == "n0"
    following = actions.poll_send(lambda a: a.key)
    assert following
    assert following.key == f"k{WINDOW}"
    actions.handle_disconnected()
    again = actions.poll_send(lambda a: a.key)
    assert again
    assert again.key == "k1"
    assert actions.settle("k7") is None, "an answer to nobody"


def test_kept_as_json() -> None:
    """What is stored comes back; what is not ours does not."""
    for action in (_read("k", "a"), Action("read_all", "k", up_to=7, epoch="e"), Action("seen", "k")):
        assert Action.from_json(action.to_json()) == action
    with pytest.raises(ValueError, match="kind"):
        Action.from_json({"kind": "explode", "key": "k"})
