"""Trigger times for an Airflow task's flow, chosen so that each try finds the instances of earlier tries.

EnOS has no idempotency key, but it accepts a trigger time and creates one instance of a flow per minute. So a try's
trigger time is computed from what does not change between tries: the time at which the DAG run was due, plus one minute
for each further try. A flow instance with such a trigger time belongs to that try.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pendulum


@dataclass(frozen=True, slots=True)
class TriggerSlots:
    """The trigger times of one task instance.

    :param due: the trigger time of the first try.
    :param try_number: the running try.
    :param first_try: the first try of this generation, that is, since the last clear.
    """

    due: pendulum.DateTime
    try_number: int
    first_try: int = 1

    @classmethod
    def of(cls, due: pendulum.DateTime, *, try_number: int, max_tries: int, retries: int) -> TriggerSlots:
        """Return the trigger times of a task instance.

        :param max_tries: Airflow's ``max_tries``: a clear raises it by the number of tries so far.
        :param retries: the task's current value. If it changed between two tries, the start of the generation is off by
            the difference.
        """
        first_try = max(0, max_tries - retries) + 1
        return cls(due.replace(microsecond=0), max(1, try_number), min(first_try, max(1, try_number)))

    @property
    def own(self) -> pendulum.DateTime:
        """The trigger time of the running try."""
        return self.time_of(self.try_number)

    @property
    def earlier_tries(self) -> tuple[int, ...]:
        """The earlier tries of this generation, latest first."""
        return tuple(range(self.try_number - 1, self.first_try - 1, -1))

    def time_of(self, try_number: int) -> pendulum.DateTime:
        """Return the trigger time of a try."""
        return self.due.add(minutes=try_number - 1)

    def window_of(self, try_number: int) -> tuple[pendulum.DateTime, pendulum.DateTime]:
        """Return the minute that belongs to a try: its start (inclusive) and end (exclusive)."""
        begin = self.time_of(try_number).replace(second=0)
        return begin, begin.add(minutes=1)
