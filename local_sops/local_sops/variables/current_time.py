"""The time at which a variable is read."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from pipeline.core.data.var import LazyVariable

from local_sops.times import ALL_UNITS, time_format

DEFAULT_ZONE = "Asia/Shanghai"


class CurrentTime(LazyVariable):
    """``current_time``: value ``{"time_unit": [...], "time_zone": ...}``; default: all units."""

    code = "current_time"

    def get_value(self) -> str:
        """Return the current time."""
        form = time_format(self.value.get("time_unit") or ALL_UNITS)
        return datetime.now(ZoneInfo(self.value.get("time_zone", DEFAULT_ZONE))).strftime(form)


class FormattedCurrentTime(LazyVariable):
    """``format_support_current_time``: value ``{"time_format": ..., "time_zone": ...}``."""

    code = "format_support_current_time"

    def get_value(self) -> str:
        """Return the current time."""
        form = self.value.get("time_format", "%y-%m-%d %H:%M:%S").strip()
        return datetime.now(ZoneInfo(self.value.get("time_zone", DEFAULT_ZONE))).strftime(form)
