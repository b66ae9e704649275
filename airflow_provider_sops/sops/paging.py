"""Read a list of SOPS to its end, page by page; blocking or not, whoever sends the requests."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from airflow_provider_sops.sops.endpoints import PAGE_SIZE
from airflow_provider_sops.sops.errors import SopsGatewayError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: A list with more pages does not end.
MOST_PAGES = 1000

Item = TypeVar("Item")


@dataclass
class Pages(Generic[Item]):
    """Collects the items of a list, each once.

    The list ends with the first page that is not full or brings nothing new: a server that ignores the offset returns
    the same page for ever.

    :param api: the call that reads a page.
    :param id_of: identifies an item; the list may shift between two pages.
    :param size: how many items a full page has.
    :param overlap: how many items two pages share, for lists from which items disappear meanwhile.
    :param found: the items by id, in the order of the list.
    """

    api: str
    id_of: Callable[[Item], int]
    size: int = PAGE_SIZE
    overlap: int = 0
    found: dict[int, Item] = field(default_factory=dict)
    is_over: bool = False
    _pages: int = 0
    _offset: int = 0

    @property
    def offset(self) -> int | None:
        """Where the next page begins; ``None`` for the first one."""
        return self._offset or None

    def add(self, page: Sequence[Item]) -> list[Item]:
        """Take a page, and return what is new in it.

        :raises SopsGatewayError: there is no end after ``MOST_PAGES``.
        """
        new = {self.id_of(item): item for item in page if self.id_of(item) not in self.found}
        self.found |= new
        self._pages += 1
        self._offset += max(1, len(page) - self.overlap)
        self.is_over = len(page) < self.size or not new
        if not self.is_over and self._pages >= MOST_PAGES:
            raise SopsGatewayError(
                f"the list has more than {MOST_PAGES} pages of {self.size}",
                api=self.api,
                advice="The server may ignore what was asked for; SOPS's administrators can find the calls by their "
                "time.",
            )
        return list(new.values())
