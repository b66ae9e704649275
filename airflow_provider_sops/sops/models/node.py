"""One node of a task: the answers of ``get_task_node_detail`` and ``get_task_node_data``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_sops.service.reading import read_int, read_list, read_mapping, read_text
from airflow_provider_sops.service.storable import without_reserved_keys
from airflow_provider_sops.sops.models.dated import Dated
from airflow_provider_sops.sops.models.status import TaskState, read_state


@dataclass(frozen=True, slots=True)
class NodeData:
    """Inputs and outputs of a node, the answer of ``get_task_node_data``.

    :param inputs: the rendered inputs by name.
    :param outputs: the outputs by key. An output bound to a constant has the constant's name as its key.
    :param ex_data: the error text of a failed node, otherwise empty.
    """

    inputs: Mapping[str, Any] = field(repr=False)
    outputs: Mapping[str, Any] = field(repr=False)
    ex_data: str
    raw: Mapping[str, Any] = field(repr=False)

    @classmethod
    def read(cls, data: Any) -> NodeData:
        """Read the answer's ``data``; outputs come as a list of ``{key, value}`` or as an object."""
        data = read_mapping(data)
        outputs = data.get("outputs")
        return cls(
            inputs=read_mapping(data.get("inputs")),
            outputs=without_reserved_keys(
                dict(outputs)
                if isinstance(outputs, Mapping)
                else {
                    read_text(output["key"]): output.get("value")
                    for output in map(read_mapping, read_list(outputs))
                    if "key" in output
                }
            ),
            ex_data=read_text(data.get("ex_data")),
            raw=data,
        )


@dataclass(frozen=True, slots=True)
class NodeDetail(Dated):
    """State, data and earlier attempts of a node, the answer of ``get_task_node_detail``.

    :param state: READY for a node that the task has not reached.
    :param data: inputs, outputs and error text of the requested round (``loop``), by default the last.
    :param histories: the earlier attempts, oldest first, unchanged.
    """

    id: str
    name: str
    state: TaskState
    loop: int
    retry: int
    skip: bool
    data: NodeData
    histories: tuple[Mapping[str, Any], ...] = field(repr=False)
    raw: Mapping[str, Any] = field(repr=False)

    @classmethod
    def read(cls, data: Any) -> NodeDetail:
        """Read the answer's ``data``."""
        data = read_mapping(data)
        return cls(
            id=read_text(data.get("id")),
            name=read_text(data.get("name")),
            state=read_state(data.get("state")),
            loop=read_int(data.get("loop"), 1),
            retry=read_int(data.get("retry")),
            skip=bool(data.get("skip")),
            data=NodeData.read(data),
            histories=tuple(map(read_mapping, read_list(data.get("histories")))),
            raw=data,
        )
