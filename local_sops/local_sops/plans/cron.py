"""When a periodic task is due: cron as SOPS reads it, with celery's own parser."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any

from celery.schedules import ParseException
from django_celery_beat.tzcrontab import TzAwareCrontab

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from zoneinfo import ZoneInfo


class InvalidCronError(Exception):
    """An invalid cron; the text is the parser's, which SOPS passes on."""


@dataclass(frozen=True, slots=True)
class Cron:
    """The fields of a cron; as on SOPS, the day of the week comes before the day of the month."""

    minute: str = "*"
    hour: str = "*"
    day_of_week: str = "*"
    day_of_month: str = "*"
    month_of_year: str = "*"

    @classmethod
    def read(cls, fields: Mapping[str, Any]) -> Cron:
        """Read the ``cron`` of a call; missing fields are ``*``, unknown ones are ignored.

        :raises InvalidCronError: a field is invalid.
        """
        cron = cls(**{name: str(fields[name]) for name in cls.__slots__ if name in fields})
        try:
            TzAwareCrontab(**asdict(cron))
        except (ValueError, TypeError, ParseException) as error:
            raise InvalidCronError(str(error)) from error
        return cron

    def text(self, zone: ZoneInfo) -> str:
        """``*/1 * * * * (m/h/d/dM/MY) Asia/Shanghai``."""
        fields = (field.replace(" ", "") for field in asdict(self).values())
        return f"{' '.join(fields)} (m/h/d/dM/MY) {zone.key}"

    def next_after(self, moment: datetime, zone: ZoneInfo) -> datetime:
        """Find the first due time after a moment.

        :param zone: the time zone of the fields.
        """
        schedule = TzAwareCrontab(**asdict(self), tz=zone)
        last, delta, _ = schedule.remaining_delta(moment.astimezone(zone), tz=zone)
        due: datetime = last + delta
        return due.astimezone(UTC)
