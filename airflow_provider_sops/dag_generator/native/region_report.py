"""What the task of a region logs and pushes once its SOPS task has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_sops.service.secrets import Secrets
from airflow_provider_sops.sops.constants import variable_name
from airflow_provider_sops.sops.models import TaskState
from airflow_provider_sops.sops.node_end import end_in
from airflow_provider_sops.sops.pipeline_tree import PipelineTree
from airflow_provider_sops.sops.pipeline_tree.nodes import Activity
from airflow_provider_sops.sops.task_secrets import TaskSecrets
from airflow_provider_sops.task_instance.mirrored_node import key_text
from airflow_provider_sops.task_instance.node_report import EndedNode, node_xcom, status_lines, write
from airflow_provider_sops.task_instance.xcom import tell_changed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_provider_sops.hooks.sops import SopsHook
    from airflow_provider_sops.sops.models import NodeData, NodeStatus, TaskStatus
    from airflow_provider_sops.sops.node_result import NodePath
    from airflow_provider_sops.sops.pipeline_tree import NodeKey
    from airflow_provider_sops.sops.pipeline_tree.nodes import Node
    from airflow_provider_sops.task_instance.log import TaskLog


class RegionReport:
    """Reads how the nodes of a region have ended.

    :param hook: the connection to SOPS.
    :param sops_task_id: the region's task.
    :param piece: the region's tree, whose variables do not matter here.
    """

    def __init__(self, hook: SopsHook, sops_task_id: int, piece: Mapping[str, Any], log: TaskLog) -> None:
        self._hook = hook
        self.sops_task_id = sops_task_id
        self._log = log
        self.piece = PipelineTree(piece)
        detail = hook.get_task_detail(sops_task_id, fresh=True)
        self._secrets = TaskSecrets([detail])
        self._ids = self.piece.map_to_task(PipelineTree(detail.pipeline_tree)).ids
        status = hook.get_task_status(sops_task_id, with_ex_data=True, fresh=True)
        self._status: TaskStatus = self._secrets.status(status)

    def has_finished(self, key: NodeKey) -> bool:
        """Whether a node of the piece has been reached and is FINISHED."""
        row = self._row(key)
        return row is not None and row.state == TaskState.FINISHED

    def report_node(self, key: NodeKey) -> dict[str, Any] | None:
        """Log how a node has ended, and return what to push; ``None`` if the flow did not reach it."""
        row = self._row(key)
        if row is None:
            return None
        result = end_in(self._status, row)
        write(status_lines(result), self._log)
        return node_xcom(result, self.sops_task_id, row.id)

    def outputs_of(self, key: NodeKey) -> dict[str, Any] | None:
        """Write inputs, outputs and log of a plugin node, and return the outputs; ``None`` if they cannot be read."""
        node = self._node_of(key)
        if node is None:
            return None
        found = node.read(self._hook, self.sops_task_id, self._secrets, self._log)
        write(found.lines, self._log)
        return None if found.outputs is None else dict(found.outputs)

    def of_all(self, path: NodeKey) -> dict[str, dict[str, Any]]:
        """Return how each node has ended that was reached, by ``key_text``, with the outputs of plugin nodes.

        :param path: what the keys of the piece's own nodes begin with in the whole flow.
        """
        found = {}
        for key, node in self._reached():
            row = self._row(key)
            if row is None:
                continue
            found_node = node_xcom(end_in(self._status, row), self.sops_task_id, row.id)
            if isinstance(node, Activity) and node.component and (data := self._data_of(key)):
                outputs = dict(self._secrets.node(row.id, data)[0].outputs)
                tell_changed(f"outputs of node {row.id}", (name for name in data.changed_outputs if name in outputs))
                found_node["outputs"] = outputs
            found[key_text((*path, *key))] = found_node
        return found

    def leaks(self, variables: Mapping[str, Any]) -> list[str]:
        """Return the keys of the variables whose values hold a password."""
        if not self._secrets.exist:
            return []
        seen = Secrets()
        for key, _ in self._reached():
            row = self._row(key)
            if row is not None and self._secrets.has_secret_inputs(row.id) and (data := self._data_of(key)):
                seen |= self._secrets.seen_by(row.id, data) or Secrets()
        return [key for key, value in variables.items() if self._secrets.reveals(variable_name(key), value, seen)]

    def _reached(self) -> Iterator[tuple[NodeKey, Node]]:
        for key in self.piece.graph.order:
            if key in self._ids:
                yield key, self.piece.nodes[key]

    def _row(self, key: NodeKey) -> NodeStatus | None:
        return self._status.at(self._path(key))

    def _data_of(self, key: NodeKey) -> NodeData | None:
        node = self._node_of(key)
        return None if node is None else node.read_data(self._hook, self.sops_task_id, self._secrets, self._log)

    def _node_of(self, key: NodeKey) -> EndedNode | None:
        """Return an activity that was reached; others have no data."""
        node, row = self.piece.nodes[key], self._row(key)
        if not isinstance(node, Activity) or row is None:
            return None
        return EndedNode(self._path(key), node.plugin, row.version)

    def _path(self, key: NodeKey) -> NodePath:
        return tuple(self._ids.get(key[:depth], "") for depth in range(1, len(key) + 1))
