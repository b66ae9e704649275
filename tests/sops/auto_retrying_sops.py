"""A SOPS of any age that retries a failing node by itself, as its answers show that in the course of time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pendulum

from tests.sops.builders import activity, node, pipeline_tree, task_status, without_details

#: By the version from which on a server answers so.
AGES = ("3.33", "3.29", "3.24")
_EPOCH = pendulum.datetime(2026, 3, 2, 9, tz="Asia/Shanghai")


@dataclass(frozen=True)
class AutoRetryingSops:
    """A task whose node ``a``, called boom, fails at once, and again at each retry.

    :param age: the version from which on a server answers like this one.
    :param times: how often the tree says that SOPS retries.
    :param interval_seconds: after how long the tree says so.
    :param failures: how often the node fails before it succeeds.
    :param made_retries: how many retries the server makes; default: what the tree says.
    :param retries_before: by people, before the first failure here.
    :param shows_end: whether a failed node has a ``finish_time``.
    :param running_seconds: how long a retry runs.
    """

    age: str = "3.24"
    times: int = 4
    interval_seconds: int = 25
    failures: int = 100
    made_retries: int | None = None
    retries_before: int = 0
    shows_end: bool = True
    running_seconds: int = 1

    @property
    def tree(self) -> Any:
        """The task's tree."""
        retried = {"enable": self.times > 0, "times": self.times, "interval": self.interval_seconds}
        return pipeline_tree("start > a > later > end", nodes={"a": activity("boom", auto_retry=retried)})

    def status(self, seconds: float, *, with_details: bool = True) -> Any:
        """Return the ``data`` of a get_task_status that many seconds after the first failure."""
        most = self.times if self.made_retries is None else self.made_retries
        period = self.interval_seconds + self.running_seconds
        done = min(int((seconds + self.running_seconds) // period), most)
        failed_at = done * period
        state = "FAILED" if done < self.failures else "FINISHED"
        if seconds < failed_at:
            state = "RUNNING"
        row = node(
            state,
            "boom",
            retry=done + self.retries_before,
            version=f"v{done}",
            start_time=_text(failed_at - self.running_seconds),
            finish_time=_text(failed_at) if self.shows_end and state != "RUNNING" else None,
        )
        answer = task_status(
            state,
            {"start": node(), "a": row},
            start_time=_text(-self.running_seconds),
            elapsed_time=int(seconds) + self.running_seconds,
            **(self._details(done, most) if state == "FAILED" else {}),
        )
        return answer if with_details else without_details(answer)

    def _details(self, done: int, most: int) -> dict[str, Any]:
        said: dict[str, Any] = {"ex_data": {"a": "disk full"}}
        if self.age in ("3.33", "3.29"):
            info = {"node_id": "a", "auto_retry_times": done, "max_auto_retry_times": most}
            said["failed_node_info"] = {"a": info}
        if self.age == "3.33":
            said["auto_retry_status"] = {
                "exist_auto_retry_nodes": done < most,
                "auto_retry_nodes": ["a"] if done < most else [],
            }
        return said


def _text(seconds: float) -> str:
    return str(_EPOCH.add(seconds=int(seconds)).format("YYYY-MM-DD HH:mm:ss ZZ")).replace("+08:00", "+0800")
