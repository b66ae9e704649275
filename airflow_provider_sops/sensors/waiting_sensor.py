"""What the sensors for SOPS and EnOS have in common: poke, reschedule and defer, with one way to find and to conclude.

A module ``*_waits`` beside a sensor has what only its running task needs, so that DAG files are parsed quickly.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
    PokeReturnValue,
    conf,
)

from airflow_provider_sops.service.durations import Duration, seconds, seconds_or_none
from airflow_provider_sops.service.errors import ServiceError
from airflow_provider_sops.task_instance.log import tell_error
from airflow_provider_sops.waiting.pace import LONGEST_PAUSE_SECONDS, SHORTEST_PAUSE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from airflow.providers.common.compat.sdk import Context
    from airflow.triggers.base import BaseTrigger

#: The word of each kind of outcome for a wait whose time is over.
_TIMED_OUT = "timed out"


class Poking(Protocol):
    """Looks on a worker, with Airflow's pauses between."""

    def once(self) -> Any:
        """Look once and return the result, or ``None`` before the end.

        A look is repeated as long as its answer needs confirmation within seconds.
        """

    @property
    def pause_seconds(self) -> float:
        """The time until the next look is due."""


class Awaited(Protocol):
    """What a sensor waits for. Policies and results are those of its service."""

    def trigger(self, policy: Any) -> BaseTrigger:
        """Return the trigger that waits for it."""

    def poking(self, policy: Any) -> Poking:
        """Begin to wait on a worker."""

    def error(self, result: Any) -> ServiceError:
        """Return the error of a wait that did not end well."""

    def conclude(self, context: Context, result: Any) -> dict[str, Any] | None:
        """Return what the sensor returns.

        :raises ServiceError: the wait did not end well.
        """


_MAX_OUTAGE_SECONDS = 3600.0
#: With ``mode="reschedule"`` each look starts a worker process.
_SHORTEST_RESCHEDULE_SECONDS = 5.0


class WaitingSensor(BaseSensorOperator):
    """Common ground of the sensors; their parameters are documented there.

    Without a ``poke_interval`` the pause between two looks follows the age of what is waited for.
    """

    def __init__(
        self,
        *,
        max_outage_seconds: Duration | None = None,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poke_interval: Duration | None = None,
        **kwargs: Any,
    ) -> None:
        longest = LONGEST_PAUSE_SECONDS if poke_interval is None else poke_interval
        if kwargs.get("timeout") is not None:
            kwargs["timeout"] = seconds("timeout", kwargs["timeout"])
        super().__init__(poke_interval=seconds("poke_interval", longest, above_zero=True), **kwargs)
        self.follows_age = poke_interval is None and not self.exponential_backoff
        self.max_outage_seconds = seconds_or_none("max_outage_seconds", max_outage_seconds)
        self.deferrable = deferrable
        self._awaited: Awaited | None = None
        self._poking: Poking | None = None
        self._result: Any = None
        self._outage_since: float | None = None

    @property
    def outage_seconds(self) -> float:
        """How long the service may be out of reach; for a running task."""
        return _MAX_OUTAGE_SECONDS if self.max_outage_seconds is None else self.max_outage_seconds

    def execute(self, context: Context) -> Any:
        """Wait on the worker, or hand over to the triggerer."""
        if self.deferrable:
            self._find_and_defer(context, deadline=time.time() + self.timeout)
        return super().execute(context)

    def poke(self, context: Context) -> PokeReturnValue:
        """Look once; before and after the wait, an outage means to look again."""
        with self._airflow_errors():
            try:
                value = self._look_once(context)
            except ServiceError as error:
                if not self._bears(error):
                    raise
                return PokeReturnValue(is_done=False)
            if self._outage_since is not None:
                self.log.info("The server answers again after %.0f s", time.monotonic() - self._outage_since)
                self._outage_since = None
            return value

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any] | None:
        """Take over from the trigger."""
        # Only a running task needs it, not a DAG file.
        from airflow_provider_sops.task_instance.told_lines import tell_again

        with self._airflow_errors():
            waited = self._take_over(event)
            if isinstance(waited, dict):
                awaited, result = self._from_event(waited)
                tell_again(waited, self.log)
                if result.outcome == _TIMED_OUT:
                    raise AirflowSensorTimeout(tell_error(awaited.error(result), self.log))
                return awaited.conclude(context, result)
        if time.time() >= waited:
            raise AirflowSensorTimeout("The server gave no usable answer until this sensor's time was over.")
        self._find_and_defer(context, deadline=waited)
        return None

    def _find_and_defer(self, context: Context, *, deadline: float) -> None:
        with self._before_deferral():
            self._bear_outages(deadline=deadline)
            awaited = self._find(context)
        self.defer(trigger=awaited.trigger(self._policy(deadline=deadline)), method_name="execute_complete")

    def _look_once(self, context: Context) -> PokeReturnValue:
        if self._awaited is None or self._poking is None:
            self._awaited = self._find(context)
            self._poking = self._awaited.poking(self._policy(deadline=None))
        self._result = self._result or self._poking.once()
        if self._result is None:
            if self.follows_age:
                shortest = _SHORTEST_RESCHEDULE_SECONDS if self.mode == "reschedule" else SHORTEST_PAUSE_SECONDS
                self.poke_interval = max(shortest, self._poking.pause_seconds)
            return PokeReturnValue(is_done=False)
        return PokeReturnValue(is_done=True, xcom_value=self._awaited.conclude(context, self._result))

    def _bears(self, error: ServiceError) -> bool:
        """Whether a poke goes on after an error; where each poke stands alone, only the sensor's timeout counts."""
        now = time.monotonic()
        if error.is_outage and self._outage_since is None:
            self.log.warning("No usable answer; asking again for up to %.0f s: %s", self.outage_seconds, error)
            self._outage_since = now
        lasted = 0.0 if self._outage_since is None else now - self._outage_since
        return error.is_outage and (self.mode == "reschedule" or lasted < self.outage_seconds)

    def _bear_outages(self, *, deadline: float) -> None:
        """Let the calls before a deferral bear outages; by default each is tried a few times."""

    def _take_over(self, event: dict[str, Any]) -> dict[str, Any] | float:
        """Let the calls after a deferral bear outages, and return the event of the wait.

        :return: of a sensor that had left its worker before the wait, its deadline, in seconds since the epoch.
        """
        return event

    def _find(self, context: Context) -> Awaited:
        """Find what to wait for, and announce it."""
        raise NotImplementedError

    def _from_event(self, event: dict[str, Any]) -> tuple[Awaited, Any]:
        """Return what a trigger has waited for, and how that ended."""
        raise NotImplementedError

    def _policy(self, deadline: float | None) -> Any:
        """Return the rules of the wait."""
        raise NotImplementedError

    def _airflow_errors(self) -> AbstractContextManager[None]:
        """Translate the service's errors into Airflow's."""
        raise NotImplementedError

    @contextmanager
    def _before_deferral(self) -> Iterator[None]:
        """Translate errors, and apply ``soft_fail``: Airflow does so for pokes and after a deferral only."""
        try:
            with self._airflow_errors():
                yield
        except AirflowFailException as error:
            if self.soft_fail or self.never_fail:
                raise AirflowSkipException(str(error)) from error
            raise
