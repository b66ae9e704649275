"""Which SOPS tasks with a task instance's key were made by it."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_sops.sops.models import TaskListItem
from airflow_provider_sops.sops.task_origin import Ownership, TaskOrigin, described

OURS, DOUBTFUL, OTHERS = Ownership.OURS, Ownership.DOUBTFUL, Ownership.OTHERS
LATER_TRY = TaskOrigin(8, users=["admin"])
FIRST_TRY = TaskOrigin(8, users=["admin"], is_first_try=True)
#: As a server of today lists a task that this connection has created from template 8.
LISTED: dict[str, Any] = {
    "id": 25,
    "name": "deploy #k3vq2z2m5w7ra-2",
    "create_method": "api",
    "creator": "admin",
    "template_source": "project",
    "template_id": "8",
    "is_child_taskflow": False,
}


def task(**changes: Any) -> TaskListItem:
    return TaskListItem.read({**LISTED, **changes})


def task_without(*fields: str, **changes: Any) -> TaskListItem:
    return TaskListItem.read({**{key: value for key, value in LISTED.items() if key not in fields}, **changes})


@pytest.mark.parametrize("origin", [FIRST_TRY, LATER_TRY])
@pytest.mark.parametrize(
    ("found", "ownership"),
    [
        (task(), OURS),
        (task(template_id=8), OURS),
        (task(create_method="mcp"), OURS),
        (task(creator="Admin "), OURS),
        (task(template_source="business"), OURS),
        (task(creator="bob"), DOUBTFUL),
        (task(id=None), DOUBTFUL),
        (task(template_id="9", creator="bob"), OTHERS),
        (task(template_source="common", creator="bob"), OTHERS),
        (task(template_source="onetime", template_id="", creator="bob"), OTHERS),
        (task(create_method="app"), OTHERS),
        (task(create_method="app", creator="bob"), OTHERS),
        (task(create_method="periodic"), OTHERS),
        (task(create_method="clocked", template_id="9"), OTHERS),
        (task(is_child_taskflow=True), OTHERS),
    ],
)
def test_whose_a_task_is(origin: TaskOrigin, found: TaskListItem, ownership: Ownership) -> None:
    assert origin.ownership_of(found) == ownership


@pytest.mark.parametrize("other", [{"template_id": "9"}, {"template_source": "common"}, {"template_source": "onetime"}])
def test_another_template_is_doubtful_only_if_an_earlier_try_may_have_had_it(other: dict[str, str]) -> None:
    assert LATER_TRY.ownership_of(task(**other)) == DOUBTFUL
    assert FIRST_TRY.ownership_of(task(**other)) == OTHERS


@pytest.mark.parametrize(
    "found",
    [
        task_without(*(key for key in LISTED if key not in ("id", "name"))),
        task_without("create_method"),
        task_without("creator"),
        task_without("template_id", "template_source", "is_child_taskflow"),
        task(create_method=None, creator=None, template_id=None, template_source=None),
    ],
)
def test_what_an_old_server_does_not_tell_counts_neither_way(found: TaskListItem) -> None:
    assert LATER_TRY.ownership_of(found) == OURS
    assert TaskOrigin().ownership_of(task(template_id="9", creator="bob")) == OURS


def test_but_what_it_tells_does() -> None:
    assert LATER_TRY.ownership_of(task_without("create_method", creator="bob")) == DOUBTFUL
    assert LATER_TRY.ownership_of(task_without("creator", create_method="app")) == OTHERS


@pytest.mark.parametrize("template_id", [8, "8", " 8 "])
def test_the_template_is_a_number_however_it_was_rendered(template_id: Any) -> None:
    origin = TaskOrigin(template_id, users=["admin"])
    assert origin.ownership_of(task()) == OURS
    assert origin.ownership_of(task(template_id="18")) == DOUBTFUL


def test_common_templates_have_ids_of_their_own() -> None:
    origin = TaskOrigin(8, "common", users=["admin"])
    assert origin.ownership_of(task(template_source="common")) == OURS
    assert origin.ownership_of(task()) == DOUBTFUL
    assert TaskOrigin(8, "project", users=["admin"]).ownership_of(task()) == OURS


def test_a_task_that_is_known_is_ours_whatever_has_changed_since() -> None:
    origin = TaskOrigin(8, users=["admin"], known_ids=[25])
    assert origin.ownership_of(task(creator="bob", template_id="9", create_method="app")) == OURS


def test_the_error_for_a_doubtful_task_says_what_differs_and_what_to_do() -> None:
    error = LATER_TRY.doubt(task(creator="bob\n\x1b[2J", template_id="9"), is_current=True)
    text = str(error)
    assert 'its creator is "bob\\n\\u001b[2J", but the connection\'s user is "admin"' in text
    assert "it was made from project template 9, but this task's template is 8" in text
    assert "delete or rename it" in text
    assert "before it was cleared" in str(LATER_TRY.doubt(task(creator="bob"), is_current=False))


def test_a_task_of_others_is_described_by_what_gives_it_away() -> None:
    assert described(task(create_method="app", creator="eve")) == (
        'SOPS task 25 ("deploy #k3vq2z2m5w7ra-2"; project template 8, creator "eve", create_method "app")'
    )
