"""Errors of the gateway itself: permission denied, SOPS unreachable, timeout."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One of the gateway's own errors.

    :param after_sops: whether SOPS has executed the call when the gateway gives this answer.
    """

    status: int
    code: int
    code_name: str
    message: str
    after_sops: bool


FAULTS = (
    Fault(403, 1640301, "APP_NO_PERMISSION", "App has no permission to the resource", after_sops=False),
    Fault(
        502,
        1650200,
        "BAD_GATEWAY",
        'Bad Gateway [upstream_error="cannot read header from upstream"]',
        after_sops=False,
    ),
    Fault(
        504, 1650401, "REQUEST_BACKEND_TIMEOUT", 'Request backend timeout [upstream_error="timeout"]', after_sops=True
    ),
)


class Outages:
    """Decides at random for each request whether the gateway answers with a fault.

    :param share: of all requests, 0 to 1; 0 means never.
    :param seed: the same seed draws the same faults in the same order.
    """

    def __init__(self, share: float, seed: int = 1) -> None:
        self._share = share
        self._lock = threading.Lock()
        self._random = random.Random(seed)  # noqa: S311 - not for security

    def draw(self) -> Fault | None:
        """Return the fault for this request, or ``None``."""
        with self._lock:
            return self._random.choice(FAULTS) if self._random.random() < self._share else None
