"""An input of a node, standing in a template field of the operator that replaces the node."""

from __future__ import annotations

import copy
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
    from collections.abc import Callable, Iterator

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_sops.sops.pipeline_tree.levels import Level
    from airflow_provider_sops.sops.pipeline_tree.rendering import KnownValues


class NodeInput(ResolveMixin):  # type: ignore[misc,unused-ignore]
    """One input of a node, whose value is known only when the task runs.

    Put it into a template field of an operator, alone or inside a list or dict: when Airflow renders the field, it puts
    the value there, with its type. Jinja does not render that value again: texts of SOPS are data. It cannot be part of
    a text; ``map`` makes a text of it.

    :param node_id: id of its node in SOPS.
    :param name: its name.
    :param value: what stands in the tree.
    :param level: the level of the tree at which it stands.
    :param read: reads what the level's variables hold in a run.
    :param is_rendered: whether SOPS renders it; else it is taken as it stands.
    """

    def __init__(
        self,
        node_id: str,
        name: str,
        value: Any,
        level: Level,
        read: Callable[[Context], KnownValues],
        *,
        is_rendered: bool = True,
    ) -> None:
        self.node_id = node_id
        self.name = name
        self._value = value
        self._level = level
        self._read = read
        self._is_rendered = is_rendered
        self._functions: tuple[Callable[[Any], Any], ...] = ()

    def map(self, function: Callable[[Any], Any]) -> NodeInput:
        """Return an input whose value is what a function makes of the value of this one when the task runs.

        ``node.inputs["seconds"].map(int)``; ``node.inputs["name"].map(lambda name: f"job-{name}")``.
        """
        mapped = NodeInput(self.node_id, self.name, self._value, self._level, self._read, is_rendered=self._is_rendered)
        mapped._functions = (*self._functions, function)
        return mapped

    @property
    def is_literal(self) -> bool:
        """Whether the value is known already: it refers to no variable."""
        return not self._is_rendered or not references(self._value)

    @property
    def literal(self) -> Any:
        """The value, for a converter that has to decide by it.

        :raises LookupError: it is known only when the task runs.
        """
        if not self.is_literal:
            raise LookupError(
                f"input {self.name} of node {self.node_id} refers to variables, so it is known only when the task runs:"
                " ask is_literal first, and put it into a template field"
            )
        return self._mapped(copy.deepcopy(self._value))

    def resolve(self, context: Context, include_xcom: bool = True) -> Any:
        """Return the value in a run, as Airflow asks for it when it renders template fields.

        :param include_xcom: always ``True``; Airflow 2 passes it.
        :raises AirflowFailException: only SOPS could render it, with the constants that the run was given.
        """
        if self.is_literal:
            return self.literal
        with airflow_errors():
            try:
                return self._mapped(render(self._value, self._level, self._read(context)))
            except SopsInvalidParameterError as error:
                raise SopsInvalidParameterError(
                    f"input {self.name} of node {self.node_id}: {error.reason}", advice=error.advice
                ) from error

    def iter_references(self) -> Iterator[Any]:
        """Yield nothing: whose outputs the value is made of is the flow's affair, whose edges are in the DAG."""
        yield from ()

    def _mapped(self, value: Any) -> Any:
        for function in self._functions:
            value = function(value)
        return value

    def __repr__(self) -> str:
        # It stands in serialized DAGs, so it must be the same each time, and hold no value.
        return f"<input {self.name} of SOPS node {self.node_id}>"

    def __format__(self, format_spec: str) -> NoReturn:
        raise TypeError(
            f"input {self.name} of node {self.node_id} cannot be part of a text yet: its value is known only when the"
            " task runs. Put it alone into a template field, or make the text in a function: inputs[...].map(function)"
        )

    def __copy__(self) -> NodeInput:
        return self

    def __deepcopy__(self, memo: Any) -> NodeInput:
        # Airflow copies operators often, and this holds the whole tree.
        return self
