"""Times in SOPS's formats, in the server's zone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection
    from zoneinfo import ZoneInfo

_FORMAT = "%Y-%m-%d %H:%M:%S %z"
_DATE_UNITS = {"year": "%Y", "month": "%m", "day": "%d"}
_TIME_UNITS = {"hour": "%H", "minute": "%M", "second": "%S"}
ALL_UNITS = (*_DATE_UNITS, *_TIME_UNITS)


def format_time(moment: datetime, zone: ZoneInfo) -> str:
    """``2026-11-20 18:34:08 +0800``."""
    return moment.astimezone(zone).strftime(_FORMAT)


def format_time_or_empty(moment: datetime | None, zone: ZoneInfo) -> str:
    """Like :func:`format_time`; ``""`` for an unknown time."""
    return format_time(moment, zone) if moment else ""


def format_iso_time(moment: datetime | None) -> str | None:
    """``2026-11-20T10:34:13.084Z``, which only get_task_list uses."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def elapsed_seconds(start: datetime | None, finish: datetime | None) -> int:
    """Whole seconds from start to finish, or to now."""
    if start is None:
        return 0
    return round(((finish or datetime.now(UTC)) - start).total_seconds())


def time_format(units: Collection[str]) -> str:
    """Build the format for some units of time: that of ``2026-11-20 18:34:08`` for all of them.

    :param units: some of :data:`ALL_UNITS`; their order does not matter.
    """
    date = "-".join(form for unit, form in _DATE_UNITS.items() if unit in units)
    time = ":".join(form for unit, form in _TIME_UNITS.items() if unit in units)
    return f"{date} {time}".strip()
