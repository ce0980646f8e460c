"""Random histories: publishes, changes, receipts, breaks and pages. What is held must be what the server has."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from model import Frame, Model

from campanile.actions import Action, Actions, Kind
from campanile.lists import EVERYTHING
from campanile.notification import Notification
from campanile.page import Page
from campanile.store import Store
from campanile.surface.event import Done, Hello
from campanile.surface.native import Native

NATIVE = Native()
PAGE = 5
STEPS = 120


@dataclass
class History:
    """One client and one server, and everything on its way between them."""

    chance: random.Random
    told: list[int] = field(default_factory=list)
    joined_at: int | None = None

    def __post_init__(self) -> None:
        self.server = Model(self.chance)
        self.store = Store(numbered=True)
        self.actions = Actions()
        self.page: Frame | None = None
        self.asked: str = ""
        self.late: list[Frame] = []
        self.number = 0
        self.keys: set[str] = set()

    @property
    def bottom(self) -> int | None:
        """From where the list goes on, if it does."""
        return self.store.depths.bottom(EVERYTHING) or None

    def play(self) -> None:
        """Something happens, many times; whenever nothing is on its way, all must be right."""
        steps: list[tuple[Callable[[], None], int]] = [
            (self.server.publish, 6),
            (self.server.update, 2),
            (self.server.retract, 1),
            (self.server.supersede, 1),
            (self.server.look, 4),
            (self.server.replay, 3),
            (self.elsewhere, 3),
            (self.here, 3),
            (self.receive, 14),
            (self.act, 6),
            (self.answer, 6),
            (self.ask_page, 3),
            (self.serve_page, 3),
            (self.take_page, 4),
            (self.server.disconnect, 1),
            (self.connect, 2),
            (self.come_to_rest, 1),
        ]
        calls, weights = zip(*steps, strict=True)
        for _ in range(STEPS):
            self.chance.choices(calls, weights)[0]()
        self.come_to_rest()

    def connect(self) -> None:
        if self.server.connected:
            return
        # A page does not come through the socket: it may outlive that.
        if self.asked and self.chance.random() < 0.5:
            self.store.cancel_page()
            self.asked, self.page = "", None
        self.actions.handle_disconnected()
        self.late = []
        position = self.store.resume_from
        if self.store.position and self.chance.random() < 0.3:
            # Another process, from the place that this one saved: it holds nothing yet.
            position = self.store.position
            self.store, self.asked, self.page = Store(numbered=True), "", None
            self.store.resume(position)
        self.server.connect(position.seq if position else None, position.rev if position else None)

    def receive(self) -> None:
        for _ in range(min(len(self.server.queue), self.chance.randrange(1, 4))):
            event = NATIVE.read(self.server.queue.pop(0))
            assert event
            if isinstance(event, Done):
                action = self.actions.settle(event.ref)
                assert action
                self.store.confirm(action, event)
                continue
            if isinstance(event, Hello) and self.joined_at is None:
                self.joined_at = event.seq
            self.told += [c.seq or 0 for c in self.store.apply(event) if isinstance(c, Notification)]

    def elsewhere(self) -> None:
        self.server.act(*self._choice([entry.name for entry in self.server.visible()[:10]], self.server.head))

    def here(self) -> None:
        held = [entry.id for entry in self.store.view(self.actions).items[:10]]
        kind, name, up_to = self._choice(held, self.store.seq)
        if name is None and self.joined_at is None:
            return
        self.number += 1
        self.actions.add(Action(kind, f"k{self.number}", name, up_to, "e1" if name is None else None))

    def act(self) -> None:
        """The client sends what waits, and the server does it. What happens next may be told before the answer."""
        if not self.server.connected or self.joined_at is None or self._greeting_waits():
            return
        action = self.actions.poll_send(lambda a: a.key)
        if action is None:
            return
        # Under a key that was done before, as where the answer was lost, nothing is done.
        changed = action.key not in self.keys and self.server.act(action.kind, action.id, action.up_to)
        self.keys.add(action.key)
        places = {"rev": self.server.rev, "head": self.server.head}
        self.late.append({"type": "ok", "ref": action.key, "changed": changed, **places})

    def answer(self) -> None:
        """The server says what it did, in order."""
        if self.late and self.server.connected:
            self.server.queue.append(self.late.pop(0))

    def ask_page(self) -> None:
        if self.asked or self._greeting_waits() or not self.server.connected:
            return
        if not self.store.loaded:
            self.asked = "anew"
        elif self.bottom is not None:
            self.asked = "older"
        else:
            return
        self.store.begin_page()

    def serve_page(self) -> None:
        if self.asked and self.page is None:
            self.page = self.server.page(PAGE, self.bottom if self.asked == "older" else None)

    def take_page(self) -> None:
        if self.page is None:
            return
        self.store.apply_page(Page.of(self.page), anew=self.asked == "anew")
        self.asked, self.page = "", None

    def come_to_rest(self) -> None:
        """Everything arrives; then nothing may be wrong."""
        self.connect()
        while self._is_busy():
            for step in (
                self.server.replay,
                self.server.look,
                self.receive,
                self.ask_page,
                self.serve_page,
                self.take_page,
                self.act,
                self.answer,
            ):
                step()
        self._check()

    def _check(self) -> None:
        view = self.store.view(self.actions)
        assert (view.unread, view.unseen) == self.server.counts()
        assert self.joined_at is not None
        expected = {
            e.name: (e.title, e.seen, e.read)
            for e in self.server.visible()
            if not e.archived and (self.bottom is None or e.seq >= self.bottom)
        }
        held = {i.id: (i.title, i.seen, i.read) for i in view.items}
        back = {name for name in expected if self.server.entries[name].put_away}
        assert held == {name: shown for name, shown in expected.items() if name in held or name not in back}
        assert [item.seq for item in view.items] == sorted((item.seq or 0 for item in view.items), reverse=True)
        assert self.told == sorted(set(self.told)), "each once, in order"
        missing = set(self.server.told) - set(self.told)
        gone = {entry.seq for entry in self.server.entries.values() if entry.gone}
        assert {seq for seq in missing if seq > self.joined_at} <= gone, "nothing is lost but what was taken back"

    def _is_busy(self) -> bool:
        server = self.server
        told = server.replayed is None and server.told_rev == server.rev and not server.uncounted
        return not told or bool(server.queue or self.asked or len(self.actions)) or not self.store.loaded

    def _greeting_waits(self) -> bool:
        return any(frame["type"] == "hello" for frame in self.server.queue)

    def _choice(self, names: list[str], place: int) -> tuple[Kind, str | None, int | None]:
        if not names or self.chance.random() < 0.2:
            kinds: tuple[Kind, ...] = ("read_all", "seen")
            return self.chance.choice(kinds), None, place
        single: tuple[Kind, ...] = ("read", "unread", "archive")
        return self.chance.choice(single), self.chance.choice(names), None


@pytest.mark.parametrize("block", range(10))
def test_histories(block: int) -> None:
    """A thousand of them; a failing one is named by its seed."""
    for seed in range(block * 100, block * 100 + 100):
        history = History(random.Random(seed))
        try:
            history.play()
        except AssertionError as error:
            raise AssertionError(f"history {seed}: {error}") from error
