"""The documented product surface: `/api/ws/notification?access_token=…`."""

import json
from collections.abc import Mapping
from typing import Any, Literal

from ..actions import Action
from ..notification import Notification, Position
from . import Address, SurfaceName, query
from .event import Alive, Arrived, Done, Event, Pong, Refused


class Product:
    """See `Surface`. Commands are answered by the entry's id, which so is their `ref`."""

    name: SurfaceName = "product"
    numbered = False
    ping: Literal["text", "frame"] | None = "text"

    def address(self, token: str, workspace: str, position: Position | None, last_id: str | None) -> Address:  # noqa: ARG002
        """See `Surface`. Unread entries come again with every connect: there is nothing to resume."""
        return Address(query("/api/ws/notification", {"access_token": token}))

    def read(self, frame: Mapping[str, Any]) -> Event | None:
        """See `Surface`."""
        kind = frame.get("type")
        if kind == "CONNECTION_ESTABLISHED":
            user = frame.get("userId")
            return Alive(user if isinstance(user, str) else None)
        if kind == "pong":
            return Pong()
        if kind == "marked_read":
            return Done(str(frame["id"]), True, None, None, None)
        if kind == "error" and "code" in frame and "message" not in frame:
            return Refused(str(frame.get("id", "")), str(frame["code"]))
        if "id" not in frame:
            return None
        return Arrived(Notification.of(frame))

    def command(self, action: Action, ref: str) -> str | None:  # noqa: ARG002
        """See `Surface`."""
        if action.kind != "read":
            return None
        return json.dumps({"action": "mark_read", "id": action.id})

    def answered(self, action: Action) -> bool:  # noqa: ARG002
        """See `Surface`. Campanile answers; the documents promise nothing, so nothing is waited for."""
        return False
