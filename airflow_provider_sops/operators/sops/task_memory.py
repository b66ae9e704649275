"""Remembering a SOPS task across tries in Airflow itself, where Airflow can (3.3 and later).

The name finds a task again, but a person may rename it in SOPS. What Airflow keeps finds it even then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_sops.service.reading import read_id, read_mapping

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_sops.sops.task_key import TaskKey
    from airflow_provider_sops.task_log import TaskLog

_STORE_KEY = "sops_task"


class TaskMemory:
    """The id of the current generation's SOPS task, in the task instance's state store.

    A clear keeps the store on some versions of Airflow and empties it on others: an id of another generation is
    ignored. A store that is missing or out of order is not missed, since the name remains.

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
        if self._store is None:
            return None
        try:
            kept = read_mapping(self._store.get(_STORE_KEY))
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the store, the task's name remains
            self._log.warning("Airflow's state store cannot be read: %s", error)
            return None
        return read_id(kept.get("sops_task_id")) if kept.get("key") == self._key else None

    def keep(self, sops_task_id: int) -> None:
        """Keep the id for the tries to come."""
        if self._store is None:
            return
        try:
            self._store.set(_STORE_KEY, {"key": self._key, "sops_task_id": sops_task_id})
        except Exception as error:  # noqa: BLE001 - as above
            self._log.warning("Airflow's state store cannot be written: %s", error)
