"""Whether a task may live in the triggerer alone, from its start to its end."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import conf

from airflow_provider_sops.version_compat import AIRFLOW_V_3_3_PLUS

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Every trigger that starts a task receives the whole DAG. With more tasks than this the triggerer is slower than
#: workers are.
MOST_TASKS = 250

#: What Airflow heeds, calls or fills on a worker only.
_WORKER_ONLY = (
    "pool",
    "pool_slots",
    "queue",
    "executor",
    "executor_config",
    "run_as_user",
    "inlets",
    "outlets",
    "on_execute_callback",
    "on_success_callback",
    "on_skipped_callback",
    "execution_timeout",
    "max_active_tis_per_dag",
    "max_active_tis_per_dagrun",
)


def reason_for_worker(task: Any, *, tasks: int) -> str:
    """Return why a task has to begin on a worker; empty if it need not.

    :param task: the operator as it was built, default arguments and all.
    :param tasks: how many tasks of its kind the DAG has.
    """
    if not AIRFLOW_V_3_3_PLUS:
        return "before Airflow 3.3 a task cannot end in the triggerer"
    if tasks > MOST_TASKS:
        return f"the flow has {tasks} nodes, and above {MOST_TASKS} workers are quicker"
    if task.get_closest_mapped_task_group() is not None:
        return "it is in a mapped task group"
    usual = _usual()
    for name in _WORKER_ONLY:
        value = getattr(task, name, None)
        if value and value != usual.get(name):
            return f"it has {name} set"
    return ""


@cache
def _usual() -> Mapping[str, Any]:
    """Return what tasks have that nobody has set; Airflow reads its default queue once in a process, too."""
    return {"pool": "default_pool", "pool_slots": 1, "queue": conf.get("operators", "default_queue")}
