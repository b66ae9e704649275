"""Where errors of SOPS become exceptions of Airflow: what a retry may mend, and what it cannot."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

from airflow_provider_sops.sops.errors import (
    SopsAuthError,
    SopsError,
    SopsInvalidParameterError,
    SopsNotFoundError,
    SopsTaskExpiredError,
    SopsTaskFailedError,
    SopsTaskRevokedError,
)
from airflow_provider_sops.task_instance.log import tell_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_sops.task_instance.log import TaskLog

_BEYOND_RETRY: tuple[type[SopsError], ...] = (
    SopsInvalidParameterError,
    SopsNotFoundError,
    SopsTaskRevokedError,
)


@contextmanager
def airflow_errors(
    log: TaskLog, *, only_follows: bool = False, answers_for_task: Callable[[], bool] = lambda: False
) -> Iterator[None]:
    """Write every ``SopsError`` that leaves the block to the log, and raise a short exception of Airflow's instead.

    The log entry says all, so the exception shows no traceback of the original, which is its ``__context__``.

    :param log: the log of the Airflow task.
    :param only_follows: the task follows a SOPS task that is not its own to retry, as sensors do. A remote failure is
        an ``AirflowFailException`` then: a retry would only find it again, and it is the only exception that
        ``soft_fail`` of a sensor turns into a skip while poking and after a deferral alike.
    :param answers_for_task: whether a SOPS task may be running that nobody would look after if this task failed for
        good. Then refused credentials are worth a retry too: a gateway's refusal may pass.
    :raises AirflowFailException: where a retry cannot help: credentials, unknown template or task, bad input, revoked.
    :raises AirflowException: for everything else.
    """
    try:
        yield
    except SopsError as error:
        final = _BEYOND_RETRY
        if only_follows:
            final += (SopsTaskFailedError, SopsTaskExpiredError)
        if not answers_for_task():
            final += (SopsAuthError,)
        raised = AirflowFailException if isinstance(error, final) else AirflowException
        raise raised(tell_error(error, log)) from None
