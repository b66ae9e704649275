"""SopsCreateTaskOperator: a task, not started unless asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_sops.operators.sops import SopsCreateTaskOperator
from airflow_provider_sops.sops.models import TaskState
from tests.plain_task_instance import PlainTaskInstance
from tests.task_progress import wait_for_state

if TYPE_CHECKING:
    from airflow_provider_sops.hooks.sops import SopsHook
    from airflow_provider_sops.sops.models import CreatedTask

pytestmark = pytest.mark.integration


def make(templates: dict[str, int], template: str, **arguments: Any) -> SopsCreateTaskOperator:
    return SopsCreateTaskOperator(task_id="create", template_id=templates[template], **{"name": "create", **arguments})


def test_returns_the_id_of_a_task_that_is_not_started(templates: dict[str, int], hook: SopsHook) -> None:
    ti = PlainTaskInstance()
    sops_task_id = make(templates, "quick").execute(ti.context)
    assert hook.get_task_status(sops_task_id, fresh=True).state == TaskState.CREATED
    assert ti.xcoms["sops_task_id"] == sops_task_id
    assert ti.xcoms["sops_task_url"].endswith(str(sops_task_id))


def test_names_the_page_on_which_somebody_claims_the_task(
    templates: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = make(templates, "quick", flow_type="common_func")
    create = operator.create_task
    monkeypatch.setattr(operator, "create_task", lambda name: replace(create(name), claim_url="http://sops/claim"))
    ti = PlainTaskInstance()
    operator.execute(ti.context)
    assert ti.xcoms["sops_claim_url"] == "http://sops/claim"


def test_starts_the_task_when_asked_to(templates: dict[str, int], hook: SopsHook) -> None:
    sops_task_id = make(templates, "quick", start=True).execute(PlainTaskInstance().context)
    wait_for_state(hook, sops_task_id, TaskState.FINISHED)


def test_a_retry_returns_the_same_task(templates: dict[str, int]) -> None:
    ti = PlainTaskInstance()
    first = make(templates, "quick").execute(ti.context)
    assert make(templates, "quick").execute(ti.retried().context) == first


def test_a_clear_creates_another(templates: dict[str, int]) -> None:
    ti = PlainTaskInstance()
    first = make(templates, "quick").execute(ti.context)
    assert make(templates, "quick").execute(ti.cleared().context) != first


def test_mapped_instances_have_tasks_of_their_own(templates: dict[str, int]) -> None:
    run_id = PlainTaskInstance().run_id
    ids = {
        make(templates, "quick").execute(PlainTaskInstance(run_id=run_id, map_index=index).context)
        for index in range(3)
    }
    assert len(ids) == 3


def test_leaves_out_excluded_nodes(templates: dict[str, int], hook: SopsHook) -> None:
    activities = hook.get_template_info(templates["optional"]).activities
    optional = next(key for key, node in activities.items() if node["optional"])
    sops_task_id = make(templates, "optional", exclude_task_nodes_id=[optional]).execute(PlainTaskInstance().context)
    tree = hook.get_task_detail(sops_task_id).pipeline_tree
    assert optional not in {node["template_node_id"] for node in tree["activities"].values()}


def test_constants_keep_their_types(templates: dict[str, int], hook: SopsHook) -> None:
    sops_task_id = make(templates, "linear", constants={"${who}": {"a": [1, None, True]}}).execute(
        PlainTaskInstance().context
    )
    assert hook.get_task_detail(sops_task_id).constants["${who}"]["value"] == {"a": [1, None, True]}


@pytest.mark.parametrize("as_list", [True, False])
def test_a_scheme_may_be_given_by_its_number(templates: dict[str, int], hook: SopsHook, as_list: bool) -> None:
    wanted = [1] if as_list else 1
    sops_task_id = make(templates, "optional", template_schemes_id=wanted).execute(PlainTaskInstance().context)
    names = {node["name"] for node in hook.get_task_detail(sops_task_id).pipeline_tree["activities"].values()}
    assert names == {"must begin", "may check", "must end"}


@pytest.mark.parametrize("as_list", [True, False])
def test_a_server_that_knows_no_schemes_leaves_out_the_same_nodes(
    templates: dict[str, int], hook: SopsHook, monkeypatch: pytest.MonkeyPatch, as_list: bool
) -> None:
    (scheme,) = hook.get_template_schemes(templates["optional"])
    operator = make(templates, "optional", template_schemes_id=[scheme["id"]] if as_list else scheme["id"])
    create = operator.hook.create_task

    def create_ignoring_schemes(*args: Any, template_schemes_id: Any, **kwargs: Any) -> CreatedTask:
        return create(*args, **kwargs)

    monkeypatch.setattr(operator.hook, "create_task", create_ignoring_schemes)
    sops_task_id = operator.execute(PlainTaskInstance().context)
    names = {node["name"] for node in hook.get_task_detail(sops_task_id).pipeline_tree["activities"].values()}
    assert names == {"must begin", "may check", "must end"}


@pytest.mark.parametrize("schemes", [True, -1, 1.5, {"id": 1}, [0], [""], [None], [[1]]])
def test_what_cannot_be_a_scheme_is_refused(templates: dict[str, int], schemes: Any) -> None:
    with pytest.raises(AirflowFailException, match=r"template_schemes_id is .*must be the id of an execution scheme"):
        make(templates, "optional", template_schemes_id=schemes).execute(PlainTaskInstance().context)


def test_schemes_cannot_be_combined_with_nodes(templates: dict[str, int]) -> None:
    with pytest.raises(AirflowFailException, match="cannot be combined"):
        make(templates, "optional", template_schemes_id=["1-x"], exclude_task_nodes_id=["n"]).execute(
            PlainTaskInstance().context
        )
