"""A network between provider and SOPS that fails at a chosen request, and for a chosen number of requests."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_sops.hooks.sops import SopsHook
from airflow_provider_sops.hooks.sops_async import AsyncSopsClient
from airflow_provider_sops.sops.errors import SopsConnectionError, SopsGatewayError

if TYPE_CHECKING:
    from airflow_provider_sops.service.errors import ServiceError

#: What every request meets during an outage.
PAGE = SopsGatewayError("a page instead of an answer", http_status=200)
REDIRECT = SopsGatewayError("a redirect instead of an answer", http_status=302, api="get_task_list")
NO_CONNECTION = SopsConnectionError("connection refused", request_sent=False)

#: Where an outage may begin before a SOPS task runs: the call, which time it is sent, and whether
#: SOPS still acts on it.
STEPS_TO_START = [
    pytest.param("get_task_list", 1, False, id="look-up"),
    pytest.param("get_template_info", 1, False, id="check"),
    pytest.param("create_task", 1, False, id="create"),
    pytest.param("create_task", 1, True, id="create with a lost answer"),
    pytest.param("get_task_list", 2, False, id="election"),
    pytest.param("get_task_detail", 1, False, id="announcement"),
    pytest.param("start_task", 1, False, id="start"),
    pytest.param("start_task", 1, True, id="start with a lost answer"),
]


@dataclass
class Network:
    """Lets requests through, until the ``nth`` for a call begins an outage of so many requests.

    :param loses: whether SOPS still acts on the first of them.
    """

    api: str = ""
    action: str = ""
    nth: int = 1
    failures: int = 0
    loses: bool = False
    error: ServiceError = PAGE
    sent: list[str] = field(default_factory=list)
    _left: int = 0
    _seen: int = 0

    def takes(self, request: Any) -> tuple[bool, bool]:
        """Return whether SOPS gets a request, and whether its answer comes back."""
        action = (request.body or {}).get("action", "") if isinstance(request.body, dict) else ""
        self.sent.append(request.api)
        if self.api == request.api and action in ("", self.action):
            self._seen += 1
            if self._seen == self.nth:
                self._left = self.failures
                if self.failures and self.loses:
                    self._left -= 1
                    return True, False
        if self._left:
            self._left -= 1
            return False, False
        return True, True


def network_with_outages(monkeypatch: pytest.MonkeyPatch) -> Network:
    """Let all requests of the test go through such a network."""
    network = Network()
    send, send_async = SopsHook._send, AsyncSopsClient._send

    def through(hook: SopsHook, request: Any, **arguments: Any) -> Any:
        reaches, returns = network.takes(request)
        answer = send(hook, request, **arguments) if reaches else None
        if not returns:
            raise network.error
        return answer

    async def through_async(client: AsyncSopsClient, request: Any, read: Any) -> Any:
        reaches, returns = network.takes(request)
        answer = await send_async(client, request, read) if reaches else None
        if not returns:
            raise network.error
        return answer

    monkeypatch.setattr(SopsHook, "_send", through)
    monkeypatch.setattr(AsyncSopsClient, "_send", through_async)
    return network
