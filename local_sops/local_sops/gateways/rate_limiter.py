"""The gateway's rate limiter."""

from __future__ import annotations

import math
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from local_sops.config import RateLimit


class RateLimiter:
    """Limits requests in windows of fixed length.

    :param limit: None means unlimited.
    :param clock: seconds, monotonic.
    """

    def __init__(self, limit: RateLimit | None, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit = limit
        self._clock = clock
        self._lock = threading.Lock()
        self._window_end = -math.inf
        self._let_through = 0

    def seconds_to_wait(self) -> int:
        """Count a request; 0 if it may pass, otherwise whole seconds until the next window, at least 1."""
        if self.limit is None:
            return 0
        with self._lock:
            now = self._clock()
            if now >= self._window_end:
                self._window_end = now + self.limit.seconds
                self._let_through = 0
            if self._let_through < self.limit.requests:
                self._let_through += 1
                return 0
            return max(math.ceil(self._window_end - now), 1)
