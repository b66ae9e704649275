"""Which SOPS tasks a run has, and which of its task instances may say so."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_sops.plugins.run_tasks import Instance, Run
from airflow_provider_sops.sops.site import Site
from airflow_provider_sops.sops.task_key import TaskKey

SITE = {"sops_conn_id": "sops_default", "bk_biz_id": 2, "scope": None}


def instance(
    task_id: str, pushed_id: Any = None, /, *, map_index: int = -1, operator: str = "Any", **fields: Any
) -> Instance:
    pushed = {} if pushed_id is None else {"sops_task_id": pushed_id}
    return Instance(task_id, map_index, operator, "success", "2026", fields={**SITE, **fields}, pushed=pushed)


def run_of(*instances: Instance) -> Run:
    return Run("dag", "run", instances)


def keyed(task_id: str, map_index: int = -1) -> str:
    key = TaskKey.of(dag_id="dag", run_id="run", task_id=task_id, map_index=map_index, max_tries=1)
    return key.add_to("a flow")


def test_a_run_operator_and_the_sensor_behind_it_have_one_sops_task() -> None:
    (task,) = run_of(instance("run", 7), instance("sense", 7, sops_task_id="7")).tasks()

    assert (task.site, task.sops_task_id, task.head.task_id) == (Site("sops_default", 2), 7, "run")


def test_each_mapped_instance_has_its_own() -> None:
    run = run_of(instance("run", 7, map_index=0), instance("run", 8, map_index=1))

    assert [task.sops_task_id for task in run.tasks()] == [7, 8]
    found = run.task_of("run", 1)
    assert found is not None
    assert found.sops_task_id == 8


def test_the_same_id_at_another_site_is_another_task() -> None:
    run = run_of(instance("run", 7), instance("other", 7, bk_biz_id=3))

    assert [task.site.bk_biz_id for task in run.tasks()] == [2, 3]


def test_a_task_that_made_its_sops_task_proves_that_by_the_key_in_the_name() -> None:
    task = run_of(instance("run", 7)).task_of("run", -1)

    assert task is not None
    assert task.is_ours(keyed("run"))
    assert not task.is_ours(keyed("run", 3))
    assert not task.is_ours("somebody's flow")


def test_a_task_that_was_given_its_sops_task_needs_no_proof_and_ignores_xcom() -> None:
    task = run_of(instance("sense", 9, sops_task_id="7")).task_of("sense", -1)

    assert task is not None
    assert task.sops_task_id == 7
    assert task.is_ours("somebody's flow")


@pytest.mark.parametrize("value", ["no number", -1, True, None, {"a": 1}, 2**70])
def test_an_xcom_that_is_no_id_is_none(value: Any) -> None:
    assert run_of(instance("run", value)).tasks() == []


@pytest.mark.parametrize("conn_id", [None, "", 5])
def test_without_a_connection_there_is_no_task(conn_id: Any) -> None:
    assert run_of(instance("run", 7, sops_conn_id=conn_id)).tasks() == []


def test_a_mirror_belongs_to_the_flow_around_it() -> None:
    run = run_of(
        instance("start", 1, operator="FlowStartOperator"),
        instance("group.start", 2, operator="FlowStartOperator"),
        Instance("group.check__1", -1, "NodeMirrorOperator", "success", pushed={"sops_node": {"node_id": "n5"}}),
        Instance("check__1", -1, "NodeMirrorOperator", "deferred"),
    )
    inner, outer = run.task_of("group.check__1", -1), run.task_of("check__1", -1)

    assert inner is not None
    assert outer is not None
    assert (inner.sops_task_id, inner.group, inner.asked and inner.asked.node_id) == (2, "group.", "n5")
    assert (outer.sops_task_id, outer.group, outer.asked and outer.asked.node_id) == (1, "", "")


def test_a_task_that_has_nothing_to_do_with_sops_has_none() -> None:
    assert run_of(instance("run", 7)).task_of("another", -1) is None
