"""Tables entered in a form."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from pipeline.core.data.var import LazyVariable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class TableValue:
    """A table whose columns are attributes: ``table.host`` a list, ``table.flat__host`` one text, a cell a line.

    :param rows: column -> cell, for each row.
    """

    def __init__(self, rows: Iterable[Mapping[str, Any]]) -> None:
        self.value = rows
        columns: dict[str, list[Any]] = defaultdict(list)
        for row in rows:
            for column, cell in row.items():
                columns[column].append(cell)
        for column, cells in columns.items():
            setattr(self, column, cells)
            setattr(self, f"flat__{column}", "\n".join(map(str, cells)))


class DataTable(LazyVariable):
    """``datatable``: value a list of rows."""

    code = "datatable"

    def get_value(self) -> TableValue:
        """Make the columns reachable."""
        return TableValue(self.value)
