"""What is shown: the snapshot, the lists, and who waits for them to be so."""

import asyncio
from collections.abc import Callable

from .clock import Clock, within
from .delivery import Delivery
from .errors import Closed
from .lists import EVERYTHING, Filter, List
from .session import Session
from .snapshot import Snapshot
from .state import Machine
from .view import View

Predicate = Callable[[Snapshot], bool]


class Shown:
    """What a client shows at this moment. Made when it is asked for, and the same objects until something changes."""

    def __init__(self, machine: Machine, session: Session, delivery: Delivery, clock: Clock) -> None:
        self._machine = machine
        self._session = session
        self._delivery = delivery
        self._clock = clock
        self._view: View | None = None
        self._snapshot: Snapshot | None = None
        self._lists: dict[Filter, List] = {}
        self._waiters: list[tuple[Predicate, asyncio.Future[Snapshot]]] = []
        self._state: tuple[object, ...] = ()
        """Of the connection, as it was told last."""
        self._telling = False
        """A change is about to be told."""
        self._ended = False

    @property
    def snapshot(self) -> Snapshot:
        """All that is to be shown."""
        if self._snapshot is None:
            machine, session = self._machine, self._session
            view, shown = self._viewed(), self.list(EVERYTHING)
            at = machine.retry_at
            self._snapshot = Snapshot(
                state=machine.state,
                reason=machine.reason,
                retry_at=None if at is None else at - self._clock.now() + self._clock.utc(),
                user=None if session.concealed else session.user,
                workspace=session.workspace,
                items=shown.items,
                unread=view.unread,
                unseen=view.unseen,
                has_more=shown.has_more,
                loading=shown.loading,
                position=session.shown.position,
                pending=0 if session.concealed else len(session.pending.actions),
            )
        return self._snapshot

    def list(self, filter: Filter) -> List:
        """The entries of a list, as far down as it was loaded."""
        if filter not in self._lists:
            self._lists[filter] = self._session.list(self._viewed(), filter)
        return self._lists[filter]

    async def until(self, predicate: Predicate, timeout: float | None) -> Snapshot:
        """The first snapshot of which this is true. `TimeoutError`; `Closed` once nothing changes any more."""
        if predicate(self.snapshot):
            return self.snapshot
        if self._ended:
            raise Closed
        future: asyncio.Future[Snapshot] = asyncio.get_running_loop().create_future()
        entry = (predicate, future)
        self._waiters.append(entry)
        try:
            return await (future if timeout is None else within(self._clock, timeout, future))
        finally:
            self._waiters = [other for other in self._waiters if other is not entry]

    def changed(self) -> None:
        """Something is different. It is told once, when the loop gets to it; another state of the connection, each."""
        self._view = self._snapshot = None
        self._lists.clear()
        machine = self._machine
        state = (machine.state, machine.reason, machine.retry_at)
        if state != self._state:
            self._state = state
            self._delivery.emit("state", self.snapshot)
        if not self._telling:
            self._telling = True
            asyncio.get_running_loop().call_soon(self._tell)

    def end(self) -> None:
        """It is for ever as it is now."""
        self._ended = True
        self.changed()

    def _tell(self) -> None:
        self._telling = False
        if not self._waiters and not self._delivery.wants("change"):
            return
        snapshot = self.snapshot
        for predicate, future in tuple(self._waiters):
            if future.done():
                continue
            try:
                if predicate(snapshot):
                    future.set_result(snapshot)
                elif self._ended:
                    future.set_exception(Closed())
            except Exception as error:
                future.set_exception(error)
        self._delivery.emit("change", snapshot)

    def _viewed(self) -> View:
        if self._view is None:
            self._view = self._session.view()
        return self._view
