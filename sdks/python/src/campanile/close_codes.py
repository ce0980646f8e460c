"""Close codes. Generated from the server's registry, crates/wire/src/close.rs: do not edit."""

from typing import Final, Literal, NamedTuple

ComeBack = Literal["yes", "no", "with_new_token", "as_it_likes"]
"""Whether a client that is closed this way is to come back."""


class CloseCode(NamedTuple):
    """One way in which the server closes a connection."""

    code: int
    reason: str
    name: str
    come_back: ComeBack


CLOSE_CODES: Final[tuple[CloseCode, ...]] = (
    CloseCode(1000, "", "NORMAL", "as_it_likes"),
    CloseCode(1001, "server shutting down", "SHUTTING_DOWN", "yes"),
    CloseCode(1002, "protocol error", "PROTOCOL_ERROR", "no"),
    CloseCode(1003, "binary frames are not accepted", "BINARY_NOT_ACCEPTED", "no"),
    CloseCode(1007, "invalid UTF-8", "BAD_UTF8", "no"),
    CloseCode(1008, "Access token required", "TOKEN_REQUIRED", "no"),
    CloseCode(1008, "Access token invalid", "TOKEN_INVALID", "no"),
    CloseCode(1008, "Access token expired", "TOKEN_EXPIRED", "with_new_token"),
    CloseCode(1008, "Too many connections", "TOO_MANY_CONNECTIONS", "no"),
    CloseCode(1008, "message not finished in time", "MESSAGE_TIMEOUT", "yes"),
    CloseCode(1009, "message too big", "TOO_BIG", "no"),
    CloseCode(1011, "internal error", "INTERNAL_ERROR", "yes"),
    CloseCode(1013, "try again later", "OVERLOADED", "yes"),
    CloseCode(1013, "reader too slow", "TOO_SLOW", "yes"),
    CloseCode(4001, "unauthorized", "UNAUTHORIZED", "no"),
    CloseCode(4002, "workspaceSlug required", "MISSING_WORKSPACE", "no"),
    CloseCode(4003, "token expired", "EXPIRED", "with_new_token"),
    CloseCode(4008, "idle timeout", "IDLE_TIMEOUT", "yes"),
    CloseCode(4009, "replaced by a newer connection", "REPLACED", "no"),
)
"""The registry, in its order."""
