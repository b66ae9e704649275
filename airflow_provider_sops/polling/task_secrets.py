"""Read the passwords of SOPS tasks in the triggerer, once for all waits for the same task."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from airflow_provider_sops.sops.errors import SopsError
from airflow_provider_sops.sops.task_secrets import TaskSecrets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_sops.polling.status_poller import StatusPoller, StatusWait


@dataclass
class _Known:
    """What is known about one task.

    :param reading: the lock held while it is read.
    """

    reading: asyncio.Lock = field(default_factory=asyncio.Lock)
    secrets: TaskSecrets | None = None


#: Keyed by the shared poll, hence by connection and business. Never stored or sent.
_known: WeakKeyDictionary[StatusPoller, dict[tuple[int, ...], _Known]] = WeakKeyDictionary()
_MOST_KNOWN = 64
_NO_SECRETS = TaskSecrets(())


async def shared_secrets(wait: StatusWait, sops_task_ids: Sequence[int]) -> TaskSecrets:
    """Return what must be hidden of a task.

    :param wait: the caller's wait in the poll.
    :param sops_task_ids: the task, preceded by the tasks around it; empty for a flow without passwords.
    """
    if not sops_task_ids:
        return _NO_SECRETS
    of_poll, key = _known.setdefault(wait.poller, {}), tuple(sops_task_ids)
    while key not in of_poll and len(of_poll) >= _MOST_KNOWN:
        del of_poll[next(iter(of_poll))]
    known = of_poll.setdefault(key, _Known())
    async with known.reading:
        if known.secrets is None:
            try:
                details = [await wait.poller.detail(sops_task_id) for sops_task_id in key]
            except SopsError:
                return TaskSecrets(None)
            # Slow for a large flow.
            known.secrets = await asyncio.to_thread(TaskSecrets(details).work_out)
        return known.secrets
