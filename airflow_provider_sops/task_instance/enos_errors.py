"""Where errors of EnOS become exceptions of Airflow: what a retry may mend, and what it cannot."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

from airflow_provider_sops.enos.errors import (
    EnosAuthError,
    EnosError,
    EnosInstanceCancelledError,
    EnosInstanceFailedError,
    EnosInvalidOperationError,
    EnosInvalidParameterError,
    EnosNotFoundError,
    EnosTriggerRefusedError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_BEYOND_RETRY = (
    EnosInvalidParameterError,
    EnosInvalidOperationError,
    EnosNotFoundError,
    EnosInstanceCancelledError,
)


@contextmanager
def enos_airflow_errors(
    *, in_sensor: bool = False, answers_for_instance: Callable[[], bool] = lambda: False
) -> Iterator[None]:
    """Translate every ``EnosError`` that leaves the block; the original stays as its cause.

    :param in_sensor: a sensor's remote failure is an ``AirflowFailException`` too: it is the only exception that
        ``soft_fail`` turns into a skip while poking and after a deferral alike.
    :param answers_for_instance: whether an instance may be running that nobody would look after if this task failed
        for good. Then refused credentials are worth a retry too.
    :raises AirflowFailException: where a retry cannot help: credentials, unknown instance, bad input, stopped.
    :raises AirflowException: for everything else.
    """
    try:
        yield
    except EnosAuthError as error:
        raise (AirflowException if answers_for_instance() else AirflowFailException)(str(error)) from error
    except EnosTriggerRefusedError as error:
        # One code for a flow that does not exist and for one that was triggered a moment ago.
        raise AirflowException(str(error)) from error
    except _BEYOND_RETRY as error:
        raise AirflowFailException(str(error)) from error
    except EnosInstanceFailedError as error:
        raise (AirflowFailException if in_sensor else AirflowException)(str(error)) from error
    except EnosError as error:
        raise AirflowException(str(error)) from error
