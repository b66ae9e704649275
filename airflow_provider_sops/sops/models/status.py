"""The answers of ``get_task_status`` and ``get_tasks_status``: the state of a task and of the nodes it has reached."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.service.reading import (
    OpenEnum,
    read_id,
    read_int,
    read_list,
    read_mapping,
    read_text,
    read_time,
)
from airflow_provider_sops.service.text import web_address, word
from airflow_provider_sops.sops.models.dated import Dated

if TYPE_CHECKING:
    import pendulum


class TaskState(OpenEnum):
    """A state word of SOPS, for tasks and nodes alike.

    An unlisted word is kept: ``TaskState("BLOCKED")`` is a member-like value that equals its text. Only FINISHED,
    REVOKED and EXPIRED end a task; FAILED does not, because automatic retries and people can revive it.
    """

    CREATED = "CREATED"
    READY = "READY"
    RUNNING = "RUNNING"
    SUSPENDED = "SUSPENDED"
    NODE_SUSPENDED = "NODE_SUSPENDED"
    FAILED = "FAILED"
    REVOKED = "REVOKED"
    FINISHED = "FINISHED"
    EXPIRED = "EXPIRED"

    @property
    def is_terminal(self) -> bool:
        """Whether a task in this state never changes again."""
        return self in _TERMINAL


#: To go through more takes longer than the other tasks of an event loop should wait.
_MANY_NODES = 2000
_TERMINAL = frozenset({TaskState.FINISHED, TaskState.REVOKED, TaskState.EXPIRED})


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """One node that a task has reached, as the status tree shows it.

    Gateways, start and end events are nodes too; their ``name`` is empty. A subprocess holds its inner nodes in
    ``children``. ``loop`` counts the rounds of a node in a loop, ``retry`` its retries; the times are those of the last
    round or attempt. ``elapsed_seconds`` is whole seconds.
    """

    id: str
    name: str
    state: TaskState
    loop: int = 1
    retry: int = 0
    skip: bool = False
    error_ignored: bool = False
    version: str = ""
    elapsed_seconds: int = 0
    start_time_text: str = field(default="", repr=False)
    finish_time_text: str = field(default="", repr=False)
    children: Mapping[str, NodeStatus] = field(default_factory=dict, repr=False)

    @property
    def start_time(self) -> pendulum.DateTime | None:
        """When the last round or attempt began; zone-aware."""
        return read_time(self.start_time_text)

    @property
    def finish_time(self) -> pendulum.DateTime | None:
        """When the last round or attempt ended; zone-aware, ``None`` while it runs."""
        return read_time(self.finish_time_text)

    @property
    def mark(self) -> str:
        """Identifies this state of the node; the same state after a retry or in another round has another mark."""
        return f"{self.id}:{self.state}:{self.loop}:{self.retry}:{self.version}"

    @classmethod
    def read(cls, node_id: str, data: Mapping[str, Any]) -> NodeStatus:
        """Read one value of ``children``."""
        return cls(
            id=read_text(data.get("id")) or node_id,
            name=_node_name(data.get("name")),
            state=read_state(data.get("state")),
            loop=read_int(data.get("loop"), 1),
            retry=read_int(data.get("retry")),
            skip=bool(data.get("skip")),
            error_ignored=bool(data.get("error_ignored") or data.get("error_ignorable")),
            version=word(read_text(data.get("version"))),
            elapsed_seconds=_read_elapsed(data),
            start_time_text=word(read_text(data.get("start_time"))),
            finish_time_text=word(read_text(data.get("finish_time"))),
            children=_read_children(data),
        )


@dataclass(frozen=True, slots=True)
class TaskStatus(Dated):
    """The state of a SOPS task and of the nodes that it has reached.

    :param state: the root's state word.
    :param name: the task's name; empty if an old server sends a class name instead.
    :param nodes: the top-level nodes by node id (ids of the *task's* tree, not of the template's). Only nodes that the
        task has reached are included.
    :param nodes_known: whether the answer includes nodes at all; ``get_tasks_status`` does only on request.
    :param ex_data: error text by node id; only on request, and only while the root is FAILED.
    :param auto_retry_pending: whether the server says that it will retry a failed node automatically; ``None`` if it
        does not say: it was not asked, or it is older than 3.29 and may retry anyway.
    :param raw: the unchanged answer; without ``children`` if there are thousands, which take much memory.
    """

    state: TaskState
    name: str = ""
    nodes: Mapping[str, NodeStatus] = field(default_factory=dict)
    nodes_known: bool = False
    ex_data: Mapping[str, str] = field(default_factory=dict)
    auto_retry_pending: bool | None = None
    elapsed_seconds: int = 0
    url: str = ""
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, data: Any) -> TaskStatus:
        """Read the ``data`` of ``get_task_status`` from a server of any version."""
        data = read_mapping(data)
        nodes = _read_children(data)
        return cls(
            state=read_state(data.get("state")),
            name=_node_name(data.get("name")),
            nodes=nodes,
            nodes_known="children" in data,
            ex_data={read_text(key): read_text(text) for key, text in read_mapping(data.get("ex_data")).items()},
            auto_retry_pending=_read_auto_retry_pending(data),
            elapsed_seconds=read_int(data.get("elapsed_time")),
            raw=data if len(nodes) <= _MANY_NODES else {key: data[key] for key in data if key != "children"},
        )

    def at(self, path: Sequence[str]) -> NodeStatus | None:
        """Return the node at the end of a path of ids, from the outermost subprocess inwards; ``None``: not reached."""
        nodes, node = self.nodes, None
        for node_id in path:
            node = nodes.get(node_id)
            if node is None:
                return None
            nodes = node.children
        return node

    def walk(self) -> Iterator[tuple[tuple[str, ...], NodeStatus]]:
        """Yield every reached node with the ids of its enclosing subprocesses, outermost first."""
        yield from _walk(self.nodes, ())

    @property
    def is_big(self) -> bool:
        """Whether it has so many nodes that an event loop must not go through them."""
        return next(itertools.islice(self.walk(), _MANY_NODES, None), None) is not None

    @property
    def failed_nodes(self) -> tuple[NodeStatus, ...]:
        """The nodes that really failed: a failed subprocess is represented by the failed node inside it."""
        return tuple(
            node for _, node in self.walk() if node.state == TaskState.FAILED and not _fails_through_a_child(node)
        )

    @property
    def failure_marks(self) -> tuple[str, ...]:
        """The marks of the failed nodes."""
        return tuple(sorted(node.mark for node in self.failed_nodes))

    def error_of(self, node: NodeStatus) -> str:
        """Return the error text of a failed node, or an empty string if the answer has none."""
        return self.ex_data.get(node.id, "")


def read_state(value: Any) -> TaskState:
    """Read a state word; an unknown one is kept as far as a log can hold it."""
    return TaskState(word(read_text(value)))


def read_tasks_status(data: Any) -> dict[int, TaskStatus]:
    """Read the ``data`` of ``get_tasks_status``: one status by task id.

    SOPS silently omits unknown ids; items without an id or a state are left out here. The name is taken from the item,
    since the one in ``status`` can belong to another task of the batch.
    """
    statuses: dict[int, TaskStatus] = {}
    for item in map(read_mapping, read_list(data)):
        task_id = read_id(item.get("id"))
        if task_id is None or not has_state(item.get("status")):
            continue
        status = TaskStatus.read(item.get("status"))
        name, url = read_text(item.get("name")), web_address(read_text(item.get("url")))
        statuses[task_id] = replace(status, name=name, url=url)
    return statuses


def has_state(data: Any) -> bool:
    """Whether data says in which state a task is. Without that, it says nothing of the task."""
    state = read_mapping(data).get("state")
    return isinstance(state, str) and bool(state.strip())


def _read_children(data: Mapping[str, Any]) -> dict[str, NodeStatus]:
    children = read_mapping(data.get("children"))
    return {key: NodeStatus.read(key, read_mapping(child)) for key, child in children.items()}


def _read_auto_retry_pending(data: Mapping[str, Any]) -> bool | None:
    """Prefer ``auto_retry_status`` (servers from 3.33 on) to ``failed_node_info`` (from 3.29 on)."""
    retries, failed = data.get("auto_retry_status"), data.get("failed_node_info")
    if isinstance(retries, Mapping):
        return bool(retries.get("exist_auto_retry_nodes"))
    if isinstance(failed, Mapping):
        return any(_has_retry_left(read_mapping(info)) for info in failed.values())
    return None


def _has_retry_left(info: Mapping[str, Any]) -> bool:
    return read_int(info.get("auto_retry_times")) < read_int(info.get("max_auto_retry_times"))


def _read_elapsed(data: Mapping[str, Any]) -> int:
    """Return whole seconds; a server of 2019 sends only the two times."""
    if "elapsed_time" in data:
        return read_int(data["elapsed_time"])
    start, finish = read_time(data.get("start_time")), read_time(data.get("finish_time"))
    return int((finish - start).total_seconds()) if start and finish else 0


def _walk(nodes: Mapping[str, NodeStatus], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], NodeStatus]]:
    for node in nodes.values():
        yield path, node
        yield from _walk(node.children, (*path, node.id))


def _fails_through_a_child(node: NodeStatus) -> bool:
    return any(child.state == TaskState.FAILED for child in node.children.values())


def _node_name(value: Any) -> str:
    """Return a node's name; servers of 2019 and 2020 send the repr of a Python class if there is none."""
    name = read_text(value)
    return "" if name.startswith("<class '") and name.endswith("'>") else name
