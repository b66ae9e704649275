"""Calling for a person while a wait goes on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.task_instance.log import tell_error

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_sops.sops.errors import SopsError
    from airflow_provider_sops.task_instance.log import TaskLog

#: What is called when nodes have failed and a person is needed.
OnNodeFailed = Callable[["Context"], Any] | Sequence[Callable[["Context"], Any]] | None


def call_for_person(
    callbacks: OnNodeFailed, context: Context, error: SopsError, failure_marks: Sequence[str], log: TaskLog
) -> None:
    """Write what a person is needed for, and call what is to be called.

    :param error: names the failed nodes; the callbacks find it as ``context["exception"]``.
    :param failure_marks: tell these failures from others, for notifications.
    """
    tell_error(error, log, logging.WARNING)
    known: Any = context
    known["exception"] = error
    known["sops_failure_marks"] = failure_marks
    for callback in callbacks if isinstance(callbacks, Sequence) else [callbacks]:
        if callback is None:
            continue
        try:
            callback(context)
        except Exception:
            log.exception("on_node_failed did not work; waiting goes on.")
