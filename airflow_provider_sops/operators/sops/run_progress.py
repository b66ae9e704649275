"""How far a run has come, and how it takes that along when it leaves its worker before or after its wait."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_sops.operators.sops.interruption import Interruption
from airflow_provider_sops.sops.site import site_of
from airflow_provider_sops.task_instance.time_limits import execution_deadline

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow_provider_sops.operators.sops.execution import Execution
    from airflow_provider_sops.sops.task_key import TaskSearch
    from airflow_provider_sops.triggers.sops_interruption import SopsOutageTrigger, SopsRevokedTrigger


class RunProgress:
    """What a run has done so far. Calls of its hook bear outages from now on; after a minute the triggerer waits.

    :param execution: the operator that runs the SOPS task.
    :param search: how its SOPS tasks are found.
    :param overcome: marks of the failures whose nodes this try has retried; it grows.
    :param was_started: whether the SOPS task was started, as far as is known at that moment.
    """

    def __init__(
        self, execution: Execution, search: TaskSearch, *, overcome: list[str], was_started: Callable[[], bool]
    ) -> None:
        self._execution = execution
        self._settings = settings = execution.settings
        self._overcome = overcome
        #: How its SOPS tasks are found.
        self.search = search
        #: The run's task; ``None`` before it was obtained.
        self.sops_task_id: int | None = None
        #: The tasks that this try has created, with the addresses where they are claimed.
        self.created: dict[int, str] = {}
        #: How long the nodes of revoked tasks are waited for, in seconds since the epoch.
        self.retire_until: float | None = None
        #: How the wait ended, as its trigger has told; ``None`` before that.
        self.event: Mapping[str, Any] | None = None
        self._patience = execution.hook.be_patient(
            settings.outage_seconds,
            execution.log,
            may_be_running=was_started,
            leave=self._leave_during_outage if settings.deferrable else None,
        )

    def take_over(self, event: dict[str, Any]) -> dict[str, Any] | None:
        """Take over from a trigger, and return the event of the wait; ``None`` if the run goes on from its beginning.

        It goes on there if it had left its worker before the wait. What it had done by then is not done again.
        """
        from airflow_provider_sops.triggers.sops_interruption import OVER, SopsOutageTrigger

        if event.get("outcome") != OVER:
            return event
        taken_along = Interruption.from_json(SopsOutageTrigger.from_event(event).progress)
        self._patience.since.update(taken_along.outages)
        self.sops_task_id = taken_along.sops_task_id
        self.created.update(taken_along.created)
        self._overcome.extend(taken_along.overcome)
        self.retire_until = taken_along.retire_until
        # Its template may have been rendered otherwise since.
        self.search = replace(self.search, origin=replace(self.search.origin, is_first_try=False))
        return None if taken_along.event is None else dict(taken_along.event)

    def leave_until_at_rest(self, revoked: Sequence[int], until: float) -> NoReturn:
        """Leave the worker; the triggerer waits until the nodes of revoked tasks have ended.

        :param revoked: the ids of these tasks.
        :param until: how long, in seconds since the epoch.
        :raises TaskDeferred: always.
        """
        from airflow_provider_sops.triggers.sops_interruption import SopsRevokedTrigger

        self.retire_until = until
        self._leave(SopsRevokedTrigger, until, revoked=revoked)

    def _leave_during_outage(self) -> NoReturn:
        from airflow_provider_sops.triggers.sops_interruption import SopsOutageTrigger

        since = min(self._patience.since.values())
        deadline = execution_deadline(self._settings.execution_timeout, self._execution.ti, time.time())
        limits = (since + self._settings.outage_seconds, deadline)
        until = min(limit for limit in limits if limit is not None)
        self._leave(SopsOutageTrigger, until, since=since)

    def _leave(self, trigger: type[SopsOutageTrigger | SopsRevokedTrigger], until: float, **arguments: Any) -> NoReturn:
        taken_along = Interruption(
            outages=self._patience.since,
            sops_task_id=self.sops_task_id,
            created=self.created,
            overcome=tuple(self._overcome),
            retire_until=self.retire_until,
            event=self.event,
        )
        self._execution.defer(
            trigger=trigger(
                **site_of(self._execution.hook).arguments,
                until=until,
                progress=taken_along.to_json(),
                sops_task_id=self.sops_task_id,
                search=self.search.to_json(),
                revoke_on_kill=self._settings.revoke_on_kill,
                **arguments,
            ),
            method_name="execute_complete",
        )
        raise AssertionError("a deferral does not return")
