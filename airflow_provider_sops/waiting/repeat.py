"""Again after a failure: rules for sending an action that does no harm twice until its outcome is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tenacity

from airflow_provider_sops.service.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def again_after(
    errors: type[ServiceError] | Callable[[ServiceError], bool],
    pauses_seconds: Sequence[float],
    *,
    tell: Callable[[ServiceError], None] = lambda _error: None,
    sleep: Callable[[float], Any] | None = None,
) -> dict[str, Any]:
    """Return the arguments for ``tenacity.Retrying`` and ``tenacity.AsyncRetrying``. The last error is raised.

    :param errors: after which the action is tried again: a class, such as that of a refusal that means "not yet", or
        what decides.
    :param pauses_seconds: the pause before each further try.
    :param tell: is told of each error that is followed by another try.
    :param sleep: instead of the library's own.
    """

    def is_followed(error: BaseException) -> bool:
        if not isinstance(error, ServiceError):
            return False
        return isinstance(error, errors) if isinstance(errors, type) else errors(error)

    def before_sleep(state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, ServiceError):
            tell(error)

    rules: dict[str, Any] = {
        "retry": tenacity.retry_if_exception(is_followed),
        "stop": tenacity.stop_after_attempt(len(pauses_seconds) + 1),
        "wait": tenacity.wait_chain(*map(tenacity.wait_fixed, pauses_seconds))
        if pauses_seconds
        else tenacity.wait_none(),
        "before_sleep": before_sleep,
        "reraise": True,
    }
    return rules if sleep is None else {**rules, "sleep": sleep}


def again_while_lost(
    pauses_seconds: Sequence[float],
    *,
    also: tuple[type[ServiceError], ...] = (),
    sleep: Callable[[float], Any] | None = None,
) -> dict[str, Any]:
    """Return the same for an error that is temporary or leaves the outcome open, where time is short.

    What has time bears the outage: see ``waiting.patience``.

    :param also: errors that say "not yet", after which it is tried again too.
    """
    return again_after(
        lambda error: isinstance(error, also) or error.temporary or error.outcome_unknown, pauses_seconds, sleep=sleep
    )
