"""One user in one workspace: brings the connection, the store and the waiting actions together."""

import asyncio
import dataclasses
import ssl
import uuid
from collections.abc import Awaitable, Callable

from .actions import Action, Kind
from .clock import Clock, ended, within
from .delivery import Delivery
from .errors import CampanileError, Network, StorageFailed, Unsupported
from .inbox import Inbox
from .line import Line, Plan
from .lists import Filter, List
from .notification import Notification, Position, Resync, Retraction, Update
from .page import Page
from .pages import Pages
from .pending import Outcome, Pending
from .rest import Rest, socket_of
from .state import End, TokenReason
from .storage import Storage, name_of, user_key
from .store import Store
from .surface import SurfaceName, surface_of
from .surface.event import Alive, Arrived, Done, Event, Heartbeat, Hello, LeftOut, Pong, Receipts, Refused
from .token import Claims, TokenSource
from .view import View

PATIENCE = 5.0
"""Seconds for which whoever leaves waits for the storage, and again for the erasing."""
_TOLD = {
    Notification: "notification",
    Update: "update",
    Retraction: "retract",
    Receipts: "receipts",
    Resync: "resync",
}


class Session:
    """What a client holds, whatever its state. `Campanile` decides when there is a connection."""

    def __init__(
        self,
        *,
        url: str,
        workspace: str | None,
        source: TokenSource | None,
        surface: SurfaceName,
        user: str | None,
        resume: Position | None,
        storage: Storage | None,
        auto_mark_read: bool,
        ask_missed: bool,
        max_items: int,
        page_size: int,
        allow_insecure: bool,
        tls: ssl.SSLContext | None,
        clock: Clock,
        random: Callable[[], float],
        delivery: Delivery,
        handle_live: Callable[[], None],
        handle_left: Callable[[End | None], None],
        handle_change: Callable[[], None],
    ) -> None:
        """The options of `Campanile`, and whom to tell."""
        self.surface = surface_of(surface)
        self._rest = Rest(url, allow_insecure, tls, clock.utc)
        self._inbox = Inbox(self._rest, clock)
        self._tls = tls if self._rest.base.startswith("https") else None
        self._clock = clock
        self._random = random
        self._delivery = delivery
        self._handle_live = handle_live
        self._handle_left = handle_left
        self._handle_change = handle_change
        self._auto_mark_read = auto_mark_read
        self._ask_missed = ask_missed
        self._max_items = max_items
        self._page_size = page_size
        self._line: Line | None = None
        self._asked_resume = False
        self._opener: asyncio.Task[None] | None = None
        self._proven: str | None = None
        """The token by which the server said last that it is this user's."""
        self.source = source
        self.workspace = workspace
        self.named = user
        """Who the program says that it is."""
        self.concealed = False
        """Whose the tokens are is not known yet: nothing is shown."""
        self._said = _said_by(source)
        """Whose the tokens are, by the last word of one of them, or of the server."""
        self.user = self._said or user
        self._option = user
        """Who the program said last that it is."""
        self.pending = Pending(self.surface, storage, self._report, clock)
        self._storage = storage
        self._start = resume
        """Where the first connection begins, whoever's that is; as long as there was none."""
        self.store = self._new_store()
        self._pages = self._pages_of(self.store)

    @property
    def shown(self) -> Store:
        """The store, as far as it may be shown."""
        return Store(self.surface.numbered, self._max_items) if self.concealed else self.store

    def view(self) -> View:
        """What to show."""
        return self.shown.view(() if self.concealed else self.pending.actions)

    def list(self, view: View, filter: Filter) -> List:
        """One list of what is to be shown."""
        has_more = self._wants(self._pages) and self.store.has_more(filter)
        return List(self.shown.listed(view.everything, filter), has_more, self._pages.loading(filter))

    def update(self, source: TokenSource | None, workspace: str | None, named: str | None) -> bool:
        """Takes another token, workspace or name; true if the connection that is there goes on with it."""
        said, taken = _said_by(source), bool(self.source) and not source
        moved = workspace != self.workspace or named != self.named or taken
        # A token that does not say whose it is may be anybody's: nothing is shown until the server says.
        whose = said or named
        foreign = isinstance(source, str) and source != self.source and (whose is None or whose != self.user)
        exchanged = source is not self.source and source != self.source
        # What was said of other tokens says nothing of these, where they come with a name.
        renamed = exchanged and named is not None and named != self.named
        self._said = said or (None if renamed else self._said)
        self._option = named or self._option
        if workspace != self.workspace or named != self.named:
            # It is no place of another workspace, or of whoever else is named.
            self._start = None
        if moved or (foreign and self._held):
            self._start_anew()
            # Without a token, the next one may be of another user than the one that is still named.
            self.user = None if taken else whose
            self._conceal(taken)
            self.source, self.workspace, self.named = source, workspace, named
            return False
        self.source = source
        if exchanged and not isinstance(source, str):
            # Whose its tokens are, a callback says when it is asked.
            self._conceal(self._held)
            return False
        if source is None or self._line is None:
            return False
        if exchanged:
            self._line.exchange(source)
        return True

    @property
    def _whose(self) -> str | None:
        """Whose it is, as far as that is known by now."""
        return self.user or _said_by(self.source)

    @property
    def _held(self) -> bool:
        """Whether there may be somebody's things here. The documented surfaces need not say whose theirs are."""
        return self.user is not None or (self.source is not None and not self.surface.numbered)

    def cut(self) -> None:
        """The connection that is there no longer counts."""
        self._line = None

    @property
    def owner(self) -> str | None:
        """How the names begin of all that is kept of this user, who is signed out whatever is shown by then; `None`
        where nobody said who that is."""
        owner = self._said or self._option
        return None if owner is None else user_key(self._rest.base, owner)

    async def flush(self) -> None:
        """Returns once everything that was done is stored, also where what was kept is still being read; or could not
        be, which is tried again. A storage that takes too long is told."""
        await self._stored(self._flush())

    async def _flush(self) -> None:
        if self._opener:
            await asyncio.wait((self._opener,))
        if len(self.pending.actions):
            await self.pending.reopen()
        await self.pending.flush()

    async def forget(self) -> None:
        """Forgets the user. Nothing is written any more: whoever asks for it has flushed."""
        if self._opener:
            await ended(self._opener)
        await self.pending.discard()
        self._let_go()

    async def erase(self) -> None:
        """Erases whatever is kept of the user on this server, of every workspace."""
        owner = self.owner
        if self._storage is not None and owner is not None:
            await self._stored(_erased(self._storage, owner))

    async def _stored(self, work: Awaitable[None]) -> None:
        try:
            await within(self._clock, PATIENCE, work)
        except Exception as error:
            failed = StorageFailed()
            failed.__cause__ = error
            self._report(failed)

    async def stay(self, reason: TokenReason) -> End:
        """From asking for a token to the end of the connection. That another user comes, or that nobody is logged in,
        is told as it happens: `handle_left`."""
        assert self.source is not None
        if self.pending.unread and (self._opener is None or self._opener.done()):
            self.pending.hold()
            self._opener = asyncio.ensure_future(self._reopen())
        plan = Plan(
            socket_of(self._rest.base),
            self.workspace or "",
            self.surface,
            self.source,
            self._clock,
            self._random,
            self._tls,
        )

        def handle(event: Event) -> None:
            if self._line is line:
                self._on_event(event)
                self._proven = line.token if line.live else self._proven

        def leave(end: End | None) -> None:
            if self._line is line:
                # Whoever comes next, it is not known yet whose what is done until then would be.
                self._let_go(concealed=True)
                self._handle_left(end)

        line = Line(plan, handle, self._report, self._resume, leave, lambda: self.user)
        self._line = line
        try:
            end = await line.run(reason)
        finally:
            if self._line is line:
                self._line = None
            self.pending.actions.handle_disconnected()
            await self._pages.stop()
        if end.come_back == "with_new_token" and isinstance(self.source, str):
            # There is no other to be had by asking.
            return dataclasses.replace(end, come_back="no")
        return end

    def act(self, kind: Kind, name: str | None) -> "asyncio.Future[Outcome]":
        """Takes an action: shown at once, sent soon. `Unsupported` where the surface has no word for it."""
        if not self.surface.numbered and kind not in ("read", "read_all"):
            raise Unsupported(kind, self.surface.name)
        # Kept under no name, it would be done to whoever's the token turns out to be.
        if self.concealed or (self.surface.numbered and not self._whose):
            return self.pending.refuse(kind, name)
        if self.surface.numbered or kind == "read":
            return self._act(kind, name)
        # The documented surfaces mark one at a time.
        items = self.view().items
        together = asyncio.ensure_future(_all([self._act("read", item.id) for item in items if not item.read]))
        # Each refusal is told as an error, whether or not anybody waits.
        together.add_done_callback(lambda done: done.cancelled() or done.exception())
        return together

    def _act(self, kind: Kind, name: str | None) -> "asyncio.Future[Outcome]":
        place, epoch = (None, None) if name is not None else (self.store.horizon, self.store.epoch)
        if place == 0:
            # Nothing was received: whatever comes meanwhile is not meant.
            return self.pending.skip()
        whose = self._whose
        if self._opener is None and whose:
            # To be kept, whether or not there ever is a connection.
            self._adopt(whose)
        future = self.pending.add(Action(kind, str(uuid.uuid4()), name, place, epoch))
        self._pump()
        self._handle_change()
        return future

    async def load_more(self, filter: Filter, connected: Callable[[], Awaitable[None]]) -> tuple[Notification, ...]:
        """See `Campanile.load_more`. `connected`: returns once no connection is being made, be it there or not."""
        if self.surface.name == "workspace":
            raise Unsupported("inbox", self.surface.name)
        pages = self._pages
        if self.concealed:
            return ()
        # The first page comes first, by the token that the connection is asking for.
        await connected()
        return await (self._load_list(pages) if self.surface.name == "product" else pages.more(filter))

    async def _load_list(self, pages: Pages) -> tuple[Notification, ...]:
        async with pages.lock:
            if not self._wants(pages):
                return ()
            items = await self._inbox.product_list(self._token())
            if not self._wants(pages):
                return ()
            self.store.apply_list(items)
            self._handle_change()
            return tuple(items)

    def _pages_of(self, store: Store) -> Pages:
        return Pages(store, self._read, self._wants, self._handle_change, self._report, self._clock, self._random)

    async def _read(self, before: int | None, min_seq: int | None, filter: Filter) -> Page:
        token = self._token()
        return await self._inbox.page(token, self.workspace or "", self._page_size, before, min_seq, filter)

    def _wants(self, pages: Pages) -> bool:
        # Of nobody there is nothing to load; the documented surfaces need not say whose theirs is.
        return pages is self._pages and not self.concealed and (self.user is not None or not self.surface.numbered)

    def _token(self) -> str:
        """One that is known to be this user's: that of the connection, or of the last one. Another is the connection's
        to ask for. `Network` where there was none."""
        if self._line and self._line.live and self._line.token:
            return self._line.token
        token = self.source if isinstance(self.source, str) else self._proven
        if token is None:
            raise Network("without a connection")
        return token

    def _resume(self, claims: Claims) -> tuple[Position | None, str | None]:
        whose = claims.user or self.named
        if self.concealed and (whose is None or whose != self.user):
            # It may be anybody's, and there are surfaces that will not say: what is here is not to come back.
            self._start_anew()
            self.user = whose
        if claims.user:
            self._said = claims.user
            self._adopt(claims.user)
        position, self._start = self.store.resume_from if self.surface.numbered else None, None
        self._asked_resume = position is not None
        return position, self.store.last_id if self._ask_missed else None

    def _adopt(self, user: str) -> None:
        """Whose it is, by the token or by the server. Another user's things are gone before anything is shown."""
        if self.user is not None and user != self.user:
            self._start_anew()
        self.user = user
        self._conceal(False)
        self._handle_change()
        if self._opener is None:
            name = name_of(self._rest.base, user, self.surface.name, self.workspace)
            self.pending.own(name)
            self._opener = asyncio.ensure_future(self._open(name))

    async def _open(self, name: str) -> None:
        await self.pending.open(name)
        self._pump()
        self._handle_change()

    async def _reopen(self) -> None:
        await self.pending.reopen()
        self._pump()
        self._handle_change()

    def _conceal(self, concealed: bool) -> None:
        """Nothing is shown or told, or all of it again."""
        if concealed != self.concealed:
            self.concealed = concealed
            self._delivery.hold(concealed)
            self._handle_change()

    def _let_go(self, concealed: bool = False) -> None:
        """The user is another from now on, or nobody."""
        self._start_anew()
        self.user = None
        self._conceal(concealed)

    def _start_anew(self) -> None:
        self._delivery.drop()
        self.store = self._new_store()
        self._pages.cancel()
        self._pages = self._pages_of(self.store)
        self._proven = None
        self.pending.forget()
        if self._opener:
            self._opener.cancel()
            self._opener = None
        self._conceal(False)
        self._handle_change()

    def _new_store(self) -> Store:
        store = Store(self.surface.numbered, self._max_items)
        if self._start:
            store.resume(self._start)
        return store

    def _on_event(self, event: Event) -> None:
        if isinstance(event, (Hello, Alive, Pong, Arrived)) or (
            isinstance(event, LeftOut) and not self.surface.numbered
        ):
            self._greet(event)
        if isinstance(event, (Done, Refused)):
            done = self.pending.handle_answer(event)
            if done and isinstance(event, Done):
                self.store.confirm(done, event)
            self._pump()
            self._handle_change()
            return
        for change in self.store.apply(event):
            self._delivery.emit(_TOLD[type(change)], change)
            if isinstance(change, Notification) and self._auto_mark_read and not change.read:
                self._mark_by_itself(change)
        if not isinstance(event, Pong):
            self._handle_change()
        self._see_to_inbox(event)

    def _greet(self, event: Event) -> None:
        user = event.user if isinstance(event, (Hello, Alive)) else None
        if user:
            self._said = user
            self._adopt(user)
        elif self._opener is None and self.user:
            self._adopt(self.user)
        elif self._opener is None:
            self.pending.open_unkept()
        self._conceal(False)
        if isinstance(event, Hello) and not self.store.loaded:
            self._pages.expect()
        self._handle_live()
        # Behind the frame itself: what the server says first counts first.
        asyncio.get_running_loop().call_soon(self._pump)

    def _see_to_inbox(self, event: Event) -> None:
        if isinstance(event, Hello):
            # What can't be resumed is followed by a resync, which says from where to read.
            due = event.resumed or not self._asked_resume
        else:
            due = self.surface.numbered and isinstance(event, (LeftOut, Heartbeat))
        if due:
            self._pages.begin()

    def _mark_by_itself(self, notification: Notification) -> None:
        held = self.store.get(notification.id)
        if held and not held.read:
            try:
                self.pending.add(Action("read", f"auto-{notification.id}", notification.id))
            except CampanileError as error:
                self._report(error)
            self._pump()

    def _pump(self) -> None:
        line = self._line
        if line is None or not line.live:
            return
        for action in self.pending.pump(self.store.epoch, line.try_send):
            self.store.confirm(action)

    def _report(self, error: CampanileError) -> None:
        self._delivery.emit("error", error)


def _said_by(source: TokenSource | None) -> str | None:
    """Whose a token is by its own word; a callback says nothing before it is asked."""
    return Claims.of(source).user if isinstance(source, str) else None


async def _erased(storage: Storage, owner: str) -> None:
    await storage.erase(owner)


async def _all(futures: "list[asyncio.Future[Outcome]]") -> Outcome:
    outcomes = await asyncio.gather(*futures)
    return Outcome(any(outcome.changed for outcome in outcomes))
