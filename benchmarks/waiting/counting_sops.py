"""A SOPS for measurements: it counts requests, ends its tasks at set times, and is away when told to."""

from __future__ import annotations

import asyncio
import json
import math
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

from aiohttp import web

from demo.airflow_processes import choose_port

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Mapping

_HOST = "127.0.0.1"
#: How many nodes each task has reached; all of them are in every answer about it.
_NODES = 5
#: SOPS answers from a cache for this long, in each of its web processes.
_CACHE_SECONDS = 10.0

#: Web process, call, tasks and parameters.
_CacheKey = tuple[int, str, tuple[int, ...], str]


@dataclass
class CountingSops:
    """A server in a thread of its own that answers the three calls about a task as the API gateway of SOPS does.

    It also tells by the HTTP status alone whether a task has ended, 404 or 200, since that is what Airflow's
    HttpSensor can wait for without a worker. Tasks need not be made: each id that is asked about is a task, which runs
    until its time in ``ends``. A context manager; what it counts can be read from other threads at any time.

    :param begun: when tasks began, in seconds since the epoch; others begin when they are asked about first.
    :param ends: when tasks end, in seconds since the epoch.
    :param caches: whether answers are given again for 10 seconds, as SOPS does.
    :param web_processes: how many caches there are; any of them may answer.
    """

    caches: bool = False
    web_processes: int = 5
    begun: dict[int, float] = field(default_factory=dict)
    ends: dict[int, float] = field(default_factory=dict)
    #: Requests by call.
    requests: Counter[str] = field(default_factory=Counter)
    #: Requests by second.
    at_seconds: Counter[int] = field(default_factory=Counter)
    #: The tasks that were asked about.
    asked: set[int] = field(default_factory=set)
    #: When it was first told that a task has ended, in seconds since the epoch.
    told: dict[int, float] = field(default_factory=dict)
    url: str = ""
    _port: int = 0
    _cache: dict[_CacheKey, tuple[float, dict[int, str]]] = field(default_factory=dict)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _runner: web.AppRunner | None = None

    def __enter__(self) -> Self:
        self._port = choose_port(0)
        self.url = f"http://{_HOST}:{self._port}"
        self._thread = threading.Thread(target=self._loop.run_forever, name="counting SOPS", daemon=True)
        self._thread.start()
        self.come_back()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.go_away()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def go_away(self) -> None:
        """Drop all connections and accept no more."""
        if self._runner is not None:
            self._in_thread(self._runner.cleanup())
            self._runner = None

    def come_back(self) -> None:
        """Accept connections, at the same address as before."""
        self._in_thread(self._listen())

    def _in_thread(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _listen(self) -> None:
        app = web.Application()
        app.add_routes(
            [
                web.post("/prod/get_tasks_status/{bk_biz_id}/", self._get_tasks_status),
                web.get("/prod/get_task_status/{task_id}/{bk_biz_id}/", self._get_task_status),
                web.get("/prod/get_task_detail/{task_id}/{bk_biz_id}/", self._get_task_detail),
                web.get("/ended/{task_id}", self._ended),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, _HOST, self._port, reuse_address=True).start()

    async def _get_tasks_status(self, request: web.Request) -> web.Response:
        parameters = await request.json()
        states = self._look("get_tasks_status", map(int, parameters["task_id_list"]), parameters)
        return _answer([_batch_item(task_id, self._status(task_id, state), state) for task_id, state in states.items()])

    async def _get_task_status(self, request: web.Request) -> web.Response:
        task_id = int(request.match_info["task_id"])
        states = self._look("get_task_status", [task_id], dict(request.query))
        return _answer(self._status(task_id, states[task_id]))

    async def _get_task_detail(self, request: web.Request) -> web.Response:
        task_id = int(request.match_info["task_id"])
        self.requests["get_task_detail"] += 1
        return _answer({"id": task_id, "outputs": [], "pipeline_tree": {}})

    async def _ended(self, request: web.Request) -> web.Response:
        task_id = int(request.match_info["task_id"])
        states = self._look("ended", [task_id], {})
        return web.Response(status=200 if states[task_id] == "FINISHED" else 404)

    def _look(self, call: str, task_ids: Iterable[int], parameters: Mapping[str, Any]) -> dict[int, str]:
        """Return the states that the answer to a request gives, and count it."""
        self.requests[call] += 1
        self.at_seconds[int(time.time())] += 1
        states = self._cached(call, task_ids, parameters) if self.caches else self._states(task_ids)
        self.asked.update(states)
        now = time.time()
        for task_id, state in states.items():
            self.begun.setdefault(task_id, now)
            if state == "FINISHED":
                self.told.setdefault(task_id, now)
        return states

    def _cached(self, call: str, task_ids: Iterable[int], parameters: Mapping[str, Any]) -> dict[int, str]:
        process = random.randrange(self.web_processes)  # noqa: S311
        wanted = tuple(task_ids)
        # A parameter that SOPS does not know is part of the key too: that is how an answer is fresh.
        key = (process, call, wanted, json.dumps(parameters, sort_keys=True))
        made, states = self._cache.get(key, (-math.inf, {}))
        if time.monotonic() - made >= _CACHE_SECONDS:
            states = self._states(wanted)
            self._cache[key] = (time.monotonic(), states)
        return states

    def _states(self, task_ids: Iterable[int]) -> dict[int, str]:
        now = time.time()
        return {task_id: "FINISHED" if now >= self.ends.get(task_id, math.inf) else "RUNNING" for task_id in task_ids}

    def _status(self, task_id: int, state: str) -> dict[str, Any]:
        """Return a task's status: all nodes but the last one have ended."""
        nodes = {}
        for number in range(_NODES):
            node_state = state if number == _NODES - 1 else "FINISHED"
            nodes[f"n{task_id}_{number}"] = _state_tree(f"n{task_id}_{number}", f"node {number}", node_state, {})
        elapsed = int(min(time.time(), self.ends.get(task_id, math.inf)) - self.begun[task_id])
        return {**_state_tree(f"n{task_id}", f"task {task_id}", state, nodes), "elapsed_time": elapsed}


def _answer(data: Any) -> web.Response:
    return web.json_response({"result": True, "data": data, "code": 0, "trace_id": "0123456789abcdef0123456789abcdef"})


def _state_tree(node_id: str, name: str, state: str, children: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": node_id,
        "state": state,
        "root_id:": node_id,
        "parent_id": node_id,
        "version": "v385dc49e2cfc4923bd9691b82f03fda3",
        "loop": 1,
        "retry": 0,
        "skip": False,
        "error_ignorable": False,
        "error_ignored": False,
        "children": children,
        "elapsed_time": 2,
        "start_time": _STARTED,
        "finish_time": _STARTED if state == "FINISHED" else None,
        "name": name,
    }


def _batch_item(task_id: int, status: dict[str, Any], state: str) -> dict[str, Any]:
    return {
        "id": task_id,
        "name": f"task {task_id}",
        "status": status,
        "flow_type": "common",
        "current_flow": "finished" if state == "FINISHED" else "execute_task",
        "is_deleted": False,
        "create_time": _STARTED,
        "start_time": _STARTED,
        "finish_time": _STARTED if state == "FINISHED" else "",
        "url": f"http://{_HOST}/taskflow/execute/2/?instance_id={task_id}",
    }


_STARTED = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S %z")
