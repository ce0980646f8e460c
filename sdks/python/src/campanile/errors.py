"""Errors. None of them holds a token, an address with one, or a part of a payload."""

from collections.abc import Mapping


class CampanileError(Exception):
    """The root of all errors of this package."""

    code = "failed"
    """What failed: stable, and the same in every SDK. The code of the server's problem or refusal where it is one."""


class InsecureUrl(CampanileError):
    """The address is in the clear, and not of this machine; `allow_insecure` permits that."""

    code = "insecure_url"

    def __init__(self) -> None:
        super().__init__("the url is neither https nor loopback: set allow_insecure to use it all the same")


class BadUrl(CampanileError):
    """The address is none that could be used."""

    code = "bad_url"

    def __init__(self, why: str) -> None:
        super().__init__(why)


class Closed(CampanileError):
    """`close()` was called, which is final."""

    code = "closed"

    def __init__(self) -> None:
        super().__init__("the client is closed")


class Unsupported(CampanileError):
    """The surface has no words for this."""

    code = "unsupported"

    def __init__(self, what: str, surface: str) -> None:
        super().__init__(f"the {surface} surface has no {what}")
        self.what = what
        self.surface = surface


class QueueFull(CampanileError):
    """Too many actions wait; this one was not taken."""

    code = "queue_full"

    def __init__(self, limit: int) -> None:
        super().__init__(f"{limit} actions wait already")
        self.limit = limit


class ActionRefused(CampanileError):
    """The server says that the action can't be done. What it showed was undone. `refresh`, which is ours: another token
    was not taken, and the connection lives on with the one that it has.

    `code` is the server's; or `missing`, where nobody is known whose action it would be, or somebody else came, or she
    signed out, before it was done; and `queue_full` for one that was kept beside too many others."""

    def __init__(self, action: str, code: str, id: str | None = None) -> None:
        super().__init__(f"{action} was refused: {code}")
        self.action = action
        self.code = code
        self.id = id


class Lagged(CampanileError):
    """A handler or an iterator was too slow: what waited for it was dropped. The client's state is whole."""

    code = "lagged"

    def __init__(self, dropped: int) -> None:
        super().__init__(f"too slow: {dropped} notifications were dropped")
        self.dropped = dropped


class HandlerFailed(CampanileError):
    """A handler raised; `__cause__` is what it raised. The next one was called."""

    code = "handler_failed"

    def __init__(self, event: str) -> None:
        super().__init__(f"a handler of {event!r} raised")
        self.event = event


class StorageFailed(CampanileError):
    """Waiting actions could not be kept, read or erased, or not in time; `__cause__` has what the storage says.

    What could not be read, nothing is written over: it is read again by the next connection, or by leaving."""

    code = "storage_failed"

    def __init__(self) -> None:
        super().__init__("the storage failed: actions that wait may not outlive this process")


class TokenFailed(CampanileError):
    """The token callback raised, took longer than 30 s, or returned no text; `__cause__` has what it raised."""

    code = "token_failed"

    def __init__(self, reason: str, problem: str) -> None:
        super().__init__(f"the token callback, asked for {reason!r}, {problem}")
        self.reason = reason


class Defect(CampanileError):
    """A defect of this package, please report it with its `__cause__`. The client connects anew."""

    code = "defect"

    def __init__(self) -> None:
        super().__init__("a defect of the client: it connects anew")


class BadAnswer(CampanileError):
    """The server said something that this version does not understand; a frame was left out."""

    code = "bad_answer"

    def __init__(self, kind: str) -> None:
        super().__init__(f"an answer that can't be understood: {kind}")
        self.kind = kind


class BatchTooLarge(CampanileError):
    """More notifications than one request may have; none was sent."""

    code = "batch_too_large"

    def __init__(self, got: int, limit: int) -> None:
        super().__init__(f"{got} notifications are more than {limit}")
        self.got = got
        self.limit = limit


class Network(CampanileError):
    """No answer: the network, its names or its certificates. `__cause__` has what the system says."""

    code = "network"

    def __init__(self, what: str) -> None:
        super().__init__(f"{what}: no answer")


class Problem(CampanileError):
    """The server's answer is an error of its registry: switch on `code`."""

    def __init__(self, status: int, members: Mapping[str, object], retry_after: float | None = None) -> None:
        code = members.get("code")
        self.status = status
        self.code = code if isinstance(code, str) else "http"
        self.detail = str(members.get("detail", ""))
        index, field = members.get("index"), members.get("field")
        self.index = index if isinstance(index, int) else None
        """Which entry of a batch is at fault."""
        self.field = field if isinstance(field, str) else None
        """Which of its members."""
        self.retry_after = retry_after
        """Seconds, where the server says when to come back."""
        super().__init__(f"{status} {self.code}: {self.detail}".rstrip(": "))
