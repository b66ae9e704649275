"""The shared parts of a running server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local_sops.api.answer_cache import AnswerCaches
    from local_sops.api.routes import Route
    from local_sops.config import Config
    from local_sops.gateways.outages import Outages
    from local_sops.gateways.rate_limiter import RateLimiter
    from local_sops.plans.starting import Plans
    from local_sops.runtime.child_tasks import ChildTasks
    from local_sops.runtime.engine import LocalRuntime
    from local_sops.runtime.task_life import TaskLife
    from local_sops.template_folder import TemplateFolder


@dataclass(frozen=True, slots=True)
class ServerState:
    """The live parts of a server.

    :param base_url: its URL for clients, without a trailing slash.
    :param routes: the supported calls, by name.
    """

    config: Config
    base_url: str
    templates: TemplateFolder
    runtime: LocalRuntime
    task_life: TaskLife
    child_tasks: ChildTasks
    plans: Plans
    routes: Mapping[str, Route]
    caches: AnswerCaches
    rate_limiter: RateLimiter
    outages: Outages
