"""Running a DAG in the test's own process, as ``dag.test()`` does it, and reading what came of it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any
from unittest import mock

from airflow_provider_sops.triggers import waiting_trigger
from airflow_provider_sops.version_compat import AIRFLOW_V_3_0_PLUS

_BUNDLE_NAME = "dags-folder"


@dataclass(frozen=True)
class FinishedRun:
    """A DAG run that has ended."""

    dag_run: Any

    @property
    def state(self) -> str:
        """The DAG run's state."""
        return str(getattr(self.dag_run.state, "value", self.dag_run.state))

    def state_of(self, task_id: str, map_index: int = -1) -> str | None:
        """The state of a task instance."""
        state = self._task_instance(task_id, map_index).state
        return None if state is None else str(getattr(state, "value", state))

    def xcom(self, task_id: str, key: str = "return_value", map_index: int = -1) -> Any:
        """A value that a task instance pushed."""
        return self._task_instance(task_id, map_index).xcom_pull(task_ids=task_id, key=key, map_indexes=map_index)

    def _task_instance(self, task_id: str, map_index: int) -> Any:
        for ti in self.dag_run.get_task_instances():
            if (ti.task_id, ti.map_index) == (task_id, map_index):
                return ti
        raise LookupError(f"no task instance {task_id} [{map_index}] in {self.dag_run.run_id}")


def run_dag(dag: Any, **kwargs: Any) -> FinishedRun:
    """Run every task of a DAG to its end."""
    _make_known(dag)
    # Here no worker has to leave before a trigger may fire.
    with mock.patch.object(waiting_trigger, "WORKER_EXIT_SECONDS", 0.0):
        return FinishedRun(dag.test(**kwargs))


def _make_known(dag: Any) -> None:
    """Airflow 3 runs only DAGs that it has in its database."""
    if not AIRFLOW_V_3_0_PLUS:
        return
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db

    DagBundlesManager().sync_bundles_to_db()  # type: ignore[no-untyped-call]
    dag_bag = DagBag(dag_folder=os.devnull)
    dag_bag.bag_dag(dag)
    sync_bag_to_db(dag_bag, _BUNDLE_NAME, None)
