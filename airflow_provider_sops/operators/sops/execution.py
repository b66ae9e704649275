"""What an operator has while it is executed: its connection, its settings and what Airflow gives it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_sops.hooks.sops import SopsHook
    from airflow_provider_sops.operators.sops.base import SopsBaseOperator
    from airflow_provider_sops.operators.sops.run_settings import RunSettings
    from airflow_provider_sops.sops.next_steps import NextSteps
    from airflow_provider_sops.task_instance.log import TaskLog


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Execution:
    """One ``execute`` or ``execute_complete`` of an operator that runs a SOPS task; the parts of its run share it.

    :param hook: the connection to SOPS.
    :param settings: how the SOPS task is run.
    :param context: Airflow's context.
    :param log: the log of the Airflow task.
    :param defer: the operator's own ``defer``.
    :param next_steps: what a clear and a retry do, for errors.
    """

    hook: SopsHook
    settings: RunSettings
    context: Context
    log: TaskLog
    defer: Callable[..., Any]
    next_steps: NextSteps

    @classmethod
    def of(
        cls, operator: SopsBaseOperator, settings: RunSettings, context: Context, next_steps: NextSteps | None = None
    ) -> Execution:
        """Return the execution of an operator.

        :param next_steps: default: what follows from the settings.
        """
        return cls(
            hook=operator.hook,
            settings=settings,
            context=context,
            log=operator.log,
            defer=operator.defer,
            next_steps=next_steps or settings.next_steps(context["ti"]),
        )

    @property
    def ti(self) -> Any:
        """The running task instance."""
        return self.context["ti"]
