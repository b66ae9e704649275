"""Convert Python arguments to SOPS's parameters, and reject invalid ones before anything is sent."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_sops.sops.endpoints import BATCH_SIZE, TASK_ACTIONS
from airflow_provider_sops.sops.errors import SopsInvalidParameterError

if TYPE_CHECKING:
    from collections.abc import Iterable


def asked(flag: bool) -> Literal[True] | None:
    """Return a flag that is sent only if true: SOPS reads ``with_ex_data=false`` as true."""
    return True if flag else None


def batches(task_ids: Iterable[int | str]) -> list[list[int]]:
    """Return task ids as numbers, each once and in order, in lists of at most ``BATCH_SIZE``.

    :raises SopsInvalidParameterError: an id is not a positive number; SOPS would answer HTTP 500.
    """
    ids = list(dict.fromkeys(_task_number(task_id) for task_id in task_ids))
    return [ids[start : start + BATCH_SIZE] for start in range(0, len(ids), BATCH_SIZE)]


def _task_number(task_id: Any) -> int:
    try:
        number = 0 if isinstance(task_id, (bool, float)) else int(task_id)
    except (TypeError, ValueError):
        number = 0
    if number < 1:
        raise SopsInvalidParameterError(
            f"a task id is {task_id!r}", api="get_tasks_status", advice="It must be a positive whole number."
        )
    return number


def comma_separated(ids: Iterable[int | str] | None) -> str | None:
    """Return ids as SOPS's filters take them, ``1,2,3``."""
    return None if ids is None else ",".join(str(value) for value in ids)


def time_text(moment: datetime.datetime | str | None) -> str | None:
    """Return a time in SOPS's format, ``2026-11-20 18:34:08 +0800``; a string is passed through.

    :raises SopsInvalidParameterError: the time has no zone: SOPS would assume its own.
    """
    if not isinstance(moment, datetime.datetime):
        return moment
    if moment.utcoffset() is None:
        raise SopsInvalidParameterError(f"the time {moment.isoformat()} has no time zone")
    return moment.strftime("%Y-%m-%d %H:%M:%S %z")


def task_action(action: str) -> str:
    """Return an action of ``operate_task``.

    :raises SopsInvalidParameterError: there is no such action.
    """
    if action in TASK_ACTIONS:
        return action
    raise SopsInvalidParameterError(
        f"the action is {action!r}", api="operate_task", advice=f"It must be one of: {', '.join(TASK_ACTIONS)}."
    )


def required_text(api: str, name: str, value: Any) -> str:
    """Return a string that must not be empty.

    :raises SopsInvalidParameterError: it is empty or not a string.
    """
    if isinstance(value, str) and value.strip():
        return value
    raise SopsInvalidParameterError(f"{name} is {value!r}", api=api, advice="It must be a non-empty string.")
