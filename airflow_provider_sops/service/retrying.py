"""When a failed request is sent again; the same rules for all services and both transports.

A failed request is sent again if the failure is temporary and a repeat cannot act twice: the call is repeatable, or it
was certainly not executed (never sent, or rejected by a rate limit). At most four attempts, with growing pauses; after
a rate limit, the pause is what the gateway asks for. No attempt starts later than 45 seconds after the first, which
leaves room to retry one that timed out.
"""

from __future__ import annotations

import logging
from typing import Any

import tenacity

from airflow_provider_sops.service.errors import ServiceError

_TRIES = 4
#: More than the connections' default ``timeout_seconds``, 30.
_LONGEST_SECONDS = 45.0
_growing_pause = tenacity.wait_exponential(multiplier=0.5, max=8) + tenacity.wait_random(0, 0.5)


def retry_rules(api: str, *, repeatable: bool, log: logging.Logger, level: int = logging.WARNING) -> dict[str, Any]:
    """Return the arguments for ``tenacity.Retrying`` and ``tenacity.AsyncRetrying``.

    :param api: the call's name. Errors of other calls made on the way, for example for a token, are not retried here.
    :param repeatable: whether the call may be sent again if its answer was lost.
    :param log: logs every retry.
    :param level: as what.
    """

    def may_be_repeated(error: BaseException) -> bool:
        if not isinstance(error, ServiceError) or not error.temporary or error.api not in (None, api):
            return False
        return repeatable or not error.outcome_unknown

    def tell(state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        log.log(level, "Trying again in %.1f s: %s", state.upcoming_sleep, error)

    return {
        "retry": tenacity.retry_if_exception(may_be_repeated),
        "stop": tenacity.stop_any(tenacity.stop_after_attempt(_TRIES), tenacity.stop_before_delay(_LONGEST_SECONDS)),
        "wait": _pause_seconds,
        "before_sleep": tell,
        "reraise": True,
    }


def _pause_seconds(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    retry_after_seconds: float | None = getattr(error, "retry_after_seconds", None)
    return _growing_pause(state) if retry_after_seconds is None else retry_after_seconds
