"""Tables of the server. The engine's own (states, processes, data, histories) belong to bamboo-pipeline."""

from __future__ import annotations

import json
from typing import Any

from django.db import models


class Task(models.Model):
    """A SOPS task. Its nodes' states live in the engine's tables, under :attr:`instance_id`.

    ``parent_node_id`` is set for the task of an independent subprocess: the node in another task that waits for it.
    """

    name = models.CharField(max_length=128)
    project_id = models.IntegerField(db_index=True)
    template_id = models.CharField(max_length=255)
    template_source = models.CharField(max_length=32)
    description = models.TextField(default="")
    flow_type = models.CharField(max_length=32)
    current_flow = models.CharField(max_length=32)
    creator = models.CharField(max_length=64)
    executor = models.CharField(max_length=64, default="")
    create_method = models.CharField(max_length=32)
    create_time = models.DateTimeField()
    start_time = models.DateTimeField(null=True)
    finish_time = models.DateTimeField(null=True)
    start_requested_by = models.CharField(max_length=64, default="")
    is_started = models.BooleanField(default=False)
    is_finished = models.BooleanField(default=False)
    is_revoked = models.BooleanField(default=False)
    is_expired = models.BooleanField(default=False)
    callback_url = models.TextField(default="")
    callback_version = models.JSONField(null=True)
    parent_node_id = models.CharField(max_length=33, default="", db_index=True)
    parent_node_version = models.CharField(max_length=33, default="")
    instance_id = models.CharField(max_length=33, unique=True)
    tree_json = models.TextField()

    @property
    def tree(self) -> dict[str, Any]:
        """The task's own ``pipeline_tree``, freshly parsed: the caller may change it."""
        tree: dict[str, Any] = json.loads(self.tree_json)
        return tree

    @property
    def is_child_taskflow(self) -> bool:
        """Whether it runs an independent subprocess of another task."""
        return bool(self.parent_node_id)

    def __str__(self) -> str:
        return f"task {self.pk}"


class AutoRetry(models.Model):
    """A node that the server retries automatically (``auto_retry`` of an activity), and the retries so far."""

    task = models.ForeignKey(Task, on_delete=models.CASCADE)
    node_id = models.CharField(max_length=33, unique=True)
    interval_seconds = models.IntegerField()
    max_retry_times = models.IntegerField()
    retry_times = models.IntegerField(default=0)

    @classmethod
    def is_left(cls, node_id: str) -> bool:
        """Whether the server would retry a node after another failure."""
        return bool(cls.objects.filter(node_id=node_id, retry_times__lt=models.F("max_retry_times")).exists())

    def __str__(self) -> str:
        return f"auto retry of node {self.node_id}"


class NodeTimeout(models.Model):
    """A node that the server fails when it runs too long (``timeout_config`` of an activity)."""

    task = models.ForeignKey(Task, on_delete=models.CASCADE)
    node_id = models.CharField(max_length=33, unique=True)
    seconds = models.IntegerField()
    action = models.CharField(max_length=32)

    def __str__(self) -> str:
        return f"timeout of node {self.node_id}"


class OperateRecord(models.Model):
    """What somebody did to a task or one of its nodes through the API."""

    task = models.ForeignKey(Task, on_delete=models.CASCADE)
    node_id = models.CharField(max_length=255)
    operator = models.CharField(max_length=64)
    operate_type = models.CharField(max_length=64)
    operate_date = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.operate_type} of task {self.task_id}"


class PendingCallback(models.Model):
    """A pending POST to a task's ``callback_url``."""

    task = models.ForeignKey(Task, on_delete=models.CASCADE)
    body_json = models.TextField()
    failures = models.IntegerField(default=0)

    def __str__(self) -> str:
        return f"callback {self.pk} of task {self.task_id}"


class PeriodicTask(models.Model):
    """A plan that starts a task at every due time of a cron, while it is enabled.

    ``next_due`` is the next due time; taking it and creating its task is one transaction.
    """

    name = models.CharField(max_length=64)
    project_id = models.IntegerField(db_index=True)
    template_id = models.IntegerField()
    template_source = models.CharField(max_length=32)
    template_version = models.CharField(max_length=255)
    creator = models.CharField(max_length=64)
    create_time = models.DateTimeField()
    edit_time = models.DateTimeField()
    cron_fields = models.JSONField()
    enabled = models.BooleanField(default=False)
    next_due = models.DateTimeField(null=True)
    last_run_at = models.DateTimeField(null=True)
    total_run_count = models.IntegerField(default=0)
    tree_json = models.TextField()

    @property
    def tree(self) -> dict[str, Any]:
        """The ``pipeline_tree`` for its tasks, freshly parsed: the caller may change it."""
        tree: dict[str, Any] = json.loads(self.tree_json)
        return tree

    def __str__(self) -> str:
        return f"periodic task {self.pk}"


class ClockedTask(models.Model):
    """A plan that starts one task at one time."""

    project_id = models.IntegerField(db_index=True)
    task_id = models.IntegerField(null=True)
    task_name = models.CharField(max_length=128)
    template_id = models.IntegerField()
    template_name = models.CharField(max_length=128)
    template_source = models.CharField(max_length=32)
    creator = models.CharField(max_length=64)
    create_time = models.DateTimeField()
    plan_start_time = models.DateTimeField()
    task_parameters = models.JSONField()
    state = models.CharField(max_length=64)

    def __str__(self) -> str:
        return f"clocked task {self.pk}"
