"""OpenLooks: which looks an answer serves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_sops.polling.open_looks import OpenLooks, answer, answer_all
from airflow_provider_sops.sops.errors import SopsError
from airflow_provider_sops.sops.models import TaskStatus
from airflow_provider_sops.waiting.model import Look

if TYPE_CHECKING:
    from airflow_provider_sops.polling.open_looks import OpenLook

STATUS = TaskStatus.read({"id": 7, "state": "RUNNING", "children": {}})
ERROR = SopsError("no answer")
PLAIN, DETAILED = Look(1.0), Look(1.0, with_details=True)


def said(opened: OpenLook) -> Any:
    return opened.answer.exception() or opened.answer.result()


async def test_an_answer_with_details_serves_all_looks_at_a_task() -> None:
    looks = OpenLooks()
    opened = [looks.add(7, PLAIN), looks.add(7, DETAILED)]
    looks.add(8, PLAIN)
    assert looks.take(7, with_details=True) == opened
    assert looks.take(7, with_details=True) == []


async def test_one_without_leaves_those_that_want_details() -> None:
    looks = OpenLooks()
    plain, detailed = looks.add(7, PLAIN), looks.add(7, DETAILED)
    assert looks.take(7) == [plain]
    assert looks.take(7, with_details=True) == [detailed]


async def test_a_look_whose_wait_is_gone_is_dropped_alone() -> None:
    looks = OpenLooks()
    first, second = looks.add(7, PLAIN), looks.add(7, PLAIN)
    assert looks.drop(7, first)
    assert not looks.drop(7, second)
    assert looks.take(7) == []


async def test_each_look_gets_the_answer_and_one_that_has_one_keeps_it() -> None:
    looks = OpenLooks()
    first, second, other = looks.add(7, PLAIN), looks.add(7, PLAIN), looks.add(8, PLAIN)
    answer([first], STATUS)
    answer_all([[first, second], [other]], ERROR)
    assert [said(each) for each in (first, second, other)] == [STATUS, ERROR, ERROR]


@pytest.mark.parametrize("with_details", [False, True])
async def test_a_cancelled_look_takes_no_answer(with_details: bool) -> None:
    looks = OpenLooks()
    opened = looks.add(7, PLAIN)
    opened.answer.cancel()
    answer(looks.take(7, with_details=with_details), STATUS)
    assert opened.answer.cancelled()
