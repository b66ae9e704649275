"""A task instance and its context as an operator sees them, for tests that need no Airflow run around it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import pendulum

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


@dataclass
class PlainTaskInstance:
    """What operators use of a task instance. ``max_tries`` is the generation: a clear raises it, a retry keeps it.

    :param task_state_store: where Airflow 3.3 keeps what outlives a try, and in this release a clear too.
    :param pulled: what other tasks have pushed.
    """

    task_id: str = "run"
    dag_id: str = "tests"
    run_id: str = field(default_factory=lambda: f"manual__{uuid.uuid4()}")
    map_index: int = -1
    max_tries: int = 1
    try_number: int = 1
    start_date: pendulum.DateTime = field(default_factory=lambda: pendulum.now("UTC"))
    xcoms: dict[str, Any] = field(default_factory=dict)
    task_state_store: Any = None
    pulled: dict[str, Any] = field(default_factory=dict)
    id: uuid.UUID = field(default_factory=uuid.uuid4)

    def xcom_push(self, key: str, value: Any) -> None:
        """Keep a value."""
        self.xcoms[key] = value

    def xcom_pull(self, *, task_ids: str, key: str, map_indexes: int = -1) -> Any:
        """Return what another task has pushed: by its key, whichever task it is."""
        return self.pulled.get(key)

    @property
    def context(self) -> Context:
        """The context that Airflow gives to ``execute``."""
        store = {} if self.task_state_store is None else {"task_state_store": self.task_state_store}
        return cast("Context", {"ti": self, "task_instance": self, **store})

    def retried(self) -> PlainTaskInstance:
        """Return the next try of the same generation."""
        return self._again(max_tries=self.max_tries)

    def cleared(self) -> PlainTaskInstance:
        """Return the next try, after somebody cleared the task."""
        return self._again(max_tries=self.max_tries + 2)

    def _again(self, max_tries: int) -> PlainTaskInstance:
        return PlainTaskInstance(
            task_id=self.task_id,
            dag_id=self.dag_id,
            run_id=self.run_id,
            map_index=self.map_index,
            max_tries=max_tries,
            try_number=self.try_number + 1,
            task_state_store=self.task_state_store,
        )
