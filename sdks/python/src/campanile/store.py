"""What a user holds: items, counts, places, read state. Pure: frames and pages in, changes out."""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import replace

from .actions import Action
from .lists import EVERYTHING, Depths, Filter
from .notification import Notification, Position, Resync, Retraction, Update, instant
from .page import Page
from .settling import Settling
from .surface.event import Arrived, Done, Event, Heartbeat, Hello, LeftOut, Mark, Receipts, Retracted, Updated
from .view import Counted, View, done, with_actions

ITEMS = 1000
"""Items in memory, the newest."""
IDS = 10_000
"""Ids remembered where entries have no places, to drop those that come again."""
NOWHERE = 2**63
"""Above every place."""
TAIL = 1000
"""Frames remembered while a page of the inbox is on its way."""

Change = Notification | Update | Retraction | Resync | Receipts


class Store:
    """One user's state in one workspace."""

    def __init__(self, numbered: bool, limit: int = ITEMS) -> None:
        """`numbered`: entries have places, and counts are the server's. Else they are counted here."""
        self._numbered = numbered
        self._limit = self._least = limit
        self._items: dict[str, Notification] = {}
        self._order: dict[str, tuple[float, int]] = {}
        self._arrivals = 0
        self._known: OrderedDict[str, None] = OrderedDict()
        self._tail: list[tuple[Event, int, int, bool]] | None = None
        self._passed: int | None = None
        """From where a replay went on while a page was on its way; `None`: none did."""
        self._positioned = False
        self._overflown = False
        self._doubtful: set[str] = set()
        """Held by a page that was ahead of the stream when it broke: gone, unless the replay has them."""
        self._replaying = False
        """The server tells again what was missed."""
        self._told = 0
        """Up to where a log that had no name yet was told: its replay is no news up to there."""
        self._superseded: dict[str, tuple[Notification, int]] = {}
        """What it said, as if unread, and where: whether it had been read in time, receipts tell, or an answer."""
        self._settling = Settling()
        self.needed = 0
        """Up to where the inbox must go when it is read."""
        self.epoch: str | None = None
        self.seq = 0
        self.head = 0
        self.rev: int | None = None
        self.unread = 0
        self.unseen = 0
        self.read_up_to = 0
        self.seen_up_to = 0
        self.depths = Depths()
        self.loaded = False
        """Whether the inbox was read since the last gap."""

    @property
    def position(self) -> Position | None:
        """Up to where everything was received; `None` before the first word of the server, or without a log."""
        if not self._positioned or self.epoch is None:
            return None
        return Position(self.epoch, max(self.seq, self._told), self.rev)

    @property
    def resume_from(self) -> Position | None:
        """Where the next connection goes on: from the start, where nothing was ever stored when this one began."""
        if not self._positioned:
            return None
        return Position("", 0, self.rev) if self.epoch is None else Position(self.epoch, self.seq, self.rev)

    @property
    def horizon(self) -> int:
        """Up to where something was received, by the stream or by a page; 0: nothing was."""
        return max(self.seq, self._told, *(item.seq or 0 for item in self._items.values()))

    def has_more(self, filter: Filter) -> bool:
        """Whether older ones of a list may be on the server: until a page says that there are none."""
        return self._numbered and self.depths.bottom(filter) != 0

    def resume(self, position: Position) -> None:
        """Goes on from a position that was saved."""
        self.epoch, self.seq, self.rev = position.epoch or None, position.seq, position.rev
        self._positioned = True

    def get(self, name: str) -> Notification | None:
        """The item of this id, without what is unconfirmed."""
        return self._items.get(name)

    @property
    def last_id(self) -> str | None:
        """The newest entry that arrived, where entries have no places."""
        return next(reversed(self._known), None)

    def apply(self, event: Event) -> list[Change]:
        """Takes in what happened, and says what to tell."""
        if self._tail is not None and isinstance(event, (Heartbeat, Hello, Updated, Retracted, Receipts)):
            if len(self._tail) < TAIL:
                self._tail.append((event, self.read_up_to, self.seen_up_to, self._replaying))
            else:
                # Too much happened meanwhile to put it right: another page is needed.
                self._overflown = True
        if isinstance(event, Arrived):
            return self._arrive(event.item)
        if isinstance(event, (Updated, Retracted)):
            if event.seq <= self.seq:
                return []
            self.seq = event.seq
            change = self._update(event) if isinstance(event, Updated) else self._retract(event)
            return [change] if event.seq > self._told else []
        if isinstance(event, Receipts):
            self._reach(event.rev)
            self._mark(event, self.read_up_to, self.seen_up_to)
            self.read_up_to, self.seen_up_to = event.read_up_to, event.seen_up_to
            # Of what is not held but came, such as an archived entry that is back, the marks alone tell.
            unheld = [mark for mark in event.items if mark.id not in self._items and event.head < mark.seq <= self.seq]
            unread, unseen = (sum(not m.read for m in unheld), sum(not m.seen for m in unheld))
            self._tell(event.head, event.unread + unread, event.unseen + unseen)
            return [event]
        if isinstance(event, Heartbeat):
            self.epoch = event.epoch
            self.seq = max(self.seq, event.seq)
            self._end_replay(event.seq)
            self._reach(event.rev)
            self._let_go(event.head)
            self._tell(event.head, event.unread, event.unseen)
        elif isinstance(event, Hello):
            self._greet(event)
        elif isinstance(event, LeftOut):
            return self._leave_out(event)
        return []

    def begin_page(self) -> None:
        """A page is asked for: what happens until it is here is remembered, since the page may not know it."""
        self._tail = []
        self._overflown = False
        self._passed = self.seq if self._replaying else None

    def cancel_page(self) -> None:
        """It won't come."""
        self._tail = self._passed = None

    def apply_page(self, page: Page, anew: bool, filter: Filter = EVERYTHING) -> None:
        """Takes in a page of a list. `anew`: it takes the place of what was held, but for what came after it."""
        # What a replay passed over while the page was on its way is gone, unless it was only too much to be held.
        passed = self.seq if self._passed is None else self._passed
        gone = {i.id for i in page.items if passed < (i.seq or 0) <= self.seq and i.id not in self._items}
        if anew:
            kept = [i for i in self._items.values() if i.seq is None or i.seq > page.head]
            self._items = {item.id: item for item in kept}
            self._order = {item.id: self._order[item.id] for item in kept}
            self.loaded = page.head >= self.needed and page.epoch == self.epoch and not self._overflown
            self.depths.clear()
            self._limit = self._least
            self._let_go(page.head)
        if gone or len(self._tail or ()) == TAIL:
            self.loaded = False
        for item in page.items:
            if item.id in gone:
                continue
            if not self._replaying:
                self._doubtful.discard(item.id)
            self._superseded.pop(item.id, None)
            if item.id not in self._items:
                self._keep(item)
        if self._replaying:
            self._doubt()
        self.depths.note(filter, page.older)
        # What was asked for is kept, however much.
        self._limit = max(self._limit, len(self._items))
        if self.rev is None:
            self.rev = page.rev
        if page.head >= self.head and page.rev >= self.rev:
            self._tell(page.head, page.unread, page.unseen)
        tail = self._tail or []
        self.cancel_page()
        for event, read_up_to, seen_up_to, replayed in tail:
            if isinstance(event, Receipts) and event.rev > page.rev:
                self._mark(event, read_up_to, seen_up_to)
            elif isinstance(event, Hello) and event.rev > page.rev:
                self._mark_up_to(read_up_to, event.read_up_to, seen_up_to, event.seen_up_to)
            elif isinstance(event, Updated) and event.seq > page.head:
                self._update(event)
            elif isinstance(event, Retracted) and event.seq > page.head:
                self._drop(event, final=replayed)
            elif isinstance(event, Heartbeat):
                self._let_go(event.head)

    def apply_list(self, items: Iterable[Notification]) -> None:
        """Takes in the product surface's list, newest first. It holds the true read state."""
        for item in reversed(list(items)):
            self._remember(item.id)
            held = self._items.get(item.id)
            # The list knows less of an entry than the socket, but whether it was read.
            self._keep(held.marked(read=item.read) if held else item)
        self.loaded = True
        self._trim(moves=False)

    def confirm(self, action: Action, answer: Done | None = None) -> None:
        """The action is done. With a revision, the server's word as of that one is what counts: it may be about a later
        change, and the answer to a repetition is. Until it comes, what the action did is shown; if it came, nothing.

        What was superseded above the head of the answer was so later: then it had been read in time, or unread."""
        if answer is None or answer.rev is None:
            items, self.unread, self.unseen = with_actions(self._items, self._counted(), (action,))
            self._items.update(items)
            return
        if answer.changed and action.kind == "unread" and action.id in self._superseded:
            # What is superseded can't be made unread: this was done before, so it is gone.
            self._remove(action.id)
        if answer.rev <= (self.rev or 0):
            return
        if answer.changed and answer.head is not None:
            self._restore(action, answer.head)
        self._settling.add(answer.rev, answer, action)

    def view(self, actions: Iterable[Action] = ()) -> View:
        """What to show, with these actions done."""
        items, unread, unseen = with_actions(self._items, self._counted(), (*self._settling, *actions))
        if not self._numbered:
            unread = sum(not item.read for item in items.values())
            unseen = sum(not item.seen for item in items.values())
        everything = tuple(sorted(items.values(), key=lambda item: self._order[item.id], reverse=True))
        return View(self.listed(everything, EVERYTHING), everything, max(0, unread), max(0, unseen))

    def listed(self, everything: Iterable[Notification], filter: Filter) -> tuple[Notification, ...]:
        """Of all that is held, what a list shows: down to where it was loaded. One that was not has nothing yet, but
        the list of all has what came."""
        bottom = self.depths.bottom(filter)
        if bottom is None:
            bottom = NOWHERE if filter.archived and self._numbered else 0
        return tuple(i for i in everything if filter.admits(i) and (i.seq is None or i.seq >= bottom))

    def _counted(self) -> Counted:
        return Counted(self.unread, self.unseen, self.head, self.seq)

    def _arrive(self, item: Notification) -> list[Change]:
        if item.seq is None:
            if item.id in self._known or item.id in self._items:
                return []
            self._remember(item.id)
        else:
            if item.seq <= self.seq:
                return []
            self.seq = item.seq
            if item.seq > self.head:
                self.unread += not item.read
                self.unseen += not item.seen
            item = replace(item, position=self.position)
        # One that a page brought before is said anew: the page may be older than the replay. What changed since this
        # was written follows it.
        self._doubtful.discard(item.id)
        self._superseded.pop(item.id, None)
        self._keep(item)
        self._trim(moves=True)
        return [item] if (item.seq or 0) > self._told or item.seq is None else []

    def _update(self, event: Updated) -> Update:
        held = self._items.get(event.id)
        if held:
            self._items[event.id] = held.changed(event.members)
        return Update(held.changed(event.members) if held else Notification.of(event.members), event.seq)

    def _retract(self, event: Retracted) -> Retraction:
        held = self._drop(event, final=self._replaying)
        # Gone, or read: in no count from now on. Of those that are not known here the server tells by a heartbeat.
        if held and event.seq > self.head:
            self.unread -= not held.read
            self.unseen -= not held.seen
        return Retraction(event.id, event.cause, event.by, event.seq)

    def _drop(self, event: Retracted, final: bool) -> Notification | None:
        """What was held. It stays only if it is superseded, and was read before.

        `final`: a replay tells only of what is gone. What is read here may have been read after that."""
        held = self._items.get(event.id)
        if event.cause != "superseded" or final:
            self._superseded.pop(event.id, None)
        if not held:
            return None
        if event.cause == "superseded" and not final:
            self._superseded[event.id] = (held.marked(read=False), event.seq)
            then = self._settling.before(event.seq, held)
            if then.read:
                self._items[event.id] = then.overtaken()
                return held
        self._remove(event.id)
        return held

    def _remove(self, name: str) -> None:
        if self._items.pop(name, None):
            del self._order[name]

    def _clear(self) -> None:
        """Another lineage: no place of the former means anything."""
        self._items.clear()
        self._order.clear()
        self._settling.clear()
        self.depths.clear()

    def _reach(self, rev: int) -> None:
        """The read state is known up to this revision."""
        self.rev = max(rev, self.rev or 0)
        self._settling.reach(self.rev)

    def _greet(self, hello: Hello) -> None:
        # Its counts have all that is done.
        self._settling.clear()
        if hello.epoch != self.epoch and self.epoch is not None:
            self._clear()
        self._replaying = hello.resumed
        # A page that was asked for before is of before: it may have what the replay leaves out.
        self._overflown |= self._tail is not None
        if hello.resumed:
            if self._tail is not None:
                self._passed = self.seq if self._passed is None else min(self._passed, self.seq)
            if self.epoch is None:
                # What came while the log had no name yet comes again: see `resume_from`.
                self._told, self.seq = self.seq, hello.seq
            self._bring_back(set(), hello.head, self.read_up_to, hello.read_up_to)
            self._mark_up_to(self.read_up_to, hello.read_up_to, self.seen_up_to, hello.seen_up_to)
            # A replay that broke had got this far: what it left out is gone.
            self._drop_doubtful(self.seq)
            self._doubt()
        else:
            self._doubtful.clear()
            self._superseded.clear()
            self._told = 0
            self.loaded = False
            # A log that was set back has no such entries any more, and no page will tell so.
            for name in [item.id for item in self._items.values() if (item.seq or 0) > hello.seq]:
                del self._items[name], self._order[name]
            self.seq = hello.seq
            self.needed = hello.seq
            self.rev = hello.rev
        self.epoch = hello.epoch
        self.read_up_to, self.seen_up_to = hello.read_up_to, hello.seen_up_to
        self._positioned = True
        self._tell(hello.head, hello.unread, hello.unseen)

    def _doubt(self) -> None:
        """What pages brought ahead of a replay may be gone by the time that the replay gets there."""
        self._doubtful |= {i.id for i in self._items.values() if i.seq is not None and i.seq > self.seq}

    def _end_replay(self, up_to: int) -> None:
        self._replaying = False
        self._drop_doubtful(up_to)

    def _drop_doubtful(self, up_to: int) -> None:
        """Everything up to this place was replayed."""
        for name in self._doubtful & self._items.keys():
            if (self._items[name].seq or 0) <= up_to:
                del self._items[name], self._order[name]
        self._doubtful &= self._items.keys()

    def _leave_out(self, event: LeftOut) -> list[Change]:
        self.loaded = self._replaying = False
        self._told = 0
        self._doubtful.clear()
        self._superseded.clear()
        if self._numbered:
            if event.epoch != self.epoch:
                self._clear()
            self.epoch, self.seq = event.epoch, event.seq
            self.needed = event.seq
        return [Resync(event.reason, event.seq)]

    def _tell(self, head: int, unread: int, unseen: int) -> None:
        """Counts as of `head`; what is held beyond it comes on top."""
        beyond = [i for i in self._items.values() if i.seq is not None and head < i.seq <= self.seq]
        self.head = head
        self.unread = unread + sum(not item.read for item in beyond)
        self.unseen = unseen + sum(not item.seen for item in beyond)

    def _mark(self, receipts: Receipts, read_up_to: int, seen_up_to: int) -> None:
        read = {mark.id for mark in receipts.items if mark.read}
        self._bring_back(read, receipts.head, read_up_to, receipts.read_up_to)
        self._mark_up_to(read_up_to, receipts.read_up_to, seen_up_to, receipts.seen_up_to)
        for mark in receipts.items:
            self._mark_one(mark)

    def _let_go(self, head: int) -> None:
        """Whatever was read by then has been told."""
        self._superseded = {name: entry for name, entry in self._superseded.items() if entry[1] > head}

    def _bring_back(self, read: set[str], head: int, read_from: int, read_to: int) -> None:
        """What is superseded can't be read any more: if it was, it had been read before, and is still there."""
        for name, (item, place) in list(self._superseded.items()):
            if name in self._items:
                continue
            passed = read_from < (item.seq or 0) <= read_to
            if name in read or (passed and head < place):
                del self._superseded[name]
                self._keep(item.overtaken())
                self._trim(moves=True)
            elif passed:
                # Before or after it was superseded: only the inbox tells.
                self.loaded, self.needed = False, max(self.needed, place)

    def _restore(self, action: Action, head: int) -> None:
        """What was superseded above this head, and this action read, had been read in time."""
        for name, (item, place) in self._superseded.items():
            then = done(action, item)
            if name not in self._items and place > head and then.read:
                self._keep(then.overtaken())
        self._trim(moves=True)

    def _mark_up_to(self, read_from: int, read_to: int, seen_from: int, seen_to: int) -> None:
        if read_to <= read_from and seen_to <= seen_from:
            return
        for item in list(self._items.values()):
            if item.seq is None:
                continue
            if read_from < item.seq <= read_to:
                self._items[item.id] = item.marked(read=True, seen=True)
            elif seen_from < item.seq <= seen_to:
                self._items[item.id] = item.marked(seen=True)

    def _mark_one(self, mark: Mark) -> None:
        held = self._items.get(mark.id)
        if held:
            self._superseded.pop(mark.id, None)
            self._items[mark.id] = held.marked(seen=mark.seen, read=mark.read, archived=mark.archived)

    def _keep(self, item: Notification) -> None:
        self._arrivals += 1
        self._items[item.id] = item
        if item.id in self._order:
            return
        if item.seq is not None:
            self._order[item.id] = (item.seq, 0)
        elif self._numbered:
            # In no log: it stands behind what was newest when it came.
            self._order[item.id] = (self.seq, self._arrivals)
        else:
            self._order[item.id] = (instant(item.timestamp) or 0, self._arrivals)

    def _remember(self, name: str) -> None:
        self._known[name] = None
        while len(self._known) > IDS:
            self._known.popitem(last=False)

    def _trim(self, moves: bool) -> None:
        """Lets go of the oldest beyond the limit. `moves`: they can be loaded again, from where they stood."""
        excess = len(self._items) - self._limit
        if excess <= 0:
            return
        for name in sorted(self._items, key=self._order.__getitem__)[:excess]:
            del self._items[name], self._order[name]
        places = [item.seq for item in self._items.values() if item.seq is not None]
        if moves and places:
            self.depths.rise(min(places))
