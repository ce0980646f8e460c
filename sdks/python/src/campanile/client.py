"""The client: options, lifecycle, events, actions."""

import asyncio
import random as machine_random
import ssl
import weakref
from collections.abc import AsyncIterator, Callable, Sequence
from types import TracebackType
from typing import Any, Literal, TypeVar, overload

from .actions import Kind
from .backoff import Backoff
from .call import task_inside_of
from .clock import Clock, SystemClock, ended
from .delivery import Delivery, Feed
from .device import device_of
from .driver import Driver
from .errors import CampanileError, Closed
from .inbox import PAGE
from .lists import Filter, List
from .notification import Notification, Position, Resync, Retraction, Update
from .pending import Outcome
from .session import Session
from .shown import Shown
from .snapshot import Snapshot
from .state import Machine, State
from .storage import Storage
from .store import ITEMS
from .surface import SurfaceName
from .surface.event import Receipts
from .token import TokenSource

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
        self._halting: set[asyncio.Task[None]] = set()
        self._started = False
        self._closing: asyncio.Task[None] | None = None
        """Done once all that `close` erases is gone."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._device = None if storage is None else device_of(storage)
        if self._device:
            self._device.clients.add(self)
        self._ending: weakref.WeakSet[asyncio.Task[Any]] = self._device.ending if self._device else weakref.WeakSet()
        """Tasks that a halting has cancelled, and waits for."""
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
            handle_live=lambda: self._driver.handle_live(),
            handle_left=lambda end: self._driver.handle_left(end),
            handle_change=lambda: self._shown.changed(),
        )
        self._shown = Shown(self._machine, self._session, self._delivery, self._clock)
        self._driver = Driver(self._machine, self._session, self._delivery, self._clock, random, self._shown.changed)

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
        self._driver.start()

    async def disconnect(self) -> None:
        """Stops, and ends iterators. Nothing is forgotten: `connect` goes on from here. What handlers were not told by
        then is dropped, and they are told how much: `Lagged`.

        A handler that is cut by it, or a token callback, does not wait for it: that would be for its own end. One that
        leaves goes on, but is cut itself where it does so in another task, as by `gather` or `wait_for`. A storage is
        waited for for 5 s, and by `close` for 5 s more to erase: `StorageFailed` is told then."""
        if self._machine.state is State.CLOSED:
            return
        waits = not self._is_waited_for()
        self._started = False
        self._machine.handle_options(False)
        halting = self._halt()
        if waits:
            await asyncio.shield(halting)

    async def close(self) -> None:
        """For logging out: stops for good, and erases whatever is kept of this user on this server, of every workspace.

        Clients of the same user that share the storage object, on this event loop, are closed with it: what they did
        later would be kept. The user is who a token or the server said last, else the option `user`; where nobody
        said, nothing is kept. A name that came by `update` together with another token counts until that token, or
        the server, says another. Called again, it waits for the same; it goes on although nobody waits."""
        closing, waits = self._closing, not self._is_waited_for()
        if closing is None:
            signed_out = (self, *self._others())
            for client in signed_out:
                client._started = False
                client._machine.handle_close()
            halting = [client._halt() for client in signed_out]
            closing = asyncio.ensure_future(self._sign_out(signed_out, halting))
            for client in signed_out:
                client._closing = closing
        # It goes on although whoever asked for it gives up, or is ended by it, such as a token callback.
        if waits:
            await asyncio.shield(closing)

    def retry(self) -> None:
        """Comes back now, if it waits, is suspended or was refused."""
        self._check()
        if self._machine.state not in (State.CONNECTING, State.LIVE):
            self._machine.handle_retry()
            self._driver.turn()

    def offline(self) -> None:
        """There is no network: rests until `online` or `retry`. After 5 minutes it looks for itself."""
        self._check()
        self._machine.handle_offline(self._clock.now())
        self._driver.turn()

    def online(self) -> None:
        """There may be a network again: comes back within a second, if it waits or is suspended and the server did
        not say when."""
        self._check()
        self._machine.handle_online(self._clock.now(), self._random())
        self._driver.turn(cuts=False)

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
        self._driver.turn()

    # What it shows

    @property
    def snapshot(self) -> Snapshot:
        """All that is to be shown. The same object until something changes."""
        return self._shown.snapshot

    def list(self, *, unread: bool = False, archived: bool = False) -> List:
        """The entries of a list, down to where it was loaded: all that are not archived, which the snapshot has too; of
        them the unread ones; the archived ones; or of those the unread ones. The same object until something changes.

        The list of all has the unread ones as far down as it goes; the archived ones come by `load_more`."""
        return self._shown.list(Filter(unread, archived))

    @property
    def state(self) -> State:
        """Where it stands."""
        return self._machine.state

    @property
    def position(self) -> Position | None:
        """Up to where everything was received. To go on after what a handler is done with, use a notification's own."""
        return self._session.shown.position

    async def until(self, predicate: Callable[[Snapshot], bool], timeout: float | None = None) -> Snapshot:
        """The first snapshot of which this is true. `TimeoutError` after so many seconds, where they are given.
        `Closed` where it is not before everything is erased by `close`."""
        return await self._shown.until(predicate, timeout)

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
        nothing. One that is not async must not block. `disconnect` and `close` cancel the calls that are under way,
        but for the one that calls them."""
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
        and, on the native surface at least, as long as it is not known who is: nothing is shown that could be meant.
        It does also where nobody is logged in any more, or somebody else is, before it is done: with a storage it is
        then done once this user is back. After another token callback was given it waits, until it is known whose its
        tokens are. `QueueFull` if 1,000 actions wait."""
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
        has none: `Unsupported`. `Problem`, or `Network`, also where there was no connection yet and none is being made:
        its token is used, or that of the last one. Nothing where the user changed meanwhile, nor while it is not known
        whose it is."""
        self._check()
        return await self._session.load_more(Filter(unread, archived), self._connected)

    # The rest is private

    def _act(self, kind: Kind, name: str | None = None) -> "asyncio.Future[Outcome]":
        self._check()
        return self._session.act(kind, name)

    async def _connected(self) -> None:
        await self._shown.until(lambda shown: shown.state is not State.CONNECTING, None)

    def _ready(self) -> bool:
        session = self._session
        return bool(session.source) and (bool(session.workspace) or session.surface.name == "product")

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

    def _is_waited_for(self) -> bool:
        """Whether a halting waits for whoever asks, who then can't wait for it: a handler or a callback that it cut."""
        return task_inside_of() in self._ending

    def _halt(self) -> "asyncio.Task[None]":
        """Ends whatever is under way, from this moment on. Done once the last of it has ended, and all is stored."""
        self._delivery.end()
        former, driving = tuple(self._halting), self._driver.halt()
        self._ending.update(driving)
        halting = asyncio.ensure_future(self._halted(driving, former, asyncio.current_task()))
        self._halting.add(halting)
        halting.add_done_callback(self._halting.discard)
        return halting

    async def _halted(
        self,
        driving: "Sequence[asyncio.Task[None]]",
        former: "Sequence[asyncio.Task[None]]",
        asking: "asyncio.Task[Any] | None",
    ) -> None:
        await ended(*driving)
        if former:
            await asyncio.wait(former)
        if not self._started:
            # Handlers are stopped last: they are told of the end. Where it has come back by now, they go on.
            calls = self._delivery.stop(asking)
            self._ending.update(calls)
            await ended(*calls)
        await self._session.flush()

    async def _sign_out(self, clients: "tuple[Campanile, ...]", halting: "Sequence[asyncio.Task[None]]") -> None:
        await asyncio.wait(halting)
        for client in clients:
            await client._session.forget()
            client._shown.changed()
        await self._session.erase()
        for client in clients:
            client._shown.end()
