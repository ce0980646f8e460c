"""What a client shows at one moment."""

from dataclasses import dataclass

from .notification import Notification, Position
from .state import Reason, State


@dataclass(frozen=True)
class Snapshot:
    """All of it. The same object until something changes."""

    state: State
    reason: Reason | None
    """Why it is waiting, suspended or refused; `None` in other states."""
    retry_at: float | None
    """When it comes back, in seconds since 1970; `None` unless it waits."""
    user: str | None
    """Whose notifications these are; `None` until that is known."""
    workspace: str | None
    items: tuple[Notification, ...]
    """Newest first, without archived ones; at most 1,000, and those that were asked for."""
    unread: int
    """How many are unread, on the server, with what was done here since."""
    unseen: int
    has_more: bool
    """Whether `load_more` may find older ones."""
    loading: bool
    """Whether a page is under way, or is about to be: the first one is from the moment of being live."""
    position: Position | None
    """Up to where everything was received; `None` on the documented surfaces."""
    pending: int
    """How many actions the server has not confirmed yet."""

    def emptied(self) -> "Snapshot":
        """The same state, of nobody."""
        return Snapshot(
            state=self.state,
            reason=self.reason,
            retry_at=self.retry_at,
            user=None,
            workspace=self.workspace,
            items=(),
            unread=0,
            unseen=0,
            has_more=False,
            loading=False,
            position=None,
            pending=0,
        )
