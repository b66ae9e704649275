from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airflow_provider_sops.enos.paging import all_pages, pagination

if TYPE_CHECKING:
    from airflow_provider_sops.enos.gateway import ApiVersion


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5])
def test_pages_are_read_until_one_is_not_full(count: int) -> None:
    items, asked = list(range(count)), []

    def read_page(page: int) -> list[int]:
        asked.append(page)
        return items[2 * page : 2 * page + 2]

    assert all_pages(read_page, size=2, identity=lambda item: item) == items
    assert asked == list(range(count // 2 + 1))


def test_a_server_that_ignores_the_page_is_asked_twice() -> None:
    assert all_pages(lambda page: [1, 2], size=2, identity=lambda item: item) == [1, 2]


def test_an_item_that_moved_to_the_next_page_comes_once() -> None:
    pages = [[3, 2], [2, 1], []]
    assert all_pages(lambda page: pages[page], size=2, identity=lambda item: item) == [3, 2, 1]


@pytest.mark.parametrize(("version", "number"), [("v2.1", 3), ("v2.0", 2)])
def test_the_versions_count_pages_differently(version: ApiVersion, number: int) -> None:
    assert pagination(version, 2, 50) == {"pageNo": number, "pageSize": 50}


def test_sorters_are_sent_where_given() -> None:
    assert pagination("v2.1", 0, 5, [("start_time", "DESC")])["sorters"] == [{"field": "start_time", "order": "DESC"}]
