"""The HTTP side, in a thread of its own: gateway, token service and batch processing at one address."""

from __future__ import annotations

import asyncio
import html
import json
import socket
import struct
import threading
from collections import defaultdict, deque
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiohttp import web

from tests.enos_server.batch_service import BatchService, Refusal
from tests.enos_server.faults import Fault
from tests.enos_server.gatekeeper import Gatekeeper
from tests.enos_server.plays import Flow, Play

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.enos_server.instances import Instance

ACCESS_KEY = "5acb82e7-0000-4300-9164-c8b20b638e8b"
SECRET_KEY = "f0b6b1d2/3c4d+4e5f"
USER_ID = "u1"
ORG_ID = "o1"

#: Base path, the envelope's key of the code, and the number of a list's first page.
_VERSIONS = {"v2.1": ("batch-processing-service", "code", 1), "v2.0": ("dataflow-batch-service", "status", 0)}
_MISSING_IN_V20 = {("taskInstances", "get"), ("flows", "triggerFromTask")}


@dataclass(frozen=True)
class Request:
    """A call that came in and passed the gateway.

    :param content: of the body; ``None`` for a GET.
    """

    resource: str
    action: str
    query: dict[str, str]
    content: Any


class EnosServer:
    """An EnOS at ``url``. A context manager.

    :param version: of the API that it speaks.
    :param port: 0 for any free one.
    """

    def __init__(self, *, version: str = "v2.1", port: int = 0) -> None:
        self._base, self._code_key, first_page = _VERSIONS[version]
        self.version = version
        self.gatekeeper = Gatekeeper({ACCESS_KEY: SECRET_KEY})
        self.service = BatchService({USER_ID: ORG_ID}, first_page=first_page)
        self.requests: list[Request] = []
        self.late: list[Request] = []
        self._faults: defaultdict[str, deque[Fault]] = defaultdict(deque)
        self._port = port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="enos-server", daemon=True)
        self._runner: web.AppRunner | None = None

    def __enter__(self) -> EnosServer:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._open(), self._loop).result(30)
        return self

    def __exit__(self, *exc_info: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    @property
    def url(self) -> str:
        """Its address, which is the connection's host."""
        return f"http://127.0.0.1:{self._port}"

    def connection_json(self, **extra: Any) -> str:
        """Return an Airflow connection to it, as ``AIRFLOW_CONN_...`` takes it."""
        known = {"user_id": USER_ID, "org_id": ORG_ID, "api_version": self.version, **extra}
        return json.dumps(
            {
                "conn_type": "enos",
                "host": self.url,
                "login": ACCESS_KEY,
                "password": SECRET_KEY,
                "extra": {name: value for name, value in known.items() if value is not None},
            }
        )

    def add_flow(self, flow_id: int, *plays: Play, name: str = "", **details: Any) -> Flow:
        """Make a flow whose instances play out one after the other as told."""
        flow = Flow(flow_id, name or f"flow {flow_id}", list(plays) or [Play()], **details)
        return self.service.add_flow(flow)

    def spoil(self, action: str, *faults: Fault) -> None:
        """Let the next calls of an action, such as ``trigger`` or ``token/get``, meet faults."""
        self._faults[action].extend(faults)

    def heal(self) -> None:
        """Take back every fault that no call has met yet."""
        self._faults.clear()

    def land(self) -> None:
        """Carry out the calls that were to land later."""
        while self.late:
            with suppress(Refusal):
                self._carry_out(self.late.pop(0))

    def sent(self, action: str) -> list[Request]:
        """Return the calls of an action that passed the gateway, in order."""
        return [request for request in self.requests if request.action == action]

    @property
    def instances(self) -> list[Instance]:
        """Every instance, in the order in which they were made."""
        return list(self.service.instances.values())

    async def _open(self) -> None:
        application = web.Application()
        application.router.add_post("/apim-token-service/v2.0/token/{action}", self._handle_token)
        application.router.add_route("*", f"/{self._base}/{self.version}/{{resource}}", self._handle)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]

    async def _close(self) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _handle_token(self, request: web.Request) -> web.StreamResponse:
        action = request.match_info["action"]
        content = await request.json()
        return self._answer(request, f"token/{action}", lambda: self.gatekeeper.answer_token_request(action, content))

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        refusal = self.gatekeeper.refusal(request.rel_url.raw_query_string, body, request.headers)
        if refusal is not None:
            return self._refused(refusal)
        call = Request(
            request.match_info["resource"],
            request.query.get("action", ""),
            dict(request.query),
            json.loads(body) if request.method == "POST" else None,
        )
        self.requests.append(call)
        return self._answer(request, call.action, lambda: self._envelope(call), call)

    def _answer(
        self, request: web.Request, action: str, carry_out: Callable[[], dict[str, Any]], call: Request | None = None
    ) -> web.StreamResponse:
        fault = self._faults[action].popleft() if self._faults[action] else None
        if fault is None:
            return web.json_response(carry_out())
        if fault == Fault.LANDS_LATER and call is not None:
            self.late.append(call)
        body = json.dumps(carry_out()).encode() if fault.executes else b""
        if fault.resets:
            _reset(request)
            return web.Response()
        if fault == Fault.CUT_JSON:
            return web.Response(body=body[: len(body) // 2], content_type="application/json")
        return self._spoilt(request, fault)

    def _spoilt(self, request: web.Request, fault: Fault) -> web.Response:
        if fault == Fault.TOKEN_REFUSED:
            return self._refused("fault")
        if fault == Fault.RATE_LIMITED:
            limited = {"message": "API rate limit exceeded"}
            return web.json_response(limited, status=429, headers={"Retry-After": "0"})
        if fault == Fault.SERVER_ERROR:
            return web.json_response({self._code_key: 62109, "msg": "Internal server exception", "data": None})
        page = f"<html><body>{html.escape(str(dict(request.headers)))}</body></html>"
        status = 200 if fault == Fault.WEB_PAGE else 502
        return web.Response(status=status, text=page, content_type="text/html")

    def _refused(self, reason: str) -> web.Response:
        if self.gatekeeper.refuses_by_code:
            return web.json_response({self._code_key: 1203, "msg": "access token has expired", "data": None})
        return web.json_response({"message": f"Invalid authentication credentials: {reason}"}, status=401)

    def _envelope(self, call: Request) -> dict[str, Any]:
        try:
            data = self._carry_out(call)
        except Refusal as refusal:
            return {self._code_key: refusal.code, "msg": refusal.message, "data": None, "requestId": "r-1"}
        return {self._code_key: 0, "msg": "OK", "data": data}

    def _carry_out(self, call: Request) -> Any:
        if self.version == "v2.0" and (call.resource, call.action) in _MISSING_IN_V20:
            raise Refusal(62102, "Invalid action.")
        return self.service.answer(call.resource, call.action, call.query, call.content)


def _reset(request: web.Request) -> None:
    if request.transport is None:
        return
    connection = request.transport.get_extra_info("socket")
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.transport.abort()
