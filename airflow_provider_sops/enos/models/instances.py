"""Instances of flows and tasks, as EnOS describes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.enos.models.status import InstanceStatus, decode, decode_as_sent, read_object
from airflow_provider_sops.service.reading import read_id, read_int, read_list, read_mapping, read_text
from airflow_provider_sops.service.storable import keys_of_replaced, without_reserved_keys
from airflow_provider_sops.service.text import quoted, word

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_sops.service.storable import Path


@dataclass(frozen=True, slots=True)
class RunMode:
    """The resources of a task.

    :param task_mode: 1: one task; 2: several at once.
    :param cpu: cores.
    :param memory: gigabytes.
    :param max_parallel: how many at once in mode 2.
    :param key_type: where the keys come from: 1: an external file; 2: custom keys; 0: unset.
    """

    task_mode: int
    cpu: float
    memory: float
    max_parallel: int
    key_type: int
    datasource_id: int
    path: str = ""
    content: str = ""

    @classmethod
    def read(cls, value: Any) -> RunMode | None:
        """Read ``runMode``, a JSON string; ``None`` if there is none."""
        data = read_mapping(decode(value))
        if not data:
            return None
        return cls(
            task_mode=read_int(data.get("taskMode")),
            cpu=_read_float(data.get("cpu")),
            memory=_read_float(data.get("memory")),
            max_parallel=read_int(data.get("maxParallel")),
            key_type=read_int(data.get("keyType")),
            datasource_id=read_int(data.get("datasourceId")),
            path=read_text(data.get("path")),
            content=read_text(data.get("content")),
        )


@dataclass(frozen=True, slots=True)
class TaskInstance:
    """The answer of ``get_task_instance``.

    The times are EnOS's strings: they have no time zone, and the service mixes zones.

    :param instance_id: ``118979-2021020211``: the task's id and a time. The flow's instance has an id of the same form.
    :param flow_instance_id: the flow instance that it belongs to.
    :param type: 3 shell, 7 data integration, 8 Python, 9 external app.
    :param run_num: how often it has run, reruns included.
    :param recall_num: the number of automatic reruns so far.
    :param recall_limit: how many automatic reruns a failure may have.
    :param timeout: how long it may run; is_timeout: whether it has run longer.
    :param raw: the unchanged answer.
    :param changed_fields: names of the fields that ``to_json`` cannot give exactly as EnOS sent them.
    """

    instance_id: str
    task_id: int | None
    name: str
    status: InstanceStatus
    flow_instance_id: str = ""
    type: int | None = None
    cycle: str = ""
    run_num: int = 0
    recall_num: int = 0
    recall_limit: int = 0
    recall_interval: int = 0
    timeout: int = 0
    is_timeout: bool = False
    trigger_time_text: str = ""
    start_time_text: str = ""
    end_time_text: str = ""
    command: str = field(default="", repr=False)
    run_mode: RunMode | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)
    changed_fields: tuple[str, ...] = ()

    @classmethod
    def read(cls, data: Any, replaced: Sequence[Path] = ()) -> TaskInstance:
        """Read an answer's ``data``, an object or a list of one.

        :param replaced: where something in ``data`` was replaced.
        """
        changed = _changed_fields(data, replaced, ("runMode",))
        data = read_object(data)
        return cls(
            instance_id=word(read_text(data.get("instanceId"))),
            task_id=read_id(data.get("taskId")),
            name=read_text(data.get("taskName")),
            status=InstanceStatus.read(data.get("status"), data.get("stsDesc")),
            flow_instance_id=word(read_text(data.get("flowInstId"))),
            type=read_id(data.get("type")),
            cycle=read_text(data.get("cycle")),
            run_num=read_int(data.get("runNum")),
            recall_num=read_int(data.get("recallNum")),
            recall_limit=read_int(data.get("recallLimit")),
            recall_interval=read_int(data.get("recallInterval")),
            timeout=read_int(data.get("timeout")),
            is_timeout=bool(data.get("isTimeout")),
            trigger_time_text=read_text(data.get("triggerTime")),
            start_time_text=read_text(data.get("startTime")),
            end_time_text=read_text(data.get("endTime")),
            command=read_text(data.get("cmd")),
            run_mode=RunMode.read(data.get("runMode")),
            raw=data,
            changed_fields=changed,
        )

    @property
    def has_reruns_left(self) -> bool:
        """Whether EnOS may still rerun it automatically after a failure."""
        return self.recall_num < self.recall_limit

    def to_json(self) -> dict[str, Any]:
        """Return the instance under EnOS's names, with ``runMode`` decoded and the status as a word in ``stsDesc``."""
        whole = {**self.raw, "runMode": decode(self.raw.get("runMode")), "stsDesc": self.status.value}
        kept: dict[str, Any] = without_reserved_keys(whole)
        return kept


def _read_float(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return 0.0


def _changed_fields(data: Any, replaced: Sequence[Path], encoded: Sequence[str]) -> tuple[str, ...]:
    """Return the names of an instance's fields that ``to_json`` cannot give exactly as EnOS sent them.

    :param encoded: the fields that may be JSON in a string.
    """
    content = read_object(data)
    changed = keys_of_replaced(replaced, 0) if isinstance(data, list) else keys_of_replaced(replaced)
    for name, value in content.items():
        given, odd = decode_as_sent(value) if name in encoded else (value, ())
        if odd or without_reserved_keys(given) is not given:
            changed.add(name)
    return tuple(sorted(map(str, changed)))


@dataclass(frozen=True, slots=True)
class GraphNode:
    """One task in a flow instance's graph.

    :param task_instance_id: for ``get_task_instance``; empty in lists.
    :param status: empty in lists.
    """

    name: str
    task_id: int | None
    task_instance_id: str
    status: InstanceStatus

    @classmethod
    def read(cls, data: Any) -> GraphNode:
        """Read an item of ``graph.tasks``; lists use other field names."""
        data = read_mapping(data)
        return cls(
            name=read_text(data.get("taskName") or data.get("task_name")),
            task_id=read_id(data.get("taskId") or data.get("task_id")),
            task_instance_id=word(read_text(data.get("taskInstId") or data.get("task_inst_id"))),
            status=InstanceStatus.read(data.get("status")),
        )

    @property
    def label(self) -> str:
        """The node's name for messages."""
        return quoted(self.name) if self.name else f"task {self.task_id}"


@dataclass(frozen=True, slots=True)
class FlowInstance:
    """The answer of ``get_flow_instance``, and an item of ``search_flow_instances``.

    The times are EnOS's strings: they have no time zone, and the service mixes zones.

    :param instance_id: ``8435-2021020211``: the flow's id and a time. Task instances have ids of the same form.
    :param nodes: the tasks in its graph.
    :param parameters: its parameters, by key.
    :param raw: the unchanged answer.
    :param changed_fields: names of the fields that ``to_json`` cannot give exactly as EnOS sent them.
    """

    instance_id: str
    flow_id: int | None
    name: str
    status: InstanceStatus
    nodes: tuple[GraphNode, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict, repr=False)
    cycle: str = ""
    owner: str = ""
    trigger_time_text: str = ""
    start_time_text: str = ""
    end_time_text: str = ""
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)
    changed_fields: tuple[str, ...] = ()

    @classmethod
    def read(cls, data: Any, replaced: Sequence[Path] = ()) -> FlowInstance:
        """Read an answer's ``data``, an object or a list of one.

        :param replaced: where something in ``data`` was replaced.
        """
        changed = _changed_fields(data, replaced, ("graph", "parameters"))
        data = read_object(data)
        graph = read_mapping(decode(data.get("graph")))
        return cls(
            instance_id=word(read_text(data.get("instanceId"))),
            flow_id=read_id(data.get("flowId")),
            name=read_text(data.get("flowName")),
            status=InstanceStatus.read(data.get("status"), data.get("statusDesc")),
            nodes=tuple(map(GraphNode.read, read_list(graph.get("tasks")))),
            parameters=_read_parameters(data.get("parameters")),
            cycle=read_text(data.get("cycle")),
            owner=read_text(data.get("owner")),
            trigger_time_text=read_text(data.get("triggerTime")),
            start_time_text=read_text(data.get("startTime")),
            end_time_text=read_text(data.get("endTime")),
            raw=data,
            changed_fields=changed,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the instance under EnOS's names, with JSON strings decoded and the status as a word."""
        decoded = {name: decode(self.raw.get(name)) for name in ("graph", "parameters")}
        kept: dict[str, Any] = without_reserved_keys({**self.raw, **decoded, "statusDesc": self.status.value})
        return kept


@dataclass(frozen=True, slots=True)
class FlowInstancePage:
    """One page of ``search_flow_instances``.

    :param count: as EnOS sends it; whether it counts the page or everything is not documented.
    """

    instances: tuple[FlowInstance, ...]
    count: int

    @classmethod
    def read(cls, data: Any) -> FlowInstancePage:
        """Read an answer's ``data``."""
        data = read_mapping(data)
        items = read_list(data.get("flowInsts"))
        return cls(tuple(map(FlowInstance.read, items)), read_int(data.get("count"), len(items)))


def _read_parameters(value: Any) -> Mapping[str, Any]:
    """Return parameters by key; EnOS sends a list ``[{"key": .., "value": ..}]`` or an object."""
    decoded = decode(value)
    if isinstance(decoded, Mapping):
        return decoded
    items = map(read_mapping, read_list(decoded))
    return {read_text(item.get("key")): item.get("value") for item in items if item.get("key") is not None}
