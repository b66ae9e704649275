"""Again while the answer is lost: rules for sending an action that does no harm twice until its outcome is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tenacity

from airflow_provider_sops.service.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def again_while_lost(
    pauses_seconds: Sequence[float],
    *,
    also: tuple[type[ServiceError], ...] = (),
    tell: Callable[[ServiceError], None] = lambda _error: None,
    sleep: Callable[[float], Any] | None = None,
) -> dict[str, Any]:
    """Return the arguments for ``tenacity.Retrying`` and ``tenacity.AsyncRetrying``.

    The action is tried again after an error that is temporary or leaves its outcome open. The last error is raised.

    :param pauses_seconds: the pause before each further try.
    :param also: errors that say "not yet", after which it is tried again too.
    :param tell: is told of each error that is followed by another try.
    :param sleep: instead of the library's own.
    """

    def is_lost(error: BaseException) -> bool:
        return isinstance(error, also) or (
            isinstance(error, ServiceError) and (error.temporary or error.outcome_unknown)
        )

    def before_sleep(state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, ServiceError):
            tell(error)

    rules: dict[str, Any] = {
        "retry": tenacity.retry_if_exception(is_lost),
        "stop": tenacity.stop_after_attempt(len(pauses_seconds) + 1),
        "wait": tenacity.wait_chain(*map(tenacity.wait_fixed, pauses_seconds))
        if pauses_seconds
        else tenacity.wait_none(),
        "before_sleep": before_sleep,
        "reraise": True,
    }
    return rules if sleep is None else {**rules, "sleep": sleep}
