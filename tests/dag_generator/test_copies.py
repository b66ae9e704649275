"""Generated DAGs and their tasks can be copied, as Airflow does it to clear or run a part of a DAG."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING, Any

import pendulum
import pytest
from airflow.providers.common.compat.sdk import DAG, BaseOperator, task_group
from hypothesis import given, settings

from airflow_provider_sops.dag_generator import SopsDag, SopsTaskGroup, shipped_converters
from airflow_provider_sops.version_compat import AIRFLOW_V_3_1_PLUS
from tests.dag_generator.flow_trees import GATEWAYS, tree
from tests.pipeline_trees.strategies import flows
from tests.pipeline_trees.web_tree import web_tree
from tests.sops.builders import activity, constant

if TYPE_CHECKING:
    from airflow_provider_sops.dag_generator.options import Mode
    from tests.pipeline_trees.blocks import Flow

#: A node of each plugin for which there is a converter, with the output that the flow uses.
PLUGINS = {
    "bk_display": ("1.0", {"bk_display_message": "hi"}, "_result"),
    "sleep_timer": ("legacy", {"bk_timing": "30"}, "_loop"),
    "bk_http_request": (
        "v1.0",
        {"bk_http_request_method": "GET", "bk_http_request_url": "http://example.com"},
        "status_code",
    ),
    "pause_node": ("legacy", {"description": "confirm"}, "callback_data"),
    "bk_approve": ("v1.0", {"bk_approve_title": "Release?"}, "approve_result"),
}


def dag_of(pipeline: Any, mode: Mode, **arguments: Any) -> SopsDag:
    return SopsDag("copied", pipeline=pipeline, mode=mode, template_id=1, schedule=None, **arguments)


def component(plugin: str, version: str, inputs: Any) -> Any:
    return {"code": plugin, "version": version, "data": {name: {"value": value} for name, value in inputs.items()}}


def all_plugins() -> Any:
    """A flow in which a node of each plugin sets a variable that the last node uses."""
    nodes: dict[str, Any] = {}
    constants: dict[str, Any] = {}
    for plugin, (version, inputs, output) in PLUGINS.items():
        key = f"${{{plugin}}}"
        nodes[plugin] = activity(plugin, component=component(plugin, version, inputs))
        constants[key] = constant(key, "", source_type="component_outputs", source_info={plugin: [output]})
    nodes["user"] = activity("user", component=component("some_plugin", "legacy", {"all": " ".join(constants)}))
    way = " > ".join(("s", *nodes, "e"))
    return tree(way, nodes=nodes, constants=constants, outputs=list(constants))


def check_copies(dag: Any) -> None:
    for copied in (copy.deepcopy(dag), pickle.loads(pickle.dumps(dag))):
        assert copied.task_ids == dag.task_ids
    for task in dag.tasks:
        for each in (copy.copy(task), copy.deepcopy(task), pickle.loads(pickle.dumps(task))):
            assert type(each) is type(task)
            assert each.task_id == task.task_id
    part: Any = dag.partial_subset([dag.tasks[0].task_id], include_downstream=True)
    assert set(part.task_ids) == set(dag.task_ids)


@pytest.mark.parametrize("mode", ["watch", "native"])
@settings(max_examples=15)
@given(flow=flows(depth=2, longest=2))
def test_the_tasks_of_any_flow_can_be_copied_and_pickled(mode: Mode, flow: Flow) -> None:
    check_copies(dag_of(web_tree(flow), mode))


@pytest.mark.parametrize("mode", ["watch", "native"])
def test_the_tasks_of_a_flow_in_a_mapped_group_can_be_copied_and_pickled(mode: Mode) -> None:
    made = tree("s > x > a > v > e", "s > x > b > v > e", nodes=GATEWAYS)
    with DAG("own", schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC")) as dag:

        @task_group
        def each(number: int) -> None:
            SopsTaskGroup("flow", pipeline=made, template_id=1, mode=mode)

        each.expand(number=[1, 2])

    check_copies(dag)


@pytest.mark.parametrize("mode", ["watch", "native"])
def test_a_mirror_and_an_operator_of_each_shipped_converter_can_be_copied_and_pickled(mode: Mode) -> None:
    converters = shipped_converters(http_conn_id="api") if mode == "native" else None
    dag = dag_of(all_plugins(), mode, converters=converters)

    check_copies(dag)
    if mode == "native":
        kinds = {type(task).__name__ for task in dag.tasks}
        assert {"DisplayOperator", "SleepTimerOperator", "HttpRequestOperator"} <= kinds
        assert ({"PauseOperator", "ApproveOperator"} <= kinds) is AIRFLOW_V_3_1_PLUS


def test_equal_dags_have_equal_hashes_which_no_task_changes() -> None:
    dag = dag_of(all_plugins(), "watch")
    before = hash(dag)
    other = copy.deepcopy(dag)
    assert other == dag
    assert hash(other) == before
    with dag:
        BaseOperator(task_id="one_more")
    assert hash(dag) == before
    assert other != dag
