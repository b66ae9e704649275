"""get_task_list: finding tasks again, by name above all."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

import pytest

from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from tests.contract.flows import new_name

if TYPE_CHECKING:
    from airflow_provider_sops.hooks.sops import SopsHook
    from airflow_provider_sops.sops.models import CreatedTask, TaskStatus
    from tests.contract.flows import Flows

pytestmark = [pytest.mark.contract, pytest.mark.integration]


@pytest.mark.flow("quick")
def test_a_task_is_found_by_any_part_of_its_name_as_soon_as_it_is_created(gateway_hook: SopsHook, flows: Flows) -> None:
    name = new_name("Ünï 中 100% a_b #'\"")
    task_id = flows.create("quick", name=name).task_id
    for keyword in (name, name[3:], name[-20:]):
        assert [item.id for item in gateway_hook.get_task_list(keyword=keyword)] == [task_id]


@pytest.mark.flow("quick")
@pytest.mark.parametrize(("inside", "keyword"), [("Case", "case"), ("a_b", "a%b"), ("a.b", "a_b")])
def test_a_keyword_means_just_itself(hook: SopsHook, flows: Flows, inside: str, keyword: str) -> None:
    name = new_name(inside)
    flows.create("quick", name=name)
    assert hook.get_task_list(keyword=name.replace(inside, keyword)) == []


@pytest.mark.flow("quick")
def test_tasks_come_newest_first_in_pages(hook: SopsHook, flows: Flows) -> None:
    name = new_name("pages")
    ids = [flows.create("quick", name=f"{name} {number}").task_id for number in range(3)]
    newest_first = sorted(ids, reverse=True)
    assert [item.id for item in hook.get_task_list(keyword=name)] == newest_first
    assert [item.id for item in hook.get_task_list(keyword=name, limit=2)] == newest_first[:2]
    assert [item.id for item in hook.get_task_list(keyword=name, limit=2, offset=2)] == newest_first[2:]
    assert hook.call("get_task_list", keyword=name, limit=1).raw["count"] == 3


@pytest.mark.flow("quick")
def test_an_item_says_what_the_task_is(hook: SopsHook, flows: Flows, any_template: int) -> None:
    name = new_name("item")
    task_id = flows.create("quick", name=name).task_id
    (item,) = hook.get_task_list(keyword=name)
    assert (item.id, item.name, item.template_id, item.create_method) == (task_id, name, any_template, "api")
    assert (item.is_started, item.is_finished, item.start_time, item.finish_time) == (False, False, None, None)


@pytest.mark.flow("linear")
def test_a_finished_task_is_listed_with_zone_aware_times(
    hook: SopsHook, finished_linear: tuple[CreatedTask, TaskStatus]
) -> None:
    task, _ = finished_linear
    detail = hook.get_task_detail(task.task_id, fresh=True)
    for zone in (None, "Asia/Shanghai", "UTC"):
        (item,) = hook.get_task_list(keyword=detail.name, expected_timezone=zone)
        assert (item.id, item.is_started, item.is_finished) == (task.task_id, True, True)
        for listed, exact in ((item.start_time, detail.start_time), (item.finish_time, detail.finish_time)):
            assert listed is not None
            assert exact is not None
            assert listed.utcoffset() is not None
            assert listed.int_timestamp == exact.int_timestamp


@pytest.mark.flow("fail")
def test_a_failed_task_is_started_and_not_finished(hook: SopsHook, failed: tuple[CreatedTask, TaskStatus]) -> None:
    name = hook.get_task_detail(failed[0].task_id, fresh=True).name
    (item,) = hook.get_task_list(keyword=name)
    assert (item.is_started, item.is_finished, item.finish_time) == (True, False, None)


@pytest.mark.since("3.32")
@pytest.mark.template("quick")
@pytest.mark.template("linear")
def test_tasks_are_filtered(hook: SopsHook, flows: Flows, template_ids: dict[str, int]) -> None:
    name = new_name("filtered")
    task_id = flows.create("quick", name=name).task_id
    now = datetime.datetime.now(datetime.UTC)
    hour, found = datetime.timedelta(hours=1), [task_id]

    def ids(**filters: object) -> list[int]:
        return [item.id for item in hook.get_task_list(keyword=name, **filters)]  # type: ignore[arg-type]

    assert (ids(template_id=template_ids["quick"]), ids(template_id=template_ids["linear"])) == (found, [])
    assert (ids(is_started=False), ids(is_started=True)) == (found, [])
    assert (ids(create_method="api"), ids(create_method="app")) == (found, [])
    assert (ids(create_time_start=now - hour), ids(create_time_start=now + hour)) == (found, [])


def test_a_page_never_has_more_than_200_tasks(hook: SopsHook) -> None:
    assert len(hook.get_task_list(limit=500)) <= 200


@pytest.mark.since("2020")
def test_an_unknown_time_zone_is_refused(hook: SopsHook) -> None:
    with pytest.raises(SopsInvalidParameterError) as refusal:
        hook.get_task_list(expected_timezone="Mars/Olympus")
    assert refusal.value.code == 3546100


@pytest.mark.since("2020")
@pytest.mark.flow("quick")
@pytest.mark.other_project
def test_only_tasks_of_the_project_are_listed(hook: SopsHook, other_project: SopsHook, flows: Flows) -> None:
    name = new_name("own project")
    flows.create("quick", name=name)
    assert len(hook.get_task_list(keyword=name)) == 1
    assert other_project.get_task_list(keyword=name) == []
