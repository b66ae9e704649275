"""The task groups of subprocesses and stages: Airflow can show them, and they change no task's id."""

from __future__ import annotations

from collections import defaultdict
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Any

import pendulum
import pytest
from airflow.providers.common.compat.sdk import DAG, TaskGroup
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_sops.dag_generator import PipelineTree, SopsDag, SopsTaskGroup
from airflow_provider_sops.dag_generator.task_ids import name_tasks
from airflow_provider_sops.version_compat import AIRFLOW_V_3_3_PLUS
from tests.dag_generator.flow_trees import required, tree
from tests.pipeline_trees.strategies import flows
from tests.pipeline_trees.web_tree import web_tree
from tests.sops.builders import subprocess as sub

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_sops.dag_generator.options import Mode
    from tests.pipeline_trees.blocks import Flow


def activities(made: Any) -> Iterator[Any]:
    """All activities of a tree, those in subprocesses too."""
    for each in made["activities"].values():
        yield each
        if "pipeline" in each:
            yield from activities(each["pipeline"])


def groups_around(task: Any) -> list[Any]:
    """The groups around a task and the task itself, the outermost first."""
    found = [task.task_id]
    group = task.task_group
    while group is not None:
        found.append(group.group_id)
        group = group.parent_group
    return found[::-1]


def check_order(dag: Any) -> None:
    """Each group can put what is in it into an order, as Airflow does it to show the DAG.

    :raises graphlib.CycleError: it cannot.
    """
    before: defaultdict[Any, TopologicalSorter[Any]] = defaultdict(TopologicalSorter)
    for task in dag.tasks:
        for after in map(dag.get_task, task.downstream_task_ids):
            both = zip(groups_around(task), groups_around(after), strict=False)
            around, pair = None, None
            for pair in both:
                if pair[0] != pair[1]:
                    break
                around = pair[0]
            assert pair is not None
            before[around].add(pair[1], pair[0])
    for sorter in before.values():
        sorter.prepare()


class TestStages:
    @pytest.mark.skipif(not AIRFLOW_V_3_3_PLUS, reason="older ones can show groups in circles")
    def test_a_stage_to_which_the_flow_comes_back_has_a_group_for_each_time(self) -> None:
        stages = {"a": "one", "b": "two", "call": "one", "c": "one"}
        nodes = {name: required(name, stage_name=stage) for name, stage in stages.items()}
        inner = tree("s2 > x1 > e2", nodes={"x1": required("x1")})
        made = tree("s > a > b > call > c > e", nodes={**nodes, "call": {**nodes["call"], **sub("call", inner)}})
        dag: Any = SopsDag("flow", pipeline=made, template_id=7, schedule=None, stages=True)
        shown = {
            getattr(group, "group_display_name", "") or group.tooltip: set(group.children)
            for group in dag.task_group_dict.values()
            if group
        }
        names = {key[-1]: name.full_task_id for key, name in name_tasks(PipelineTree(made), stages=True).items()}

        assert shown == {
            "one": {names["a"]},
            "two": {names["b"]},
            "one (2)": {names["call"].replace(".", "__"), names["c"]},
            "call": {names["x1"]},
        }

    @pytest.mark.parametrize("mode", ["watch", "native"])
    @settings(max_examples=30)
    @given(flow=flows(depth=2), drawn=st.lists(st.sampled_from(("", "one", "two")), min_size=1, max_size=8))
    def test_groups_never_lead_to_each_other_in_a_circle_and_change_no_id(
        self, mode: Mode, flow: Flow, drawn: list[str]
    ) -> None:
        made = web_tree(flow)
        for number, each in enumerate(activities(made)):
            each["stage_name"] = drawn[number % len(drawn)]
        with DAG("own", schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC")) as dag, TaskGroup("around"):
            SopsTaskGroup("flow", pipeline=made, template_id=7, mode=mode, stages=True)

        if AIRFLOW_V_3_3_PLUS:
            check_order(dag)
        names = {each.full_task_id for each in name_tasks(PipelineTree(made), "around.flow", stages=True).values()}
        own = {f"around.flow.{name}" for name in ("start", "flow", "end")}
        assert {each for each in dag.task_ids if not each.endswith((".start", ".end", "_or_not"))} <= names | own
