"""Building the Airflow tasks that show a SOPS flow node by node while SOPS runs it as one task."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import EdgeModifier

from airflow_provider_sops.dag_generator.building import PLACE, arguments_of, label_of_edge
from airflow_provider_sops.dag_generator.descriptions import (
    FLOW,
    FLOW_START,
    describe,
    show_kind,
)
from airflow_provider_sops.dag_generator.node_groups import NodeGroups
from airflow_provider_sops.dag_generator.task_ids import name_tasks
from airflow_provider_sops.dag_generator.watch.flow_tasks import FlowOperator, FlowStartOperator
from airflow_provider_sops.dag_generator.watch.node_mirror import NodeMirrorOperator
from airflow_provider_sops.sops.pipeline_tree.nodes import Activity, Event, Gateway, SubProcess
from airflow_provider_sops.sops.pipeline_tree.validity import Rule
from airflow_provider_sops.sops.pipeline_tree.variables import has_passwords
from airflow_provider_sops.task_instance.mirrored_node import MirroredNode
from airflow_provider_sops.version_compat import AIRFLOW_V_3_3_PLUS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_sops.dag_generator.options import FlowOptions
    from airflow_provider_sops.sops.pipeline_tree import NodeKey, PipelineTree
    from airflow_provider_sops.sops.pipeline_tree.graph import Edge
    from airflow_provider_sops.sops.pipeline_tree.nodes import Node
    from airflow_provider_sops.sops.pipeline_tree.snapshot import Snapshot


_ADVICE = (
    'In mode="watch" the connection and the waiting options apply to the whole flow: pass them to SopsDag or'
    " SopsTaskGroup. Ids, names and order of the tasks follow from the flow."
)


class WatchBuilder:
    """Builds ``start``, ``flow`` and a mirror for each node in the current DAG or task group.

    :param snapshot: the flow.
    :param options: how it is watched.
    :param group_id: what the ids of the tasks begin with: the full id of the task group around them, empty for none.
    """

    def __init__(self, snapshot: Snapshot, options: FlowOptions, group_id: str = "") -> None:
        tree = snapshot.tree
        # SOPS decides how long a name may be, and has accepted this one.
        tree.check(apart_from=(Rule.NAME,))
        self._snapshot, self._tree, self._options = snapshot, tree, options
        self._names = name_tasks(tree, group_id, stages=options.stages)
        self._groups = NodeGroups(tree, self._names, stages=options.stages)
        self._tasks: dict[NodeKey, Any] = {}
        self._mirrors: list[NodeMirrorOperator] = []
        self._has_secrets = has_passwords(tree)
        #: Before Airflow 3.3 a task in a mapped task group whose rule does not wait for all upstream tasks is skipped,
        #: since it is evaluated before it is expanded. So mirrors that begin at once have an edge from ``start`` only.
        self._only_all_success = False
        self._mirror_count = sum(
            key not in tree.levels and not isinstance(node, Event) for key, node in tree.nodes.items()
        )

    def build(self, param_constants: Mapping[str, str]) -> FlowStartOperator:
        """Build all tasks and their edges, and return ``start``; the same tree gives the same tasks."""
        options = self._options
        start = FlowStartOperator(
            task_id="start",
            snapshot=self._snapshot,
            on_template_change=options.on_template_change,
            param_constants=param_constants,
            constants=dict(options.constants),
            exclude_task_nodes_id=list(options.exclude) or None,
            max_outage_seconds=options.max_outage_seconds,
            **options.site.arguments,
            **options.template,
        )
        show_kind(start, FLOW_START)
        self._only_all_success = not AIRFLOW_V_3_3_PLUS and start.get_closest_mapped_task_group() is not None
        self._build_level((), start)
        flow = FlowOperator(
            task_id="flow",
            start_task_id=start.task_id,
            retry_delay_seconds=self._longest_retry_delay(),
            **options.site.arguments,
            **options.waiting,
        )
        show_kind(flow, FLOW)
        early = [mirror for mirror in self._mirrors if self._begins_with_the_flow(mirror.node.key)]
        start.set_downstream([flow, *early])
        return start

    def _build_level(self, path: NodeKey, start: FlowStartOperator) -> None:
        level = self._tree.levels[path]
        for key in self._tree.graph.order_in[path]:
            node = level.nodes[key[-1]] if key[-1] in level.nodes else self._tree.nodes[key]
            if isinstance(node, Event):
                continue
            with self._groups.stage(node):
                if isinstance(node, SubProcess) and key in self._tree.levels:
                    with self._groups.subprocess(node) as group:
                        self._tasks[key] = group
                        self._build_level(key, start)
                else:
                    self._tasks[key] = self._mirror(node, start)
            # Its predecessors and its contents exist by now. An edge takes Airflow longer the more tasks there are.
            for edge in self._tree.graph.incoming[key]:
                self._connect(edge, start)

    def _mirror(self, node: Node, start: FlowStartOperator) -> NodeMirrorOperator:
        name, options = self._names[node.key], self._options
        loop = self._tree.graph.loop_of.get(node.key)
        arguments: dict[str, Any] = {
            "task_id": self._groups.id_of(node),
            "task_display_name": name.display_name,
            "doc": _described_loop(self._tree, node) if loop else None,
            "trigger_rule": self._trigger_rule(node),
            "start_task_id": start.task_id,
            "node": self._mirrored(node),
            "tree": self._tree if len(node.key) > 1 else None,
            "nodes_in_flow": self._mirror_count,
            **options.site.arguments,
            **options.waiting,
        }
        own = arguments_of(node, options.node_args, fixed={*arguments, *PLACE}, advice=_ADVICE)
        usual = {} if options.node_details is None else {"node_details": options.node_details}
        mirror = NodeMirrorOperator(**arguments, **usual | own)
        describe(mirror, self._tree, node)
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

        Each finds out itself whether its node runs. Only if its single predecessor is certainly in every SOPS task, and
        is skipped only if the flow passes it by, does a skip mean the same for this node.
        """
        if self._begins_with_the_flow(node.key):
            return "all_success" if self._only_all_success else "one_success"
        sources = [self._tree.nodes[edge.source] for edge in self._tree.graph.incoming[node.key] if not edge.is_back]
        if len(sources) == 1 and _is_in_every_task(sources[0]):
            return "all_success"
        return "none_failed"

    def _begins_with_the_flow(self, key: NodeKey) -> bool:
        """Whether a mirror waits for no other one: all at a free pace, and those behind others in a loop.

        The mirrors before it in the loop end only when the last round is over. If its node failed, it would never show
        that, nor could it be retried.
        """
        if self._options.pace == "free":
            return True
        graph = self._tree.graph
        loop = graph.loop_of.get(key)
        sources = [edge.source for edge in graph.incoming[key] if not edge.is_back]
        return loop is not None and any(graph.loop_of.get(source) == loop for source in sources)

    def _begins_at_once(self, key: NodeKey) -> bool:
        """Whether a mirror, or each first mirror of a subprocess, waits for no other one."""
        if key in self._tree.levels:
            # Inside a loop nothing is before the first nodes of a subprocess but its own start.
            return self._options.pace == "free" or key in self._tree.graph.loop_of
        return self._begins_with_the_flow(key)

    def _connect(self, edge: Edge, start: FlowStartOperator) -> None:
        if edge.is_back or (self._only_all_success and self._begins_at_once(edge.target)):
            return
        source, target = self._tasks.get(edge.source), self._tasks.get(edge.target)
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
