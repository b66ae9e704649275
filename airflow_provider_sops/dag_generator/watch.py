"""Building the Airflow tasks that show a SOPS flow node by node while SOPS runs it as one task."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from airflow.providers.common.compat.sdk import EdgeModifier

from airflow_provider_sops.dag_generator.flow_tasks import FlowOperator, FlowStartOperator
from airflow_provider_sops.dag_generator.groups import StageGroups, label_of_edge, task_group
from airflow_provider_sops.dag_generator.mirrored_node import MirroredNode
from airflow_provider_sops.dag_generator.node_arguments import arguments_of
from airflow_provider_sops.dag_generator.node_mirror import NodeMirrorOperator
from airflow_provider_sops.dag_generator.task_ids import name_tasks
from airflow_provider_sops.sops.pipeline_tree.nodes import Activity, Event, Gateway, SubProcess
from airflow_provider_sops.sops.pipeline_tree.secret_variables import has_passwords
from airflow_provider_sops.sops.pipeline_tree.validity import Rule

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_sops.sops.pipeline_tree import NodeKey, PipelineTree
    from airflow_provider_sops.sops.pipeline_tree.graph import Edge
    from airflow_provider_sops.sops.pipeline_tree.nodes import Node
    from airflow_provider_sops.sops.waiting import OnFailed

Pace = Literal["flow", "free"]


@dataclass(frozen=True, kw_only=True)
class WatchSettings:
    """How a flow is watched.

    :param where: ``sops_conn_id``, ``bk_biz_id`` and ``scope`` of all tasks.
    :param start_args: further arguments of ``start`` alone.
    :param run_args: further arguments of ``start`` and ``flow``.
    :param node_args: arguments of mirrors (retries, owner, pool, ...) by the node's name, key, plugin code or stage.
        A name may hold ``*`` and ``?``. Later ones win.
    :param pace: ``"flow"``: a mirror begins after those before it, so that the grid shows where the flow is.
        ``"free"``: all begin together, for long or fast flows.
    :param stages: whether the nodes of a stage are a task group.
    :param mirror_args: waiting arguments of all mirrors.
    """

    where: Mapping[str, Any]
    start_args: Mapping[str, Any]
    run_args: Mapping[str, Any] = field(default_factory=dict)
    node_args: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    pace: Pace = "flow"
    stages: bool = False
    on_failed: OnFailed = "fail"
    mirror_args: Mapping[str, Any] = field(default_factory=dict)


class WatchBuilder:
    """Builds ``start``, ``flow`` and a mirror for each node in the current DAG or task group.

    :param group_id: the full id of the task group around them, empty for none.
    """

    def __init__(self, tree: PipelineTree, settings: WatchSettings, group_id: str = "") -> None:
        # How long a name may be is SOPS's affair; it has accepted this one.
        tree.check(apart_from=(Rule.NAME,))
        self._tree = tree
        self._settings = settings
        self._names = name_tasks(tree, group_id, stages=settings.stages)
        self._stages = StageGroups(wanted=settings.stages)
        self._places: dict[NodeKey, Any] = {}
        self._mirrors: list[NodeMirrorOperator] = []
        self._has_secrets = has_passwords(tree)
        self._mirror_count = sum(
            key not in tree.levels and not isinstance(node, Event) for key, node in tree.nodes.items()
        )

    def build(self, param_constants: Mapping[str, str]) -> None:
        """Build all tasks and their edges; the same tree gives the same tasks."""
        settings = self._settings
        start = FlowStartOperator(
            task_id="start",
            param_constants=param_constants,
            on_failed=settings.on_failed,
            **settings.where,
            **settings.start_args,
            **settings.run_args,
        )
        self._build_level((), start)
        flow = FlowOperator(
            task_id="flow",
            start_task_id=start.task_id,
            retry_delay_seconds=self._longest_retry_delay(),
            on_failed=settings.on_failed,
            **settings.where,
            **settings.run_args,
        )
        early = [mirror for mirror in self._mirrors if self._begins_with_the_flow(mirror.node.key)]
        start.set_downstream([flow, *early])

    def _build_level(self, path: NodeKey, start: FlowStartOperator) -> None:
        level = self._tree.levels[path]
        for key in self._tree.graph.order:
            if key[:-1] != path:
                continue
            node = level.nodes[key[-1]] if key[-1] in level.nodes else self._tree.nodes[key]
            if isinstance(node, Event):
                continue
            with self._stages.of(node):
                if isinstance(node, SubProcess) and key in self._tree.levels:
                    with task_group(self._names[key].task_id, self._names[key].display_name) as group:
                        self._places[key] = group
                        self._build_level(key, start)
                else:
                    self._places[key] = self._mirror(node, start)
            # What is before it, and what is inside it, is there by now. Airflow needs the longer for an edge the more
            # tasks there are.
            for edge in self._tree.graph.incoming[key]:
                self._connect(edge, start)

    def _mirror(self, node: Node, start: FlowStartOperator) -> NodeMirrorOperator:
        name, settings = self._names[node.key], self._settings
        loop = self._tree.graph.loop_of.get(node.key)
        mirror = NodeMirrorOperator(
            task_id=name.task_id,
            task_display_name=name.display_name,
            doc=_described_loop(self._tree, node) if loop else None,
            trigger_rule=self._trigger_rule(node),
            start_task_id=start.task_id,
            node=self._mirrored(node),
            tree=self._tree if len(node.key) > 1 else None,
            nodes_in_flow=self._mirror_count,
            on_failed=settings.on_failed,
            **settings.where,
            **settings.mirror_args,
            **arguments_of(node, settings.node_args),
        )
        self._mirrors.append(mirror)
        return mirror

    def _mirrored(self, node: Node) -> MirroredNode:
        certainty = self._tree.certainty
        in_loop = self._tree.graph.loop_of.get(node.key) is not None
        activity = node if isinstance(node, Activity) else None
        return MirroredNode(
            key=node.key,
            never_after=tuple(certainty.never_runs(node.key)),
            last_round_after=tuple(certainty.runs_no_more(node.key)) if in_loop else None,
            waits_for_person=activity is not None and activity.waits_for_person,
            has_data=activity is not None,
            plugin=activity.plugin if activity else "",
            has_secrets=self._has_secrets,
        )

    def _trigger_rule(self, node: Node) -> str:
        """Return when a mirror begins.

        Each finds out by itself whether its node runs. Only where the one node before it surely is in every task, and
        is skipped only if the flow passes it by, a skip says the same of this node.
        """
        if self._begins_with_the_flow(node.key):
            return "one_success"
        sources = [self._tree.nodes[edge.source] for edge in self._tree.graph.incoming[node.key] if not edge.is_back]
        if len(sources) == 1 and _is_in_every_task(sources[0]):
            return "all_success"
        return "none_failed"

    def _begins_with_the_flow(self, key: NodeKey) -> bool:
        """Whether a mirror waits for no other: all at a free pace, and those behind others in a loop.

        The mirrors before it in the loop end only when the last round is over. If its node failed, it would never show
        that, nor could it be retried.
        """
        if self._settings.pace == "free":
            return True
        graph = self._tree.graph
        loop = graph.loop_of.get(key)
        sources = [edge.source for edge in graph.incoming[key] if not edge.is_back]
        return loop is not None and any(graph.loop_of.get(source) == loop for source in sources)

    def _connect(self, edge: Edge, start: FlowStartOperator) -> None:
        if edge.is_back:
            return
        source, target = self._places.get(edge.source), self._places.get(edge.target)
        if target is None:
            return
        if source is None:
            # Behind a start event: inside a subprocess nothing is before it, at the top the start of the task.
            if len(edge.source) == 1:
                start.set_downstream(target)
            return
        label = label_of_edge(self._tree, edge)
        source.set_downstream(target, EdgeModifier(label) if label else None)

    def _longest_retry_delay(self) -> float | None:
        """Return the longest time after which a mirror retries; ``None`` if none does."""
        delays = [_retry_delay(mirror) for mirror in self._mirrors if mirror.retries]
        return max(delays, default=None)


def _is_in_every_task(node: Node) -> bool:
    if isinstance(node, Activity):
        return not node.optional and not isinstance(node, SubProcess)
    # The others vanish from a task in which all their branches are empty.
    return isinstance(node, Gateway) and not node.converges and node.type != "ParallelGateway"


def _retry_delay(mirror: NodeMirrorOperator) -> float:
    delay = _seconds(mirror.retry_delay)
    if mirror.retry_exponential_backoff:
        delay *= 2.0 ** (mirror.retries or 0)
        delay = min(delay, _seconds(mirror.max_retry_delay)) if mirror.max_retry_delay else delay
    return delay


def _seconds(delay: timedelta | float) -> float:
    return delay.total_seconds() if isinstance(delay, timedelta) else float(delay)


def _described_loop(tree: PipelineTree, node: Node) -> str:
    back = [edge for edge in tree.graph.outgoing[node.key] if edge.is_back]
    if not back:
        return "In a loop: it may run several times."
    targets = ", ".join(tree.nodes[edge.target].name or edge.target[-1] for edge in back)
    return f"In a loop: from here the flow may go back to {targets}."
