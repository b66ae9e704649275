"""The node as passed to a converter."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from airflow_provider_sops.dag_generator.converters.node_input import NodeInput


class NodeInputs(dict[str, "NodeInput"]):
    """The inputs of a node by name; the error for an unknown name lists them."""

    def __missing__(self, name: str) -> NoReturn:
        listed = ", ".join(sorted(self)) or "none"
        raise KeyError(f"the node has no input {name!r}; its inputs are: {listed}")


@dataclass(frozen=True, kw_only=True)
class ConvertibleNode:
    """A node of a SOPS flow to convert to an Airflow operator.

    :param id: its id in SOPS.
    :param name: its name in SOPS: any text.
    :param plugin: code of its plugin.
    :param version: version of its plugin, ``legacy`` if the tree has none.
    :param inputs: its inputs by name. Put them into the operator's template fields, also inside lists and dicts; their
        values are known when the task runs. A tree may omit inputs: use ``get`` for those.
    :param task_args: arguments that the operator must be created with, as ``**node.task_args``: ``task_id``,
        ``task_display_name``, ``trigger_rule``, ``retries``, ``retry_delay``, ``execution_timeout``, and this node's
        ``node_args``.
    :param needed_outputs: names of the outputs that the flow uses later.
    """

    id: str
    name: str
    plugin: str
    version: str
    inputs: Mapping[str, NodeInput]
    task_args: Mapping[str, Any] = field(repr=False)
    needed_outputs: Collection[str] = frozenset()
