"""A process like a triggerer's: one event loop that asks for everything the hostile server can do, many at a time.

Started as ``python -m tests.hostile.triggerer``, with the connections in its environment and the number of kinds as its
argument. Prints what it came to.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from collections import Counter
from pathlib import Path

from airflow_provider_sops.enos.errors import EnosError
from airflow_provider_sops.hooks.enos_async import AsyncEnosClient, aget_enos_connection
from airflow_provider_sops.hooks.sops_async import AsyncSopsClient, aget_sops_connection
from airflow_provider_sops.service import retrying
from airflow_provider_sops.sops.errors import SopsError

AT_ONCE = 8


async def ask_for_all(kinds: int) -> dict[str, object]:
    """Ask for every kind and return how it went: how calls ended, and for how long the event loop did not turn."""
    ends: Counter[str] = Counter()
    left = iter(range(1, kinds + 1))
    longest = busy = 0.0

    async def ask(sops: AsyncSopsClient, enos: AsyncEnosClient) -> None:
        for number in left:
            for question in (sops.get_task_status(number), enos.get_flow_instance(f"{number}-1")):
                try:
                    await question
                except (SopsError, EnosError) as error:
                    ends[type(error).__name__] += 1
                else:
                    ends["an answer"] += 1

    async def watch() -> None:
        nonlocal longest, busy
        while True:
            began, worked = time.monotonic(), time.thread_time()
            await asyncio.sleep(0.01)
            longest = max(longest, time.monotonic() - began)
            busy = max(busy, time.thread_time() - worked)

    async with (
        AsyncSopsClient(await aget_sops_connection("sops_default"), repeats=False) as sops,
        AsyncEnosClient(await aget_enos_connection("enos_default")) as enos,
    ):
        watching = asyncio.create_task(watch())
        await asyncio.gather(*(ask(sops, enos) for _ in range(AT_ONCE)))
        watching.cancel()
    megabytes = _most_memory_kilobytes() // 1024
    return {
        "ends": dict(ends),
        "megabytes": megabytes,
        "longest standstill": round(longest, 2),
        "longest work of the event loop": round(busy, 2),
    }


def _most_memory_kilobytes() -> int:
    """Return the most memory that this process has had; ``ru_maxrss`` counts that of its parent too."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    raise LookupError("VmHWM")


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    # Each question once: EnOS's client would ask again.
    retrying._TRIES = 1
    sys.stdout.write(json.dumps(asyncio.run(ask_for_all(int(sys.argv[1])))))
