"""Work that a trigger has to end although it was cancelled."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Coroutine

#: The event loop itself holds its tasks weakly.
_work: set[asyncio.Task[None]] = set()


async def to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Await work that goes on even if the waiting is cancelled.

    The triggerer cancels a trigger again each second as long as it has not ended, its ``on_kill`` included.
    """
    task = asyncio.create_task(work)
    _work.add(task)
    task.add_done_callback(_work.discard)
    await asyncio.shield(task)
