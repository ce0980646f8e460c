"""Actions on their way: queued, kept across restarts, sent, answered."""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from .actions import LIMIT, Action, Actions, Kind
from .clock import Clock, ended, within
from .errors import ActionRefused, CampanileError, QueueFull, StorageFailed
from .storage import Storage
from .surface import Surface
from .surface.event import Done, Refused

T = TypeVar("T")
PATIENCE = 2.0
"""Seconds for which what is kept is waited for, before anything is sent."""


@dataclass(frozen=True)
class Outcome:
    """An action is done, durably."""

    changed: bool
    """False if it was so already, or the action was made needless by a later one."""


class Pending:
    """The queue of one user in one workspace, with whoever waits for each action."""

    def __init__(
        self,
        surface: Surface,
        storage: Storage | None,
        handle_error: Callable[[CampanileError], None],
        clock: Clock,
    ) -> None:
        self._surface = surface
        self._storage = storage
        self._handle_error = handle_error
        self._clock = clock
        self._futures: dict[str, asyncio.Future[Outcome]] = {}
        self._name: str | None = None
        self._opened = False
        self._since: Actions | None = None
        """What was done since what is kept could not be read: nothing is written over that."""
        self._saving: asyncio.Task[None] | None = None
        self._keeping: set[asyncio.Task[None]] = set()
        self._saved = "[]"
        self._unsaved: dict[str, str] = {}
        self._refs = 0
        self.actions = Actions()

    def own(self, name: str) -> None:
        """Under which name it is to be kept, once it is open."""
        self._name = name
        self._opened = False

    def open_unkept(self) -> None:
        """Nobody says whose it is: it is sent, and kept under no name."""
        self._opened = True

    async def open(self, name: str) -> None:
        """Takes up what is kept under this name; it goes before what was done since."""
        if self._storage is None:
            self._opened = True
            return
        self.own(name)
        kept = await self._read(self._storage, name)
        if self._name != name:
            return
        self._opened = True
        if kept is None:
            self._since = Actions()
            for action in self.actions:
                self._since.add(action)
        else:
            self._take_up(kept)

    @property
    def unread(self) -> bool:
        """Whether what is kept could not be read."""
        return self._since is not None

    def hold(self) -> None:
        """Sends nothing, before `reopen`."""
        self._opened = False

    async def reopen(self) -> None:
        """Takes up what is kept, where it could not be read before."""
        storage, name, since = self._storage, self._name, self._since
        if storage is None or name is None or since is None:
            return
        try:
            kept = await self._read(storage, name)
        finally:
            if self._since is since:
                self._opened = True
        if kept is not None and self._since is since:
            self._since = None
            self._take_up(_but(kept, since))

    def _take_up(self, kept: list[Action]) -> None:
        since = list(self.actions)
        self.actions.clear()
        for action in (*kept, *since):
            try:
                for needless in self.actions.add(action):
                    self._settle(needless.key, Outcome(False))
            except QueueFull as full:
                self._refuse(action, full.code)
        # Without anything to keep, nothing is written: it would only be there to be erased.
        self._saved = "" if kept else "[]"
        self._save()

    def add(self, action: Action) -> "asyncio.Future[Outcome]":
        """Takes an action. `QueueFull` if too many wait."""
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        # Whoever does not wait for it hears of a refusal by the error event.
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        needless = self.actions.add(action)
        if self._since is not None:
            with contextlib.suppress(QueueFull):
                self._since.add(action)
        self._futures[action.key] = future
        for other in needless:
            self._settle(other.key, Outcome(False))
        self._save()
        return future

    def pump(self, epoch: str | None, send: Callable[[str], bool]) -> list[Action]:
        """Sends what may be sent. Returns those that are done by that, as they are not answered."""
        done: list[Action] = []
        if not self._opened:
            return done
        while True:
            action = self.actions.poll_send(self._ref)
            if action is None:
                break
            if action.epoch is not None and action.epoch != epoch:
                # A place in another log means nothing here.
                self.actions.drop(action)
                self._refuse(action, "epoch")
                continue
            text = self._surface.command(action, str(self._refs))
            if text is None:
                self.actions.drop(action)
                self._refuse(action, "unsupported")
            elif not send(text):
                self.actions.handle_disconnected()
                break
            elif not self._surface.answered(action):
                self.actions.drop(action)
                self._settle(action.key, Outcome(True))
                done.append(action)
        self._save()
        return done

    def handle_answer(self, answer: Done | Refused) -> Action | None:
        """The server's word on a command: returns the action if it is done. A refused one is undone by being gone."""
        action = self.actions.settle(answer.ref)
        if action is None:
            return None
        self._save()
        if isinstance(answer, Refused):
            self._refuse(action, answer.code)
            return None
        self._settle(action.key, Outcome(answer.changed))
        return action

    def forget(self) -> None:
        """Another user or workspace: what waits is kept where there is a store, and is no longer this queue's."""
        if self._storage and self._name and (self.unread or not self._opened) and len(self.actions):
            # What is kept was not read yet.
            done = list(self.actions)
            task = asyncio.ensure_future(self._keep(self._storage, self._name, self._since or done, done))
            self._keeping.add(task)
            task.add_done_callback(self._keeping.discard)
        self._save()
        self._abandon()

    async def discard(self) -> None:
        """Forgets. Nothing is written any more by the time that this returns: whoever asks for it has waited."""
        self._abandon()
        self._unsaved.clear()
        await ended(*(task for task in (*self._keeping, self._saving) if task))

    async def flush(self) -> None:
        """Returns once everything is stored."""
        while True:
            busy = {task for task in (*self._keeping, self._saving) if task and not task.done()}
            if not busy and not self._keeping:
                return
            if busy:
                await asyncio.wait(busy)
            # Those that are done say so when the loop gets to it.
            await asyncio.sleep(0)

    def skip(self) -> "asyncio.Future[Outcome]":
        """Does not take an action: there is nothing that it would change."""
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        future.set_result(Outcome(False))
        return future

    def refuse(self, kind: Kind, id: str | None) -> "asyncio.Future[Outcome]":
        """Does not take an action: there is nobody whose it would be."""
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        refusal = ActionRefused(kind, "missing", id)
        future.set_exception(refusal)
        self._handle_error(refusal)
        return future

    def _abandon(self) -> None:
        for action in self.actions.clear():
            future = self._futures.pop(action.key, None)
            if future and not future.done():
                # Not cancelled: that would be taken for a cancellation of the task that waits.
                future.set_exception(ActionRefused(action.kind, "missing", action.id))
        self._name = None
        self._opened = False
        self._since = None
        self._saved = "[]"

    def _ref(self, action: Action) -> str:  # noqa: ARG002
        self._refs += 1
        return str(self._refs)

    def _settle(self, key: str, outcome: Outcome) -> None:
        future = self._futures.pop(key, None)
        if future and not future.done():
            future.set_result(outcome)

    def _refuse(self, action: Action, code: str) -> None:
        refusal = ActionRefused(action.kind, code, action.id)
        future = self._futures.pop(action.key, None)
        if future and not future.done():
            future.set_exception(refusal)
        self._handle_error(refusal)

    def _save(self) -> None:
        if self._storage is None or self._name is None or not self._opened or self.unread:
            return
        text = _text(self.actions)
        if text == self._saved:
            return
        self._saved = text
        self._put(self._storage, self._name, text)

    def _put(self, storage: Storage, name: str, text: str) -> None:
        # Of one name only the newest counts: changes during a write share the next one.
        self._unsaved[name] = text
        if self._saving is None or self._saving.done():
            self._saving = asyncio.ensure_future(self._write(storage))

    async def _keep(self, storage: Storage, name: str, since: Iterable[Action], done: list[Action]) -> None:
        """Adds to what is kept under a name that is no longer this queue's."""
        kept = await self._guarded(PATIENCE, _kept(storage, name))
        if kept is None:
            return
        queue = Actions()
        for action in (*_but(kept, since), *done):
            try:
                queue.add(action)
            except QueueFull as full:
                self._handle_error(ActionRefused(action.kind, full.code, action.id))
        self._put(storage, name, _text(queue))

    async def _read(self, storage: Storage, name: str) -> list[Action] | None:
        """What is kept; `None` where it can't be read."""

        async def read() -> list[Action]:
            # What this user did before somebody else came may be on its way there.
            await self.flush()
            return await _kept(storage, name)

        return await self._guarded(PATIENCE, read())

    async def _write(self, storage: Storage) -> None:
        while self._unsaved:
            await self._guarded(None, _set(storage, *self._unsaved.popitem()))

    async def _guarded(self, seconds: float | None, work: Awaitable[T]) -> T | None:
        """What comes of it; `None`, and it is told, where it fails or takes too long."""
        try:
            return await within(self._clock, seconds, work)
        except Exception as error:
            self._failed(error)
            return None

    def _failed(self, error: Exception) -> None:
        failed = StorageFailed()
        failed.__cause__ = error
        self._handle_error(failed)


async def _kept(storage: Storage, name: str) -> list[Action]:
    return _parsed(await storage.get(name))


async def _set(storage: Storage, name: str, text: str) -> None:
    await storage.set(name, text)


def _but(kept: list[Action], since: Iterable[Action]) -> list[Action]:
    """Of what was kept, what still counts behind what was done since."""
    queue = Actions(LIMIT * 2)
    for action in (*kept, *since):
        queue.add(action)
    left = {action.key for action in queue}
    return [action for action in kept if action.key in left]


def _text(actions: Actions) -> str:
    return json.dumps([action.to_json() for action in actions])


def _parsed(text: str | None) -> list[Action]:
    """What was stored; of a file that somebody else wrote, nothing."""
    try:
        return [Action.from_json(value) for value in json.loads(text or "[]")]
    except (ValueError, KeyError, TypeError, AttributeError):
        return []
