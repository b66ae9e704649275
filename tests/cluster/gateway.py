"""The gateway of a cluster: counts what SOPS is asked, and has outages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web

from benchmarks.counting_proxy import CountingProxy
from tests.cluster.plan import OutageKind

if TYPE_CHECKING:
    from tests.cluster.plan import Outage


@dataclass
class Gateway(CountingProxy):
    """A proxy that counts, and behaves as an outage says while there is one.

    :param outage: the one that goes on; ``None`` while everything works.
    """

    outage: Outage | None = None

    async def _hand_on(self, request: web.Request) -> web.Response:
        kind = None if self.outage is None else self.outage.kind
        if kind is None or kind is OutageKind.LOST_ANSWERS:
            answer = await super()._hand_on(request)
        else:
            self.requests["during an outage"] += 1
            answer = web.Response(status=503, text="<html>maintenance</html>", content_type="text/html")
        if kind in (OutageKind.LOST_ANSWERS, OutageKind.NO_ANSWERS) and request.transport is not None:
            request.transport.abort()
        return answer
