"""Where a flow's options come from: arguments, ``default_args``, or what is usual."""

from __future__ import annotations

import inspect
from datetime import timedelta
from typing import Any

import pendulum
import pytest
from airflow.providers.common.compat.sdk import DAG, TaskGroup

from airflow_provider_sops.dag_generator import ConverterRegistry, PipelineTree, SopsDag, SopsTaskGroup
from airflow_provider_sops.dag_generator.options import SHARED_WITH_OPERATORS, FlowOptions
from airflow_provider_sops.dag_generator.watch.flow_tasks import FlowOperator
from airflow_provider_sops.operators.sops import SopsRunTaskOperator
from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from airflow_provider_sops.sops.pipeline_tree.snapshot import Snapshot, read_snapshot
from tests.dag_generator.flow_trees import GATEWAYS, required, short, tree
from tests.sops.builders import activity, constant
from tests.sops.builders import subprocess as sub

WHERE = ("sops_conn_id", "bk_biz_id", "scope")
WAITING = ("on_failed", "poll_interval_seconds", "timeout_seconds", "max_outage_seconds")
ELSEWHERE = {
    "sops_conn_id": "other",
    "bk_biz_id": 5,
    "scope": "project",
    "on_failed": "wait",
    "poll_interval_seconds": 33,
    "timeout_seconds": None,
    "max_outage_seconds": 44,
}
MODES: list[Any] = ["watch", "native"]


def made() -> Any:
    inner = tree("s2 > x1 > e2", nodes={"x1": required("x1")})
    return tree(
        "s > x > a > v > e",
        "s > x > opt > call > v > e",
        nodes={**GATEWAYS, "call": {**sub("call", inner), "optional": False}, "opt": activity("opt")},
        constants={"${who}": constant("${who}", "world")},
    )


def own_dag(**arguments: Any) -> Any:
    return DAG("own", schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC"), **arguments)


def sops_dag(mode: Any, **arguments: Any) -> Any:
    more: dict[str, Any] = {"converters": ConverterRegistry()} if mode == "native" else {}
    started = pendulum.datetime(2026, 1, 1, tz="UTC")
    return SopsDag("flow", pipeline=made(), mode=mode, schedule=None, start_date=started, **more, **arguments)


def group(mode: Any, **arguments: Any) -> SopsTaskGroup:
    more: dict[str, Any] = {"converters": ConverterRegistry()} if mode == "native" else {}
    return SopsTaskGroup("deploy", pipeline=made(), mode=mode, template_id=7, **more, **arguments)


def found(tasks: Any, *names: str) -> set[tuple[Any, ...]]:
    """The values that the tasks have; tasks that have none of such arguments are left out."""
    return {tuple(getattr(task, name) for name in names) for task in tasks if hasattr(task, names[0])}


@pytest.mark.parametrize("mode", MODES)
class TestDefaultArgs:
    def test_those_of_the_dag_are_for_all_tasks_of_its_flow(self, mode: Any) -> None:
        dag = sops_dag(mode, template_id=7, default_args=ELSEWHERE)
        assert found(dag.tasks, *WHERE) == {("other", 5, "project")}
        started = [task for task in dag.tasks if hasattr(task, "max_outage_seconds")]
        assert found(started, "on_failed", "timeout_seconds", "max_outage_seconds") == {("wait", None, 44)}
        assert (33,) in found(started, "poll_interval_seconds")

    def test_a_group_is_where_the_operator_beside_it_is(self, mode: Any) -> None:
        with own_dag(default_args=ELSEWHERE) as dag:
            beside = SopsRunTaskOperator(task_id="beside", template_id=7)
            group(mode)
        assert found(dag.tasks, *WHERE) == {tuple(getattr(beside, name) for name in WHERE)}

    def test_those_of_the_group_win_over_those_of_the_dag(self, mode: Any) -> None:
        with own_dag(default_args=ELSEWHERE) as dag:
            group(mode, default_args={"sops_conn_id": "group's"})
        assert found(dag.tasks, *WHERE) == {("group's", 5, "project")}

    def test_those_of_a_group_around_it_count_too(self, mode: Any) -> None:
        around: Any = {"bk_biz_id": 6}
        with own_dag(default_args=ELSEWHERE) as dag, TaskGroup("around", default_args=around):
            group(mode)
        assert found(dag.tasks, *WHERE) == {("other", 6, "project")}

    def test_an_argument_wins_over_all(self, mode: Any) -> None:
        with own_dag(default_args=ELSEWHERE) as dag:
            group(mode, default_args={"sops_conn_id": "group's"}, sops_conn_id="given", bk_biz_id=None)
        assert found(dag.tasks, *WHERE) == {("given", None, "project")}

    def test_without_any_it_is_as_usual(self, mode: Any) -> None:
        dag = sops_dag(mode, template_id=7)
        assert found(dag.tasks, *WHERE) == {("sops_default", None, None)}
        started = [task for task in dag.tasks if hasattr(task, "max_outage_seconds")]
        assert found(started, "on_failed", "timeout_seconds", "max_outage_seconds") == {("fail", 604800.0, None)}

    def test_constants_of_default_args_are_given_and_not_asked_for(self, mode: Any) -> None:
        dag = sops_dag(mode, template_id=7, default_args={"constants": {"${who}": "you"}})
        assert dag.get_task("start").constants == {"${who}": "you"}
        assert "who" not in dag.params

    def test_nodes_to_leave_out_have_their_name_of_operators(self, mode: Any) -> None:
        dag = sops_dag(mode, template_id=7, default_args={"exclude_task_nodes_id": ["opt"]})
        assert dag.get_task("start").exclude_task_nodes_id == ["opt"]
        assert dag.params["exclude_task_nodes_id"] == ["opt"]

    def test_the_snapshot_says_which_template_it_is(self, mode: Any) -> None:
        assert found(sops_dag(mode, default_args={"template_id": 9}).tasks, "template_id") == {(9,)}
        with_template = {
            "pipeline_tree": made(),
            "template": {"id": 8, "source": "common"},
        }
        options = FlowOptions.of(
            given_by_signature(mode), {"template_id": 9, "template_source": "business"}, read_snapshot(with_template)
        )
        assert options.template == {"template_id": 8, "template_source": "common"}

    def test_retries_are_for_all_tasks_that_do_not_say_otherwise(self, mode: Any) -> None:
        arguments = {"retries": 3, "retry_delay": timedelta(seconds=7), "owner": "team"}
        dag = sops_dag(mode, template_id=7, default_args=arguments, node_args={"a": {"retries": 1}})
        assert {short(task.task_id): task.retries for task in dag.tasks if task.retries != 3} == {"a": 1}
        assert found(dag.tasks, "retry_delay", "owner") == {(timedelta(seconds=7), "team")}


def given_by_signature(mode: Any) -> dict[str, Any]:
    parameters = inspect.signature(SopsDag.__init__).parameters
    names = [name for name in FlowOptions.__dataclass_fields__ if name in parameters]
    return {**{name: parameters[name].default for name in names}, "mode": mode}


def test_node_details_are_those_of_the_node_of_the_flow_or_of_default_args() -> None:
    given = {"default_args": {"node_details": "none"}, "node_args": {"a": {"node_details": "all"}}}
    dag = sops_dag("watch", template_id=7, node_details="failed", **given)
    assert {short(task.task_id) for task in dag.tasks if getattr(task, "node_details", "") == "all"} == {"a"}
    assert found(dag.tasks, "node_details") == {("failed",), ("all",)}
    assert found(sops_dag("watch", template_id=7, **given).tasks, "node_details") == {("none",), ("all",)}


def test_the_flow_waits_for_the_retries_of_default_args() -> None:
    dag = sops_dag("watch", template_id=7, default_args={"retries": 2, "retry_delay": timedelta(seconds=90)})
    flow = dag.get_task("flow")
    assert isinstance(flow, FlowOperator)
    assert flow.retry_delay_seconds == 90


@pytest.mark.parametrize(("default_args", "deferrable"), [({}, True), ({"deferrable": False}, False)])
def test_where_tasks_of_a_native_flow_wait_is_told_by_default_args(default_args: Any, deferrable: bool) -> None:
    dag = sops_dag("native", template_id=7, default_args=default_args)
    (task,) = (task for task in dag.tasks if short(task.task_id) == "a")
    assert task.deferrable is deferrable


def test_the_dag_and_the_group_have_the_same_options() -> None:
    dag, task_group = (inspect.signature(each.__init__).parameters for each in (SopsDag, SopsTaskGroup))
    options = [each for each in dag.values() if each.name in FlowOptions.__dataclass_fields__]
    assert options == [task_group[each.name] for each in options]
    assert {each.name for each in options} >= set(SHARED_WITH_OPERATORS)


def test_what_is_no_option_is_refused() -> None:
    with own_dag(), pytest.raises(TypeError, match="colour"):
        SopsTaskGroup("deploy", pipeline=made(), template_id=7, colour="red")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"template_id": None}, "template_id is missing"),
        ({"mode": "look"}, "mode is 'look'; it must be one of watch, native"),
        ({"pace": "slow"}, "pace is 'slow'; it must be one of flow, free"),
        ({"constants": ["${who}"]}, r"constants must be a dict of \$\{key\} to value, not list"),
        ({"subprocess_as_task": ["call"]}, 'are for mode="native"'),
        ({"mode": "native", "pace": "free"}, 'pace is for mode="watch"'),
        ({"mode": "native", "node_details": "all"}, 'node_details is for mode="watch"'),
        ({"node_details": "some"}, "node_details is 'some'; it must be one of failed, all, none"),
        ({"mode": "native", "converters": {}}, "converters must be a ConverterRegistry, not dict"),
        ({"mode": "native", "subprocess_as_task": "call"}, "subprocess_as_task is 'call'; it must be a list of texts"),
        ({"exclude": "opt"}, "exclude is 'opt'; it must be a list of texts"),
        ({"exclude": [3]}, r"exclude is \[3\]; it must be a list of texts"),
        ({"exclude": ["a"]}, r"no optional node 'a' on its top level.*Optional ones: opt \(opt\)"),
        ({"node_args": ["a"]}, "node_args must be a dict of pattern to arguments, not list"),
        ({"node_args": {3: {}}}, "node_args has the key 3; keys must be strings"),
        ({"node_args": {"a": ["retries"]}}, r"node_args of 'a' are \['retries'\]; they must be a dict of arguments"),
        ({"node_args": {"a": {3: "x"}}}, r"node_args of 'a' are \{3: 'x'\}; they must be a dict of arguments"),
    ],
)
def test_what_cannot_be_is_refused(arguments: dict[str, Any], error: str) -> None:
    given: dict[str, Any] = {"template_id": 7, **arguments}
    with own_dag(), pytest.raises(SopsInvalidParameterError, match=error):
        SopsTaskGroup("deploy", pipeline=PipelineTree.from_dict(made()), **given)


def test_nodes_to_leave_out_may_be_templates() -> None:
    with own_dag() as dag:
        SopsTaskGroup("deploy", pipeline=made(), template_id=7, exclude=["{{ var.value.node }}"])
    assert dag.get_task("deploy.start").exclude_task_nodes_id == ["{{ var.value.node }}"]


def test_a_snapshot_can_be_given_as_it_is() -> None:
    snapshot: Snapshot = read_snapshot({"pipeline_tree": made(), "template": {"id": 8}})
    with own_dag() as dag:
        SopsTaskGroup("deploy", pipeline=snapshot)
    assert found(dag.tasks, "template_id") == {(8,)}
