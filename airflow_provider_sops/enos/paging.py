"""Read a list to its end, page by page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_sops.enos.errors import EnosGatewayError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from airflow_provider_sops.service.calls import Call, Steps

#: EnOS recommends no more than 50.
PAGE_SIZE = 50

#: A list with more pages does not end.
MOST_PAGES = 1000

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a list.

    :param number: counted from 0; the gateway converts it to the API version's numbering.
    """

    number: int
    size: int = PAGE_SIZE

    def to_parameter(self, first_page: int) -> dict[str, Any]:
        """Return the ``pagination`` of a request.

        :param first_page: EnOS's number for a list's first page.
        """
        return {"pageNo": first_page + self.number, "pageSize": self.size}


def all_pages(
    page_of: Callable[[Page], Call[Sequence[Item]]], *, size: int, identity: Callable[[Item], Hashable]
) -> Steps[list[Item]]:
    """Return the items of all pages, each once.

    Ends with the first page that is not full or has nothing new: a server that ignores the page number returns the same
    page for ever. ``count`` is not used, since it may count only the page.

    :raises EnosGatewayError: there is no end after ``MOST_PAGES``.

    :param page_of: the call that reads a page.
    :param identity: what identifies an item; the list may shift between two pages.
    """
    found: dict[Hashable, Item] = {}
    for number in range(MOST_PAGES):
        items: Sequence[Item] = yield page_of(Page(number, size))
        known = len(found)
        for item in items:
            found.setdefault(identity(item), item)
        if len(items) < size or len(found) == known:
            return list(found.values())
    raise EnosGatewayError(
        f"the list has more than {MOST_PAGES} pages of {size}",
        advice="Ask for less: a shorter time range, or a more exact expression.",
    )
