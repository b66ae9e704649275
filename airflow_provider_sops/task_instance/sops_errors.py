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

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_BEYOND_RETRY = (
    SopsInvalidParameterError,
    SopsNotFoundError,
    SopsTaskRevokedError,
)


@contextmanager
def airflow_errors(*, in_sensor: bool = False, answers_for_task: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """Translate every ``SopsError`` that leaves the block; the original stays as its cause.

    :param in_sensor: a sensor's remote failure is an ``AirflowFailException`` too: it is the only exception that
        ``soft_fail`` turns into a skip while poking and after a deferral alike.
    :param answers_for_task: whether a SOPS task may be running that nobody would look after if this task failed for
        good. Then refused credentials are worth a retry too: a gateway's refusal may pass.
    :raises AirflowFailException: where a retry cannot help: credentials, unknown template or task, bad input, revoked.
    :raises AirflowException: for everything else.
    """
    try:
        yield
    except SopsAuthError as error:
        raise (AirflowException if answers_for_task() else AirflowFailException)(str(error)) from error
    except _BEYOND_RETRY as error:
        raise AirflowFailException(str(error)) from error
    except (SopsTaskFailedError, SopsTaskExpiredError) as error:
        raise (AirflowFailException if in_sensor else AirflowException)(str(error)) from error
    except SopsError as error:
        raise AirflowException(str(error)) from error
