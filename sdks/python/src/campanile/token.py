"""Tokens: asked for each time, held in memory, read only for what they say of themselves."""

import base64
import binascii
import inspect
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from .call import calling_further
from .clock import Clock, called, within
from .errors import TokenFailed
from .state import TokenReason

PATIENCE = 30.0
"""Seconds within which a callback must answer."""
SOONEST = 5.0
"""Seconds between two exchanges, at least."""
EARLY = 30.0
"""Seconds before its end at which a token is exchanged, at least; a tenth of its life where that is more."""

TokenSource = str | Callable[[TokenReason], str | Awaitable[str | None] | None]
"""A token, or what returns one and is told why it is asked. A callback may be async; one that is not must not
block. `None` or `""` means that nobody is logged in."""


@dataclass(frozen=True)
class Claims:
    """What a token says, unverified: a hint for timing, never a permission."""

    user: str | None = None
    expires_at: float | None = None
    issued_at: float | None = None

    @classmethod
    def of(cls, token: str) -> "Claims":
        """Of a JWT; nothing of anything else."""
        try:
            body = token.split(".")[1]
            claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        except (IndexError, ValueError, binascii.Error):
            return cls()
        if not isinstance(claims, dict):
            return cls()
        user = claims.get("userId", claims.get("sub"))
        return cls(user if isinstance(user, str) else None, _number(claims.get("exp")), _number(claims.get("iat")))


async def ask(source: TokenSource, reason: TokenReason, clock: Clock) -> str | None:
    """The token, or `None` if nobody is logged in. `TokenFailed` says what went wrong, without the token."""
    if isinstance(source, str):
        return source or None
    try:
        with calling_further():
            answer = called(source, reason)
            if inspect.isawaitable(answer):
                answer = await within(clock, PATIENCE, answer)
    except TimeoutError:
        raise TokenFailed(reason, f"did not answer within {PATIENCE:g} s") from None
    except Exception as error:
        raise TokenFailed(reason, "raised") from error
    if answer is not None and not isinstance(answer, str):
        raise TokenFailed(reason, "returned no text")
    return answer or None


def refresh_at(now: float, issued_at: float | None, expires_at: float, random: float) -> float | None:
    """When to exchange a token, in the terms of `now`: max(30 s, 10 % of its life) before its end, ±10 %.

    One that lives shorter than that is exchanged at half of what is left; none within 5 s. `None` for one that seems to
    be over though the server took it: the clock is wrong, and the server says when it is over."""
    if expires_at <= now:
        return None
    life = expires_at - (now if issued_at is None else issued_at)
    early = max(EARLY, life / 10) * (0.9 + 0.2 * random)
    return max(expires_at - early, now + (expires_at - now) / 2, now + SOONEST)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
