"""Which task of Airflow stands for which node of a generated flow.

And from that, the whole flow of a native run: drawn from its template, with the states of Airflow's tasks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_sops.dag_generator.task_ids import name_tasks
from airflow_provider_sops.plugins.run_tasks import MIRROR, TaskState
from airflow_provider_sops.plugins.task_view import NOT_TAKEN, in_order, kind_of
from airflow_provider_sops.sops.pipeline_tree.nodes import Event, SubProcess

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from airflow_provider_sops.plugins.known_task import KnownTask
    from airflow_provider_sops.plugins.run_tasks import Instance, Run, RunTask
    from airflow_provider_sops.sops.pipeline_tree import NodeKey, PipelineTree
    from airflow_provider_sops.sops.pipeline_tree.nodes import Node

_FINISHED = "FINISHED"
#: What the states of Airflow look like in the words of SOPS; others look like no state.
_LOOKS = {
    "success": _FINISHED,
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

_NO_STATE = TaskState()


def native_view(known: KnownTask, run: Run, start: Instance, states: Mapping[str, TaskState]) -> dict[str, Any]:
    """Return what is shown of a native flow.

    :param known: its template.
    :param start: the flow's first task.
    :param states: how Airflow's tasks of the run stand that have the map index of ``start``, by task id.
    """
    tree = known.tree
    tasks = task_ids(tree, start.group.rstrip("."), states)
    rows = [
        _row(known, node, run, start, _task_of(node, tree, start, tasks, states), states) for node in in_order(tree)
    ]
    of_flow = [states[row["task_id"]].state for row in rows if row["task_id"] in states]
    end = states.get(f"{start.group}end", _NO_STATE).state
    goes_on = not end or any(state in _UNDER_WAY for state in of_flow)
    return {
        "nodes": rows,
        "look": _FINISHED if end == "success" else "RUNNING" if goes_on else "FAILED",
        "state": end,
        "goes_on": goes_on,
        "matches": all(row["task_id"] in states for row in rows),
    }


def own_node(task: RunTask, known: KnownTask) -> str:
    """Return the node that the task instance in question stands for; empty if it stands for the whole."""
    asked = task.asked
    if asked is None or asked.operator != MIRROR:
        return ""
    return asked.node_id or mirrored_node(known.tree, task.group.rstrip("."), asked.task_id)


def task_ids(
    tree: PipelineTree, group_id: str, known: Collection[str], *, one_for_loops: bool = True
) -> dict[NodeKey, str]:
    """Return the Airflow task of each node.

    :param group_id: the task group around the flow; empty for none.
    :param known: the tasks of the run: they show whether stages have groups of their own.
    :param one_for_loops: whether a loop is one task, as in native mode.
    """
    found = [
        {key: name.full_task_id for key, name in name_tasks(tree, group_id, stages=stages).items()}
        for stages in (False, True)
    ]
    names = max(found, key=lambda each: sum(task_id in known for task_id in each.values()))
    if not one_for_loops:
        return names
    of_loop = {key: loop.nodes[0] for key, loop in tree.graph.loop_of.items() if key in loop.nodes}
    return {key: names[of_loop.get(key, key)] for key in names}


def mirrored_node(tree: PipelineTree, group_id: str, task_id: str) -> str:
    """Return the id of the node that a mirror stands for; empty if the tree has no such node.

    :param tree: the tree of the SOPS task.
    :param group_id: the task group around the watched flow; empty for none.
    """
    ids = task_ids(tree, group_id, {task_id}, one_for_loops=False)
    return next((tree.nodes[key].id for key, each in ids.items() if each == task_id), "")


def _row(
    known: KnownTask, node: Node, run: Run, start: Instance, task_id: str, states: Mapping[str, TaskState]
) -> dict[str, Any]:
    stands = states.get(task_id, _NO_STATE)
    instance = run.instance(task_id, start.map_index)
    has_task = instance is not None and instance.site is not None and instance.sops_task_id is not None
    return {
        "id": node.id,
        "path": list(known.path_of(node.key)[:-1]),
        "name": known.shown(node.name),
        "kind": kind_of(node),
        "type": node.type,
        "state": stands.state,
        "look": _LOOKS.get(stands.state, ""),
        "start": stands.began,
        "end": stands.ended,
        "seconds": stands.seconds,
        "task_id": task_id,
        "task": {"task_id": task_id, "map_index": start.map_index} if has_task else None,
    }


def _task_of(
    node: Node, tree: PipelineTree, start: Instance, tasks: Mapping[NodeKey, str], states: Mapping[str, TaskState]
) -> str:
    """Return the task that shows the state of a node."""
    path = node.key[:-1]
    if isinstance(node, Event) and (not path or f"{tasks[path]}.start" in states):
        prefix = f"{tasks[path]}." if path else start.group
        return f"{prefix}{'start' if node.id == tree.levels[path].start_id else 'end'}"
    # Where a subprocess around it is one task, that.
    around = (tasks[path[:depth]] for depth in range(1, len(path) + 1))
    if as_one := next((task_id for task_id in around if task_id in states), None):
        return as_one
    task_id = tasks[node.key]
    if isinstance(node, SubProcess) and task_id not in states:
        end = f"{task_id}.end"
        return end if states.get(end, _NO_STATE).state else f"{task_id}.start"
    return task_id
