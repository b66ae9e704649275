"""How a SOPS task is run for an Airflow task: what its author has set, and what follows from that."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, get_args

from airflow_provider_sops.operators.sops.base import retries_left
from airflow_provider_sops.version_compat import AIRFLOW_V_3_1_PLUS
from airflow_provider_sops.waiting.pace import poll_arguments

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from airflow_provider_sops.operators.sops.person_needed import OnNodeFailed
    from airflow_provider_sops.sops.next_steps import NextSteps
    from airflow_provider_sops.sops.wait_result import OnFailed, WaitPolicy


#: What a clear by a person does with earlier SOPS tasks.
OnClear = Literal["keep_repaired", "new", "resume", "fail"]
#: What an Airflow retry does with the SOPS task of the try before.
RetryMode = Literal["resume", "new"]
#: Where a node that waits for a person is answered.
Approvals = Literal["sops", "airflow"]


_KEEP = 'To keep a repaired flow, set on_clear="keep_repaired" before you clear.'
_AFTER_FAILURE: dict[OnClear, str] = {
    "keep_repaired": "Retry or skip the node there, then clear this task: it joins the repaired flow. Cleared without "
    "a repair, this task revokes the SOPS task and runs the whole flow again.",
    "new": f"A clear of this task revokes the SOPS task, repaired or not, and runs the whole flow again. {_KEEP}",
    "resume": "Retry or skip the node there, then clear this task: it joins the repaired flow. Cleared without a "
    "repair, this task retries the node in the same SOPS task.",
    "fail": "End the SOPS task there before you clear this task: a clear fails until it has ended, and then runs the "
    f"whole flow again. {_KEEP}",
}
_RETRY_AFTER_FAILURE: dict[RetryMode, str] = {
    "resume": "Before that, Airflow's own retry goes on in the same SOPS task and retries what is still failed there.",
    "new": "Before that, Airflow's own retry revokes the SOPS task, repaired or not, and runs the whole flow again; "
    'retry_mode="resume" would keep it.',
}
_CLEAR_WHILE_IT_GOES_ON: dict[OnClear, str] = {
    "keep_repaired": 'a clear revokes it and runs the whole flow again (on_clear="resume" would join it)',
    "new": 'a clear revokes it and runs the whole flow again (on_clear="resume" would join it)',
    "resume": "a clear joins it",
    "fail": "a clear fails until it has ended",
}
_CLEAR_BEFORE_IT_BEGINS: dict[OnClear, str] = {
    "keep_repaired": "a clear has to revoke it, which SOPS refuses until then",
    "new": "a clear has to revoke it, which SOPS refuses until then",
    "resume": "a clear joins it",
    "fail": "a clear fails until it has ended",
}
_RETRY_WHILE_IT_GOES_ON: dict[RetryMode, str] = {
    "resume": "A retry of this task joins it",
    "new": "A retry of this task revokes it and runs the whole flow again",
}
_RETRY_BEFORE_IT_BEGINS: dict[RetryMode, str] = {
    "resume": "A retry of this task joins it",
    "new": "A retry of this task has to revoke it, which SOPS refuses until then",
}


def next_steps(
    on_clear: OnClear,
    retry_mode: RetryMode,
    *,
    retries_left: bool,
    revokes_when_out_of_time: bool,
    limit: str | None = None,
) -> NextSteps:
    """Return what is true of a run operator with these settings.

    :param retries_left: whether Airflow is going to retry the task by itself.
    :param revokes_when_out_of_time: whether the SOPS task was revoked when its time was over.
    :param limit: the time that a try is allowed, for its error; default: without a number.
    """
    from airflow_provider_sops.sops.next_steps import TIME_ALLOWED, NextSteps

    again = "A retry or a clear of this task runs the whole flow again."
    going_on = f"{_RETRY_WHILE_IT_GOES_ON[retry_mode]}; {_CLEAR_WHILE_IT_GOES_ON[on_clear]}."
    longer = "Raise timeout_seconds, or execution_timeout, if it needs longer."
    failed = _AFTER_FAILURE[on_clear]
    return NextSteps(
        failed=f"{failed} {_RETRY_AFTER_FAILURE[retry_mode]}" if retries_left else failed,
        revoked="A clear of this task runs the whole flow again.",
        expired=again,
        timed_out=f"It is revoked now. {longer} {again}" if revokes_when_out_of_time else f"{longer} {going_on}",
        unreachable=going_on,
        not_started=f"{_RETRY_BEFORE_IT_BEGINS[retry_mode]}; {_CLEAR_BEFORE_IT_BEGINS[on_clear]}.",
        limit=limit or TIME_ALLOWED,
    )


WEEK_SECONDS = 7 * 24 * 3600.0
START_TIMEOUT_SECONDS = 600.0
#: A worker needs about as long to hand a wait to the triggerer and to get it back.
DEFER_AFTER_SECONDS = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """The settings of one run; those that ``SopsRunTaskOperator`` has too are described there.

    :param template_id: the template of the SOPS tasks that the run makes; ``None`` for one that makes none.
    :param failure_rest_seconds: how long a failure must rest, nothing changing, before it counts.
    :param only_follows: the run follows a SOPS task whose nodes others retry, so that a retry of its own cannot help.
    :param always_fresh: never let SOPS answer from its cache.
    :param retries: how often Airflow retries the task.
    :param execution_timeout: Airflow's own limit for a try.
    """

    template_id: Any = None
    template_source: str = "business"
    on_failed: OnFailed = "fail"
    defer_after_seconds: float = DEFER_AFTER_SECONDS
    poll_interval_seconds: float | None = None
    timeout_seconds: float | None = WEEK_SECONDS
    start_timeout_seconds: float | None = START_TIMEOUT_SECONDS
    max_outage_seconds: float | None = None
    retry_mode: RetryMode = "resume"
    retry_inputs: Mapping[str, Mapping[str, Any]] | None = None
    on_clear: OnClear = "keep_repaired"
    revoke_on_kill: bool = True
    revoke_wait_seconds: float = 300.0
    on_node_failed: OnNodeFailed = None
    wait_for_completion: bool = True
    deferrable: bool = False
    approvals: Approvals = "sops"
    flow_type: str = "common"
    failure_rest_seconds: float = 0.0
    only_follows: bool = False
    always_fresh: bool = False
    retries: int | None = None
    execution_timeout: timedelta | None = None

    @classmethod
    def of(cls, operator: Any, **differing: Any) -> RunSettings:
        """Return the settings that an operator has as attributes of the same names, the usual ones for others.

        :param differing: settings that are not as the operator has them.
        """
        names = (field.name for field in fields(cls))
        found = {name: getattr(operator, name) for name in names if hasattr(operator, name)}
        return cls(**{**found, **differing})

    @property
    def outage_seconds(self) -> float:
        """How long SOPS may be out of reach, by the argument or else Airflow's configuration."""
        # Only a running task needs it, not a DAG file.
        from airflow_provider_sops.hooks import configuration

        return configuration.max_outage_seconds(self.max_outage_seconds)

    def policy(self, ti: Any, now: float, overcome: tuple[str, ...] = ()) -> WaitPolicy:
        """Return the rules of the wait that begins now.

        :param ti: the running task instance.
        :param now: in seconds since the epoch.
        :param overcome: marks of the failures whose nodes were just retried.
        """
        # Only a running task needs these, not a DAG file.
        from airflow_provider_sops.hooks import configuration
        from airflow_provider_sops.sops.wait_result import WaitPolicy
        from airflow_provider_sops.task_instance.time_limits import wait_deadline

        start_timeout = self.start_timeout_seconds
        if self.flow_type == "common_func" and start_timeout == START_TIMEOUT_SECONDS:
            # A person has to claim it first.
            start_timeout = None
        return WaitPolicy(
            on_failed=self.on_failed,
            **poll_arguments(configuration.poll_interval_seconds(self.poll_interval_seconds)),
            deadline=wait_deadline(self.timeout_seconds, self.execution_timeout, ti, now),
            start_deadline=None if start_timeout is None else now + start_timeout,
            max_outage_seconds=self.outage_seconds,
            failure_rest_seconds=self.failure_rest_seconds,
            announce_failures=self.on_node_failed is not None,
            announce_requests=self.approvals == "airflow",
            overcome=overcome,
            always_fresh=self.always_fresh or bool(overcome),
        )

    def next_steps(self, ti: Any) -> NextSteps:
        """Return what a clear and a retry of the task do, for its error.

        :param ti: the running task instance.
        """
        return next_steps(
            self.on_clear,
            self.retry_mode,
            retries_left=retries_left(self.retries, ti),
            revokes_when_out_of_time=self.revoke_on_kill,
            limit=self.limit,
        )

    @property
    def limit(self) -> str:
        """The time that a try is allowed, for its error: how long, and which argument says so."""
        from airflow_provider_sops.sops.next_steps import TIME_ALLOWED

        execution = None if self.execution_timeout is None else self.execution_timeout.total_seconds()
        if execution is not None and (self.timeout_seconds is None or execution < self.timeout_seconds):
            return f"{TIME_ALLOWED}, {execution:g} s (execution_timeout)"
        return (
            TIME_ALLOWED
            if self.timeout_seconds is None
            else f"{TIME_ALLOWED}, {self.timeout_seconds:g} s (timeout_seconds)"
        )


def check_choices(**given: str) -> None:
    """Refuse settings that have no such value, when the DAG file is parsed.

    :param given: some of ``on_failed``, ``retry_mode``, ``on_clear`` and ``approvals``.
    :raises ValueError: names what each may be.
    """
    allowed = {
        "on_failed": ("fail", "wait"),
        "retry_mode": get_args(RetryMode),
        "on_clear": get_args(OnClear),
        "approvals": get_args(Approvals),
    }
    for parameter, value in given.items():
        if value not in allowed[parameter]:
            raise ValueError(f"{parameter} is {value!r}; it must be one of {', '.join(allowed[parameter])}")


def check_approvals(approvals: Approvals, *, deferrable: bool, wait_for_completion: bool) -> None:
    """Refuse to ask people in Airflow where an answer there could not be taken, when the DAG file is parsed.

    :raises ValueError: says why.
    """
    if approvals != "airflow":
        return
    given = "approvals='airflow' was given, but"
    if not AIRFLOW_V_3_1_PLUS:
        raise ValueError(f"{given} Airflow has Required Actions only from 3.1 on; remove it, and answer in SOPS")
    if not wait_for_completion:
        raise ValueError(f"{given} with wait_for_completion=False this task ends before a node waits for anybody")
    if not deferrable:
        raise ValueError(f"{given} only a deferred task can take an answer from Airflow; set deferrable=True")
