"""The POSTs to a task's ``callback_url``: when it finished, when a node failed for good, when it was revoked.

A callback is stored with its state change, so a kill loses none; one in progress is sent again. The receiver gets what
SOPS sends: a form, or JSON for ``callback_version`` ``"v2"``.
"""

from __future__ import annotations

import json
import logging
from functools import partial
from typing import TYPE_CHECKING, Any

import requests
from django.db import transaction

from local_sops.runtime.task_outputs import task_outputs
from local_sops.store.models import PendingCallback, Task

if TYPE_CHECKING:
    from local_sops.runtime.dispatcher import Dispatcher
    from local_sops.runtime.engine import LocalRuntime

logger = logging.getLogger(__name__)

JSON_VERSION = "v2"
MAX_RETRIES = 3
RETRY_SECONDS = 1.0
TIMEOUT_SECONDS = 60.0
"""SOPS itself waits for its receivers without limit."""


class TaskCallbacks:
    """Notifies the receivers of tasks about their ends.

    :param dispatcher: its own threads, not the engine's: a receiver may be slow.
    """

    def __init__(self, dispatcher: Dispatcher, runtime: LocalRuntime) -> None:
        self._dispatcher = dispatcher
        self._runtime = runtime

    def report(self, task: Task, task_success: bool) -> None:
        """Store a callback of a task, if it has a receiver."""
        if not task.callback_url:
            return
        body = json.dumps(self._body(task, task_success))
        row = PendingCallback.objects.create(task=task, body_json=body)
        transaction.on_commit(partial(self._dispatcher.submit, partial(self._post, row.pk)))

    def resume_after_restart(self) -> None:
        """Send the pending callbacks."""
        for key in PendingCallback.objects.order_by("pk").values_list("pk", flat=True):
            self._dispatcher.submit(partial(self._post, key))

    def _body(self, task: Task, task_success: bool) -> dict[str, Any]:
        body: dict[str, Any] = {"task_id": task.pk}
        if task.callback_version is not None:
            body["callback_version"] = task.callback_version
        body["task_success"] = task_success
        if task.callback_version == JSON_VERSION:
            outputs = task_outputs(self._runtime, task)
            try:
                json.dumps(outputs)
            except TypeError:
                logger.warning("task %s: its outputs are not JSON and are left out of the callback", task.pk)
            else:
                body["task_outputs"] = outputs
        return body

    def _post(self, key: int) -> None:
        row = PendingCallback.objects.select_related("task").get(pk=key)
        if _is_taken(row.task.callback_url, json.loads(row.body_json)) or row.failures == MAX_RETRIES:
            row.delete()
            return
        row.failures += 1
        row.save()
        self._dispatcher.submit_later(RETRY_SECONDS, partial(self._post, key))


def _is_taken(url: str, body: dict[str, Any]) -> bool:
    """Post a callback; return whether the receiver accepted it."""
    as_json = body.get("callback_version") == JSON_VERSION
    try:
        if as_json:
            response = requests.post(url, json=body, timeout=TIMEOUT_SECONDS)
        else:
            response = requests.post(url, data=body, timeout=TIMEOUT_SECONDS)
        response.raise_for_status()
    except requests.RequestException as error:
        logger.warning("callback of task %s to %s failed: %s", body["task_id"], url, error)
        return False
    return True
