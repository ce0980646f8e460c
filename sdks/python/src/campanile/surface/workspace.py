"""The documented workspace surface: `/?token=…&workspaceSlug=…`. Every frame is a notification."""

import json
from collections.abc import Mapping
from typing import Any, Literal

from ..actions import Action
from ..notification import Notification, Position
from . import Address, SurfaceName, query
from .event import Arrived, Event, LeftOut, Pong


class Workspace:
    """See `Surface`. `since` is Campanile's own: it is there where `ask_missed` is set."""

    name: SurfaceName = "workspace"
    numbered = False
    # A ping frame, which every WebSocket server answers: no text but notifications is documented here.
    ping: Literal["text", "frame"] | None = "frame"

    def address(self, token: str, workspace: str, position: Position | None, last_id: str | None) -> Address:  # noqa: ARG002
        """See `Surface`."""
        return Address(query("/", {"token": token, "workspaceSlug": workspace, "since": last_id}))

    def read(self, frame: Mapping[str, Any]) -> Event | None:
        """See `Surface`."""
        if frame.get("type") == "pong" and "id" not in frame:
            return Pong()
        if "id" not in frame:
            return None
        metadata = frame.get("metadata")
        if isinstance(metadata, dict) and metadata.get("event") == "resync":
            return LeftOut(None, 0, "position")
        return Arrived(Notification.of(frame))

    def command(self, action: Action, ref: str) -> str | None:  # noqa: ARG002
        """See `Surface`."""
        if action.kind != "read":
            return None
        return json.dumps({"action": "mark_read", "id": action.id})

    def answered(self, action: Action) -> bool:  # noqa: ARG002
        """See `Surface`."""
        return False
