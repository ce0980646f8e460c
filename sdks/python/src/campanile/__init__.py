"""Campanile: notifications as they happen, and an inbox that remembers them.

`Campanile` is the client of a user, `Publisher` and `SyncPublisher` are for those who have something to tell."""

from .backoff import Backoff
from .client import Campanile
from .clock import Clock, SystemClock
from .close_codes import CLOSE_CODES, CloseCode
from .errors import (
    ActionRefused,
    BadAnswer,
    BadUrl,
    BatchTooLarge,
    CampanileError,
    Closed,
    Defect,
    HandlerFailed,
    InsecureUrl,
    Lagged,
    Network,
    Problem,
    QueueFull,
    StorageFailed,
    TokenFailed,
    Unsupported,
)
from .lists import List
from .notification import Notification, Position, Resync, Retraction, Update
from .outbox import OutboxRow
from .pending import Outcome
from .publisher import LARGEST_BATCH, Published, Publisher, SyncPublisher
from .snapshot import Snapshot
from .state import Reason, State
from .storage import FileStorage, MemoryStorage, Storage
from .surface.event import Mark, Receipts

__all__ = [
    "CLOSE_CODES",
    "LARGEST_BATCH",
    "ActionRefused",
    "Backoff",
    "BadAnswer",
    "BadUrl",
    "BatchTooLarge",
    "Campanile",
    "CampanileError",
    "Clock",
    "CloseCode",
    "Closed",
    "Defect",
    "FileStorage",
    "HandlerFailed",
    "InsecureUrl",
    "Lagged",
    "List",
    "Mark",
    "MemoryStorage",
    "Network",
    "Notification",
    "OutboxRow",
    "Outcome",
    "Position",
    "Problem",
    "Published",
    "Publisher",
    "QueueFull",
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
    "Unsupported",
    "Update",
]
__version__ = "0.1.0"
