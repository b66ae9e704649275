"""Which node a mirror shows, and where that node is in the SOPS task of a run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.service.reading import read_list, read_mapping, read_text
from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from airflow_provider_sops.task_instance.xcom import (
    INDEPENDENT_XCOM_KEY,
    NODE_PATHS_XCOM_KEY,
    TASK_ID_XCOM_KEY,
    TASK_URL_XCOM_KEY,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from airflow_provider_sops.sops.node_result import NodeInTask
    from airflow_provider_sops.sops.pipeline_tree import NodeKey
    from airflow_provider_sops.sops.pipeline_tree.mapping import TaskMapping
    from airflow_provider_sops.task_instance.flow_xcom import Pulled

#: What ``start`` of a watched flow pushes.
FLOW_TASK_KEYS = (TASK_ID_XCOM_KEY, TASK_URL_XCOM_KEY, NODE_PATHS_XCOM_KEY, INDEPENDENT_XCOM_KEY)


def key_text(key: NodeKey) -> str:
    """Return a node's key as one text."""
    return "/".join(key)


@dataclass(frozen=True, slots=True)
class FlowTask:
    """A SOPS task, and which of its nodes is which of the template.

    :param paths: ids in the task, from the outermost subprocess to the node, by ``key_text`` of the template's node.
    :param independent: ``key_text`` of the subprocesses that run as SOPS tasks of their own.
    :param outer: ids of the SOPS tasks around this one, of which a subprocess has started it.
    """

    sops_task_id: int
    task_url: str
    paths: Mapping[str, Sequence[str]]
    independent: Sequence[str] = ()
    outer: tuple[int, ...] = ()

    @classmethod
    def of(cls, sops_task_id: int, task_url: str, mapping: TaskMapping, outer: tuple[int, ...] = ()) -> FlowTask:
        """Return the task as a mapping describes it."""
        ids = mapping.ids
        paths = {key_text(key): [ids[key[:depth]] for depth in range(1, len(key) + 1)] for key in ids}
        return cls(sops_task_id, task_url, paths, sorted(map(key_text, _independent(mapping))), outer)


def _independent(mapping: TaskMapping) -> set[NodeKey]:
    """Return the subprocesses, as tasks of their own, that hold what the task itself does not."""
    return {
        max((key[:depth] for depth in range(len(key)) if key[:depth] in mapping.ids), key=len)
        for key in mapping.elsewhere
    }


def read_flow_task(pulled: Mapping[str, Pulled]) -> FlowTask:
    """Return the SOPS task that ``start`` of a watched flow started.

    :param pulled: its XComs, by ``FLOW_TASK_KEYS``.
    :raises SopsInvalidParameterError: it started none, or something else wrote the XCom.
    """
    url, independent = pulled[TASK_URL_XCOM_KEY], pulled[INDEPENDENT_XCOM_KEY]
    return FlowTask(
        pulled[TASK_ID_XCOM_KEY].sops_task_id(),
        # SOPS may not return a URL, and most flows have no such subprocess.
        "" if url.is_missing else url.text(),
        pulled[NODE_PATHS_XCOM_KEY].mapping(),
        () if independent.is_missing else independent.sequence(),
    )


@dataclass(frozen=True, slots=True)
class MirroredNode:
    """A node of the template, and what the other nodes of its task say about it.

    :param key: the node.
    :param never_after: nodes of which each, once it has arrived, proves that this one will never run.
    :param last_round_after: for a node in a loop, the nodes of which each proves by its arrival that the loop is over.
    :param waits_for_person: whether it runs until somebody acts in SOPS.
    :param has_data: whether it has inputs and outputs, which gateways do not have.
    :param plugin: the plugin's code; empty for gateways.
    :param has_secrets: whether there are passwords in its flow, which its texts may hold.
    """

    key: NodeKey
    never_after: tuple[NodeKey, ...] = ()
    last_round_after: tuple[NodeKey, ...] | None = None
    waits_for_person: bool = False
    has_data: bool = False
    plugin: str = ""
    has_secrets: bool = False

    def in_task(self, task: FlowTask) -> NodeInTask | None:
        """Return the node as it is in a task; ``None`` if it is not there."""
        # Only a running task needs it, not a DAG file.
        from airflow_provider_sops.sops.node_result import NodeInTask

        path = task.paths.get(key_text(self.key))
        if path is None:
            return None
        rounds = self.last_round_after
        return NodeInTask(
            path=tuple(path),
            never_after=_known(self.never_after, task),
            last_round_after=None if rounds is None else _known(rounds, task),
            waits_for_person=self.waits_for_person,
            plugin=self.plugin,
            secrets_of=self.secrets_of(task),
        )

    def secrets_of(self, task: FlowTask) -> tuple[int, ...]:
        """Return the ids of the SOPS tasks whose passwords the node's texts may hold."""
        return (*task.outer, task.sops_task_id) if self.has_secrets else ()

    def task_around(self, task: FlowTask) -> NodeKey | None:
        """Return the subprocess around the node that runs as a SOPS task of its own; ``None`` if there is none."""
        prefixes = (self.key[:depth] for depth in range(1, len(self.key)))
        return next((prefix for prefix in prefixes if key_text(prefix) in task.independent), None)

    def arrival_of(self, subprocess: NodeKey, task: FlowTask) -> NodeInTask:
        """Return a subprocess around the node, to wait until the flow arrives there."""
        from airflow_provider_sops.sops.node_result import NodeInTask

        path = tuple(task.paths[key_text(subprocess)])
        return NodeInTask(
            path=path,
            never_after=_known(self.never_after, task),
            until_arrival=True,
            secrets_of=self.secrets_of(task),
        )

    def inside(self, subprocess: NodeKey) -> MirroredNode:
        """Return the node as one of the flow inside a subprocess around it."""
        rounds = self.last_round_after
        return replace(
            self,
            key=self.key[len(subprocess) :],
            never_after=tuple(_inside(self.never_after, subprocess)),
            last_round_after=None if rounds is None else tuple(_inside(rounds, subprocess)),
        )

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON data, as short as can be: Airflow sends it around with the whole DAG."""
        rounds = self.last_round_after
        whole = {
            "key": list(self.key),
            "never_after": [list(key) for key in self.never_after],
            "last_round_after": None if rounds is None else [list(key) for key in rounds],
            "waits_for_person": self.waits_for_person,
            "has_data": self.has_data,
            "plugin": self.plugin,
            "has_secrets": self.has_secrets,
        }
        return {name: value for name, value in whole.items() if value or (name == "last_round_after" and rounds == ())}

    @classmethod
    def from_json(cls, data: Any) -> MirroredNode:
        """Read back what ``to_json`` gave, also where it comes from another version of this package.

        :raises SopsInvalidParameterError: it has no key of a node.
        """
        data = read_mapping(data)
        key = _read_key(data.get("key"))
        if not key:
            raise SopsInvalidParameterError("the trigger of a watched node's task has no node")
        rounds = data.get("last_round_after")
        return cls(
            key=key,
            never_after=tuple(map(_read_key, read_list(data.get("never_after")))),
            last_round_after=None if rounds is None else tuple(map(_read_key, read_list(rounds))),
            waits_for_person=bool(data.get("waits_for_person")),
            has_data=bool(data.get("has_data")),
            plugin=read_text(data.get("plugin")),
            # Version 0.1.0 wrote which inputs of the node hold passwords.
            has_secrets=bool(data.get("has_secrets") or data.get("secret_inputs")),
        )


def _known(keys: Iterable[NodeKey], task: FlowTask) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(task.paths[key_text(key)]) for key in keys if key_text(key) in task.paths)


def _inside(keys: Iterable[NodeKey], subprocess: NodeKey) -> list[NodeKey]:
    depth = len(subprocess)
    return [key[depth:] for key in keys if len(key) > depth and key[:depth] == subprocess]


def _read_key(value: Any) -> NodeKey:
    return tuple(map(read_text, read_list(value)))
