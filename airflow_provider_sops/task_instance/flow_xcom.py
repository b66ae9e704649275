"""Read the XComs of other tasks in the same flow.

All tasks of a flow are in the same mapped task group, or in none, so they share their map index: each map index is a
separate flow. Without it Airflow returns the values of all map indexes as one list.

A pulled value must have the type that was pushed. Anything else is an error: without it the flow would continue with a
wrong value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from airflow_provider_sops.task_instance.xcom import RETURN_XCOM_KEY
from airflow_provider_sops.version_compat import AIRFLOW_V_3_0_PLUS

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Pulled:
    """The value that a task of a flow pushed under a key.

    :param map_index: of the task instance that pushed it; -1 outside mapped task groups.
    :param value: the XCom's value; ``None`` if there is none.
    """

    task_id: str
    key: str
    map_index: int
    value: Any = field(repr=False)

    @property
    def is_missing(self) -> bool:
        """Whether the task pushed nothing because it was skipped or has not run."""
        return self.value is None

    def mapping(self) -> Mapping[str, Any]:
        """Return the value, which must be a mapping.

        :raises SopsInvalidParameterError: it is missing or something else.
        """
        return self.value if isinstance(self.value, Mapping) else self._refuse("a mapping")

    def sequence(self) -> Sequence[Any]:
        """Return the value, which must be a list.

        :raises SopsInvalidParameterError: it is missing or something else.
        """
        return self.value if isinstance(self.value, (list, tuple)) else self._refuse("a list")

    def text(self) -> str:
        """Return the value, which must be a string.

        :raises SopsInvalidParameterError: it is missing or something else.
        """
        return self.value if isinstance(self.value, str) else self._refuse("a string")

    def sops_task_id(self) -> int:
        """Return the value, which must be the id of a SOPS task.

        :raises SopsInvalidParameterError: it is missing or something else.
        """
        is_id = isinstance(self.value, int) and not isinstance(self.value, bool) and self.value > 0
        return int(self.value) if is_id else self._refuse("the id of a SOPS task")

    def _refuse(self, wanted: str) -> NoReturn:
        index = f" [{self.map_index}]" if self.map_index >= 0 else ""
        where = f"XCom {self.key!r} of task {self.task_id!r}{index}"
        if self.is_missing:
            raise SopsInvalidParameterError(
                f"{where} is missing; it must be {wanted}",
                advice=f"Clear {self.task_id!r} and its downstream tasks: it must run before this task.",
            )
        raise SopsInvalidParameterError(
            f"{where} is of type {type(self.value).__name__}, but must be {wanted}",
            advice=f"Clear {self.task_id!r} and its downstream tasks. If that does not help, find out what else pushes"
            " to this key, or for an XCom backend that changes values.",
        )


def pull(ti: Any, task_id: str, key: str = RETURN_XCOM_KEY, *, may_be_skipped: bool = False) -> Pulled:
    """Pull from a task of the same flow.

    Asked for the value of one map index, Airflow 3 logs an error if there is none. It does not if asked for all, but
    then returns those of other flows too. So outside mapped groups all are asked for, and inside one a task that may
    have been skipped is not asked for a value if it was.

    :param ti: the running task instance.
    :param task_id: the task that pushed the value.
    :param may_be_skipped: whether that task may have been skipped, and so has pushed nothing.
    """
    if AIRFLOW_V_3_0_PLUS and ti.map_index < 0:
        return Pulled(task_id, key, ti.map_index, ti.xcom_pull(task_ids=task_id, key=key))
    if AIRFLOW_V_3_0_PLUS and may_be_skipped and _is_skipped(ti, task_id):
        return Pulled(task_id, key, ti.map_index, None)
    value = ti.xcom_pull(task_ids=task_id, key=key, map_indexes=ti.map_index)
    return Pulled(task_id, key, ti.map_index, value)


def _is_skipped(ti: Any, task_id: str) -> bool:
    states = ti.get_task_states(dag_id=ti.dag_id, map_index=ti.map_index, task_ids=[task_id], run_ids=[ti.run_id])
    return "skipped" in states.get(ti.run_id, {}).values()


async def apull(ti: Any, task_id: str, key: str = RETURN_XCOM_KEY) -> Pulled:
    """Pull from a task of the same flow, in the triggerer; for Airflow 3.

    :param ti: the waiting task instance.
    :param task_id: the task that pushed the value.
    """
    from airflow.sdk.execution_time.xcom import XCom

    value = await XCom.aget_one(key=key, dag_id=ti.dag_id, run_id=ti.run_id, task_id=task_id, map_index=ti.map_index)
    return Pulled(task_id, key, ti.map_index, value)
