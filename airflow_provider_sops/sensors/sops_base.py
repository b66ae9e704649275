"""What the sensors for SOPS have in common: connection, SOPS task, and the rules of waiting."""

from __future__ import annotations

from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSkipException,
    BaseSensorOperator,
    conf,
)

from airflow_provider_sops.hooks.sops_access import hook_of
from airflow_provider_sops.links.sops import SopsTaskLink
from airflow_provider_sops.service.durations import Duration, seconds
from airflow_provider_sops.task_instance.sops_errors import airflow_errors

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow.providers.common.compat.sdk import XComArg

    from airflow_provider_sops.hooks.sops import SopsHook
    from airflow_provider_sops.sops.wait_result import OnFailed, WaitPolicy


class SopsBaseSensor(BaseSensorOperator):
    """Common ground of the sensors for SOPS; their parameters are documented there."""

    template_fields: Sequence[str] = ("sops_task_id", "sops_conn_id", "bk_biz_id", "scope")
    operator_extra_links = (SopsTaskLink(),)
    ui_color = "#e1ecff"

    def __init__(
        self,
        *,
        sops_task_id: int | str | XComArg,
        sops_conn_id: str = "sops_default",
        bk_biz_id: int | str | None = None,
        scope: str | None = None,
        on_failed: OnFailed = "fail",
        max_outage_seconds: Duration = 3600,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poke_interval: Duration = 10,
        **kwargs: Any,
    ) -> None:
        if kwargs.get("timeout") is not None:
            kwargs["timeout"] = seconds("timeout", kwargs["timeout"])
        super().__init__(poke_interval=seconds("poke_interval", poke_interval, above_zero=True), **kwargs)
        if on_failed not in ("fail", "wait"):
            raise ValueError(f"on_failed is {on_failed!r}; it must be one of fail, wait")
        self.sops_task_id = sops_task_id
        self.sops_conn_id = sops_conn_id
        self.bk_biz_id = bk_biz_id
        self.scope = scope
        self.on_failed = on_failed
        self.max_outage_seconds = seconds("max_outage_seconds", max_outage_seconds)
        self.deferrable = deferrable
        self._task_url = ""

    @cached_property
    def hook(self) -> SopsHook:
        """The connection to SOPS; made when first needed, so never while a DAG file is parsed."""
        return hook_of(self)

    @contextmanager
    def _before_deferral(self) -> Iterator[None]:
        """Translate errors, and apply ``soft_fail``: Airflow does so for pokes and after a deferral only."""
        try:
            with airflow_errors(in_sensor=True):
                yield
        except AirflowFailException as error:
            if self.soft_fail or self.never_fail:
                raise AirflowSkipException(str(error)) from error
            raise

    def _policy(self, deadline: float | None) -> WaitPolicy:
        # Only a running task needs it, not a DAG file.
        from airflow_provider_sops.sops.wait_result import WaitPolicy

        return WaitPolicy(
            on_failed=self.on_failed,
            poll_interval_seconds=self.poke_interval,
            deadline=deadline,
            max_outage_seconds=self.max_outage_seconds,
        )
