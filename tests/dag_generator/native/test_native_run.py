"""Flows that Airflow runs itself, with passwords, without some nodes, and with subprocesses in one piece."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pendulum
import pytest

from airflow_provider_sops.dag_generator import SopsDag
from airflow_provider_sops.hooks.sops import SopsHook
from airflow_provider_sops.sops.pipeline_tree.snapshot import take_snapshot
from tests.aged_sops import run_local_sops
from tests.dag_run import FinishedRun, run_dag

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("airflow_db")]


def run_natively(hook: SopsHook, template_id: int, dag_id: str, **arguments: Any) -> tuple[SopsDag, FinishedRun]:
    template = hook.get_template_info(template_id, unfold_subprocess=True)
    dag = SopsDag(
        f"native_{dag_id}",
        pipeline=take_snapshot(template, template_source="business", bk_biz_id=hook.bk_biz_id, scope="cmdb_biz"),
        mode="native",
        schedule=None,
        start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
        poll_interval_seconds=0.2,
        **arguments,
    )
    return dag, run_dag(dag)


def states(dag: SopsDag, run: FinishedRun) -> dict[str, str | None]:
    return {task_id.replace("__0000000", "_"): run.state_of(task_id) for task_id in dag.task_ids}


def test_a_password_reaches_sops_and_no_xcom(hook: SopsHook, templates: dict[str, int]) -> None:
    password = "given-2c9f"
    dag, run = run_natively(hook, templates["password"], "given_password", constants={"${password}": password})

    assert inputs_of(run, dag, hook)["bk_display_message"].endswith(f":{password}")
    keys = ("return_value", "sops_node", "sops_variables", "sops_constants")
    assert password not in json.dumps([run.xcom(each, key) for each in dag.task_ids for key in keys])
    assert list(run.xcom("end")) == ["user"]


def test_a_password_that_the_snapshot_does_not_hold_is_that_of_the_template(
    hook: SopsHook, templates: dict[str, int]
) -> None:
    dag, run = run_natively(hook, templates["password"], "kept_password")

    assert run.state == "success"
    (task_id,) = set(dag.task_ids) - {"start", "end"}
    tree = hook.get_task_detail(run.xcom(task_id, "sops_task_id"), fresh=True).pipeline_tree
    assert "value_emptied" not in tree["constants"]["${password}"]


def test_nothing_is_started_on_a_sops_that_ignores_the_tree_of_a_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with run_local_sops(tmp_path, "--server", "2019") as sops:
        monkeypatch.setenv("AIRFLOW_CONN_SOPS_DEFAULT", sops.connection_json())
        with SopsHook() as hook:
            (template_id,) = (item.id for item in hook.get_template_list() if item.name == "linear")
            _, run = run_natively(hook, template_id or 0, "ignored")
            (task,) = hook.get_task_list()

    assert run.state == "failed"
    assert not task.is_started


def inputs_of(run: FinishedRun, dag: SopsDag, hook: SopsHook) -> Any:
    """The inputs that SOPS had for the only node."""
    (task_id,) = set(dag.task_ids) - {"start", "end"}
    node = run.xcom(task_id, "sops_node")
    return hook.get_task_node_detail(
        node["sops_task_id"], node["node_id"], component_code="bk_display", fresh=True
    ).data.inputs


def test_the_flow_goes_on_behind_nodes_that_a_run_leaves_out(hook: SopsHook, templates: dict[str, int]) -> None:
    activities = hook.get_template_info(templates["optional"]).pipeline_tree["activities"].values()
    left_out = [activity["id"] for activity in activities if activity["optional"]]
    dag, run = run_natively(hook, templates["optional"], "optional", exclude=left_out)

    assert run.state == "success"
    assert states(dag, run) == {
        "start": "success",
        "must_begin_2": "success",
        "may_check_3_or_not": "success",
        "may_check_3": "skipped",
        "may_wait_4_or_not": "success",
        "may_wait_4": "skipped",
        "must_end_5": "success",
        "end": "success",
    }


def test_a_subprocess_in_one_piece_puts_out_the_same(hook: SopsHook, templates: dict[str, int]) -> None:
    dag, run = run_natively(hook, templates["nested"], "pieces")
    piece_dag, piece_run = run_natively(hook, templates["nested"], "one_piece", subprocess_as_task=["call*"])

    assert run.xcom("end") == piece_run.xcom("end")
    assert run.xcom("end")["answer"]
    assert any("." in task_id for task_id in dag.task_ids)
    assert not any("." in task_id for task_id in piece_dag.task_ids)
