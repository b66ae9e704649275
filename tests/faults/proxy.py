"""A hostile network between the provider and SOPS: a reverse proxy that spoils answers, by a seeded plan.

Each run of the campaign has its own first path segment, so its own plan: ``http://127.0.0.1:PORT/run-7`` is the
"gateway" of run 7.
"""

from __future__ import annotations

import asyncio
import html
import json
import socket
import struct
import threading
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import aiohttp
from aiohttp import web
from yarl import URL

from tests.faults.fault import ANSWERS, Fault
from tests.faults.pace import CACHE_SECONDS, CLIENT_TIMEOUT_SECONDS

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable, Callable

    from tests.faults.plan import PlannedOutage
    from tests.faults.story import Story

_HOP_HEADERS = frozenset({"host", "connection", "content-length", "transfer-encoding", "accept-encoding"})
_OK = 200
#: What a request meets during an outage, and what its first one may meet.
_OUTAGE = (
    Fault.RESET_BEFORE,
    Fault.EMPTY_BEFORE,
    Fault.HTML,
    Fault.REDIRECT,
    Fault.FORBIDDEN,
    Fault.SERVER_ERROR_BEFORE,
    Fault.BAD_GATEWAY_BEFORE,
    Fault.BAD_GATEWAY_PAGE,
)
_LOST = (Fault.RESET_AFTER, Fault.CUT_JSON, Fault.EMPTY_AFTER, Fault.SERVER_ERROR_AFTER, Fault.BAD_GATEWAY_AFTER)


class Received(NamedTuple):
    """An answer of SOPS."""

    status: int
    content_type: str
    body: bytes


@dataclass(frozen=True)
class Exchange:
    """One request and what became of it.

    :param reached: whether SOPS has seen the request by the time of its answer.
    :param code: of SOPS's answer; ``None`` where SOPS was not asked or gave none.
    :param at: when it was over.
    :param arrived: when the request came.
    """

    api: str
    fault: Fault | None
    reached: bool
    code: int | str | None
    action: str = ""
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    arrived: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def undisturbed(self) -> bool:
        """Whether SOPS's own answer came back."""
        return self.reached and self.fault in (None, Fault.SLOW)


@dataclass
class Traffic:
    """The plan and the record of one run's requests.

    :param random: draws the faults; requests in the same order meet the same ones.
    :param rate: the part of requests that is spoilt.
    :param budget: how many may be spoilt at all, so that every run can end.
    """

    random: random.Random
    rate: float
    budget: int
    story: Story
    outage: PlannedOutage | None = None
    outages: list[tuple[datetime, datetime]] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)
    injected: int = 0
    answers: dict[str, list[tuple[float, Received]]] = field(default_factory=lambda: defaultdict(list))
    on_their_way: set[asyncio.Future[Any]] = field(default_factory=set)
    _seen: int = 0

    def draw(self, api: str, action: str = "", *, cached: bool) -> Fault | None:
        """Return what is to become of the next request."""
        if self._begins(api, action):
            assert self.outage is not None
            now = datetime.now(UTC)
            self.outages.append((now, now + timedelta(seconds=self.outage.seconds)))
            self.story.tell("network", f"an outage of {self.outage.seconds} s begins")
            self.injected += 1
            return self.random.choice(_LOST if self.outage.reaches_sops else _OUTAGE)
        if self.outages and datetime.now(UTC) < self.outages[-1][1]:
            return self.random.choice(_OUTAGE)
        spoilt, choice = self.random.random() < self.rate, self.random.random()
        if not spoilt or self.injected >= self.budget:
            return None
        fitting = [fault for fault in Fault if fault.fits(api, cached=cached)]
        self.injected += 1
        return fitting[int(choice * len(fitting))]

    def _begins(self, api: str, action: str) -> bool:
        if self.outage is None or (api, action) != (self.outage.api, self.outage.action) or self.outages:
            return False
        self._seen += 1
        return self._seen == self.outage.nth


class HostileProxy:
    """The proxy, in a thread of its own. A context manager.

    :param upstream: gives SOPS's address.
    """

    def __init__(self, upstream: Callable[[], str]) -> None:
        self._upstream = upstream
        self._traffic: dict[str, Traffic] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="hostile-proxy", daemon=True)
        self._runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=1)
        self._server: asyncio.Server | None = None
        self._session: aiohttp.ClientSession | None = None
        self._port = 0

    def __enter__(self) -> HostileProxy:
        self._thread.start()
        self._await(self._open())
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._await(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def gateway_for(self, run: str, traffic: Traffic) -> str:
        """Return the gateway's address for a run, whose requests follow ``traffic`` from now on."""
        self._traffic[run] = traffic
        return f"http://127.0.0.1:{self._port}/{run}"

    def refuse_connections(self, seconds: float) -> None:
        """Refuse every new connection for a while."""
        self._await(self._refuse(seconds))

    def let_all_land(self, run: str) -> None:
        """Wait until every request of a run is answered and recorded, and has reached SOPS if it was held back."""
        self._await(self._land(self._traffic[run]))

    def _await(self, work: Awaitable[None]) -> None:
        async def run() -> None:
            await work

        asyncio.run_coroutine_threadsafe(run(), self._loop).result(60)

    def _application(self) -> web.Application:
        application = web.Application(client_max_size=64 * 2**20)
        application.router.add_route("*", "/{run}/{rest:.*}", self._handle)
        return application

    async def _open(self) -> None:
        self._session = aiohttp.ClientSession(
            auto_decompress=False, connector=aiohttp.TCPConnector(limit=0, force_close=True)
        )
        await self._runner.setup()
        await self._listen()

    async def _listen(self) -> None:
        assert self._runner.server is not None
        self._server = await self._loop.create_server(self._runner.server, "127.0.0.1", self._port, backlog=256)
        self._port = self._server.sockets[0].getsockname()[1]

    async def _stop_listening(self) -> None:
        assert self._server is not None
        for listening in self._server.sockets:
            self._loop.remove_reader(listening)
        # A connection that was just accepted is the server's one turn of the loop later; until then it would be lost.
        await asyncio.sleep(0)
        self._server.close()

    async def _refuse(self, seconds: float) -> None:
        await self._stop_listening()
        await asyncio.sleep(seconds)
        await self._listen()

    async def _close(self) -> None:
        assert self._session is not None
        await self._stop_listening()
        await self._runner.cleanup()
        await self._session.close()

    async def _land(self, traffic: Traffic) -> None:
        while traffic.on_their_way:
            await asyncio.wait(set(traffic.on_their_way))

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        traffic = self._traffic[request.match_info["run"]]
        answered = asyncio.get_running_loop().create_future()
        traffic.on_their_way.add(answered)
        try:
            return await self._answer(request, traffic)
        finally:
            traffic.on_their_way.discard(answered)
            answered.set_result(None)

    async def _answer(self, request: web.Request, traffic: Traffic) -> web.StreamResponse:
        arrived = datetime.now(UTC)
        target = request.raw_path.removeprefix(f"/{request.match_info['run']}")
        api = _api_of(target)
        body = await request.read()
        key = f"{request.method} {target}"
        young = [answer for at, answer in traffic.answers[key] if time.monotonic() - at < CACHE_SECONDS.get(api, 0.0)]
        action = _action_of(body)
        fault = traffic.draw(api, action, cached=bool(young))
        call = _Call(self, request, target, api, body, traffic)
        response, reached, received = await _misbehave(call, fault, young)
        code = _code_of(received)
        traffic.exchanges.append(Exchange(api, fault, reached, code, action, arrived=arrived))
        told = f"{api}{f' {action}' if action else ''}: {fault or 'ok'}"
        traffic.story.tell("network", told if code in (None, 0) else f"{told}, SOPS says {code}")
        return response

    async def forward(self, call: _Call) -> Received:
        """Send a request on to SOPS and return its answer; a 502 of the gateway's where there is none."""
        assert self._session is not None
        headers = {name: value for name, value in call.request.headers.items() if name.lower() not in _HOP_HEADERS}
        try:
            async with self._session.request(
                call.request.method,
                URL(self._upstream() + call.target, encoded=True),
                data=call.body or None,
                headers=headers,
                allow_redirects=False,
            ) as answer:
                received = Received(answer.status, answer.content_type, await answer.read())
        except (aiohttp.ClientError, OSError):
            call.traffic.story.tell("network", f"{call.api}: SOPS itself is out of reach")
            return Received(502, "application/json", ANSWERS[Fault.BAD_GATEWAY_BEFORE].body)
        if call.api in CACHE_SECONDS and b'"state": "CREATED"' not in received.body:
            call.traffic.answers[f"{call.request.method} {call.target}"].append((time.monotonic(), received))
        return received


@dataclass(frozen=True)
class _Call:
    """A request that came in."""

    proxy: HostileProxy
    request: web.Request
    target: str
    api: str
    body: bytes
    traffic: Traffic


async def _misbehave(
    call: _Call, fault: Fault | None, cached: list[Received]
) -> tuple[web.StreamResponse, bool, Received | None]:
    """Return the response, whether SOPS has seen the request, and its own answer."""
    received: Received | None = None
    if fault == Fault.HELD_BACK:
        _send_later(call)
    elif fault is None or fault.reaches_sops:
        received = await call.proxy.forward(call)
    if fault is None:
        assert received is not None
        return _plain(received), received.status != ANSWERS[Fault.BAD_GATEWAY_BEFORE].status, received
    if fault in (Fault.SLOW, Fault.SLOW_BEYOND_TIMEOUT, Fault.SILENT):
        await asyncio.sleep(CLIENT_TIMEOUT_SECONDS * (0.4 if fault == Fault.SLOW else 1.4))
    if fault == Fault.STALE:
        return _plain(cached[int(call.traffic.random.random() * len(cached))]), False, None
    if fault in ANSWERS:
        return _spoilt(call, fault), fault.reaches_sops, received
    if fault in (Fault.RESET_BEFORE, Fault.RESET_AFTER, Fault.SILENT):
        _reset(call.request)
        return web.Response(), fault.reaches_sops, received
    assert received is not None
    return await _spoilt_of(call.request, received, fault), True, received


async def _spoilt_of(request: web.Request, received: Received, fault: Fault) -> web.StreamResponse:
    """Return SOPS's own answer, spoilt on its way."""
    if fault == Fault.CUT_CONNECTION:
        await _cut(request, received)
        return web.Response()
    if fault in (Fault.TRICKLE, Fault.OVERSIZE):
        await _without_end(request, received, fault)
        return web.Response()
    if fault == Fault.DEEP:
        content = {**_json_object(received.body), "data": _deep()}
        received = received._replace(body=json.dumps(content).encode())
    if fault == Fault.CUT_JSON:
        received = received._replace(body=received.body[: len(received.body) // 2])
    return _plain(received)


def _plain(received: Received) -> web.Response:
    return web.Response(status=received.status, body=received.body, content_type=received.content_type)


def _spoilt(call: _Call, fault: Fault) -> web.Response:
    answer = ANSWERS[fault]
    # Such pages may echo the request, credentials and all.
    echo = f"{call.target} {dict(call.request.headers)}"
    body = answer.body.replace(b"ECHO", html.escape(echo).encode())
    return web.Response(status=answer.status, body=body, headers=answer.headers)


def _send_later(call: _Call) -> None:
    async def send() -> None:
        await asyncio.sleep(call.traffic.random.uniform(0.05, 2.0))
        received = await call.proxy.forward(call)
        call.traffic.story.tell("network", f"{call.api}: lands only now, SOPS says {_code_of(received)}")

    work = asyncio.get_running_loop().create_task(send())
    call.traffic.on_their_way.add(work)
    work.add_done_callback(call.traffic.on_their_way.discard)


def _reset(request: web.Request) -> None:
    if request.transport is None:
        return
    connection = request.transport.get_extra_info("socket")
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.transport.abort()


async def _cut(request: web.Request, received: Received) -> None:
    response = web.StreamResponse(status=received.status)
    response.content_type, response.content_length = received.content_type, len(received.body)
    with suppress(ConnectionError):
        await response.prepare(request)
        await response.write(received.body[: len(received.body) // 2])
        await asyncio.sleep(0.01)
    _reset(request)


async def _without_end(request: web.Request, received: Received, fault: Fault) -> None:
    """Answer byte by byte, or as fast as can be, until the client has left."""
    piece, pause_seconds = (b" ", 0.05) if fault == Fault.TRICKLE else (b" " * 65536, 0.0)
    response = web.StreamResponse(status=received.status)
    response.content_type = received.content_type
    with suppress(ConnectionError):
        await response.prepare(request)
        deadline = time.monotonic() + 3 * CLIENT_TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            await response.write(piece)
            await asyncio.sleep(pause_seconds)
    _reset(request)


def _deep() -> list[Any]:
    value: list[Any] = []
    for _ in range(400):
        value = [value]
    return value


def _api_of(target: str) -> str:
    parts = [part for part in target.partition("?")[0].split("/") if part]
    return parts[-1] if parts[:1] == ["api"] else next(iter(parts[1:]), "")


def _action_of(body: bytes) -> str:
    content = _json_object(body)
    return str(content.get("action") or "")


def _code_of(received: Received | None) -> int | str | None:
    return None if received is None else _json_object(received.body).get("code")


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
