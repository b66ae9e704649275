"""Find a node in a task by its id in the task or in the template."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_sops.service.text import quoted
from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from airflow_provider_sops.sops.node_result import NodeInTask
from airflow_provider_sops.sops.pipeline_tree.nodes import Activity

if TYPE_CHECKING:
    from airflow_provider_sops.sops.pipeline_tree import PipelineTree

_SHOWN_NODES = 20


def locate_node(task: PipelineTree, node_id: str) -> NodeInTask:
    """Return a node of a task with its location.

    :param task: the task's tree.
    :param node_id: the node's id in the task, or in the template of the task. A template used twice as a subprocess has
        the node twice; then only the task's own ids are unique.
    :raises SopsInvalidParameterError: no node has that id, or several have.
    """
    nodes = task.nodes.values()
    found = [node for node in nodes if node.id == node_id] or [node for node in nodes if node.key[-1] == node_id]
    if not found:
        known = [f"{quoted(node.name)} {node.id}" for node in nodes if isinstance(node, Activity)]
        more = f" and {len(known) - _SHOWN_NODES} more" if len(known) > _SHOWN_NODES else ""
        raise SopsInvalidParameterError(
            f"node_id is {node_id!r}, but the task has no such node",
            advice=f"Its nodes are: {', '.join(known[:_SHOWN_NODES])}{more}.",
        )
    if len(found) > 1:
        raise SopsInvalidParameterError(
            f"node_id is {node_id!r}, but {len(found)} nodes of the task, in different subprocesses, have this id",
            advice=f"Pass one of the task's own ids: {', '.join(node.id for node in found)}.",
        )
    (node,) = found
    certainty = task.certainty
    in_loop = task.graph.loop_of.get(node.key) is not None

    def path(key: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(task.nodes[key[:depth]].id for depth in range(1, len(key) + 1))

    return NodeInTask(
        path=path(node.key),
        never_after=tuple(map(path, certainty.never_runs(node.key))),
        last_round_after=tuple(map(path, certainty.runs_no_more(node.key))) if in_loop else None,
        waits_for_person=isinstance(node, Activity) and node.waits_for_person,
        plugin=node.plugin if isinstance(node, Activity) else "",
    )
