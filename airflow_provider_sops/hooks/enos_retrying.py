"""When a request to EnOS is sent again. The blocking and the asynchronous transport share the rules.

A failed request is sent again if the failure is temporary and the repeat cannot do anything twice: either the call is
one that may be repeated, or it is certain that it was not executed. At most four times, with growing pauses; a rate
limit is waited for as long as the gateway says. No new try is begun later than 30 seconds after the first. Each try is
signed anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tenacity

from airflow_provider_sops.enos.errors import EnosError, EnosRateLimitError
from airflow_provider_sops.enos.tokens import GET_TOKEN, REFRESH_TOKEN

if TYPE_CHECKING:
    import logging

    from airflow_provider_sops.enos.endpoints import Endpoint

_TRIES = 4
_LONGEST_SECONDS = 30.0
_growing_pause = tenacity.wait_exponential(multiplier=0.5, max=8) + tenacity.wait_random(0, 0.5)


def retry_rules(endpoint: Endpoint, log: logging.Logger) -> dict[str, Any]:
    """Return the arguments for ``tenacity.Retrying`` and ``tenacity.AsyncRetrying``.

    :param log: told of every repeat.
    """

    def may_be_repeated(error: BaseException) -> bool:
        if not isinstance(error, EnosError) or not error.temporary:
            return False
        if error.api != endpoint.name and error.api in (GET_TOKEN.name, REFRESH_TOKEN.name):
            return False  # asking for a token was repeated already
        return endpoint.repeatable or not error.outcome_unknown

    def tell(state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        log.warning("Trying again in %.1f s: %s", state.upcoming_sleep, error)

    return {
        "retry": tenacity.retry_if_exception(may_be_repeated),
        "stop": tenacity.stop_any(tenacity.stop_after_attempt(_TRIES), tenacity.stop_before_delay(_LONGEST_SECONDS)),
        "wait": _pause_seconds,
        "before_sleep": tell,
        "reraise": True,
    }


def _pause_seconds(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, EnosRateLimitError) and error.retry_after_seconds is not None:
        return error.retry_after_seconds
    return _growing_pause(state)
