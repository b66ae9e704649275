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

from airflow_provider_sops.service.durations import Duration, seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from airflow.providers.common.compat.sdk import Context
    from airflow.triggers.base import BaseTrigger

    from airflow_provider_sops.service.errors import ServiceError

#: The word of each kind of outcome for a wait whose time is over.
_TIMED_OUT = "timed out"


class Awaited(Protocol):
    """What a sensor waits for. Policies and results are those of its service."""

    def trigger(self, policy: Any) -> BaseTrigger:
        """Return the trigger that waits for it."""

    def poking(self, policy: Any) -> Callable[[], Any]:
        """Begin to wait on a worker: return what looks once and gives the result, or ``None`` before the end.

        A look is repeated as long as its answer needs confirmation within seconds.
        """

    def error(self, result: Any) -> ServiceError:
        """Return the error of a wait that did not end well."""

    def conclude(self, context: Context, result: Any) -> dict[str, Any] | None:
        """Return what the sensor returns.

        :raises ServiceError: the wait did not end well.
        """


class WaitingSensor(BaseSensorOperator):
    """Common ground of the sensors; their parameters are documented there."""

    def __init__(
        self,
        *,
        max_outage_seconds: Duration = 3600,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poke_interval: Duration = 10,
        **kwargs: Any,
    ) -> None:
        if kwargs.get("timeout") is not None:
            kwargs["timeout"] = seconds("timeout", kwargs["timeout"])
        super().__init__(poke_interval=seconds("poke_interval", poke_interval, above_zero=True), **kwargs)
        self.max_outage_seconds = seconds("max_outage_seconds", max_outage_seconds)
        self.deferrable = deferrable
        self._awaited: Awaited | None = None
        self._look: Callable[[], Any] | None = None

    def execute(self, context: Context) -> Any:
        """Wait on the worker, or hand over to the triggerer."""
        if self.deferrable:
            with self._before_deferral():
                awaited = self._find(context)
            policy = self._policy(deadline=time.time() + self.timeout)
            self.defer(trigger=awaited.trigger(policy), method_name="execute_complete")
        return super().execute(context)

    def poke(self, context: Context) -> PokeReturnValue:
        """Look once."""
        with self._airflow_errors():
            if self._awaited is None or self._look is None:
                self._awaited = self._find(context)
                self._look = self._awaited.poking(self._policy(deadline=None))
            result = self._look()
            if result is None:
                return PokeReturnValue(is_done=False)
            return PokeReturnValue(is_done=True, xcom_value=self._awaited.conclude(context, result))

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any] | None:
        """Take over from the trigger."""
        # Only a running task needs it, not a DAG file.
        from airflow_provider_sops.task_instance.told_lines import tell_again

        with self._airflow_errors():
            awaited, result = self._from_event(event)
            tell_again(event, self.log)
            if result.outcome == _TIMED_OUT:
                raise AirflowSensorTimeout(str(awaited.error(result)))
            return awaited.conclude(context, result)

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
