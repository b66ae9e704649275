"""The node as passed to a converter, and its inputs."""

from __future__ import annotations

import copy
import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from airflow_provider_sops.sops.pipeline_tree.rendering import render
from airflow_provider_sops.sops.pipeline_tree.variables import references
from airflow_provider_sops.task_instance.sops_errors import airflow_errors
from airflow_provider_sops.version_compat import AIRFLOW_V_3_0_PLUS

if AIRFLOW_V_3_0_PLUS:
    from airflow.sdk.definitions._internal.mixins import ResolveMixin
else:
    from airflow.utils.mixins import ResolveMixin  # type: ignore[import-not-found,no-redef,unused-ignore]

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_sops.sops.pipeline_tree.levels import Level
    from airflow_provider_sops.sops.pipeline_tree.rendering import KnownValues

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False, repr=False)
class NodeInput(ResolveMixin):  # type: ignore[misc,unused-ignore]
    """One input of a node; its value is known only when the task runs.

    Put it into a template field of an operator, alone or inside a list or dict: when Airflow renders the field, it
    becomes the value, with its type. Jinja does not render that value again: SOPS's strings are data. It cannot be part
    of a string; use ``map`` to build one.

    :param node_id: id of its node in SOPS.
    :param name: its name.
    :param value: its value in the tree.
    :param level: the level of the tree that contains it.
    :param read: reads the values of the level's variables in a run.
    :param is_rendered: whether SOPS renders it; otherwise it is used unchanged.
    :param functions: applied to the value, one after the other, when the task runs.
    """

    node_id: str
    name: str
    value: Any
    level: Level
    read: Callable[[Context], KnownValues]
    is_rendered: bool = True
    functions: tuple[Callable[[Any], Any], ...] = ()

    def map(self, function: Callable[[Any], Any]) -> NodeInput:
        """Return an input whose value is ``function`` applied to this one's value when the task runs.

        ``node.inputs["seconds"].map(int)``; ``node.inputs["name"].map(lambda name: f"job-{name}")``.
        """
        return replace(self, functions=(*self.functions, function))

    @property
    def is_literal(self) -> bool:
        """Whether the value is already known, because it contains no variable."""
        return not self.is_rendered or not references(self.value)

    @property
    def literal(self) -> Any:
        """The value, for a converter that decides by it.

        :raises LookupError: it is known only when the task runs.
        """
        if not self.is_literal:
            raise LookupError(
                f"input {self.name} of node {self.node_id} contains variables, so it is known only when the task runs:"
                " check is_literal first, and put it into a template field"
            )
        return self._mapped(copy.deepcopy(self.value))

    def resolve(self, context: Context, include_xcom: bool = True) -> Any:
        """Return the value in a run; Airflow calls this when it renders template fields.

        :param include_xcom: always ``True``; Airflow 2 passes it.
        :raises AirflowFailException: only SOPS can render it with the run's constants.
        """
        if self.is_literal:
            return self.literal
        with airflow_errors(log):
            try:
                return self._mapped(render(self.value, self.level, self.read(context)))
            except SopsInvalidParameterError as error:
                raise SopsInvalidParameterError(
                    f"input {self.name} of node {self.node_id}: {error.reason}", advice=error.advice
                ) from error

    def iter_references(self) -> Iterator[Any]:
        """Yield nothing: the DAG already has the edges to the tasks whose outputs the value uses."""
        yield from ()

    def _mapped(self, value: Any) -> Any:
        for function in self.functions:
            value = function(value)
        return value

    def __repr__(self) -> str:
        # It ends up in serialized DAGs, so it must be stable and contain no value.
        return f"<input {self.name} of SOPS node {self.node_id}>"

    def __format__(self, format_spec: str) -> NoReturn:
        raise TypeError(
            f"input {self.name} of node {self.node_id} cannot be part of a string yet: its value is known only when the"
            " task runs. Put it alone into a template field, or build the string with inputs[...].map(function)"
        )

    def __copy__(self) -> NodeInput:
        return self

    def __deepcopy__(self, memo: Any) -> NodeInput:
        # Airflow copies operators often, and this object references the whole tree.
        return self


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
