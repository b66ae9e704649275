"""Advice for a person about a SOPS task that did not end successfully, appended to an error."""

from __future__ import annotations

from dataclasses import dataclass

#: What an error calls the limit of a wait.
TIME_ALLOWED = "the time allowed for it"


@dataclass(frozen=True, slots=True)
class NextSteps:
    """What a clear and a retry of the waiting Airflow task do after each unsuccessful outcome, in whole sentences.

    :param failed: nodes failed, and nothing more happens until a person acts in SOPS.
    :param revoked: someone revoked the SOPS task.
    :param expired: SOPS removed the task's run-time data.
    :param timed_out: the wait timed out.
    :param unreachable: SOPS did not answer for too long; the SOPS task continues.
    :param not_started: SOPS has not started to run the task.
    :param limit: the time that was allowed, for example ``the time allowed for it, 15 s (timeout_seconds)``.
    """

    failed: str
    revoked: str
    expired: str
    timed_out: str
    unreachable: str
    not_started: str = ""
    limit: str = TIME_ALLOWED


#: For a sensor, which never changes what it waits for.
SENSOR_STEPS = NextSteps(
    failed="Retry or skip the node there, then clear this sensor: it waits again. Without a repair it fails again.",
    revoked="To run the flow again, clear the Airflow task that started it together with this sensor.",
    expired="Clearing this sensor does not help.",
    timed_out="Raise the sensor's timeout if it needs longer. Clear this sensor to wait again.",
    unreachable="Retry or clear this sensor to wait again.",
)
