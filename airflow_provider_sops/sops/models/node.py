"""One node of a task: the answers of ``get_task_node_detail`` and ``get_task_node_data``."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.service.reading import read_int, read_list, read_mapping, read_text
from airflow_provider_sops.service.storable import keys_of_replaced, without_reserved_keys
from airflow_provider_sops.sops.models.dated import Dated
from airflow_provider_sops.sops.models.status import TaskState, read_state

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_sops.service.storable import Path


def read_outputs(outputs: Any, changed: Collection[str | int]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return outputs by key, and the keys of those that are not exactly as SOPS sent them.

    :param outputs: a list of ``{key, value}``, or an object.
    :param changed: the indices in the list, or keys of the object, where something was replaced.
    """
    if isinstance(outputs, Mapping):
        listed = [(place, place, value) for place, value in outputs.items()]
    else:
        items = enumerate(map(read_mapping, read_list(outputs)))
        listed = [(place, read_text(item["key"]), item.get("value")) for place, item in items if "key" in item]
    sent = {key: value for _, key, value in listed}
    kept = without_reserved_keys(sent)
    replaced = {key for place, key, _ in listed if place in changed}
    # A reserved key gets another name; the order stays.
    pairs = zip(sent.items(), kept.items(), strict=True)
    return kept, tuple(name for (key, old), (name, new) in pairs if key in replaced or name != key or new is not old)


@dataclass(frozen=True, slots=True)
class NodeData:
    """Inputs and outputs of a node, the answer of ``get_task_node_data``.

    :param inputs: the rendered inputs by name.
    :param outputs: the outputs by key. An output bound to a constant has the constant's name as its key.
    :param ex_data: the error text of a failed node, otherwise empty.
    :param changed_outputs: keys of the outputs that could not be kept exactly as SOPS sent them.
    """

    inputs: Mapping[str, Any] = field(repr=False)
    outputs: Mapping[str, Any] = field(repr=False)
    ex_data: str
    raw: Mapping[str, Any] = field(repr=False)
    changed_outputs: tuple[str, ...] = ()

    @classmethod
    def read(cls, data: Any, replaced: Sequence[Path] = ()) -> NodeData:
        """Read the answer's ``data``.

        :param replaced: where something in ``data`` was replaced.
        """
        data = read_mapping(data)
        outputs, changed = read_outputs(data.get("outputs"), keys_of_replaced(replaced, "outputs"))
        return cls(
            inputs=read_mapping(data.get("inputs")),
            outputs=outputs,
            ex_data=read_text(data.get("ex_data")),
            raw=data,
            changed_outputs=changed,
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
    def read(cls, data: Any, replaced: Sequence[Path] = ()) -> NodeDetail:
        """Read the answer's ``data``; parameters as in ``NodeData.read``."""
        data = read_mapping(data)
        return cls(
            id=read_text(data.get("id")),
            name=read_text(data.get("name")),
            state=read_state(data.get("state")),
            loop=read_int(data.get("loop"), 1),
            retry=read_int(data.get("retry")),
            skip=bool(data.get("skip")),
            data=NodeData.read(data, replaced),
            histories=tuple(map(read_mapping, read_list(data.get("histories")))),
            raw=data,
        )
