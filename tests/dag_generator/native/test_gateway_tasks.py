"""Decisions and joins inside mapped task groups."""

from __future__ import annotations

from typing import Any

import pendulum
import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException, AirflowSkipException, TriggerRule, task_group

from airflow_provider_sops.dag_generator import ConverterRegistry, SopsTaskGroup
from airflow_provider_sops.dag_generator.native import gateway_tasks
from airflow_provider_sops.dag_generator.native.gateway_tasks import skip_unless_followed, skip_unless_reached
from airflow_provider_sops.version_compat import AIRFLOW_V_3_3_PLUS
from tests.dag_generator.flow_trees import GATEWAYS, required, rule_of, short, tree


def in_mapped_group(*ways: str, node_args: Any = None) -> dict[str, Any]:
    """The tasks of a flow, by short id."""
    with DAG("own", schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC")) as dag:

        @task_group
        def each(who: Any) -> None:
            SopsTaskGroup(
                "flow",
                pipeline=tree(*ways, nodes={**GATEWAYS, "d": required("d", "bk_display")}),
                template_id=7,
                mode="native",
                converters=ConverterRegistry(),
                node_args=node_args,
            )

        each.expand(who=["a", "b"])
    return {short(task.task_id).removeprefix("each.flow."): task for task in dag.tasks}


class RunningTaskInstance:
    """The task instance of a map index, whose XComs and states of other tasks are known."""

    map_index = 1
    dag_id, run_id = "tests", "run"

    def __init__(self, task: Any, xcoms: dict[tuple[str, int], Any]) -> None:
        self.task, self.task_id = task, task.task_id
        self._xcoms = xcoms

    def get_task_states(self, *, task_ids: list[str], **_where: Any) -> dict[str, dict[str, str]]:
        return {self.run_id: dict.fromkeys(task_ids, "success")}

    def xcom_pull(self, *, task_ids: str, key: str, map_indexes: int = -1) -> Any:
        assert key == "skipmixin_key"
        return self._xcoms.get((task_ids, map_indexes))


def context(task: Any, **decisions: Any) -> Any:
    decider = next(iter(task.upstream_task_ids))
    return {"ti": RunningTaskInstance(task, {(decider, int(index[1:])): each for index, each in decisions.items()})}


EXCLUSIVE = ("s > x > a > v > e", "s > x > b > v > e")


class TestDecisions:
    def test_a_task_runs_if_the_decision_of_its_own_map_index_is_for_it(self) -> None:
        a, b = (in_mapped_group(*EXCLUSIVE)[name] for name in "ab")
        skip_unless_followed(context(a, i1={"followed": [a.task_id]}, i0={"followed": [b.task_id]}))
        with pytest.raises(AirflowSkipException, match="has led the flow to another branch"):
            skip_unless_followed(context(a, i1={"followed": [b.task_id]}, i0={"followed": [a.task_id]}))

    def test_it_runs_where_there_is_no_decision(self) -> None:
        skip_unless_followed(context(in_mapped_group(*EXCLUSIVE)["a"]))

    def test_a_decision_of_another_form_is_an_error(self) -> None:
        with pytest.raises(AirflowFailException, match=r"'skipmixin_key' of task .* is of type list"):
            skip_unless_followed(context(in_mapped_group(*EXCLUSIVE)["a"], i1=[{"followed": []}]))

    def test_all_tasks_behind_a_decision_look_and_no_others(self) -> None:
        tasks = in_mapped_group(*EXCLUSIVE, "s > x > p > c > v > e", "s > x > p > d > v > e")
        looking = {name for name, task in tasks.items() if task._pre_execute_hook is not None}
        joins = set() if AIRFLOW_V_3_3_PLUS else {"converge_gateway"}
        assert looking == {"a", "b", "parallel_gateway", *joins}

    def test_a_gateway_that_looks_is_run_by_a_worker(self) -> None:
        tasks = in_mapped_group("s > x > p > a > v > e", "s > x > p > b > v > e", "s > x > c > v > e")
        assert not tasks["parallel_gateway"].inherits_from_empty_operator

    def test_what_else_is_to_be_called_before_is_called_after_that(self) -> None:
        called: list[Any] = []
        tasks = in_mapped_group(*EXCLUSIVE, node_args={"a": {"pre_execute": called.append}})
        a, b = tasks["a"], tasks["b"]
        with pytest.raises(AirflowSkipException):
            a._pre_execute_hook(context(a, i1={"followed": [b.task_id]}))
        assert called == []
        followed = context(a, i1={"followed": [a.task_id]})
        a._pre_execute_hook(followed)
        assert called == [followed]


class TestJoins:
    def test_before_airflow_3_3_they_have_a_rule_that_does_not_skip_them_too_early(self) -> None:
        join = in_mapped_group(*EXCLUSIVE)["converge_gateway"]
        many = TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS
        assert rule_of(join) == (many if AIRFLOW_V_3_3_PLUS else TriggerRule.NONE_FAILED).value
        assert join.inherits_from_empty_operator is AIRFLOW_V_3_3_PLUS

    @pytest.mark.parametrize("states", [["success", "skipped"], ["success", "success"]])
    def test_one_way_is_enough(self, states: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.reach(states, monkeypatch)

    def test_without_any_it_is_skipped(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(AirflowSkipException):
            self.reach(["skipped", "skipped"], monkeypatch)

    def reach(self, states: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
        join = in_mapped_group(*EXCLUSIVE)["converge_gateway"]
        monkeypatch.setattr(gateway_tasks, "read_states", lambda ti, task_ids: dict(zip(task_ids, states, strict=True)))
        skip_unless_reached(context(join))


def test_outside_mapped_groups_all_is_left_to_airflow() -> None:
    with DAG("own", schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC")) as dag:
        made = tree(*EXCLUSIVE, nodes=GATEWAYS)
        SopsTaskGroup("flow", pipeline=made, template_id=7, mode="native", converters=ConverterRegistry())
    tasks: list[Any] = list(dag.tasks)
    assert [task.task_id for task in tasks if task._pre_execute_hook is not None] == []
