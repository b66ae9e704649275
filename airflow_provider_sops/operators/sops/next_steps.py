"""What a clear and a retry of a task that runs a flow do, in the words of its error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_sops.sops.next_steps import NextSteps

if TYPE_CHECKING:
    from airflow_provider_sops.operators.sops.run_choices import OnClear, RetryMode

_KEEP = 'To keep a repaired flow, set on_clear="keep_repaired" before you clear.'
_AFTER_FAILURE: dict[OnClear, str] = {
    "keep_repaired": "Retry or skip the node there, then clear this task: it joins the repaired flow. Cleared without "
    "a repair, this task revokes the SOPS task and runs the flow anew.",
    "new": f"A clear of this task revokes the SOPS task, repaired or not, and runs the flow anew. {_KEEP}",
    "resume": "Retry or skip the node there, then clear this task: it joins the repaired flow. Cleared without a "
    "repair, this task retries the node in the same SOPS task.",
    "fail": "End the SOPS task there before you clear this task: a clear fails until it has ended, and then runs the "
    f"flow anew. {_KEEP}",
}
_RETRY_AFTER_FAILURE: dict[RetryMode, str] = {
    "resume": "Before that, Airflow's own retry goes on in the same SOPS task and retries what is still failed there.",
    "new": "Before that, Airflow's own retry revokes the SOPS task, repaired or not, and runs the flow anew; "
    'retry_mode="resume" would keep it.',
}
_CLEAR_WHILE_IT_GOES_ON: dict[OnClear, str] = {
    "keep_repaired": 'a clear revokes it and runs the flow anew (on_clear="resume" would join it)',
    "new": 'a clear revokes it and runs the flow anew (on_clear="resume" would join it)',
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
    "new": "A retry of this task revokes it and runs the flow anew",
}
_RETRY_BEFORE_IT_BEGINS: dict[RetryMode, str] = {
    "resume": "A retry of this task joins it",
    "new": "A retry of this task has to revoke it, which SOPS refuses until then",
}


def next_steps(
    on_clear: OnClear, retry_mode: RetryMode, *, retries_left: bool, revokes_when_out_of_time: bool
) -> NextSteps:
    """Return what is true of a run operator with these settings.

    :param retries_left: whether Airflow is going to retry the task by itself.
    :param revokes_when_out_of_time: whether the SOPS task was revoked when its time was over.
    """
    anew = "A retry or a clear of this task runs the flow anew."
    going_on = f"{_RETRY_WHILE_IT_GOES_ON[retry_mode]}; {_CLEAR_WHILE_IT_GOES_ON[on_clear]}."
    longer = "Raise timeout_seconds, or execution_timeout, if it needs longer."
    failed = _AFTER_FAILURE[on_clear]
    return NextSteps(
        failed=f"{failed} {_RETRY_AFTER_FAILURE[retry_mode]}" if retries_left else failed,
        revoked="A clear of this task runs the flow anew.",
        expired=anew,
        timed_out=f"It was revoked. {longer} {anew}" if revokes_when_out_of_time else f"{longer} {going_on}",
        unreachable=going_on,
        not_started=f"{_RETRY_BEFORE_IT_BEGINS[retry_mode]}; {_CLEAR_BEFORE_IT_BEGINS[on_clear]}.",
    )
