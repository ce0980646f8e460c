"""The REST calls of an inbox."""

from collections.abc import Mapping
from urllib.parse import quote

from .clock import Clock
from .errors import BadAnswer
from .lists import EVERYTHING, Filter
from .notification import Notification
from .page import Page
from .rest import Rest
from .surface import query

PAGE = 25
"""Entries of a page."""


class Inbox:
    """A user's entries in a workspace, by the user's own token."""

    def __init__(self, rest: Rest, clock: Clock) -> None:
        self._rest = rest
        self._clock = clock

    async def page(
        self,
        token: str,
        workspace: str,
        limit: int = PAGE,
        before: int | None = None,
        min_seq: int | None = None,
        filter: Filter = EVERYTHING,
    ) -> Page:
        """One page, newest first. `Problem`, `Network` or `BadAnswer` where there is none to be had."""
        stated: Mapping[str, str | int | None] = {
            "limit": limit,
            "before": before,
            "minSeq": min_seq,
            "unread": "true" if filter.unread else None,
            "archived": "true" if filter.archived else None,
        }
        path = query(f"/v1/workspaces/{quote(workspace, safe='')}/inbox", stated)
        answer = await self._rest.ask(self._clock, "GET", path, token)
        body = answer.checked()
        try:
            return Page.of(body)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise BadAnswer("inbox") from None

    async def product_list(self, token: str) -> list[Notification]:
        """The documented list of the product surface, newest first. Errors as for `page`."""
        answer = await self._rest.ask(self._clock, "GET", "/api/notification/list", token)
        body = answer.checked()
        try:
            return [Notification.of(item) for item in body["notifications"]]
        except (KeyError, TypeError, ValueError, AttributeError):
            raise BadAnswer("list") from None
