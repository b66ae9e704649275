"""When an Airflow task triggers its flow, so that each try finds the instances of the tries before it.

EnOS takes no key from its client, but a trigger time, and it makes one instance of a flow in a minute. So a try's
trigger time follows from what does not change between tries: the time at which the DAG run was due, and one minute more
for each further try. A flow's instance with such a trigger time belongs to the try that the time stands for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pendulum


@dataclass(frozen=True, slots=True)
class TriggerSlots:
    """The trigger times of one task instance.

    :param due: that of its first try.
    :param try_number: the running try.
    :param first_try: the first try of this generation; what was before it, a person has cleared.
    """

    due: pendulum.DateTime
    try_number: int
    first_try: int = 1

    @classmethod
    def of(cls, due: pendulum.DateTime, *, try_number: int, max_tries: int, retries: int) -> TriggerSlots:
        """Return the trigger times of a task instance.

        :param max_tries: what Airflow has on record: a clear raises it by the number of tries so far.
        :param retries: what the task has now. If it was changed between two tries, the generation's beginning is
            missed by as much.
        """
        first_try = max(0, max_tries - retries) + 1
        return cls(due.replace(microsecond=0), max(1, try_number), min(first_try, max(1, try_number)))

    @property
    def own(self) -> pendulum.DateTime:
        """The trigger time of the running try."""
        return self.time_of(self.try_number)

    @property
    def earlier_tries(self) -> tuple[int, ...]:
        """The tries of this generation before the running one, latest first."""
        return tuple(range(self.try_number - 1, self.first_try - 1, -1))

    def time_of(self, try_number: int) -> pendulum.DateTime:
        """Return the trigger time of a try."""
        return self.due.add(minutes=try_number - 1)

    def window_of(self, try_number: int) -> tuple[pendulum.DateTime, pendulum.DateTime]:
        """Return the minute in which an instance is that of a try: its first moment, and the first one after it."""
        begin = self.time_of(try_number).replace(second=0)
        return begin, begin.add(minutes=1)
