"""Stopping a flow instance where there is time to make sure of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import tenacity

from airflow_provider_sops.enos.errors import EnosError
from airflow_provider_sops.waiting.repeat import again_while_lost

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_sops.hooks.enos import EnosHook
    from airflow_provider_sops.service.errors import ServiceError
    from airflow_provider_sops.task_instance.log import TaskLog

_TRIES = 4
_PAUSE_SECONDS = 1.0


def cancel_flow_instance(
    hook: EnosHook, flow_instance_id: str, log: TaskLog, *, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Stop an instance; one that has ended by itself meanwhile is no error.

    A second cancel does no harm, so one whose answer was lost is sent again, for about ten seconds.

    :raises EnosError: if EnOS refuses or cannot be reached; then the instance may still run.
    """

    def cancel() -> None:
        try:
            hook.cancel_flow_instance(flow_instance_id)
        except EnosError as error:
            if error.temporary or error.outcome_unknown or not hook.get_flow_instance(flow_instance_id).status.is_end:
                raise

    def tell(error: ServiceError) -> None:
        log.warning("Stopping %s got no usable answer, trying again: %s", flow_instance_id, error)

    pauses = [_PAUSE_SECONDS * attempt for attempt in range(1, _TRIES)]
    tenacity.Retrying(**again_while_lost(pauses, tell=tell, sleep=sleep))(cancel)
