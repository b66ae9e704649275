"""The time at which a variable is read."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from pipeline.core.data.var import LazyVariable

if TYPE_CHECKING:
    from collections.abc import Collection

DEFAULT_ZONE = "Asia/Shanghai"
_DATE_UNITS = {"year": "%Y", "month": "%m", "day": "%d"}
_TIME_UNITS = {"hour": "%H", "minute": "%M", "second": "%S"}


def time_format(units: Collection[str]) -> str:
    """Make the format for some units: ``2026-11-20 18:34:08`` with all of them.

    :param units: ``year``, ``month``, ``day``, ``hour``, ``minute``, ``second``; their order does not matter.
    """
    date = "-".join(form for unit, form in _DATE_UNITS.items() if unit in units)
    time = ":".join(form for unit, form in _TIME_UNITS.items() if unit in units)
    return f"{date} {time}".strip()


class CurrentTime(LazyVariable):
    """``current_time``: value ``{"time_unit": [...], "time_zone": ...}``; all units if none are named."""

    code = "current_time"

    def get_value(self) -> str:
        """Write the time now."""
        units = self.value.get("time_unit") or (*_DATE_UNITS, *_TIME_UNITS)
        return datetime.now(ZoneInfo(self.value.get("time_zone", DEFAULT_ZONE))).strftime(time_format(units))


class FormattedCurrentTime(LazyVariable):
    """``format_support_current_time``: value ``{"time_format": ..., "time_zone": ...}``."""

    code = "format_support_current_time"

    def get_value(self) -> str:
        """Write the time now."""
        form = self.value.get("time_format", "%y-%m-%d %H:%M:%S").strip()
        return datetime.now(ZoneInfo(self.value.get("time_zone", DEFAULT_ZONE))).strftime(form)
