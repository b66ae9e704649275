"""One question for all who ask the same at the same time.

The requests of all viewers run in the threads of the API server's process. A question that somebody asks already is not
asked twice: whoever has an older answer gets that at once, so that a slow SOPS does not take all threads.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

T = TypeVar("T")


@dataclass(slots=True)
class _Entry(Generic[T]):
    asking: threading.Lock = field(default_factory=threading.Lock)
    value: T | None = None
    asked_until: float = 0.0
    """Until when it is not asked again, by the monotonic clock."""


class SharedAnswers(Generic[T]):
    """A bounded memory of answers.

    :param most: how many answers are kept; the one that was used least lately goes first.
    :param patience_seconds: how long somebody waits for the first answer that somebody else asks for.
    """

    def __init__(self, *, most: int = 200, patience_seconds: float = 10.0) -> None:
        self._most = most
        self._patience_seconds = patience_seconds
        self._entries: OrderedDict[Hashable, _Entry[T]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, ask: Callable[[T | None], T], lasts: Callable[[T], float]) -> T | None:
        """Return the answer to a question; ``None`` if the one who asks it has none yet.

        :param key: what tells the question from others.
        :param ask: asks it; it is given the answer before, and must not raise.
        :param lasts: for how many seconds an answer holds.
        """
        entry = self._entry(key)
        if time.monotonic() < entry.asked_until:
            return entry.value
        waits = entry.value is None
        if not entry.asking.acquire(timeout=self._patience_seconds if waits else 0.0):
            return entry.value
        try:
            if time.monotonic() >= entry.asked_until:
                entry.value = ask(entry.value)
                entry.asked_until = time.monotonic() + lasts(entry.value)
            return entry.value
        finally:
            entry.asking.release()

    def expire(self, key: Hashable) -> None:
        """Ask at the next occasion, because somebody has changed what the answer says."""
        with self._lock:
            entry = self._entries.get(key)
        if entry is not None:
            entry.asked_until = 0.0

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()

    def _entry(self, key: Hashable) -> _Entry[Any]:
        with self._lock:
            entry = self._entries.setdefault(key, _Entry())
            self._entries.move_to_end(key)
            while len(self._entries) > self._most:
                self._entries.popitem(last=False)
            return entry
