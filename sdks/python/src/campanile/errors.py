"""Errors. None of them holds a token, an address with one, or a part of a payload."""

from collections.abc import Mapping


class CampanileError(Exception):
    """The root of all errors of this package."""


class InsecureUrl(CampanileError):
    """The address is in the clear, and not of this machine; `allow_insecure` permits that."""

    def __init__(self) -> None:
        super().__init__("the url is neither https nor loopback: set allow_insecure to use it all the same")


class ClientClosed(CampanileError):
    """`close()` was called, which is final."""

    def __init__(self) -> None:
        super().__init__("the client is closed")


class Unsupported(CampanileError):
    """The surface has no words for this."""

    def __init__(self, what: str, surface: str) -> None:
        super().__init__(f"the {surface} surface has no {what}")
        self.what = what
        self.surface = surface


class ActionsFull(CampanileError):
    """Too many actions wait; this one was not taken."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"{limit} actions wait already")
        self.limit = limit


class ActionRefused(CampanileError):
    """The server says that the action can't be done. What it showed was undone."""

    def __init__(self, kind: str, code: str) -> None:
        super().__init__(f"{kind} was refused: {code}")
        self.kind = kind
        self.code = code


class Lagging(CampanileError):
    """A handler or an iterator was too slow: what waited for it was dropped. The client's state is whole."""

    def __init__(self, dropped: int) -> None:
        super().__init__(f"too slow: {dropped} notifications were dropped")
        self.dropped = dropped


class HandlerFailed(CampanileError):
    """A handler raised; `__cause__` is what it raised. The next one was called."""

    def __init__(self, event: str) -> None:
        super().__init__(f"a handler of {event!r} raised")
        self.event = event


class StorageFailed(CampanileError):
    """Waiting actions could not be kept, or not be read; `__cause__` has what the storage says."""

    def __init__(self) -> None:
        super().__init__("the storage failed: actions that wait may not outlive this process")


class TokenFailed(CampanileError):
    """The token callback raised, took longer than 30 s, or returned no text; `__cause__` has what it raised."""

    def __init__(self, reason: str, problem: str) -> None:
        super().__init__(f"the token callback, asked for {reason!r}, {problem}")
        self.reason = reason


class Defect(CampanileError):
    """A defect of this package, please report it with its `__cause__`. The client connects anew."""

    def __init__(self) -> None:
        super().__init__("a defect of the client: it connects anew")


class BadFrame(CampanileError):
    """The server sent a frame that this surface does not have; it was left out."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"a frame that can't be understood: {kind}")
        self.kind = kind


class Unreachable(CampanileError):
    """No answer: the network, its names or its certificates. `__cause__` has what the system says."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what}: no answer")


class Problem(CampanileError):
    """The server's answer is an error of its registry: switch on `code`."""

    def __init__(self, status: int, members: Mapping[str, object], retry_after: float | None = None) -> None:
        code = members.get("code")
        self.status = status
        self.code = code if isinstance(code, str) else f"http_{status}"
        self.detail = str(members.get("detail", ""))
        index, field = members.get("index"), members.get("field")
        self.index = index if isinstance(index, int) else None
        """Which entry of a batch is at fault."""
        self.field = field if isinstance(field, str) else None
        """Which of its members."""
        self.retry_after = retry_after
        """Seconds, where the server says when to come back."""
        super().__init__(f"{status} {self.code}: {self.detail}".rstrip(": "))
