"""Reading a list to its end, page by page."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_sops.enos.gateway import FIRST_PAGE

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from airflow_provider_sops.enos.gateway import ApiVersion

#: EnOS recommends no more than 50.
PAGE_SIZE = 50

Item = TypeVar("Item")


def pagination(version: ApiVersion, page: int, size: int, sorters: Sequence[tuple[str, str]] = ()) -> dict[str, Any]:
    """Return the ``pagination`` of a request.

    :param page: counted from 0; the versions of the API count differently.
    :param sorters: fields and ``ASC`` or ``DESC``.
    """
    content: dict[str, Any] = {"pageNo": FIRST_PAGE[version] + page, "pageSize": size}
    if sorters:
        content["sorters"] = [{"field": name, "order": order} for name, order in sorters]
    return content


def all_pages(
    read_page: Callable[[int], Sequence[Item]], *, size: int, identity: Callable[[Item], Hashable]
) -> list[Item]:
    """Return the items of all pages, each once.

    Ends with the first page that is not full, or that brings nothing new: a server that ignores the page's number gives
    the same page for ever. ``count`` is not trusted, since it may count the page alone.

    :param read_page: reads a page, counted from 0.
    :param identity: what tells items apart; between two pages the list may have moved.
    """
    found: dict[Hashable, Item] = {}
    for page in itertools.count():
        items = read_page(page)
        known = len(found)
        for item in items:
            found.setdefault(identity(item), item)
        if len(items) < size or len(found) == known:
            break
    return list(found.values())
