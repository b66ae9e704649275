"""The settings of a server."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from local_sops.ages import CURRENT, Age

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta
    from pathlib import Path


def is_loopback(host: str) -> bool:
    """Whether a listen address can be reached only from this machine."""
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
        """Whether the project belongs to a business."""
        return self.bk_biz_id > 0


PROJECTS = (Project(1, 2, "local business"), Project(2, -1, "local project"))
"""The projects of every local SOPS: business 2 is project 1; project 2 has no business."""


@dataclass(frozen=True, slots=True)
class RateLimit:
    """The gateway's rate limit.

    :param requests: how many in a window.
    :param seconds: length of a window, which begins with the first request after the previous one.
    """

    requests: int
    seconds: float


TENANT = "default"
"""The tenant that all projects belong to, and that a call without one means."""
DEFAULT_SECRET = "airflow-secret"  # noqa: S105 - public, and for loopback only
"""The default secret of a server on loopback."""


@dataclass(frozen=True, slots=True)
class Config:
    """The settings of a server, fixed for its lifetime.

    :param data_folder: holds the database; created if missing.
    :param host: address to listen on.
    :param port: 0 takes any free port.
    :param app_code: the only app that the gateways accept.
    :param app_secret: its secret.
    :param user_tokens: token -> user name. If any token is set, a bare ``bk_username`` is rejected as unverified.
    :param templates_folder: more templates; these override shipped ones with the same id.
    :param plugins_folder: more plugins; these override shipped ones with the same code and version.
    :param timezone: zone of the times in answers and of ``sleep_timer`` dates.
    :param worker_threads: how many engine steps may run at once.
    :param age: the age of SOPS to play.
    :param multi_tenant: whether the gateway is that of a platform with several tenants, for an app of all of them.
    :param web_processes: how many web processes to simulate, each with its own cache of answers; 0 disables caching.
    :param rate_limit: None means unlimited.
    :param gateway_faults: share of requests that the gateway answers with an error of its own.
    :param expire_after: age at which tasks lose their states and become EXPIRED; None keeps them.
    :param project_constants: project id -> name -> value of ``${_env_name}``.
    :param allow_scripts: whether script nodes run their scripts, in this machine's shell, as this process's user.
    :param verbose: whether to write the engine's log.
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
    age: Age = CURRENT
    multi_tenant: bool = False
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
