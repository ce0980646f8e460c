"""A transactional outbox: what is to be published, each under a key that its row keeps."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .errors import Problem


@dataclass(frozen=True)
class OutboxRow:
    """A row of it. A subclass may hold more, such as what your table knows it by."""

    key: str
    """1 to 255 bytes of visible ASCII, never that of another row."""
    draft: Mapping[str, Any]


def is_passing(status: int) -> bool:
    """Whether an answer says nothing about the request itself: the same one may succeed later."""
    return status in (408, 429) or status >= 500


def is_at_fault(problem: Problem) -> bool:
    """Whether a row was refused for good, by its own fault: not by a proxy, nor for the token's sake."""
    return problem.code != "http" and not is_passing(problem.status) and problem.status not in (401, 403)
