"""Lists of what is held: which entries are in one, and down to which place it has no gap. Pure."""

from dataclasses import dataclass
from typing import NamedTuple

from .notification import Notification


class Filter(NamedTuple):
    """Which entries a list has. Default: those that are not archived."""

    unread: bool = False
    """Only unread ones."""
    archived: bool = False
    """Only archived ones."""

    def admits(self, item: Notification) -> bool:
        """Whether an entry is one of them."""
        return item.archived == self.archived and not (self.unread and item.read)


EVERYTHING = Filter()
"""The list of all that are not archived: that of a snapshot."""


@dataclass(frozen=True)
class List:
    """A list without a gap, newest first, as far down as it was loaded. The same object until something changes."""

    items: tuple[Notification, ...]
    has_more: bool
    """Whether `load_more` may find older ones."""
    loading: bool
    """Whether a page of it is under way, or is about to be."""


class Depths:
    """Down to which place each list was loaded."""

    def __init__(self) -> None:
        self._places: dict[Filter, int] = {}

    def bottom(self, filter: Filter) -> int | None:
        """0 is the end; `None`: not at all. The list of all has the unread ones too."""
        lists = (filter, Filter(archived=filter.archived))
        return min((self._places[each] for each in lists if each in self._places), default=None)

    def note(self, filter: Filter, older: int | None) -> None:
        """A page of it came, with what it says of older ones."""
        self._places[filter] = older or 0

    def rise(self, place: int) -> None:
        """What stood below this place is no longer held."""
        self._places = {filter: max(place, bottom) for filter, bottom in {EVERYTHING: 0, **self._places}.items()}

    def clear(self) -> None:
        """All are to be loaded anew."""
        self._places.clear()
