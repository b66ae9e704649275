"""A proxy that counts requests to a server."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Self

import aiohttp
from aiohttp import web

from demo.airflow_processes import choose_port

_HOST = "127.0.0.1"
_HOP_BY_HOP = {"connection", "content-encoding", "content-length", "date", "host", "server", "transfer-encoding"}


@dataclass
class CountingProxy:
    """Forwards every request, in its own thread; a context manager.

    :param target: the server's address.
    :param port: 0 takes any free one.
    """

    target: str
    port: int = 0
    #: Requests by call.
    requests: Counter[str] = field(default_factory=Counter)
    url: str = ""
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    def __enter__(self) -> Self:
        port = choose_port(self.port)
        self.url = f"http://{_HOST}:{port}"
        self._thread = threading.Thread(target=self._loop.run_forever, name="counting proxy", daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._begin(port), self._loop).result()
        return self

    def __exit__(self, *exc_info: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _begin(self, port: int) -> None:
        self._session = aiohttp.ClientSession(auto_decompress=True)
        app = web.Application(client_max_size=2**26)
        app.router.add_route("*", "/{path:.*}", self._hand_on)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, _HOST, port).start()

    async def _end(self) -> None:
        await self._runner.cleanup()
        await self._session.close()

    async def _hand_on(self, request: web.Request) -> web.Response:
        self.requests[_call(request.path)] += 1
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP}
        async with self._session.request(
            request.method, f"{self.target}{request.path_qs}", headers=headers, data=await request.read()
        ) as answer:
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP_BY_HOP}
            return web.Response(status=answer.status, headers=kept, body=await answer.read())


def _call(path: str) -> str:
    """Return the name of the call: the first part of an address that is no stage of the gateway."""
    parts = [part for part in path.split("/") if part not in ("", "prod", "stage")]
    return parts[0] if parts else ""
