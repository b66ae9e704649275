"""Where the tasks of one level find the values of its variables in a run: in the XComs of others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from airflow_provider_sops.sops.pipeline_tree.rendering import KnownValues
from airflow_provider_sops.task_instance.flow_xcom import Pulled, pull
from airflow_provider_sops.task_instance.xcom import CONSTANTS_XCOM_KEY, RETURN_XCOM_KEY, VARIABLES_XCOM_KEY

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_sops.dag_generator.converters.registry import NodeConverter


@dataclass(frozen=True, slots=True)
class Source:
    """The task whose output is the value of a variable.

    :param task_id: the task.
    :param output: the output's name: a variable's key, or an output of a converted node.
    :param converter: for a node that is an Airflow operator: reads the node's outputs out of what it returned.
    """

    task_id: str
    output: str
    converter: NodeConverter | None = None

    @property
    def key(self) -> str:
        """The XCom key of the task's outputs."""
        return VARIABLES_XCOM_KEY if self.converter is None else RETURN_XCOM_KEY

    def value_in(self, pulled: Pulled) -> Any:
        """Return the value from the task's outputs.

        :raises KeyError: there is none, since the task has not run or has not finished.
        :raises SopsInvalidParameterError: the task's outputs are not a mapping.
        """
        if pulled.is_missing:
            # An operator that returned nothing may or may not have run.
            raise KeyError(self.output)
        if self.converter is None:
            return pulled.mapping()[self.output]
        found = self.converter.outputs_of(pulled.value)
        if self.output not in found and not isinstance(pulled.value, Mapping):
            raise SopsInvalidParameterError(
                f"task {self.task_id!r} returned a {type(pulled.value).__name__}, in which its converter finds no"
                f" output {self.output!r}",
                advice="Give `outputs` to register(), or let the operator return a dict of the outputs by name.",
            )
        return found[self.output]


@dataclass(frozen=True, slots=True)
class LevelValues:
    """One level.

    :param start_task_id: the task that begins it.
    :param is_subprocess: whether it is the level of a subprocess, whose constants are given as data.
    :param sources: by ``${key}``, of all variables that are outputs of a task.
    """

    start_task_id: str
    is_subprocess: bool
    sources: Mapping[str, Source] = field(repr=False)

    def read(self, context: Context, given: Mapping[str, Any] | None = None) -> KnownValues:
        """Return what is known in a run so far; outputs are pulled when they are read.

        :param given: further definitions of constants.
        """
        ti: Any = context["ti"]
        constants = pull(ti, self.start_task_id, CONSTANTS_XCOM_KEY).mapping()
        if self.is_subprocess:
            return KnownValues(given or {}, _Pulled(self.sources, ti, constants))
        return KnownValues({**constants, **(given or {})}, _Pulled(self.sources, ti, {}))


class _Pulled(Mapping[str, Any]):
    """Values of variables, each pulled when it is first read; KeyError if there is none yet."""

    def __init__(self, sources: Mapping[str, Source], ti: Any, constants: Mapping[str, Any]) -> None:
        self._sources = sources
        self._ti = ti
        self._constants = constants
        self._by_task: dict[str, Pulled] = {}

    def __getitem__(self, key: str) -> Any:
        if key in self._constants:
            return self._constants[key]
        source = self._sources[key]
        if source.task_id not in self._by_task:
            self._by_task[source.task_id] = pull(self._ti, source.task_id, source.key, may_be_skipped=True)
        return source.value_in(self._by_task[source.task_id])

    def __iter__(self) -> Iterator[str]:
        return (key for key in {**self._constants, **self._sources} if key in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)
