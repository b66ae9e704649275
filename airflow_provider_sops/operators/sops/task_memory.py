"""Remembering a SOPS task across tries in Airflow itself, where Airflow can (3.3 and later).

The name finds a task again, but a person may rename it in SOPS. What Airflow keeps finds it even then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_sops.service.reading import read_id, read_mapping

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_sops.sops.task_key import TaskKey
    from airflow_provider_sops.task_instance.log import TaskLog

_STORE_KEY = "sops_task"


class TaskMemory:
    """The id of the current generation's SOPS task, and whether its outputs were taken, in the task instance's store.

    A clear keeps the store on some versions of Airflow and empties it on others: the id of another generation is
    no longer the one to join. A store that is missing or out of order is not missed, since the name remains.

    :param context: Airflow's context; before 3.3 it has no ``task_state_store``.
    :param key: the key of the task instance's current generation.
    """

    def __init__(self, context: Context, key: TaskKey, log: TaskLog) -> None:
        known: Any = context
        self._store: Any = known.get("task_state_store")
        self._key = f"{key.digest}-{key.generation}"
        self._log = log

    def recall(self) -> int | None:
        """Return the id that was kept for this generation, or ``None``."""
        kept = self._read()
        return read_id(kept.get("sops_task_id")) if kept.get("key") == self._key else None

    def outputs_taken(self, sops_task_id: int) -> bool | None:
        """Return whether a try of this or an earlier generation has taken a task's outputs; ``None`` if unknown."""
        kept = self._read()
        taken = kept.get("outputs_taken")
        return taken if read_id(kept.get("sops_task_id")) == sops_task_id and isinstance(taken, bool) else None

    def keep(self, sops_task_id: int, *, outputs_taken: bool = False) -> None:
        """Keep the id for the tries to come.

        :param outputs_taken: whether this task ends well, with the SOPS task's outputs.
        """
        if self._store is None:
            return
        kept = {"key": self._key, "sops_task_id": sops_task_id, "outputs_taken": outputs_taken}
        try:
            self._store.set(_STORE_KEY, kept)
        except Exception as error:  # noqa: BLE001 - as above
            self._log.warning("Airflow's state store cannot be written: %s", error)

    def _read(self) -> Mapping[str, Any]:
        if self._store is None:
            return {}
        try:
            return read_mapping(self._store.get(_STORE_KEY))
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the store, the task's name remains
            self._log.warning("Airflow's state store cannot be read: %s", error)
            return {}
