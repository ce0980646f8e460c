"""When to come back: full jitter, with a cap that rises for a server that stays away."""

BASE = 0.5
"""Seconds of the first step."""
CAPS = ((0, 20.0), (10, 300.0), (20, 600.0))
"""From so many failures in a row on, a wait is at most so many seconds."""
STABLE = 30.0
"""Seconds of being live after which failures are forgotten. A reset on every open would keep a storm alive."""


class Backoff:
    """Counts failures in a row. Pure: randomness is an argument."""

    def __init__(self, base: float = BASE, cap: float | None = None) -> None:
        """`base` and `cap` in seconds; `cap`, where given, takes the place of the rising one."""
        self.base = base
        self.cap = cap
        self.failures = 0

    def delay(self, random: float) -> float:
        """Counts a failure, and says after how many seconds to come back. `random` is in [0, 1)."""
        cap = self._cap()
        # 2 ** 60 seconds are beyond every cap; the bound keeps the power small.
        spread = min(cap, self.base * 2.0 ** min(self.failures, 60))
        self.failures += 1
        return min(cap, self.base + random * spread)

    def forget(self) -> None:
        """Starts anew, as after a connection that was stable or a user who asks for it."""
        self.failures = 0

    def _cap(self) -> float:
        if self.cap is not None:
            return self.cap
        return [cap for failures, cap in CAPS if self.failures >= failures][-1]
