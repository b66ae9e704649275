"""The key that finds a notification's SOPS task again, so that a callback called twice notifies once.

Airflow calls a callback on the worker, and once more in its DAG processor if the worker dies before it has reported the
task's end. The second context has less than the first: no exception, and in Airflow 3 no state. So the key is built
from what both have: the task instance, the try, and the notifier as written in the DAG file, before its templates are
rendered.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from airflow_provider_sops.sops.task_key import TaskKey

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Set by ``SopsRunTaskOperator`` for ``on_node_failed``: distinguish one failure of a node from the next.
FAILURE_MARKS_KEY = "sops_failure_marks"

_ENDED_WELL = ("success", "skipped")
_ENDED_BADLY = ("failed", "up_for_retry")


def notification_key(context: Mapping[str, Any], definition: Mapping[str, Any]) -> TaskKey:
    """Return the key of one notification.

    :param context: Airflow's context of a task's or a DAG run's callback.
    :param definition: the notifier's unrendered arguments.
    :raises SopsInvalidParameterError: the context has no DAG run.
    """
    dag, run_id = context.get("dag"), context.get("run_id")
    if dag is None or not run_id:
        raise SopsInvalidParameterError(
            "Airflow's context has no DAG run, so a repeated notification could not be recognised",
            advice="Use the notifier as a callback of a task or of a DAG.",
        )
    purpose = ["notification", json.dumps(definition, sort_keys=True, default=lambda value: type(value).__name__)]
    if is_about_run(context):
        cleared = getattr(context.get("dag_run"), "clear_number", None) or 0
        return TaskKey.of(
            dag_id=dag.dag_id,
            run_id=run_id,
            task_id="",
            map_index=-1,
            max_tries=cleared,
            purpose=[*purpose, str(context.get("reason"))],
        )
    ti = context["ti"]
    return TaskKey.of(
        dag_id=dag.dag_id,
        run_id=run_id,
        task_id=ti.task_id,
        map_index=_map_index(ti),
        max_tries=ti.try_number,
        purpose=[*purpose, _event(context, ti)],
    )


def is_about_run(context: Mapping[str, Any]) -> bool:
    """Whether a context belongs to a DAG run's callback; it may contain any of the run's task instances, or none."""
    return "reason" in context or context.get("ti") is None


def described(context: Mapping[str, Any]) -> str:
    """Describe a context for the log."""
    dag, ti = context.get("dag"), context.get("ti")
    run = f"DAG {getattr(dag, 'dag_id', None)}, run {context.get('run_id')}"
    if is_about_run(context):
        return run
    mapped = f" [{_map_index(ti)}]" if _map_index(ti) >= 0 else ""
    return f"{run}, task {getattr(ti, 'task_id', None)}{mapped}, try {getattr(ti, 'try_number', None)}"


def _map_index(ti: Any) -> int:
    index = getattr(ti, "map_index", None)
    return -1 if index is None else index


def _event(context: Mapping[str, Any], ti: Any) -> str:
    """Return the event, from what every context of the same callback contains."""
    state = getattr(ti, "state", None)
    word = str(getattr(state, "value", state))
    if word in _ENDED_WELL:
        return word
    marks = context.get(FAILURE_MARKS_KEY)
    if marks and word not in _ENDED_BADLY:
        return f"nodes failed: {' '.join(marks)}"
    return "failure"
