"""The state that Airflow has on record for a task instance, read before anything is revoked.

A worker or a trigger is told to stop for many reasons: a person marked the task failed, but also a rolling deploy, a
restarted triggerer or an API server that hangs. Only the recorded state tells them apart.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from threading import Thread
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.version_compat import AIRFLOW_V_3_0_PLUS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

#: States that say that a person, or the end of the DAG run, has decided the task's end.
ENDED_BY_DECISION = frozenset({"failed", "success", "skipped", "removed"})

#: A worker is killed about 5 seconds after it was told to stop.
_WORKER_TIMEOUT_SECONDS = 1.5
#: The first question of a triggerer takes about 5 seconds; it allows on_kill 30 by default.
_TRIGGER_TIMEOUT_SECONDS = 20.0


def read_state(ti: Any) -> str | None:
    """Return the recorded state of a task instance; ``None`` if it cannot be learned within 1.5 seconds.

    The question is asked in a thread of its own. A worker's signal handler interrupts code that may hold the lock of
    Airflow's own channel to the supervisor: asked in the same thread, it would wait for itself.

    :param ti: the task instance, of a worker or of a trigger.
    """
    answer: Future[str | None] = Future()

    def ask() -> None:
        try:
            answer.set_result(_ask_supervisor(ti) if AIRFLOW_V_3_0_PLUS else _ask_database(ti))
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the state is unknown
            answer.set_exception(error)

    Thread(target=ask, name="read-task-instance-state", daemon=True).start()
    try:
        return answer.result(timeout=_WORKER_TIMEOUT_SECONDS)
    except Exception:  # noqa: BLE001 - unknown, which the caller allows for
        return None


def is_ended_by_decision(ti: Any) -> bool:
    """Whether the task instance is over because somebody decided so; ``False`` also when that is unknown."""
    return read_state(ti) in ENDED_BY_DECISION


def read_states(ti: Any, task_ids: Sequence[str]) -> dict[str, str | None]:
    """Return the recorded states of other tasks of a run, with the map index of a task instance.

    :param ti: the running task instance, on a worker.
    """
    return _states_by_supervisor(ti, task_ids) if AIRFLOW_V_3_0_PLUS else _states_by_database(ti, task_ids)


def _ask_supervisor(ti: Any) -> str | None:
    return _states_by_supervisor(ti, [ti.task_id])[ti.task_id]


def _states_by_supervisor(ti: Any, task_ids: Sequence[str]) -> dict[str, str | None]:
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    states = RuntimeTaskInstance.get_task_states(
        dag_id=ti.dag_id, task_ids=list(task_ids), run_ids=[ti.run_id], map_index=ti.map_index
    )
    by_task = states.get(ti.run_id, {})
    suffix = "" if ti.map_index < 0 else f"_{ti.map_index}"
    return {task_id: _word(by_task.get(f"{task_id}{suffix}")) for task_id in task_ids}


def _ask_database(ti: Any) -> str | None:
    return _states_by_database(ti, [ti.task_id])[ti.task_id]


def _states_by_database(ti: Any, task_ids: Sequence[str]) -> dict[str, str | None]:
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session

    session: Session
    with create_session() as session:
        rows: Any = (
            session.query(TaskInstance.task_id, TaskInstance.state)
            .filter(
                TaskInstance.dag_id == ti.dag_id,
                TaskInstance.task_id.in_(task_ids),
                TaskInstance.run_id == ti.run_id,
                TaskInstance.map_index == ti.map_index,
            )
            .all()
        )
    by_task: dict[str, Any] = dict(rows)
    return {task_id: _word(by_task.get(task_id)) for task_id in task_ids}


def _word(state: Any) -> str | None:
    return None if state is None else str(getattr(state, "value", state))


def had_succeeded(ti: Any, *, since_max_tries: int) -> bool | None:
    """Return whether an earlier try of a task instance has succeeded; ``None`` if that cannot be learned here.

    Airflow 2 gives the worker its database, which keeps earlier tries when somebody clears the task. Airflow 3 tells a
    worker nothing of them.

    :param since_max_tries: only tries with this ``max_tries`` or a higher one count. A clear raises it.
    """
    if AIRFLOW_V_3_0_PLUS:
        return None
    from airflow.models.taskinstancehistory import TaskInstanceHistory
    from airflow.utils.session import create_session

    session: Session
    try:
        with create_session() as session:
            successes = session.query(TaskInstanceHistory.try_number).filter(
                TaskInstanceHistory.dag_id == ti.dag_id,
                TaskInstanceHistory.task_id == ti.task_id,
                TaskInstanceHistory.run_id == ti.run_id,
                TaskInstanceHistory.map_index == ti.map_index,
                TaskInstanceHistory.max_tries >= since_max_tries,
                TaskInstanceHistory.state == "success",
            )
            return successes.first() is not None
    except Exception:  # noqa: BLE001 - unknown, which the caller allows for
        return None


async def is_ended_by_decision_async(ti: Any) -> bool:
    """Answer the same for a trigger, whose event loop must not wait."""
    from asgiref.sync import sync_to_async

    ask = sync_to_async(_ask_supervisor if AIRFLOW_V_3_0_PLUS else _ask_database)
    try:
        state = await asyncio.wait_for(ask(ti), timeout=_TRIGGER_TIMEOUT_SECONDS)
    except Exception:  # noqa: BLE001 - unknown, so nothing was decided
        return False
    return state in ENDED_BY_DECISION
