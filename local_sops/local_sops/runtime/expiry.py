"""The cleaner: old tasks lose their engine data and become EXPIRED."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from django.db import transaction
from pipeline.eri.models import (
    CallbackData,
    ContextOutputs,
    ContextValue,
    Data,
    ExecutionData,
    ExecutionHistory,
    LogEntry,
    Node,
    Process,
    Schedule,
    State,
)

from local_sops.store.models import Task
from local_sops.trees.nodes import walk

if TYPE_CHECKING:
    from datetime import timedelta

    from local_sops.runtime.dispatcher import Dispatcher

SWEEP_SECONDS = 60.0
_BY_NODE = (CallbackData, Data, ExecutionData, ExecutionHistory, LogEntry, Node, Schedule, State)
_BY_PIPELINE = (ContextOutputs, ContextValue)


class Expiry:
    """Expires old tasks periodically, whatever their state.

    :param expire_after: age from creation.
    """

    def __init__(self, dispatcher: Dispatcher, expire_after: timedelta) -> None:
        self._dispatcher = dispatcher
        self._expire_after = expire_after

    def sweep(self) -> None:
        """Expire old tasks, and schedule the next run."""
        created_before = datetime.now(UTC) - self._expire_after
        for task in Task.objects.filter(create_time__lt=created_before, is_expired=False):
            expire(task)
        self._dispatcher.submit_later(SWEEP_SECONDS, self.sweep)


def expire(task: Task) -> None:
    """Drop the engine's rows of a task: states, data, histories, logs. Its own tree and times stay."""
    nodes = list(walk(task.tree))
    node_ids = [task.instance_id, *(node["id"] for node in nodes)]
    pipeline_ids = [task.instance_id, *(node["id"] for node in nodes if node["type"] == "SubProcess")]
    with transaction.atomic():
        for model in _BY_NODE:
            model.objects.filter(node_id__in=node_ids).delete()
        for model in _BY_PIPELINE:
            model.objects.filter(pipeline_id__in=pipeline_ids).delete()
        Process.objects.filter(root_pipeline_id=task.instance_id).delete()
        Task.objects.filter(pk=task.pk).update(is_expired=True)
