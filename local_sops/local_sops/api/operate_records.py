"""Who did what to a task: get_task_operate_record."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from local_sops.api.call import success
from local_sops.api.tasks import find_task
from local_sops.store.models import OperateRecord

if TYPE_CHECKING:
    from local_sops.api.call import Answer, Call

#: SOPS's names of the operations. Those of tasks and nodes are the actions themselves.
_OPERATIONS = {"create_task": "create", "create_and_start_task": "create", "start_task": "start"}
_WITH_ACTION = ("operate_task", "operate_node")


def get_task_operate_record(call: Call) -> Answer:
    """List the operations on a task.

    A SOPS of 3.34 compares the id in the path with the project's own id, even where it stands for a business: with a
    business's id it finds the task and no records.
    """
    task = find_task(call)
    project_id = call.ids.get("project_id", call.project.id)
    records = OperateRecord.objects.filter(task=task, task__project_id=project_id).order_by("pk")
    if call.query.get("node_id"):
        records = records.filter(node_id=call.query["node_id"])
    return success([_item(call, record) for record in records])


def keep_record(call: Call, answer: Answer) -> None:
    """Keep a record of a call that did something to a task."""
    if not answer["result"]:
        return
    operation = str(call.body.get("action")) if call.name in _WITH_ACTION else _OPERATIONS.get(call.name)
    if operation is None:
        return
    OperateRecord.objects.create(
        task_id=call.ids.get("task_id") or answer["data"]["task_id"],
        node_id=str(call.body.get("node_id", "")) if call.name == "operate_node" else "",
        operator=call.username,
        operate_type=operation,
        operate_date=datetime.now(UTC),
    )


def _item(call: Call, record: OperateRecord) -> dict[str, Any]:
    return {
        "project_id": record.task.project_id,
        "instance_id": record.task.pk,
        "operator": record.operator,
        "operate_type": record.operate_type,
        "operate_date": record.operate_date.astimezone(call.state.config.timezone).isoformat(),
        "operate_source": "api",
        "operate_type_name": record.operate_type,
        "operate_source_name": "api 接口",
        "node_id": record.node_id,
        "extra_info": {},
    }
