"""Campanile: notifications as they happen, and an inbox that remembers them.

`Campanile` is the client of a user, `Publisher` and `SyncPublisher` are for those who have something to tell."""

from .backoff import Backoff
from .client import Campanile
from .clock import Clock, SystemClock
from .close_codes import CLOSE_CODES, CloseCode
from .errors import (
    ActionRefused,
    ActionsFull,
    BadFrame,
    CampanileError,
    ClientClosed,
    Defect,
    HandlerFailed,
    InsecureUrl,
    Lagging,
    Problem,
    StorageFailed,
    TokenFailed,
    Unreachable,
    Unsupported,
)
from .notification import Notification, Position, Resync, Retraction, Update
from .pending import Outcome
from .publisher import Published, Publisher, SyncPublisher
from .snapshot import Snapshot
from .state import Reason, State
from .storage import FileStorage, MemoryStorage, Storage
from .surface.event import Mark, Receipts

__all__ = [
    "CLOSE_CODES",
    "ActionRefused",
    "ActionsFull",
    "Backoff",
    "BadFrame",
    "Campanile",
    "CampanileError",
    "ClientClosed",
    "Clock",
    "CloseCode",
    "Defect",
    "FileStorage",
    "HandlerFailed",
    "InsecureUrl",
    "Lagging",
    "Mark",
    "MemoryStorage",
    "Notification",
    "Outcome",
    "Position",
    "Problem",
    "Published",
    "Publisher",
    "Reason",
    "Receipts",
    "Resync",
    "Retraction",
    "Snapshot",
    "State",
    "Storage",
    "StorageFailed",
    "SyncPublisher",
    "SystemClock",
    "TokenFailed",
    "Unreachable",
    "Unsupported",
    "Update",
]
__version__ = "0.1.0"
