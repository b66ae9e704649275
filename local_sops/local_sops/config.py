"""What one server is started with."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta
    from pathlib import Path


def is_loopback(host: str) -> bool:
    """Whether an address to listen on can be reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@dataclass(frozen=True, slots=True)
class Project:
    """A SOPS project.

    :param id: primary key, what ``scope=project`` addresses.
    :param bk_biz_id: the CMDB business, what the default ``scope=cmdb_biz`` addresses; -1 for a project without one.
    :param name: shown in lists.
    """

    id: int
    bk_biz_id: int
    name: str

    @property
    def from_cmdb(self) -> bool:
        """Whether a business stands behind the project."""
        return self.bk_biz_id > 0


PROJECTS = (Project(1, 2, "local business"), Project(2, -1, "local project"))
"""The projects of every local SOPS: business 2 is project 1; project 2 has no business."""


Api = Literal["current", "2020", "2019"]
"""The age of the server: today's answers, or those of a SOPS of that year."""


@dataclass(frozen=True, slots=True)
class RateLimit:
    """What the gateway lets through.

    :param requests: how many in a window.
    :param seconds: length of a window, which begins with the first request after the last one.
    """

    requests: int
    seconds: float


DEFAULT_SECRET = "airflow-secret"  # noqa: S105 - known to all, and for loopback only
"""The secret of a server that only its own machine can reach."""


@dataclass(frozen=True, slots=True)
class Config:
    """Settings of a server, fixed for its life.

    :param data_folder: holds the database; created if missing.
    :param host: address to listen on.
    :param port: 0 takes any free port.
    :param app_code: the one app that the gateways know.
    :param app_secret: its secret.
    :param user_tokens: token -> user name. With any token given, a bare ``bk_username`` is refused as unverified.
    :param templates_folder: more templates, beside the shipped ones; on equal ids these win.
    :param plugins_folder: plugins beside the shipped ones; on equal code and version these win.
    :param timezone: zone of the times in answers and of ``sleep_timer`` dates.
    :param worker_threads: how many engine steps may run at once.
    :param api: which server's answers to give.
    :param web_processes: how many web processes to play, each with its own cache of answers; 0 caches nothing.
    :param rate_limit: None lets everything through.
    :param gateway_faults: share of the requests that the gateway answers with a fault of its own.
    :param expire_after: age at which tasks lose their states and are EXPIRED; None keeps them.
    :param project_constants: project id -> name -> value of ``${_env_name}``.
    :param allow_scripts: whether script nodes run their scripts, in this machine's shell, as this process's user.
    :param verbose: whether the engine's own log is written.
    """

    data_folder: Path
    host: str = "127.0.0.1"
    port: int = 0
    app_code: str = "airflow"
    app_secret: str = field(default=DEFAULT_SECRET, repr=False)
    user_tokens: Mapping[str, str] = field(default_factory=dict, repr=False)
    templates_folder: Path | None = None
    plugins_folder: Path | None = None
    timezone: ZoneInfo = field(default_factory=lambda: ZoneInfo("Asia/Shanghai"))
    worker_threads: int = 8
    api: Api = "current"
    web_processes: int = 0
    rate_limit: RateLimit | None = None
    gateway_faults: float = 0.0
    expire_after: timedelta | None = None
    project_constants: Mapping[int, Mapping[str, str]] = field(default_factory=dict, repr=False)
    allow_scripts: bool = False
    verbose: bool = False

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        return is_loopback(self.host)
