"""The client: options, lifecycle, events, actions."""

import asyncio
import random as machine_random
import ssl
import uuid
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Any, Literal, TypeVar, overload

from .actions import Action, Kind
from .backoff import Backoff
from .clock import Clock, SystemClock, ended, within
from .delivery import Delivery, Feed
from .device import device_of
from .errors import CampanileError, Closed, Defect, Unsupported
from .inbox import PAGE
from .lists import Filter, List
from .notification import Notification, Position, Resync, Retraction, Update
from .pending import Outcome
from .session import Session
from .snapshot import Snapshot
from .state import End, Machine, State
from .storage import Storage
from .store import ITEMS
from .surface import SurfaceName
from .surface.event import Receipts
from .token import TokenSource
from .view import View

H = TypeVar("H", bound=Callable[..., Any])
EventName = Literal["notification", "update", "retract", "receipts", "resync", "state", "change", "error"]
EVENTS: tuple[EventName, ...] = (
    "notification",
    "update",
    "retract",
    "receipts",
    "resync",
    "state",
    "change",
    "error",
)
_KEEP: Any = object()


class Campanile:
    """One user's notifications in one workspace: connected, resumed and kept up to date until it is told to stop.

    Used on one event loop. `async with` connects it, and disconnects it at the end; nothing is forgotten by that.
    `close()` is for logging out."""

    def __init__(
        self,
        url: str,
        workspace: str | None = None,
        token: TokenSource | None = None,
        surface: SurfaceName = "native",
        *,
        user: str | None = None,
        resume: Position | None = None,
        storage: Storage | None = None,
        auto_mark_read: bool = False,
        ask_missed: bool = False,
        max_items: int = ITEMS,
        page_size: int = PAGE,
        allow_insecure: bool = False,
        tls: ssl.SSLContext | None = None,
        backoff: Backoff | None = None,
        clock: Clock | None = None,
        random: Callable[[], float] = machine_random.random,
    ) -> None:
        """All options are in the README. `InsecureUrl` or `BadUrl` for an address that won't do."""
        self._machine = Machine(backoff or Backoff())
        self._clock: Clock = clock or SystemClock()
        self._random = random
        self._delivery = Delivery(EVENTS)
        self._waiters: list[tuple[Callable[[Snapshot], bool], asyncio.Future[Snapshot]]] = []
        self._view: View | None = None
        self._snapshot: Snapshot | None = None
        self._lists: dict[Filter, List] = {}
        self._told = False
        self._shown: tuple[object, ...] = ()
        self._driver: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._started = False
        self._closing: asyncio.Future[None] | None = None
        """Done once all that `close` erases is gone."""
        self._turn = 0
        """Rises with whatever ends the connection that is there."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._device = None if storage is None else device_of(storage)
        if self._device:
            self._device.clients.add(self)
        self._session = Session(
            url=url,
            workspace=workspace,
            source=token,
            surface=surface,
            user=user,
            resume=resume,
            storage=storage,
            auto_mark_read=auto_mark_read,
            ask_missed=ask_missed,
            max_items=max_items,
            page_size=page_size,
            allow_insecure=allow_insecure,
            tls=tls,
            clock=self._clock,
            random=random,
            delivery=self._delivery,
            handle_live=self._handle_live,
            handle_left=self._handle_left,
            handle_change=self._changed,
        )

    async def __aenter__(self) -> "Campanile":
        self.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.disconnect()

    def __aiter__(self) -> AsyncIterator[Notification]:
        """Notifications as they come, each once, in order. See `notifications`."""
        return self.notifications()

    # Lifecycle

    def connect(self) -> None:
        """Starts, or starts again after `disconnect`. It then connects by itself for ever, unless it is refused."""
        self._check()
        if self._started and self._machine.state is not State.IDLE:
            return
        self._started = True
        self._loop = asyncio.get_running_loop()
        self._machine.handle_options(self._ready())
        if self._driver is None or self._driver.done():
            self._driver = asyncio.ensure_future(self._run())
        self._turned()

    async def disconnect(self) -> None:
        """Stops, and ends iterators. Nothing is forgotten: `connect` goes on from here."""
        if self._machine.state is State.CLOSED:
            return
        self._started = False
        self._machine.handle_options(False)
        await self._stop()

    async def close(self) -> None:
        """For logging out: stops for good, and erases whatever is kept of this user on this server, of every workspace.

        Clients of the same user that share the storage object, on this event loop, are closed with it: what they did
        later would be kept. The user is who a token or the server said last, else the option `user`; where nobody
        said, nothing is kept. A name that came by `update` together with another token counts until that token, or
        the server, says another. Called again, it waits for the first call."""
        if self._machine.state is State.CLOSED:
            if self._closing and not self._closing.done():
                await asyncio.wait((self._closing,))
            return
        signed_out = (self, *self._others())
        closing: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        for client in signed_out:
            client._closing = closing
            client._started = False
            client._machine.handle_close()
            client._turned()
        try:
            for client in signed_out:
                await client._stop()
                await client._session.forget()
                client._changed()
            await self._session.erase()
        finally:
            closing.set_result(None)

    def retry(self) -> None:
        """Comes back now, if it waits, is suspended or was refused."""
        self._check()
        if self._machine.state not in (State.CONNECTING, State.LIVE):
            self._machine.handle_retry()
            self._turned()

    def offline(self) -> None:
        """There is no network: rests until `online` or `retry`. After 5 minutes it looks for itself."""
        self._check()
        self._machine.handle_offline(self._clock.now())
        self._turned()

    def online(self) -> None:
        """There may be a network again: comes back within a second, if it waits or is suspended and the server did
        not say when."""
        self._check()
        self._machine.handle_online(self._clock.now(), self._random())
        self._turned(cuts=False)

    def update(
        self, *, token: TokenSource | None = _KEEP, workspace: str | None = _KEEP, user: str | None = _KEEP
    ) -> None:
        """Exchanges the token, the workspace, the user's name, or several; `None` takes one away.

        Another token of the same user is taken over by the connection that is there. Another user or workspace starts
        anew, and nothing of the former is shown any more; nor is anything without a token, nor before another
        callback was asked: it may be another user's. What is there already changes nothing."""
        self._check()
        session = self._session
        source = token if token is not _KEEP else session.source
        slug = workspace if workspace is not _KEEP else session.workspace
        named = user if user is not _KEEP else session.named
        if (source, slug, named) == (session.source, session.workspace, session.named):
            return
        stays = session.update(source, slug, named)
        if stays and self._machine.state is State.LIVE:
            return
        self._machine.handle_options(self._started and self._ready())
        self._turned()

    # What it shows

    @property
    def snapshot(self) -> Snapshot:
        """All that is to be shown. The same object until something changes."""
        if self._snapshot is None:
            machine, session = self._machine, self._session
            view, shown = self._viewed(), self.list()
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

    def list(self, *, unread: bool = False, archived: bool = False) -> List:
        """The entries of a list, down to where it was loaded: all that are not archived, which the snapshot has too; of
        them the unread ones; the archived ones; or of those the unread ones. The same object until something changes.

        The list of all has the unread ones as far down as it goes; the archived ones come by `load_more`."""
        filter = Filter(unread, archived)
        if filter not in self._lists:
            self._lists[filter] = self._session.list(self._viewed(), filter)
        return self._lists[filter]

    @property
    def state(self) -> State:
        """Where it stands."""
        return self._machine.state

    @property
    def position(self) -> Position | None:
        """Up to where everything was received. To go on after what a handler is done with, use a notification's own."""
        return self._session.shown.position

    async def until(self, predicate: Callable[[Snapshot], bool], timeout: float | None = None) -> Snapshot:
        """The first snapshot of which this is true. `TimeoutError` after so many seconds, where they are given."""
        if predicate(self.snapshot):
            return self.snapshot
        future: asyncio.Future[Snapshot] = asyncio.get_running_loop().create_future()
        entry = (predicate, future)
        self._waiters.append(entry)
        try:
            return await (future if timeout is None else within(self._clock, timeout, future))
        finally:
            self._waiters = [other for other in self._waiters if other is not entry]

    # Events

    def notifications(self) -> Feed:
        """Notifications from now on, each once, in order. Ends with `disconnect` or `close`.

        1,000 may wait. One more drops them, and the iterator raises `Lagged`; iterate again to go on."""
        self._check()
        return self._delivery.feed()

    @overload
    def on(self, event: Literal["notification"], handler: Callable[[Notification], Any]) -> Callable[[], None]: ...
    @overload
    def on(self, event: Literal["update"], handler: Callable[[Update], Any]) -> Callable[[], None]: ...
    @overload
    def on(self, event: Literal["retract"], handler: Callable[[Retraction], Any]) -> Callable[[], None]: ...
    @overload
    def on(self, event: Literal["receipts"], handler: Callable[[Receipts], Any]) -> Callable[[], None]: ...
    @overload
    def on(self, event: Literal["resync"], handler: Callable[[Resync], Any]) -> Callable[[], None]: ...
    @overload
    def on(self, event: Literal["state", "change"], handler: Callable[[Snapshot], Any]) -> Callable[[], None]: ...
    @overload
    def on(self, event: Literal["error"], handler: Callable[[CampanileError], Any]) -> Callable[[], None]: ...
    @overload
    def on(self, event: EventName) -> Callable[[H], H]: ...

    def on(self, event: EventName, handler: Callable[..., Any] | None = None) -> Any:
        """Calls a function, async or not, on an event; returns what stops that. Without a function: a decorator.

        Each handler has its own pace, and its own queue of 1,000. What it raises is told as `error`, and stops
        nothing. One that is not async must not block."""
        if handler is not None:
            return self._delivery.add(event, handler)

        def decorate(function: H) -> H:
            self._delivery.add(event, function)
            return function

        return decorate

    # Actions

    def read(self, id: str) -> "asyncio.Future[Outcome]":
        """Marks one entry read, and so seen. It shows at once; await what is returned to know that it is durable.

        While there is no connection, it waits. The future raises `ActionRefused` if the server says that it can't be
        done; then what was shown is undone. So it does, with the code `missing`, where nobody is logged in any more,
        and where another token callback was given and it is not known yet whose its tokens are: nothing is shown that
        could be meant. `QueueFull` if 1,000 actions wait."""
        return self._act("read", id)

    def unread(self, id: str) -> "asyncio.Future[Outcome]":
        """Counts it as unread again, and no longer as archived. Otherwise as `read`."""
        return self._act("unread", id)

    def archive(self, id: str) -> "asyncio.Future[Outcome]":
        """Puts it away: it is then read, seen, and out of the list. Otherwise as `read`."""
        return self._act("archive", id)

    def read_all(self) -> "asyncio.Future[Outcome]":
        """Everything that was received by now is read. Otherwise as `read`."""
        return self._act("read_all")

    def seen(self) -> "asyncio.Future[Outcome]":
        """Everything that was received by now was shown. Otherwise as `read`."""
        return self._act("seen")

    async def load_more(self, *, unread: bool = False, archived: bool = False) -> tuple[Notification, ...]:
        """Loads the next older page of a list, and returns it: `list` has it then, or the snapshot.

        Each list goes on from where it ends. The product surface has one list, and no filters; the workspace surface
        has none: `Unsupported`. `Problem`, `Network` or `TokenFailed`. Nothing where the user changed meanwhile, nor
        while it is not known whose it is."""
        self._check()
        return await self._session.load_more(Filter(unread, archived))

    # The rest is private

    def _act(self, kind: Kind, name: str | None = None) -> "asyncio.Future[Outcome]":
        self._check()
        session = self._session
        if not session.surface.numbered and kind not in ("read", "read_all"):
            raise Unsupported(kind, session.surface.name)
        if session.concealed:
            return session.pending.refuse(kind, name)
        if session.surface.numbered:
            return session.act(self._action(kind, name))
        if kind == "read":
            return session.act(self._action("read", name))
        # The documented surfaces mark one at a time.
        futures = [session.act(self._action("read", i.id)) for i in self.snapshot.items if not i.read]
        together = asyncio.ensure_future(_all(futures))
        # Each refusal is told as an error, whether or not anybody waits.
        together.add_done_callback(lambda done: done.cancelled() or done.exception())
        return together

    def _action(self, kind: Kind, name: str | None) -> Action:
        position = self._session.store.position if name is None else None
        place, epoch = (position.seq, position.epoch) if position else (None, None)
        return Action(kind, str(uuid.uuid4()), name, place, epoch)

    def _viewed(self) -> View:
        if self._view is None:
            self._view = self._session.view()
        return self._view

    def _changed(self) -> None:
        """Something that the snapshot shows is different. It is told once, when the loop gets to it."""
        self._view = self._snapshot = None
        self._lists.clear()
        machine = self._machine
        shown = (machine.state, machine.reason, machine.retry_at)
        if shown != self._shown:
            self._shown = shown
            self._delivery.emit("state", self.snapshot)
        if not self._told:
            self._told = True
            asyncio.get_running_loop().call_soon(self._tell)

    def _tell(self) -> None:
        self._told = False
        if not self._waiters and not self._delivery.wants("change"):
            return
        snapshot = self.snapshot
        for predicate, future in tuple(self._waiters):
            try:
                if not future.done() and predicate(snapshot):
                    future.set_result(snapshot)
            except Exception as error:
                future.set_exception(error)
        self._delivery.emit("change", snapshot)

    def _handle_live(self) -> None:
        self._machine.handle_live(self._clock.now())
        self._changed()

    def _handle_left(self, end: End | None) -> None:
        """The user is another from now on, or nobody: not once the connection has said goodbye."""
        self._handle_end(end)
        self._turned()

    def _ready(self) -> bool:
        session = self._session
        return bool(session.source) and (bool(session.workspace) or session.surface.name == "product")

    def _turned(self, cuts: bool = True) -> None:
        if cuts:
            self._turn += 1
            self._session.cut()
        self._wake.set()
        self._changed()

    def _check(self) -> None:
        if self._machine.state is State.CLOSED:
            raise Closed

    def _others(self) -> "tuple[Campanile, ...]":
        """Those that are signed out with this one. A client of another loop can't be waited for here."""
        owner, loop = self._session.owner, asyncio.get_running_loop()
        return tuple(
            client
            for client in (self._device.clients if self._device and owner else ())
            if client is not self
            and client._machine.state is not State.CLOSED
            and client._session.owner == owner
            and client._loop in (None, loop)
        )

    async def _stop(self) -> None:
        self._turned()
        driver, self._driver = self._driver, None
        if driver and driver is not asyncio.current_task():
            await ended(driver)
        await self._delivery.stop()
        await self._session.flush()

    async def _run(self) -> None:
        machine, clock = self._machine, self._clock
        while True:
            machine.handle_time(clock.now())
            self._wake.clear()
            if machine.state in (State.CONNECTING, State.LIVE):
                await self._stay()
            elif machine.due is not None:
                waits = [
                    asyncio.ensure_future(self._wake.wait()),
                    asyncio.ensure_future(clock.sleep(machine.due - clock.now())),
                ]
                try:
                    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    await ended(*waits)
            else:
                await self._wake.wait()

    async def _stay(self) -> None:
        """One stay on the server, ended by it or by a turn."""
        turn = self._turn
        self._changed()
        stay = asyncio.ensure_future(self._session.stay(self._machine.ask))
        try:
            while not stay.done() and self._turn == turn:
                woken = asyncio.ensure_future(self._wake.wait())
                try:
                    await asyncio.wait((stay, woken), return_when=asyncio.FIRST_COMPLETED)
                finally:
                    await ended(woken)
                self._wake.clear()
        finally:
            if not stay.done():
                await ended(stay)
        if self._turn != turn:
            return
        error = stay.exception()
        if error:
            defect = Defect()
            defect.__cause__ = error
            self._delivery.report(defect)
        self._handle_end(End.lost("defect") if error else stay.result())
        self._changed()

    def _handle_end(self, end: End | None) -> None:
        if end is None:
            self._machine.handle_missing()
        else:
            self._machine.handle_end(end, self._clock.now(), self._random())


async def _all(futures: "list[asyncio.Future[Outcome]]") -> Outcome:
    outcomes = await asyncio.gather(*futures)
    return Outcome(any(outcome.changed for outcome in outcomes))
