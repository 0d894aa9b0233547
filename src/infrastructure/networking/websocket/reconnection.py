"""When to try again: at once after a good connection, else the exchange's policy with jitter."""

from __future__ import annotations

import random
from collections import deque

from exchanges.structs.types import ReconnectionPolicy

__all__ = ["ReconnectionPlan"]

IMMEDIATE_PER_MINUTE = 30
MINUTE_S = 60.0


class ReconnectionPlan:
    """Delays before the next attempts of one connection.

    `attempt` counts the attempts since the last connection whose subscriptions were confirmed.
    """

    def __init__(self, policy: ReconnectionPolicy, random_source: random.Random | None = None) -> None:
        self.policy = policy
        self.attempt = 0
        self._random = random_source or random.Random()
        self._immediate: deque[float] = deque()

    def next_delay(self, now: float, *, was_confirmed: bool, code: int | None = None) -> float | None:
        """Seconds to wait before the next attempt, None when none is left; `now` is the loop's time."""
        if was_confirmed:
            self.attempt = 0
            if self._take_immediate(now):
                return 0.0
        elif code == 1005 and self.policy.reset_on_1005:
            self.attempt = 0
        if self.attempt >= self.policy.max_attempts:
            return None
        delay = min(self.policy.initial_delay * self.policy.backoff_factor**self.attempt, self.policy.max_delay)
        self.attempt += 1
        # Jitter keeps many clients of one exchange from coming back in step.
        return delay * self._random.uniform(0.75, 1.25)

    def _take_immediate(self, now: float) -> bool:
        while self._immediate and now - self._immediate[0] >= MINUTE_S:
            self._immediate.popleft()
        if len(self._immediate) >= IMMEDIATE_PER_MINUTE:
            return False
        self._immediate.append(now)
        return True
