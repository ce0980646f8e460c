"""The inbox of one user in one workspace, as it is read into a store, one page at a time."""

import asyncio
from collections.abc import Awaitable, Callable

from .backoff import Backoff
from .clock import Clock, ended
from .errors import BadAnswer, CampanileError, Network, Problem
from .lists import EVERYTHING, Filter
from .notification import Notification
from .page import Page
from .store import Store

Read = Callable[[int | None, int | None, Filter], Awaitable[Page]]
"""Asks for a page: from below which place, as of which place at least, and of which list."""


class Pages:
    """Reads the first page by itself, again until it is there, and older ones when they are asked for.

    Those of another user are another object: neither waits for the other, and what comes late is of no use."""

    def __init__(
        self,
        store: Store,
        read: Read,
        wanted: Callable[["Pages"], bool],
        handle_change: Callable[[], None],
        handle_error: Callable[[CampanileError], None],
        clock: Clock,
        random: Callable[[], float],
    ) -> None:
        """`wanted`: whether what these bring is still to be shown."""
        self._store = store
        self._read = read
        self._wanted = wanted
        self._handle_change = handle_change
        self._handle_error = handle_error
        self._clock = clock
        self._random = random
        self._loader: asyncio.Task[None] | None = None
        self._reading = False
        """The first page is under way, or is about to be."""
        self._under_way: set[Filter] = set()
        self.lock = asyncio.Lock()
        """One page at a time."""

    def loading(self, filter: Filter) -> bool:
        """Whether a page of this list is under way, or is about to be."""
        return filter in self._under_way or (self._reading and filter == EVERYTHING)

    def expect(self) -> None:
        """The first page is about to be read. Told together with being live: nobody takes an inbox that was not read
        yet for an empty one."""
        self._reading = True

    def begin(self) -> None:
        """Reads the first page, unless it is there or is being read."""
        if not self._store.loaded and (self._loader is None or self._loader.done()):
            self._expect(True)
            self._loader = asyncio.ensure_future(self._load())

    async def stop(self) -> None:
        """The connection is gone: the first page is read once there is another."""
        if self._loader:
            await ended(self._loader)
        # One that had not begun could not say so itself; nor could one that waited for a resync.
        self._expect(False)

    def cancel(self) -> None:
        """They are of no use any more."""
        if self._loader:
            self._loader.cancel()

    async def more(self, filter: Filter) -> tuple[Notification, ...]:
        """Reads the next older page of a list. Nothing where there is none, or where it is of no use any more."""
        async with self.lock:
            store = self._store
            if not self._wanted(self) or not store.has_more(filter):
                return ()
            self._under_way.add(filter)
            self._handle_change()
            store.begin_page()
            try:
                page = await self._read(store.depths.bottom(filter), store.seq or None, filter)
                if not self._wanted(self):
                    return ()
                store.apply_page(page, False, filter)
                return page.items
            finally:
                store.cancel_page()
                self._under_way.discard(filter)
                self._handle_change()

    async def _load(self) -> None:
        """Reads the first page until it is there, or is of no use any more."""
        store, backoff = self._store, Backoff()
        while not store.loaded and self._wanted(self):
            after = None
            async with self.lock:
                self._expect(True)
                store.begin_page()
                try:
                    page = await self._read(None, store.needed or None, EVERYTHING)
                    if self._wanted(self):
                        store.apply_page(page, anew=True)
                except (Problem, Network, BadAnswer) as error:
                    self._handle_error(error)
                    after = error.retry_after if isinstance(error, Problem) else None
                finally:
                    store.cancel_page()
                    self._expect(False)
            if not store.loaded:
                # If that was not enough, such as a page of a former log, then again, but not at once.
                await self._clock.sleep(backoff.delay(self._random()) if after is None else after)

    def _expect(self, reading: bool) -> None:
        if reading != self._reading:
            self._reading = reading
            self._handle_change()
