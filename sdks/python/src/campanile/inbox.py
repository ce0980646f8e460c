"""The REST calls of an inbox."""

import asyncio
from collections.abc import Mapping
from urllib.parse import quote

from .errors import BadAnswer
from .notification import Notification
from .rest import Rest
from .store import Page
from .surface import query

PAGE = 25
"""Entries of a page."""


class Inbox:
    """A user's entries in a workspace, by the user's own token."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    async def page(
        self,
        token: str,
        workspace: str,
        limit: int = PAGE,
        before: int | None = None,
        min_seq: int | None = None,
        unread: bool | None = None,
        archived: bool | None = None,
    ) -> Page:
        """One page, newest first. `Problem`, `Network` or `BadAnswer` where there is none to be had."""
        stated: Mapping[str, str | int | None] = {
            "limit": limit,
            "before": before,
            "minSeq": min_seq,
            "unread": _word(unread),
            "archived": _word(archived),
        }
        path = query(f"/v1/workspaces/{quote(workspace, safe='')}/inbox", stated)
        answer = await asyncio.to_thread(self._rest.call, "GET", path, token)
        body = answer.checked()
        try:
            return Page.of(body)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise BadAnswer("inbox") from None

    async def product_list(self, token: str) -> list[Notification]:
        """The documented list of the product surface, newest first. Errors as for `page`."""
        answer = await asyncio.to_thread(self._rest.call, "GET", "/api/notification/list", token)
        body = answer.checked()
        try:
            return [Notification.of(item) for item in body["notifications"]]
        except (KeyError, TypeError, ValueError, AttributeError):
            raise BadAnswer("list") from None


def _word(value: bool | None) -> str | None:
    return None if value is None else str(value).lower()
