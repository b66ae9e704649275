"""Building the Airflow tasks that run a SOPS flow region by region."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import EdgeModifier

from airflow_provider_sops.dag_generator.building import PLACE, arguments_of
from airflow_provider_sops.dag_generator.converters.conversion import convert, reason_for_sops, time_limit
from airflow_provider_sops.dag_generator.converters.shipped import shipped_converters
from airflow_provider_sops.dag_generator.descriptions import (
    CHOICE,
    FLOW_END,
    FLOW_START,
    LOOP,
    SUBPROCESS_END,
    SUBPROCESS_START,
    describe,
    show_kind,
)
from airflow_provider_sops.dag_generator.native.built_tasks import BuiltTasks
from airflow_provider_sops.dag_generator.native.gateway_tasks import (
    ChoiceOperator,
    PassingOperator,
    keep_to_followed_ways,
)
from airflow_provider_sops.dag_generator.native.level_tasks import (
    FlowBeginOperator,
    LevelEndOperator,
    LevelOutputs,
    SubprocessBeginOperator,
    SubprocessConstants,
    ValuesPiece,
)
from airflow_provider_sops.dag_generator.native.level_values import LevelValues, Source
from airflow_provider_sops.dag_generator.native.region_task import (
    DecidingRegionOperator,
    GatewayOperator,
    RegionOperator,
    RegionPiece,
)
from airflow_provider_sops.dag_generator.native.suitability import check_suitable, is_one_task
from airflow_provider_sops.dag_generator.node_groups import NodeGroups
from airflow_provider_sops.dag_generator.task_ids import name_tasks
from airflow_provider_sops.sops.constants import is_password
from airflow_provider_sops.sops.pipeline_tree.nodes import DECIDING, Activity, Gateway, SubProcess
from airflow_provider_sops.sops.pipeline_tree.regions import Region, regions_of
from airflow_provider_sops.sops.pipeline_tree.validity import Rule
from airflow_provider_sops.sops.pipeline_tree.variables import needed_keys, references_of, secret_variables

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from airflow.providers.common.compat.sdk import TaskGroup

    from airflow_provider_sops.dag_generator.native.piece import PieceOperator
    from airflow_provider_sops.dag_generator.options import FlowOptions
    from airflow_provider_sops.sops.pipeline_tree import NodeKey
    from airflow_provider_sops.sops.pipeline_tree.nodes import Node
    from airflow_provider_sops.sops.pipeline_tree.snapshot import Snapshot

#: The arguments of tasks that follow from the flow.
_FIXED = ("task_id", "trigger_rule", *PLACE)
#: Those of tasks that run in SOPS. The flow goes on once they have ended.
_FIXED_IN_SOPS = ("piece", "constants", "wait_for_completion")
_ADVICE = 'In mode="native" ids, order, branches and constants of the tasks follow from the flow.'


class NativeBuilder:
    """Builds a task for each region of a flow in the current DAG or task group.

    :param snapshot: the flow.
    :param options: how Airflow runs it.
    :param group_id: what the ids of the tasks begin with: the full id of the task group around them, empty for none.
    """

    def __init__(self, snapshot: Snapshot, options: FlowOptions, group_id: str = "") -> None:
        tree = snapshot.tree
        # SOPS decides how long a name may be, and has accepted this one.
        tree.check(apart_from=(Rule.NAME,))
        self._secret = secret_variables(tree)
        check_suitable(tree, options.constants)
        self._snapshot, self._tree, self._options = snapshot, tree, options
        self._converters = shipped_converters() if options.converters is None else options.converters
        self._names = name_tasks(tree, group_id, stages=options.stages)
        self._group_id = group_id
        self._groups = NodeGroups(tree, self._names, stages=options.stages)
        self._passwords = {
            key: value for key, value in options.constants.items() if is_password(tree.levels[()].constants[key])
        }
        self._tasks = BuiltTasks(tree)
        self._flow_start_task_id = f"{group_id}.start" if group_id else "start"

    def build(self, param_constants: Mapping[str, str]) -> FlowBeginOperator:
        """Build all tasks and their edges, and return ``start``; the same tree gives the same tasks."""
        options = self._options
        start = FlowBeginOperator(
            task_id="start",
            snapshot=self._snapshot,
            constants={key: value for key, value in options.constants.items() if key not in self._passwords},
            exclude_task_nodes_id=list(options.exclude),
            param_constants=param_constants,
            on_template_change=options.on_template_change,
            max_outage_seconds=options.max_outage_seconds,
            **options.site.arguments,
            **options.template,
        )
        show_kind(start, FLOW_START)
        self._build_level((), start)
        if start.get_closest_mapped_task_group() is not None:
            keep_to_followed_ways(self._tasks.all())
        return start

    def _build_level(self, path: NodeKey, start: Any) -> Any:
        """Build the tasks of a level and their edges, and return the last of them."""
        tree, level = self._tree, self._tree.levels[path]
        start_key, end_key = level.nodes[level.start_id].key, level.nodes[level.end_id].key
        self._tasks.add(start_key, start)
        regions = {key: region for region in regions_of(tree, path) for key in region.nodes}
        sources = self._sources(path)
        values = LevelValues(start.task_id, bool(path), sources)
        for key in tree.graph.order_in[path]:
            if key not in self._tasks and key != end_key:
                with self._groups.stage(tree.nodes[key]) as stage:
                    self._build_node(key, regions.get(key), values, sources, stage or start.task_group)
        optional = tree.nodes[path] if path and _can_be_left_out(tree.nodes[path]) else None
        outputs = LevelOutputs(path, self._flow_start_task_id, optional.id if optional else None)
        end = LevelEndOperator(
            task_id=self._groups.id_inside(path, "end"),
            trigger_rule=self._tasks.rule_before([end_key], extra=int(optional is not None)),
            piece=ValuesPiece(self._snapshot, path, values, outputs),
            constants=self._needed_passwords(path, level.outputs),
            **self._run_args(),
        )
        show_kind(end, SUBPROCESS_END if path else FLOW_END)
        self._tasks.add(end_key, end)
        self._tasks.connect_level(path)
        return end

    def _build_node(
        self,
        key: NodeKey,
        region: Region | None,
        values: LevelValues,
        sources: dict[str, Source],
        group: TaskGroup,
    ) -> None:
        node = self._tree.nodes[key]
        if region is None:
            passing = PassingOperator(**self._task_args(node, [key]))
            describe(passing, self._tree, node)
            self._tasks.add(key, passing)
        elif isinstance(node, SubProcess) and not region.is_loop and not self._is_one_task(node):
            self._build_subprocess(node, values)
        elif region.is_loop or not self._build_operator(node, values, sources, group):
            task = self._region_task(region, values)
            if region.is_loop:
                show_kind(task, LOOP)
            else:
                describe(task, self._tree, node)
            for member in region.nodes:
                self._tasks.add(member, task)

    def _build_subprocess(self, node: SubProcess, values: LevelValues) -> None:
        name = self._names[node.key]
        flow_start = self._flow_start_task_id if _can_be_left_out(node) else None
        given = SubprocessConstants(node.key, node.id, flow_start, end_task_id=f"{name.full_task_id}.end")
        with self._groups.subprocess(node):
            start = SubprocessBeginOperator(
                task_id=self._groups.id_inside(node.key, "start"),
                trigger_rule=self._tasks.rule_before([node.key]),
                piece=ValuesPiece(self._snapshot, node.key[:-1], values, given),
                constants=self._needed_passwords(node.key[:-1], references_of(node)),
                **self._run_args(),
            )
            describe(start, self._tree, node)
            show_kind(start, SUBPROCESS_START)
            end = self._build_level(node.key, start)
        self._tasks.add(node.key, start, end)
        if _can_be_left_out(node):
            start.set_downstream(end, EdgeModifier("left out"))

    def _build_operator(self, node: Node, values: LevelValues, sources: dict[str, Source], group: TaskGroup) -> bool:
        """Build the Airflow operator that stands for a node, if there is a converter for it; return whether there is.

        Where the run may leave the node out, a task before it leads the flow around it.
        """
        level = self._tree.levels[node.key[:-1]]
        if not isinstance(node, Activity) or node.component is None:
            return False
        converter = self._converters.find(node.plugin, node.component.version)
        if converter is None or reason_for_sops(node, level, self._secret[level.path]):
            return False
        args = {**time_limit(node), **self._task_args(node, [node.key])}
        can_be_left_out = _can_be_left_out(node)
        if can_be_left_out:
            args["trigger_rule"] = "all_success"
        variables = self._tree.variables[level.path]
        fields = {key: each.source_field for key, each in variables.items() if each.source == node.key}
        operator = convert(
            converter,
            node,
            level=level,
            task_args=args,
            read=values.read,
            needed_outputs=set(fields.values()),
            task_group=group,
        )
        if operator is None:
            return False
        describe(operator, self._tree, node)
        sources |= {key: Source(operator.task_id, output, converter) for key, output in fields.items()}
        if not can_be_left_out:
            self._tasks.add(node.key, operator)
        else:
            choice = ChoiceOperator(
                task_id=self._groups.id_of(node, "_or_not"),
                task_display_name=f"{self._names[node.key].display_name}?",
                trigger_rule=self._tasks.rule_before([node.key]),
                sops_node_id=node.id,
                flow_start_task_id=self._flow_start_task_id,
                operator_task_id=operator.task_id,
            )
            show_kind(choice, CHOICE)
            choice.set_downstream(operator)
            self._tasks.add_choice(node.key, choice, operator)
        return True

    def _region_task(self, region: Region, values: LevelValues) -> PieceOperator:
        nodes = [self._tree.nodes[key] for key in region.nodes]
        piece = RegionPiece(
            snapshot=self._snapshot,
            region=region,
            values=values,
            flow_start_task_id=self._flow_start_task_id if any(map(_can_be_left_out, nodes)) else None,
            takes_a_moment=region.decides and not region.is_loop,
        )
        used = frozenset[str]().union(*map(references_of, nodes))
        args = {
            **self._run_args(),
            **self._task_args(nodes[0], region.nodes, (*_FIXED, *_FIXED_IN_SOPS)),
            "piece": piece,
            "constants": self._needed_passwords(region.path, used),
        }
        if not region.decides:
            return RegionOperator(**args)
        self._tasks.add_deciding(region, piece.targets)
        if not region.is_loop:
            return GatewayOperator(**args)
        names = ", ".join(node.name or node.type for node in nodes)
        return DecidingRegionOperator(**{"doc": f"A loop, which SOPS runs as a whole: {names}", **args})

    def _task_args(self, node: Node, keys: Sequence[NodeKey], fixed: Sequence[str] = _FIXED) -> dict[str, Any]:
        name = self._names[node.key]
        args: dict[str, Any] = {
            "task_id": self._groups.id_of(node),
            "task_display_name": name.display_name if len(keys) == 1 else f"{name.display_name} …",
            "trigger_rule": self._tasks.rule_before(keys),
        }
        if isinstance(node, Activity) and len(keys) == 1 and node.auto_retry and not node.error_ignorable:
            args["retries"] = node.auto_retry.times
            args["retry_delay"] = timedelta(seconds=node.auto_retry.interval_seconds)
        if isinstance(node, Gateway) and node.type not in DECIDING:
            # It runs nothing that an argument could be for.
            return args
        return args | arguments_of(node, self._options.node_args, fixed=fixed, advice=_ADVICE)

    def _sources(self, path: NodeKey) -> dict[str, Source]:
        """Return which task will provide which variable of a level."""
        tree, found = self._tree, {}
        for key, variable in tree.variables[path].items():
            node = tree.nodes[variable.source] if variable.source else None
            if node is None:
                continue
            first = self._tasks.representative(node.key)
            name = self._names[first].full_task_id
            if isinstance(node, SubProcess) and first == node.key and not self._is_one_task(node):
                found[key] = Source(f"{name}.end", variable.source_field)
            else:
                found[key] = Source(name, key)
        return found

    def _needed_passwords(self, path: NodeKey, used: Iterable[str]) -> dict[str, Any]:
        """Return the passwords that a task of a level needs and the DAG's author gives: they are not passed by XCom."""
        if path or not self._passwords:
            return {}
        needed = needed_keys(self._tree.levels[path], used, self._options.constants)
        return {key: self._passwords[key] for key in needed if key in self._passwords}

    def _run_args(self) -> dict[str, Any]:
        options = self._options
        return {
            **options.site.arguments,
            **options.template,
            **options.waiting,
            "deferrable": options.deferrable,
        }

    def _is_one_task(self, node: SubProcess) -> bool:
        return is_one_task(self._tree, node, self._secret, self._options.subprocess_as_task)


def _can_be_left_out(node: Node) -> bool:
    return isinstance(node, Activity) and node.optional and len(node.key) == 1
