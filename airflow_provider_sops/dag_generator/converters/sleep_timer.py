"""``sleep_timer``: a wait of some seconds."""

from __future__ import annotations

import re
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pendulum
from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_sops.triggers import waiting_trigger

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_sops.dag_generator.converters.convertible_node import ConvertibleNode

#: What SOPS accepts as seconds; anything else is a date or invalid.
_SECONDS = re.compile(r"[0-9]{1,8}")


class SleepTimerOperator(BaseOperator):
    """Wait for some seconds, in the triggerer.

    The end of the wait is fixed when it begins, so a restart of the triggerer does not prolong it. A retry starts a new
    wait, as in SOPS. A short wait stays on the worker.

    :param seconds: how long.
    """

    ui_color = "#e1ecff"

    def __init__(self, *, seconds: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seconds = seconds

    def execute(self, context: Context) -> dict[str, Any]:
        """Defer until it is time."""
        from airflow.providers.common.compat.standard.triggers import TimeDeltaTrigger

        wait = timedelta(seconds=self.seconds)
        self.log.info("Waiting until %s.", pendulum.now("UTC") + wait)
        if self.seconds > waiting_trigger.POD_EXIT_SECONDS:
            self.defer(trigger=TimeDeltaTrigger(wait), method_name="execute_complete", timeout=self.execution_timeout)
        time.sleep(self.seconds)
        return {}

    def execute_complete(self, context: Context, event: Any) -> dict[str, Any]:
        """Finish; there are no outputs."""
        return {}


def sleep_timer(node: ConvertibleNode) -> BaseOperator | None:
    """Create the operator for a ``sleep_timer`` node that waits for a known number of seconds.

    A date is in the time zone of the SOPS project, which only SOPS knows. An input with variables may turn out to be a
    date.
    """
    timing = node.inputs.get("bk_timing")
    if timing is None or not timing.is_literal or not _SECONDS.fullmatch(str(timing.literal)):
        return None
    return SleepTimerOperator(**node.task_args, seconds=int(timing.literal))
