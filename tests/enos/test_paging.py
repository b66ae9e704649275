from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_sops.enos.paging import Page, all_pages
from airflow_provider_sops.service.calls import Call, as_it_is, blocking_steps

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_provider_sops.service.calls import Steps, T


class PagedList:
    """A service with one list.

    :param read_page: what stands on a page.
    """

    def __init__(self, read_page: Callable[[int], Sequence[int]]) -> None:
        self.read_page = read_page
        self.asked: list[int] = []

    def do(self, call: Call[T]) -> T:
        number = call.parameters["page"].number
        self.asked.append(number)
        return call.read(self.read_page(number))

    def all(self) -> list[int]:
        return blocking_steps(all_items)(self)


def all_items() -> Steps[list[int]]:
    def page_of(page: Page) -> Call[Sequence[int]]:
        return Call("list", {"page": page}, as_it_is)

    return all_pages(page_of, size=2, identity=lambda item: item)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5])
def test_pages_are_read_until_one_is_not_full(count: int) -> None:
    items = list(range(count))
    service = PagedList(lambda page: items[2 * page : 2 * page + 2])

    assert service.all() == items
    assert service.asked == list(range(count // 2 + 1))


def test_a_server_that_ignores_the_page_is_asked_twice() -> None:
    service = PagedList(lambda page: [1, 2])

    assert service.all() == [1, 2]
    assert service.asked == [0, 1]


def test_an_item_that_moved_to_the_next_page_comes_once() -> None:
    pages = [[3, 2], [2, 1], []]

    assert PagedList(lambda page: pages[page]).all() == [3, 2, 1]


@pytest.mark.parametrize("first_page", [0, 1])
def test_a_page_is_counted_from_the_first_one_of_the_api(first_page: int) -> None:
    parameter: dict[str, Any] = Page(2, 50).to_parameter(first_page)

    assert parameter == {"pageNo": first_page + 2, "pageSize": 50}
