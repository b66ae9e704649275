"""Why a trigger must not fire at once."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

#: How long after its start a trigger fires at the earliest. The worker that has deferred the task needs up to five
#: seconds to exit. Were the task queued again before that, the scheduler would take the exit for the task's own end,
#: find it not ended, and fail it.
WORKER_EXIT_SECONDS = 6.0


@contextlib.asynccontextmanager
async def outliving_the_worker() -> AsyncIterator[None]:
    """Make the block last until the worker that deferred the task is gone for sure."""
    loop = asyncio.get_running_loop()
    earliest = loop.time() + WORKER_EXIT_SECONDS
    yield
    await asyncio.sleep(max(0.0, earliest - loop.time()))
