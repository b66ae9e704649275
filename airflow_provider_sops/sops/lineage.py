"""What is told to systems of lineage of a SOPS task that an Airflow task has run or waited for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_sops.service.text import shortened
from airflow_provider_sops.sops.pipeline_tree import TreeIndex
from airflow_provider_sops.sops.task_secrets import TaskSecrets

if TYPE_CHECKING:
    from pendulum import DateTime

    from airflow_provider_sops.sops.models import TaskDetail, TaskStatus

#: Receivers refuse large events; the nodes that failed come first.
_MOST_NODES = 200
_LONGEST_ERROR = 1000


def task_facts(detail: TaskDetail, status: TaskStatus) -> dict[str, Any]:
    """Return name, page, state, times and nodes of a task as JSON, without passwords.

    :param status: with the nodes, and with error texts if some have failed.
    """
    secrets = TaskSecrets([detail])
    return {
        "name": secrets.message(detail.name),
        "url": detail.task_url,
        "templateId": detail.template_id,
        "state": status.state.value,
        "startTime": _iso(detail.start_time or status.start_time),
        "endTime": _iso(detail.finish_time or status.finish_time),
        **_nodes(secrets.status(status), secrets.tree() or TreeIndex({})),
    }


def _nodes(status: TaskStatus, tree: TreeIndex) -> dict[str, Any]:
    failed = {node.id for node in status.failed_nodes}
    # Gateways and events have no name.
    reached = [
        (node, name)
        for _, node in status.walk()
        if (name := known.name if (known := tree.get(node.id)) else node.name) or node.id in failed
    ]
    told = [
        {
            "id": node.id,
            "name": name,
            "state": node.state.value,
            "startTime": _iso(node.start_time),
            "endTime": _iso(node.finish_time),
            "error": shortened(status.error_of(node), _LONGEST_ERROR) or None,
        }
        for node, name in sorted(reached, key=lambda pair: pair[0].id not in failed)[:_MOST_NODES]
    ]
    return {"nodes": told, "nodesLeftOut": len(reached) - len(told)}


def _iso(moment: DateTime | None) -> str | None:
    return None if moment is None else moment.isoformat()
