"""An event loop whose clock jumps to the next thing that is due: hours of waiting in no time."""

from __future__ import annotations

import asyncio
import selectors
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

_Result = TypeVar("_Result")


class _NothingToWaitFor(selectors.SelectSelector):
    """Returns at once and moves the clock by as long as it should have waited."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        if not events:
            if timeout is None:
                raise RuntimeError("everything waits, and nothing will ever happen")
            self.now += timeout
        return events


class SimulatedTimeLoop(asyncio.SelectorEventLoop):
    """Runs coroutines that do no real input or output."""

    def __init__(self) -> None:
        self._clock = _NothingToWaitFor()
        super().__init__(self._clock)

    def time(self) -> float:
        """Return the simulated seconds since the loop was made."""
        return self._clock.now


def run_in_simulated_time(work: Coroutine[Any, Any, _Result]) -> _Result:
    """Run a coroutine to its end; nothing may be left running."""
    loop = SimulatedTimeLoop()
    try:
        result = loop.run_until_complete(work)
        left = asyncio.all_tasks(loop)
        assert not left, left
        return result
    finally:
        loop.close()
