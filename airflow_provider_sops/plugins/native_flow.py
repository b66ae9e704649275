"""The whole flow of a native run, drawn from its template, with the states of Airflow's tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_sops.dag_generator.task_ids import name_tasks
from airflow_provider_sops.plugins.task_view import NOT_TAKEN, in_order, kind_of
from airflow_provider_sops.sops.pipeline_tree.nodes import Event, SubProcess

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_sops.plugins.run_tasks import Instance, Run
    from airflow_provider_sops.plugins.task_view import KnownTask
    from airflow_provider_sops.sops.pipeline_tree import NodeKey, PipelineTree
    from airflow_provider_sops.sops.pipeline_tree.nodes import Node

#: What the states of Airflow look like in the words of SOPS; others look like no state.
_LOOKS = {
    "success": "FINISHED",
    "failed": "FAILED",
    "running": "RUNNING",
    "deferred": "RUNNING",
    "up_for_reschedule": "RUNNING",
    "restarting": "RUNNING",
    "queued": "READY",
    "scheduled": "READY",
    "up_for_retry": "READY",
    "skipped": NOT_TAKEN,
    "upstream_failed": NOT_TAKEN,
    "removed": NOT_TAKEN,
}
_UNDER_WAY = frozenset({"running", "deferred", "queued", "scheduled", "up_for_retry", "up_for_reschedule"})


def native_view(known: KnownTask, run: Run, start: Instance, states: Mapping[str, str]) -> dict[str, Any]:
    """Return what is shown of a native flow.

    :param known: its template.
    :param start: the flow's first task.
    :param states: Airflow's states of the run's tasks with the map index of ``start``, by task id.
    """
    tree = known.tree
    tasks = task_ids(tree, start.group.rstrip("."), states)
    end_key = next((node.key for node in tree.levels[()].nodes.values() if node.id == tree.levels[()].end_id), ())
    rows = [_row(known, node, run, start, tasks, states) for node in in_order(tree)]
    end = states.get(f"{start.group}end", "")
    return {
        "nodes": rows,
        "look": _LOOKS.get(end, "") or "RUNNING",
        "state": end,
        "goes_on": any(state in _UNDER_WAY for state in states.values()) or not end,
        "matches": sum(task in states for task in tasks.values()) > 0,
        "end": list(end_key),
    }


def task_ids(tree: PipelineTree, group_id: str, known: Mapping[str, str]) -> dict[NodeKey, str]:
    """Return the Airflow task of each node; that of a node in a loop is the loop's.

    :param group_id: the task group around the flow; empty for none.
    :param known: the tasks of the run: they show whether stages have groups of their own.
    """
    found = [
        {key: name.full_task_id for key, name in name_tasks(tree, group_id, stages=stages).items()}
        for stages in (False, True)
    ]
    names = max(found, key=lambda each: sum(task_id in known for task_id in each.values()))
    loops = tree.graph.loop_of
    of_loop = {key: loop.nodes[0] for key, loop in loops.items() if loop is not None and key in loop.nodes}
    return {key: names[of_loop.get(key, key)] for key in names}


def _row(
    known: KnownTask, node: Node, run: Run, start: Instance, tasks: Mapping[NodeKey, str], states: Mapping[str, str]
) -> dict[str, Any]:
    task_id = _task_of(node, known.tree, start, tasks, states)
    state = states.get(task_id, "")
    instance = run.instance(task_id, start.map_index)
    has_task = instance is not None and instance.site is not None and instance.sops_task_id is not None
    return {
        "id": node.id,
        "path": list(known.path_of(node.key)[:-1]),
        "name": known.shown(node.name),
        "kind": kind_of(node),
        "type": node.type,
        "state": state,
        "look": _LOOKS.get(state, ""),
        "task": {"task_id": task_id, "map_index": start.map_index} if has_task else None,
    }


def _task_of(
    node: Node, tree: PipelineTree, start: Instance, tasks: Mapping[NodeKey, str], states: Mapping[str, str]
) -> str:
    """Return the task that shows the state of a node."""
    path = node.key[:-1]
    if isinstance(node, Event):
        prefix = f"{tasks[path]}." if path else start.group
        return f"{prefix}{'start' if node.id == tree.levels[path].start_id else 'end'}"
    task_id = tasks[node.key]
    if isinstance(node, SubProcess) and task_id not in states:
        end = f"{task_id}.end"
        return end if states.get(end) else f"{task_id}.start"
    return task_id
