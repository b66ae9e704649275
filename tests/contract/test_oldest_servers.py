"""What a SOPS of 2019 does otherwise: shapes of answers that must still be read, and what it ignores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airflow_provider_sops.sops.errors import SopsError
from airflow_provider_sops.sops.models import TaskState
from tests.contract.flows import new_name, tree_of
from tests.contract.server import NO_SUCH_ID

if TYPE_CHECKING:
    from airflow_provider_sops.hooks.sops import SopsHook
    from airflow_provider_sops.sops.models import CreatedTask, TaskStatus
    from tests.contract.flows import Flows

pytestmark = [pytest.mark.contract, pytest.mark.integration, pytest.mark.until("2019")]


def test_a_refusal_has_no_code(hook: SopsHook) -> None:
    with pytest.raises(SopsError) as refusal:
        hook.get_task_status(NO_SUCH_ID)
    assert refusal.value.code is None
    assert str(NO_SUCH_ID) in str(refusal.value)


def test_a_gateway_that_wants_a_code_gives_its_own(esb_hook: SopsHook) -> None:
    with pytest.raises(SopsError) as refusal:
        esb_hook.get_task_status(NO_SUCH_ID)
    assert refusal.value.code == 1306000


@pytest.mark.flow("linear")
def test_nodes_go_by_their_classes(hook: SopsHook, finished_linear: tuple[CreatedTask, TaskStatus]) -> None:
    raw = hook.get_task_status(finished_linear[0].task_id, fresh=True).raw
    assert raw["name"] == "<class 'pipeline.core.pipeline.Pipeline'>"
    kinds = {node["name"].rpartition(".")[2] for node in raw["children"].values()}
    assert kinds == {"EmptyStartEvent'>", "ServiceActivity'>", "EmptyEndEvent'>"}


@pytest.mark.flow("linear")
def test_details_are_read_under_their_former_names(
    hook: SopsHook, finished_linear: tuple[CreatedTask, TaskStatus]
) -> None:
    detail = hook.get_task_detail(finished_linear[0].task_id)
    assert detail.raw["instance_name"] == detail.name
    assert detail.raw["end_time"]
    assert detail.finish_time is not None
    assert detail.outputs == {"who": "Ada", "greeting": "hello Ada", "said": True}


@pytest.mark.flow("quick")
def test_a_tree_of_ones_own_is_ignored(hook: SopsHook, any_template: int) -> None:
    task = hook.create_task(any_template, new_name("own tree"), pipeline_tree=tree_of("long", {}))
    assert [node["name"] for node in task.pipeline_tree["activities"].values()] == ["quick"]


@pytest.mark.flow("fail")
def test_errors_are_not_told_with_the_status(hook: SopsHook, failed: tuple[CreatedTask, TaskStatus]) -> None:
    status = hook.get_task_status(failed[0].task_id, with_ex_data=True, fresh=True)
    assert (status.state, dict(status.ex_data)) == (TaskState.FAILED, {})


@pytest.mark.flow("fail_autoretry")
def test_the_server_retries_nothing_by_itself(flows: Flows) -> None:
    task, status = flows.run("fail_autoretry", TaskState.FAILED)
    assert not any(node.get("auto_retry") for node in task.pipeline_tree["activities"].values())
    assert [node.retry for node in status.failed_nodes] == [0]
