"""The peer that does nothing but ask: one loop and one HTTP session for each task."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import aiohttp
from airflow.triggers.base import BaseTrigger, TriggerEvent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class PlainLoopTrigger(BaseTrigger):
    """Fires once an address answers that its SOPS task is FINISHED.

    :param url: where ``get_task_status`` of the task is.
    """

    def __init__(self, *, url: str, interval_seconds: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.url = url
        self.interval_seconds = interval_seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what makes the same trigger again."""
        name = f"{type(self).__module__}.{type(self).__qualname__}"
        return name, {"url": self.url, "interval_seconds": self.interval_seconds}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Ask until the task is FINISHED."""
        async with aiohttp.ClientSession() as session:
            while True:
                async with session.get(self.url) as response:
                    answer = await response.json()
                if answer["data"]["state"] == "FINISHED":
                    break
                await asyncio.sleep(self.interval_seconds)
        yield TriggerEvent("FINISHED")  # type: ignore[no-untyped-call]
