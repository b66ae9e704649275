"""``sleep_timer``: waits some seconds, or until a date."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from django.conf import settings
from pipeline.core.flow.activity import AbstractIntervalGenerator, Service
from pipeline.core.flow.io import InputItem, StringItemSchema

from local_sops.plugins import Plugin

if TYPE_CHECKING:
    from pipeline.core.data.base import DataObject

_DATE_FORMAT = "%Y-%m-%d %H:%M:%S"
_SECONDS = re.compile(r"\d{1,8}")


class _UntilDue(AbstractIntervalGenerator):
    """The delay before each poll: the first is immediate, the next when the timer is due."""

    def __init__(self) -> None:
        super().__init__()
        self.remaining_seconds = 0.0

    def next(self) -> float:
        return self.remaining_seconds


class SleepTimerService(Service):
    """Ends at a time that is fixed at the start, so that a restart of the server does not prolong it."""

    __need_schedule__ = True
    interval = _UntilDue()

    def inputs_format(self) -> list[InputItem]:
        """List the inputs with SOPS's texts."""
        return [
            self.InputItem(
                name="定时时间",
                key="bk_timing",
                type="string",
                schema=StringItemSchema(description="定时时间，格式为秒(s) 或 (%%Y-%%m-%%d %%H:%%M:%%S)"),
            ),
            self.InputItem(
                name="是否强制晚于当前时间",
                key="force_check",
                type="bool",
                schema=StringItemSchema(
                    description="用户输入日期格式时是否强制要求时间晚于当前时间，只对日期格式定时输入有效"
                ),
            ),
        ]

    def execute(self, data: DataObject, parent_data: DataObject) -> bool:
        """Compute the end; fail on a text that is neither seconds nor a date, or on a past date."""
        timing = str(data.get_one_of_inputs("bk_timing"))
        force_check = data.get_one_of_inputs("force_check", True)
        zone = ZoneInfo(settings.TIME_ZONE)
        now = datetime.now(zone)
        if _SECONDS.fullmatch(timing):
            due = now + timedelta(seconds=int(timing))
        else:
            try:
                due = datetime.strptime(timing, _DATE_FORMAT).replace(tzinfo=zone)
            except ValueError:
                data.set_outputs(
                    "ex_data", f"[定时]节点执行失败: 输入参数{timing}不符合【秒(s) 或 时间(%Y-%m-%d %H:%M:%S)】格式"
                )
                return False
            if force_check and now > due:
                data.set_outputs("ex_data", "[定时]节点执行失败: 定时时间需晚于当前时间, 请检查节点配置")
                return False
        data.set_outputs("timing_time", due.isoformat())
        return True

    def schedule(self, data: DataObject, parent_data: DataObject, callback_data: Any = None) -> bool:
        """End when it is time."""
        due = datetime.fromisoformat(data.get_one_of_outputs("timing_time"))
        remaining = (due - datetime.now(due.tzinfo)).total_seconds()
        if remaining <= 0:
            self.finish_schedule()
        else:
            self.interval.remaining_seconds = remaining
        return True


PLUGINS = (
    Plugin(
        "sleep_timer",
        "legacy",
        "定时",
        SleepTimerService,
        repeatable=True,
        form="/static/components/atoms/bk/timer.js",
    ),
)
