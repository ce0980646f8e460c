"""Actions that are done, at a revision of the read state that was not told yet."""

from collections.abc import Iterator

from .actions import Action
from .notification import Notification
from .surface.event import Done
from .view import done


class Settling:
    """They are shown until the server's word comes, in the order in which they were done."""

    def __init__(self) -> None:
        self._done: list[tuple[int, Done, Action]] = []

    def __iter__(self) -> Iterator[Action]:
        return (action for _, _, action in self._done)

    def add(self, rev: int, answer: Done, action: Action) -> None:
        """One more, at a revision."""
        self._done.append((rev, answer, action))

    def reach(self, rev: int) -> None:
        """Whatever was done up to this revision was told."""
        self._done = [entry for entry in self._done if entry[0] > rev]

    def clear(self) -> None:
        """All of it was told, or means nothing any more."""
        self._done.clear()

    def before(self, place: int, item: Notification) -> Notification:
        """The entry as what was done before the log had got to this place leaves it. An answer that names no head was
        here first. What changed nothing is as the server tells, and may be a repetition."""
        for _, answer, action in self._done:
            if answer.changed and (answer.head is None or answer.head < place):
                item = done(action, item)
        return item
