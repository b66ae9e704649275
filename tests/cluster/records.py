"""What Airflow has recorded of a cluster, read from its PostgreSQL database."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, text

from tests.cluster.judge import TaskInstance

if TYPE_CHECKING:
    from collections.abc import Mapping

_INSTANCES = """
    SELECT ti.dag_id, ti.run_id, ti.task_id, ti.map_index, ti.state, ti.try_number, EXISTS (
        SELECT 1 FROM xcom WHERE xcom.dag_id = ti.dag_id AND xcom.run_id = ti.run_id AND xcom.task_id = ti.task_id
            AND xcom.map_index = ti.map_index AND xcom.key = 'return_value')
    FROM task_instance ti WHERE (ti.dag_id, ti.run_id) IN (SELECT * FROM unnest(:dag_ids, :run_ids))
    ORDER BY ti.dag_id, ti.task_id, ti.map_index
"""
_STATES = """
    SELECT state, count(*) FROM task_instance
    WHERE (dag_id, run_id) IN (SELECT * FROM unnest(:dag_ids, :run_ids)) GROUP BY state
"""
_UNENDED_RUNS = """
    SELECT count(*) FROM dag_run WHERE state IN ('queued', 'running')
        AND (dag_id, run_id) IN (SELECT * FROM unnest(:dag_ids, :run_ids))
"""
#: Airflow writes a job's row again and again: so a part that has come up has a newer row than it had before.
_JOBS_SINCE = (
    "SELECT count(*) FROM job WHERE hostname = :host AND state = 'running' AND extract(epoch FROM start_date) >= :since"
)
_JOB_IDS = "SELECT id FROM job WHERE hostname = :host"
_TRIGGERS_OF = "SELECT count(*) FROM trigger WHERE triggerer_id = ANY(:jobs)"


class Records:
    """Reads the database.

    :param address: for SQLAlchemy.
    """

    def __init__(self, address: str) -> None:
        self._engine = create_engine(address)

    def instances(self, runs: Mapping[str, str]) -> list[TaskInstance]:
        """Return the task instances of runs.

        :param runs: run ids by DAG.
        """
        return [TaskInstance(*row) for row in self._rows(_INSTANCES, **_keys(runs))]

    def states(self, runs: Mapping[str, str]) -> Counter[str]:
        """Return how many task instances of runs are in which state."""
        return Counter({state or "none": count for state, count in self._rows(_STATES, **_keys(runs))})

    def unended_runs(self, runs: Mapping[str, str]) -> int:
        """Return how many of the runs have not ended."""
        return int(self._rows(_UNENDED_RUNS, **_keys(runs))[0][0])

    def has_job_since(self, host: str, since: float) -> bool:
        """Whether the scheduler, triggerer or DAG processor of a host has come up since a moment."""
        return bool(self._rows(_JOBS_SINCE, host=host, since=since)[0][0])

    def job_ids(self, host: str) -> list[int]:
        """Return the ids under which a host has worked until now."""
        return [row[0] for row in self._rows(_JOB_IDS, host=host)]

    def triggers_of(self, jobs: list[int]) -> int:
        """Return how many triggers such ids have."""
        return int(self._rows(_TRIGGERS_OF, jobs=jobs)[0][0])

    def close(self) -> None:
        """Close its connections."""
        self._engine.dispose()

    def _rows(self, query: str, **parameters: Any) -> list[Any]:
        with self._engine.connect() as connection:
            return list(connection.execute(text(query), parameters).fetchall())


def _keys(runs: Mapping[str, str]) -> dict[str, list[str]]:
    return {"dag_ids": list(runs), "run_ids": list(runs.values())}
