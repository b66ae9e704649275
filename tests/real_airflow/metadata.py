"""Airflow's metadata database as the tests read it: SQLite, the same tables on every version."""

from __future__ import annotations

import json
import sqlite3
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_LOOK_AGAIN_SECONDS = 0.3


@dataclass(frozen=True)
class Metadata:
    """The database of one Airflow.

    :param path: the SQLite file.
    :param check: raises if a program of that Airflow has died; called while waiting.
    """

    path: Path
    check: Callable[[], None]

    def state_of(self, dag_id: str, task_id: str) -> str | None:
        """Return the state of a DAG's only task instance of that name."""
        query = "SELECT state FROM task_instance WHERE dag_id = ? AND task_id = ?"
        state: str | None = self._value(query, dag_id, task_id)
        return state

    def run_state(self, dag_id: str) -> str | None:
        """Return the state of a DAG's only run."""
        state: str | None = self._value("SELECT state FROM dag_run WHERE dag_id = ?", dag_id)
        return state

    def xcom(self, dag_id: str, task_id: str, key: str = "return_value") -> Any:
        """Return a pushed value, or ``None``. Airflow 2 keeps JSON as bytes, Airflow 3 as text, at times twice."""
        value = self._value("SELECT value FROM xcom WHERE dag_id = ? AND task_id = ? AND key = ?", dag_id, task_id, key)
        while isinstance(value, (str, bytes)):
            try:
                value = json.loads(value)
            except ValueError:
                return value
        return value

    def end(self, dag_id: str, task_id: str) -> None:
        """Record that somebody marked a waiting task as failed, as the UI of Airflow 2 does."""
        with sqlite3.connect(self.path, timeout=30) as database:
            database.execute(
                "UPDATE task_instance SET state = 'failed', trigger_id = NULL WHERE dag_id = ? AND task_id = ?",
                (dag_id, task_id),
            )

    def wait_until(self, happened: Callable[[], Any], what: str, *, seconds: float = 90) -> Any:
        """Look until something has happened and return it.

        :param what: names it, for the failure.
        """
        deadline = time.monotonic() + seconds
        while not (value := happened()):
            self.check()
            assert time.monotonic() < deadline, f"{what}: not within {seconds:g} s"
            time.sleep(_LOOK_AGAIN_SECONDS)
        return value

    def _value(self, query: str, *parameters: str) -> Any:
        with sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=30) as database:
            row = database.execute(query, parameters).fetchone()
        return None if row is None else row[0]
