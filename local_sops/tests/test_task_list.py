"""What get_task_list filters by, and what it refuses."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest
from sops_client import BUSINESS

if TYPE_CHECKING:
    from sops_client import SopsClient

LINEAR, QUICK = 1, 18
PATH = f"get_task_list/{BUSINESS}"


@pytest.fixture(scope="module")
def pair(sops: SopsClient) -> tuple[str, int, int]:
    """A keyword, and the tasks of two templates that it finds."""
    keyword = uuid.uuid4().hex
    linear, quick = (sops.create(template, name=f"a {keyword}")["task_id"] for template in (LINEAR, QUICK))
    return keyword, linear, quick


def found(sops: SopsClient, keyword: str, **query: Any) -> list[int]:
    return [item["id"] for item in sops.get(PATH, keyword=keyword, **query)["data"]]


def test_several_templates_can_be_asked_for(sops: SopsClient, pair: tuple[str, int, int]) -> None:
    keyword, linear, quick = pair
    assert found(sops, keyword, template_ids=f"{LINEAR}, {QUICK},") == [quick, linear]
    assert found(sops, keyword, template_ids=str(LINEAR)) == [linear]
    assert found(sops, keyword, template_id=QUICK) == [quick]


def test_counting_can_be_left_out(sops: SopsClient, pair: tuple[str, int, int]) -> None:
    counts = [sops.get(PATH, keyword=pair[0], without_count=switch)["count"] for switch in ("true", "false", "0")]
    assert counts == [-1, 2, 2]


@pytest.mark.parametrize(
    ("past", "future"),
    [
        ("2020-01-01", "2100-01-01"),
        ("2020-01-01 10:00", "2100-01-01 10:00"),
        ("2020-01-01 10:00:00", "2100-01-01 10:00:00"),
        ("2020-01-01 10:00:00 +0800", "2100-01-01 10:00:00 +0800"),
        ("2020-01-01T10:00:00Z", "2100-01-01T10:00:00.000Z"),
        ("2020-01-01T10:00:00+0800", "2100-01-01T10:00:00.000+0800"),
    ],
)
def test_the_time_of_creation_is_asked_for_in_many_forms(
    sops: SopsClient, pair: tuple[str, int, int], past: str, future: str
) -> None:
    keyword, linear, quick = pair
    assert found(sops, keyword, create_time_start=past, create_time_end=future) == [quick, linear]
    assert found(sops, keyword, create_time_start=future) == []
    assert found(sops, keyword, create_time_end=past) == []


def test_a_date_as_an_end_means_the_whole_day(sops: SopsClient, pair: tuple[str, int, int]) -> None:
    keyword, linear, quick = pair
    today = sops.detail(quick)["create_time"][:10]
    assert found(sops, keyword, create_time_start=today, create_time_end=today) == [quick, linear]


def test_a_time_that_is_none_is_refused_by_its_field(sops: SopsClient) -> None:
    refused = sops.get(PATH, create_time_end="yesterday")
    assert (refused["code"], refused["data"]) == (3546100, "")
    assert refused["message"]["create_time_end"][0].startswith("无法解析日期格式: yesterday")


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ({"offset": -1}, "offset and limit must be greater or equal to 0."),
        ({"limit": "many"}, "invalid literal for int() with base 10: 'many'"),
    ],
)
def test_a_page_that_is_none_is_refused(sops: SopsClient, query: dict[str, Any], reason: str) -> None:
    refused = sops.get(PATH, **query)
    assert (refused["code"], refused["message"]) == (3545000, f"[API] pagination error: {reason}")
