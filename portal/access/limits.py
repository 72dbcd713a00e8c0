"""How often one may ask: a bucket of tokens for each key, session and address, in this process."""

from __future__ import annotations

import time
from collections import OrderedDict

from portal.access.barred import too_often

_MOST_BUCKETS = 20_000


class Limits:
    """Buckets by name. Each holds `burst` tokens and gets `per_second` more; a request takes one."""

    def __init__(self) -> None:
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, name: str, per_second: float, burst: float, tokens: float = 1.0) -> float:
        """Take tokens. Returns 0, or after how many seconds there will be enough."""
        now = time.monotonic()
        left, at = self._buckets.get(name, (burst, now))
        left = min(burst, left + (now - at) * per_second)
        missing = tokens - left
        if missing > 0:
            self._buckets[name] = (left, now)
            return missing / per_second
        self._buckets[name] = (left - tokens, now)
        if len(self._buckets) > _MOST_BUCKETS:
            self._buckets.popitem(last=False)
        return 0.0

    def ask(self, name: str, per_second: float, burst: float) -> None:
        """Take one, or raise a problem 429 that says when to come again."""
        if seconds := self.take(name, per_second, burst):
            raise too_often(seconds)
