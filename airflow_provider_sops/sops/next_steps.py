"""What a person can do about a SOPS task that did not end well, in words for the end of an error."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NextSteps:
    """What a clear and a retry of the waiting Airflow task do, after each bad end of its wait; in whole sentences.

    :param failed: nodes have failed, and nothing goes on unless a person acts in SOPS.
    :param revoked: somebody has revoked the SOPS task.
    :param expired: SOPS has removed what it knew of the task.
    :param timed_out: the time allowed for the wait is over.
    :param unreachable: SOPS gave no answer for too long; the SOPS task goes on.
    :param not_started: SOPS has not begun to run the task.
    """

    failed: str
    revoked: str
    expired: str
    timed_out: str
    unreachable: str
    not_started: str = ""


#: Of a sensor, which never acts on what it waits for.
SENSOR_STEPS = NextSteps(
    failed="Retry or skip the node there, then clear this sensor: it waits again. Cleared without a repair, it fails "
    "again.",
    revoked="To run the flow anew, clear the Airflow task that has started it together with this sensor.",
    expired="A clear of this sensor cannot find it out either.",
    timed_out="Raise the sensor's timeout if it needs longer. A clear of this sensor waits again.",
    unreachable="A retry or a clear of this sensor waits again.",
)
