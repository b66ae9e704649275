"""A SOPS task while it is followed: a live table of its nodes on a terminal, one line a change otherwise.

Both write to standard error, so that standard output holds the result alone.
"""

from __future__ import annotations

import logging
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from airflow_provider_sops.cli.terminal import console_for, one_line, style_of
from airflow_provider_sops.service.text import log_entry
from airflow_provider_sops.sops.errors import SopsError
from airflow_provider_sops.sops.models import TaskState
from airflow_provider_sops.sops.pipeline_tree import PipelineTree
from airflow_provider_sops.sops.pipeline_tree.nodes import Activity, SubProcess

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console, Group
    from rich.live import Live
    from rich.table import Table
    from rich.text import Text

    from airflow_provider_sops.sops.models import NodeStatus, TaskDetail, TaskStatus
    from airflow_provider_sops.sops.pipeline_tree import NodeKey, TreeIndex

#: Lines of a terminal that the table leaves to its head, its foot and the prompt.
_OTHER_LINES = 6
_FRAMES_A_SECOND = 4
_NOT_REACHED = "-"
#: Which nodes a table shows that has no room for all; a state that is not here comes after FAILED.
_RANKS = {TaskState.FAILED: 0, TaskState.FINISHED: 3}
_RANK_OF_OTHERS, _RANK_OF_UNREACHED = 1, 2


@dataclass(frozen=True, slots=True)
class Row:
    """An activity of a task.

    :param path: ids of the subprocesses around it, outermost first, and its own; those of the task.
    :param label: its name, harmless for a terminal and without passwords.
    """

    path: tuple[str, ...]
    label: str


def rows_of(detail: TaskDetail, names: TreeIndex | None) -> tuple[Row, ...]:
    """Return the activities of a task in the order in which it runs; none of a tree that cannot be read.

    :param names: the nodes with names that hold no password.
    """
    try:
        tree = PipelineTree.from_dict(detail.pipeline_tree)
    except SopsError:
        return ()
    return tuple(_rows(tree, names))


def _rows(tree: PipelineTree, names: TreeIndex | None) -> Iterator[Row]:
    for key in tree.graph.order:
        node = tree.nodes[key]
        if not isinstance(node, Activity) or _is_in_another_task(tree, key):
            continue
        named = names.get(node.id) if names else None
        path = tuple(tree.nodes[key[: depth + 1]].id for depth in range(len(key)))
        yield Row(path, one_line(named.name if named and named.name else node.id))


def _is_in_another_task(tree: PipelineTree, key: NodeKey) -> bool:
    around = (tree.nodes[key[:depth]] for depth in range(1, len(key)))
    return any(isinstance(node, SubProcess) and node.independent for node in around)


class TaskView:
    """Shows a task line by line; also a context manager, and with ``log`` a log for hooks and waits."""

    def __init__(self) -> None:
        self.log = logging.Logger("airflow-sops", logging.INFO)  # noqa: LOG001 - of this view alone
        self.log.addHandler(_ToView(self))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def begin(self, detail: TaskDetail, names: TreeIndex | None) -> None:
        """Take the task that is followed."""

    def show(self, status: TaskStatus) -> None:
        """Take an answer about it."""

    def tell(self, text: str, level: int) -> None:
        """Write a line; what a table would show too comes as ``logging.INFO``."""
        sys.stderr.write(f"{log_entry(text)}\n")
        sys.stderr.flush()

    def close(self) -> None:
        """End, and leave what was last shown."""


class _ToView(logging.Handler):
    def __init__(self, view: TaskView) -> None:
        super().__init__()
        self._view = view

    def emit(self, record: logging.LogRecord) -> None:
        self._view.tell(record.getMessage(), record.levelno)


class LiveTaskView(TaskView):
    """Shows a task as a table that changes in place.

    :param console: the terminal.
    """

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console
        self._live: Live | None = None
        self._rows: tuple[Row, ...] = ()
        self._title = ""
        self._status: TaskStatus | None = None
        self._seen_at = 0.0

    def begin(self, detail: TaskDetail, names: TreeIndex | None) -> None:
        """Take the task that is followed, and show its nodes."""
        from rich.live import Live

        self._rows = rows_of(detail, names)
        self._title = f"SOPS task {detail.id} {one_line(detail.name)}"
        self._live = Live(
            console=self._console,
            get_renderable=self._picture,
            refresh_per_second=_FRAMES_A_SECOND,
        )
        self._live.start()

    def show(self, status: TaskStatus) -> None:
        """Take an answer about it."""
        self._status, self._seen_at = status, time.monotonic()

    def tell(self, text: str, level: int) -> None:
        """Write a line above the table, unless the table shows it."""
        from rich.text import Text

        if level > logging.INFO or self._live is None:
            # Rich would break an address in two, which then cannot be clicked or copied.
            self._console.print(Text(log_entry(text), style="yellow" if level > logging.INFO else ""), soft_wrap=True)

    def close(self) -> None:
        """End, and leave the last table."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _picture(self) -> Group:
        from rich.console import Group
        from rich.text import Text

        state = self._status.state if self._status else ""
        title = Text(f"{self._title}  ").append(state, style=style_of(state))
        return Group(title, self.table(self._console.height - _OTHER_LINES))

    def table(self, most_rows: int) -> Table:
        """Return the table of the nodes as it is now.

        :param most_rows: how many nodes there is room for.
        """
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, header_style="bold", pad_edge=False)
        for column in ("NODE", "STATE", "SECONDS", "TRIES"):
            table.add_column(column, justify="left" if column in ("NODE", "STATE") else "right", no_wrap=True)
        found = [(row, self._status.at(row.path) if self._status else None) for row in self._rows]
        shown = shown_rows([node for _, node in found], most_rows)
        for number, (row, node) in enumerate(found):
            if number in shown:
                label = Text("  " * (len(row.path) - 1) + row.label)
                table.add_row(label, *self._cells(node))
        if len(shown) < len(found):
            table.add_row(Text(f"... and {len(found) - len(shown)} more nodes", style="dim"))
        return table

    def _cells(self, node: NodeStatus | None) -> Iterator[Text]:
        from rich.text import Text

        if node is None:
            yield Text(_NOT_REACHED, style="dim")
            return
        since = time.monotonic() - self._seen_at if node.state == TaskState.RUNNING else 0
        yield Text(f"{node.state}{' (skipped)' if node.skip else ''}", style=style_of(node.state))
        yield Text(str(node.elapsed_seconds + int(since)))
        yield Text(str(node.retry + 1))


def shown_rows(nodes: Sequence[NodeStatus | None], most: int) -> frozenset[int]:
    """Return which rows a table shows: first what has failed, what runs, what comes next, and the latest that ended.

    :param nodes: the nodes in the order of the flow; ``None`` for one that is not reached.
    :param most: how many there is room for; at least one is shown.
    """

    def rank(number: int) -> tuple[int, int]:
        node = nodes[number]
        if node is None:
            return _RANK_OF_UNREACHED, number
        return _RANKS.get(node.state, _RANK_OF_OTHERS), -number

    return frozenset(sorted(range(len(nodes)), key=rank)[: max(1, most)])


def open_view() -> TaskView:
    """Return what shows a task on this process's standard error."""
    console = console_for(sys.stderr)
    return TaskView() if console is None else LiveTaskView(console)
