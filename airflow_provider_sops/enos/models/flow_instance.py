"""One run of a flow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_sops.enos.models.decoding import decode, read_object
from airflow_provider_sops.enos.models.status import InstanceStatus
from airflow_provider_sops.service.reading import read_id, read_int, read_list, read_mapping, read_text


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
            task_instance_id=read_text(data.get("taskInstId") or data.get("task_inst_id")),
            status=InstanceStatus.read(data.get("status")),
        )

    @property
    def label(self) -> str:
        """The node's name for messages."""
        return f'"{self.name}"' if self.name else f"task {self.task_id}"


@dataclass(frozen=True, slots=True)
class FlowInstance:
    """The answer of ``get_flow_instance``, and an item of ``search_flow_instances``.

    The times are EnOS's strings: they have no time zone, and the service mixes zones.

    :param instance_id: ``8435-2021020211``: the flow's id and a time. Task instances have ids of the same form.
    :param nodes: the tasks in its graph.
    :param parameters: its parameters, by key.
    :param raw: the unchanged answer.
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

    @classmethod
    def read(cls, data: Any) -> FlowInstance:
        """Read an answer's ``data``, an object or a list of one."""
        data = read_object(data)
        graph = read_mapping(decode(data.get("graph")))
        return cls(
            instance_id=read_text(data.get("instanceId")),
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
        )

    def to_json(self) -> dict[str, Any]:
        """Return the instance under EnOS's names, with JSON strings decoded and the status as a word."""
        decoded = {name: decode(self.raw.get(name)) for name in ("graph", "parameters")}
        return {**self.raw, **decoded, "statusDesc": self.status.value}


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
