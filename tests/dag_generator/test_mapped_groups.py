"""Flows in mapped task groups: each map index is a flow of its own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pendulum
import pytest
from airflow.providers.common.compat.sdk import DAG, TaskGroup, task, task_group

from airflow_provider_sops.dag_generator import SopsTaskGroup
from airflow_provider_sops.sops.pipeline_tree.snapshot import Snapshot, take_snapshot
from tests.dag_run import FinishedRun, run_dag

if TYPE_CHECKING:
    from airflow_provider_sops.hooks.sops import SopsHook

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("airflow_db")]


def short(task_id: str) -> str:
    """A task's id without what makes it unique."""
    return re.sub("__[0-9a-f]{8}", "", task_id)


def snapshot(hook: SopsHook, template_id: int) -> Snapshot:
    template = hook.get_template_info(template_id, unfold_subprocess=True)
    return take_snapshot(template, template_source="business", bk_biz_id=hook.bk_biz_id, scope="cmdb_biz")


def own_dag(dag_id: str) -> DAG:
    return DAG(dag_id, schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC"))


def states(run: FinishedRun, map_index: int) -> dict[str, str]:
    """What became of the tasks of a map index, by short ids without the mapped group's."""
    return {
        short(ti.task_id).removeprefix("each."): str(getattr(ti.state, "value", ti.state))
        for ti in run.dag_run.get_task_instances()
        if ti.map_index == map_index
    }


def task_id(dag: DAG, name: str) -> str:
    (found,) = (each for each in dag.task_ids if short(each) == name)
    return found


def constants(hook: SopsHook, sops_task_id: int) -> dict[str, Any]:
    found = hook.get_task_detail(sops_task_id, fresh=True).pipeline_tree["constants"]
    return {key: each["value"] for key, each in found.items()}


class TestWatched:
    @pytest.mark.parametrize("pace", ["flow", "free"])
    def test_each_map_index_watches_a_sops_task_of_its_own(
        self, hook: SopsHook, templates: dict[str, int], pace: Any
    ) -> None:
        with own_dag(f"watch_mapped_{pace}") as dag:

            @task
            def environments() -> list[str]:
                return ["prod", "test", "stage"]

            @task_group
            def each(env: Any) -> None:
                SopsTaskGroup(
                    "deploy",
                    pipeline=snapshot(hook, templates["exclusive"]),
                    constants={"${env}": env},
                    pace=pace,
                    poll_interval_seconds=0.2,
                )

            each.expand(env=environments())
        run = run_dag(dag)

        assert run.state == "success"
        ids = [run.xcom("each.deploy.start", "sops_task_id", index) for index in range(3)]
        assert len(set(ids)) == 3
        assert [constants(hook, each)["${env}"] for each in ids] == ["prod", "test", "stage"]
        assert [run.xcom("each.deploy.flow", map_index=index) for index in range(3)] == [
            {"env": "prod"},
            {"env": "test"},
            {"env": "stage"},
        ]
        ways = ("deploy_to_production", "deploy_to_test", "deploy_elsewhere")
        for index, taken in enumerate(ways):
            found = states(run, index)
            assert {way: found[f"deploy.{way}"] for way in ways} == {
                way: "success" if way == taken else "skipped" for way in ways
            }
            node = run.xcom(task_id(dag, f"each.deploy.{taken}"), "sops_node", index)
            assert node["sops_task_id"] == ids[index]


class TestNative:
    def test_each_map_index_runs_the_flow_with_its_own_values(self, hook: SopsHook, templates: dict[str, int]) -> None:
        flow = snapshot(hook, templates["rollout"])
        (left_out,) = (node.id for node in flow.tree.nodes.values() if node.name == "tell the team")
        with own_dag("native_mapped") as dag:

            @task
            def environments() -> list[str]:
                return ["Production", "Test"]

            @task
            def version_for(environment: str) -> str:
                return f"2-{environment}"

            @task_group
            def each(environment: Any) -> None:
                version: Any = version_for(environment)
                with TaskGroup("inside"):
                    SopsTaskGroup(
                        "rollout",
                        pipeline=flow,
                        mode="native",
                        constants={"${environment}": environment, "${version}": version, "${seconds}": "1"},
                        exclude=[left_out],
                        poll_interval_seconds=0.2,
                    )

            found: Any = environments()
            each.expand(environment=found.map(lambda name: name.lower()))
        run = run_dag(dag)

        assert run.state == "success"
        place = "each.inside.rollout"
        for index, environment in enumerate(["production", "test"]):
            given = {"${environment}": environment, "${version}": f"2-{environment}", "${seconds}": "1"}
            assert run.xcom(f"{place}.start", "sops_constants", index) == given
            assert run.xcom(f"{place}.end", map_index=index) == {
                "version": f"2-{environment}",
                "environment": environment,
            }
            node = run.xcom(task_id(dag, f"{place}.deploy_web"), "sops_node", index)
            assert constants(hook, node["sops_task_id"]).get("${seconds}", "1") == "1"
        checked, unchecked = (
            {name.removeprefix("inside.rollout."): state for name, state in states(run, index).items()}
            for index in range(2)
        )
        inside = [name for name in checked if name.startswith("check_the_service.")]
        assert {checked[name] for name in inside} == {"success"}
        assert {unchecked[name] for name in inside} == {"skipped"}
        assert (checked["nothing_to_check"], unchecked["nothing_to_check"]) == ("skipped", "success")
        for found in (checked, unchecked):
            assert (found["tell_the_team_or_not"], found["tell_the_team"]) == ("success", "skipped")
        assert {checked["end"], unchecked["end"]} == {"success"}
