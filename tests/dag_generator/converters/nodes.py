"""Nodes for converters, as a flow that is being built would hand them over."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import pendulum
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_sops.dag_generator.converters.conversion import convert
from airflow_provider_sops.dag_generator.converters.convertible_node import NodeInput
from airflow_provider_sops.sops.pipeline_tree import PipelineTree
from airflow_provider_sops.sops.pipeline_tree.rendering import KnownValues
from tests.sops.builders import activity, pipeline_tree

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from airflow.providers.common.compat.sdk import BaseOperator, TaskGroup

    from airflow_provider_sops.dag_generator.converters.registry import NodeConverter
    from airflow_provider_sops.sops.pipeline_tree.levels import Level
    from airflow_provider_sops.sops.pipeline_tree.nodes import Activity

TASK_ARGS: Mapping[str, Any] = {"task_id": "say__node_1", "trigger_rule": "none_failed_min_one_success", "retries": 0}


def flow_with(
    inputs: Mapping[str, Any] | None = None,
    plugin: str = "my_plugin",
    version: str = "v1.0",
    *,
    constants: Mapping[str, Any] | None = None,
    **fields: Any,
) -> tuple[Activity, Level]:
    """A node called "Say it", with the id node_1, and the level on which it is alone.

    :param inputs: values by name.
    """
    data = {name: {"hook": False, "need_render": True, "value": value} for name, value in (inputs or {}).items()}
    component = {"code": plugin, "version": version, "data": data}
    node = activity(**{"name": "Say it", "plugin": plugin, "component": component, **fields})
    tree = PipelineTree(pipeline_tree("start > node_1 > end", nodes={"node_1": node}, constants=dict(constants or {})))
    return cast("Activity", tree.nodes[("node_1",)]), tree.levels[()]


def node_input(value: Any, known: KnownValues | None = None, **arguments: Any) -> NodeInput:
    """An input called message, on a level without constants unless ``constants`` has some."""
    _, level = flow_with(constants=arguments.pop("constants", None))
    return NodeInput("node_1", "message", value, level, lambda context: known or KnownValues(), **arguments)


def new_dag(dag_id: str) -> DAG:
    return DAG(dag_id, schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC"))


@dataclass(frozen=True)
class Conversion:
    """Converting one node in a DAG of its own.

    :param given: arguments of ``flow_with``.
    :param known: what the variables hold in a run.
    """

    given: Mapping[str, Any] = field(default_factory=dict)
    known: KnownValues = field(default_factory=KnownValues)
    needed_outputs: Collection[str] = ()
    task_args: Mapping[str, Any] = field(default_factory=lambda: TASK_ARGS)
    dag: DAG = field(default_factory=lambda: new_dag("converted"))

    def by(self, converter: NodeConverter, task_group: TaskGroup | None = None) -> BaseOperator | None:
        node, level = flow_with(**self.given)
        with self.dag, task_group or self.dag.task_group:
            return convert(
                converter,
                node,
                level=level,
                task_args=self.task_args,
                read=lambda context: self.known,
                needed_outputs=self.needed_outputs,
                task_group=task_group or self.dag.task_group,
            )
