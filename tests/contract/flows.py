"""Making tasks on the server that the contract suite drives, and stopping those that still run in the end."""

from __future__ import annotations

import contextlib
import json
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.sops.errors import SopsError
from airflow_provider_sops.sops.models import TaskState
from tests.contract.server import TEMPLATE_FILES
from tests.task_progress import wait_for_state

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_sops.hooks.sops import SopsHook
    from airflow_provider_sops.sops.models import CreatedTask, TaskStatus


def new_name(case: str = "case") -> str:
    """Return a name that no other task has."""
    return f"contract {case} {uuid.uuid4().hex}"


@dataclass
class Flows:
    """Tasks that run like one of local_sops's templates.

    :param template_ids: the server's templates by the names of local_sops's.
    :param any_template: where a template is missing, its tree is sent along with this one.
    """

    hook: SopsHook
    template_ids: Mapping[str, int]
    any_template: int | None = None
    _task_ids: list[int] = field(default_factory=list)

    def create(self, flow: str, *, constants: Mapping[str, Any] | None = None, **options: Any) -> CreatedTask:
        """Create a task.

        :param constants: values by ``${key}``.
        :param options: further arguments of ``create_task``; ``name`` defaults to a new one.
        """
        name = options.pop("name", None) or new_name(flow)
        template_id = self.template_ids.get(flow)
        if template_id is not None:
            task = self.hook.create_task(template_id, name, constants=constants, **options)
        else:
            if self.any_template is None:
                raise LookupError(f"the case needs the flow {flow!r} and does not declare it")
            tree = tree_of(flow, constants or {})
            task = self.hook.create_task(self.any_template, name, pipeline_tree=tree, **options)
        self._task_ids.append(task.task_id)
        return task

    def start(self, flow: str, *, constants: Mapping[str, Any] | None = None, **options: Any) -> CreatedTask:
        """Create a task and start it; it may not have been taken by a worker yet."""
        task = self.create(flow, constants=constants, **options)
        self.hook.start_task(task.task_id)
        return task

    def run(
        self, flow: str, until: str = TaskState.FINISHED, *, constants: Mapping[str, Any] | None = None, **options: Any
    ) -> tuple[CreatedTask, TaskStatus]:
        """Create and start a task and wait until it is in a state; returns its status with the errors of nodes."""
        task = self.start(flow, constants=constants, **options)
        return task, wait_for_state(self.hook, task.task_id, until)

    def revoke_running(self) -> None:
        """Stop what was left running. Tasks that were never started stay: SOPS cannot revoke them."""
        for task_id in self._task_ids:
            status = self.hook.get_task_status(task_id, fresh=True)
            if status.state != TaskState.CREATED and not status.state.is_terminal:
                with contextlib.suppress(SopsError):
                    self.hook.operate_task(task_id, "revoke")


def tree_of(flow: str, constants: Mapping[str, Any]) -> dict[str, Any]:
    """Return a template's tree as ``create_task`` takes it, with values for its constants."""
    tree: dict[str, Any] = json.loads(TEMPLATE_FILES[flow].read_text(encoding="utf-8"))["pipeline_tree"]
    for key, value in constants.items():
        tree["constants"][key]["value"] = value
    return {"line": [], "location": [], **tree}
