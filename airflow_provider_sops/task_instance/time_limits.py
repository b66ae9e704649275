"""When a try of a task has to end, by its own limit and by Airflow's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import timedelta

#: How much earlier than Airflow's execution_timeout a wait ends, so that there is time to stop what it waits for.
_MARGIN_SECONDS = 10.0


def execution_deadline(execution_timeout: timedelta | None, ti: Any, now: float) -> float | None:
    """Return when a try has to end, so that there is time to stop what runs, in seconds since the epoch.

    :param execution_timeout: Airflow's own limit for a try; ``None`` for none.
    :param ti: the running task instance.
    :param now: when the try began, where Airflow does not say.
    """
    if execution_timeout is None:
        return None
    allowed = execution_timeout.total_seconds()
    began = ti.start_date.timestamp() if ti.start_date else now
    return float(began + allowed - min(_MARGIN_SECONDS, allowed / 10))


def wait_deadline(
    timeout_seconds: float | None, execution_timeout: timedelta | None, ti: Any, now: float
) -> float | None:
    """Return when a wait that begins now has to end, in seconds since the epoch; ``None`` for never.

    :param timeout_seconds: how long it may last by itself; the ``execution_deadline`` counts where it is earlier.
    """
    own = None if timeout_seconds is None else now + timeout_seconds
    limits = (own, execution_deadline(execution_timeout, ti, now))
    return min((limit for limit in limits if limit is not None), default=None)
