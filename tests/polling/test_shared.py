"""The polls that triggers of one event loop share."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_sops.polling import shared as shared_polls
from airflow_provider_sops.polling.shared import shared_wait
from airflow_provider_sops.sops.models import TaskState
from airflow_provider_sops.sops.site import Site
from airflow_provider_sops.waiting.model import Look

if TYPE_CHECKING:
    from pytest_httpserver import HTTPServer
    from werkzeug import Request, Response

LOOK = Look(delay_seconds=0.0, fresh=False, with_details=False)
BATCH_PATH = "/prod/get_tasks_status/2/"


@pytest.fixture
def connect(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Set an Airflow connection to ``httpserver``."""

    def connect(conn_id: str = "sops_default", *, password: str = "s3cret", **changes: Any) -> None:
        connection = {
            "conn_type": "sops",
            "host": httpserver.url_for(""),
            "login": "airflow",
            "password": password,
            "extra": {"bk_username": "admin", "bk_biz_id": "2"},
        }
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps({**connection, **changes}))

    connect()
    return connect


@pytest.fixture
def all_run(httpserver: HTTPServer) -> HTTPServer:
    """A server on which every task runs."""

    def answer(request: Request) -> Response:
        from werkzeug import Response

        ids = request.get_json()["task_id_list"]
        data = [{"id": task_id, "status": {"state": "RUNNING", "children": {}}} for task_id in ids]
        return Response(json.dumps({"result": True, "data": data}), mimetype="application/json")

    for business in ("2", "3"):
        httpserver.expect_request(f"/prod/get_tasks_status/{business}/").respond_with_handler(answer)
    return httpserver


async def look(task_id: int, conn_id: str = "sops_default", **place: Any) -> TaskState:
    async with shared_wait(Site(conn_id, **place), task_id) as wait:
        return (await wait.look(LOOK)).state


async def remembering(task_id: int) -> TaskState:
    async with shared_wait(Site("sops_default"), task_id, remembers_finished=True) as wait:
        return (await wait.look(LOOK)).state


def asked(server: HTTPServer) -> list[list[int]]:
    return sorted(sorted(request.json["task_id_list"]) for request, _ in server.log if request.json)


@pytest.mark.usefixtures("connect")
class TestSharing:
    async def test_waits_of_one_connection_share_a_request(self, all_run: HTTPServer) -> None:
        states = await asyncio.gather(*(look(task_id) for task_id in range(1, 31)))

        assert set(states) == {TaskState.RUNNING}
        assert asked(all_run) == [list(range(1, 31))]

    async def test_another_business_is_another_poll(self, all_run: HTTPServer) -> None:
        await asyncio.gather(look(1), look(2, bk_biz_id=3), look(3, bk_biz_id="3"))

        assert asked(all_run) == [[1], [2, 3]]

    async def test_another_connection_is_another_poll(self, all_run: HTTPServer, connect: Any) -> None:
        connect("sops_other")
        await asyncio.gather(look(1), look(2, "sops_other"))

        assert asked(all_run) == [[1], [2]]

    async def test_nothing_is_left_behind(self, all_run: HTTPServer) -> None:
        await asyncio.gather(*(look(task_id) for task_id in (1, 2, 3)))

        assert asked(all_run) == [[1, 2, 3]]
        assert shared_polls._pollers[asyncio.get_running_loop()] == {}
        assert asyncio.all_tasks() == {asyncio.current_task()}

    def test_each_event_loop_has_its_own(self, all_run: HTTPServer) -> None:
        for task_id in (1, 2):
            asyncio.run(look(task_id))

        assert asked(all_run) == [[1], [2]]


@pytest.mark.usefixtures("connect")
class TestFinishedTasks:
    @pytest.fixture
    def finished(self, httpserver: HTTPServer) -> HTTPServer:
        """A server on which task 1 is FINISHED, all others are REVOKED."""

        def answer(request: Request) -> Response:
            from werkzeug import Response

            states = {
                task_id: "FINISHED" if task_id == 1 else "REVOKED" for task_id in request.get_json()["task_id_list"]
            }
            data = [{"id": task_id, "status": {"state": state, "children": {}}} for task_id, state in states.items()]
            return Response(json.dumps({"result": True, "data": data}), mimetype="application/json")

        httpserver.expect_request(BATCH_PATH).respond_with_handler(answer)
        return httpserver

    async def test_are_asked_about_once_even_if_nobody_waits_between(self, finished: HTTPServer) -> None:
        assert [await remembering(1) for _ in range(3)] == [TaskState.FINISHED] * 3

        assert asked(finished) == [[1]]

    async def test_are_asked_about_each_time_by_waits_that_remember_nothing(self, finished: HTTPServer) -> None:
        await remembering(1)
        assert await look(1) == TaskState.FINISHED

        assert asked(finished) == [[1], [1]]

    async def test_others_are_asked_about_each_time(self, finished: HTTPServer) -> None:
        assert [await remembering(2) for _ in range(2)] == [TaskState.REVOKED] * 2

        assert asked(finished) == [[2], [2]]

    async def test_are_asked_about_where_a_wait_goes_on(self, finished: HTTPServer) -> None:
        """An answer at once, again and again, would keep the event loop busy."""
        async with shared_wait(Site("sops_default"), 1, remembers_finished=True) as wait:
            await wait.look(LOOK)
            await wait.look(Look(delay_seconds=0.01))

        assert asked(finished) == [[1], [1]]

    async def test_are_forgotten_after_some_time_and_beyond_some_number(
        self, finished: HTTPServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await remembering(1)
        monkeypatch.setattr(shared_polls, "_FINISHED_SECONDS", 0.0)
        await remembering(1)
        (known,) = shared_polls._finished[asyncio.get_running_loop()].values()
        status = known._statuses[1][1]
        for task_id in range(100):
            known.keep(task_id, status)

        assert asked(finished) == [[1], [1]]
        assert len(known._statuses) == shared_polls._MOST_FINISHED


class TestConnection:
    async def test_a_changed_secret_is_read_after_a_refusal(
        self, httpserver: HTTPServer, connect: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        def answer(request: Request) -> Response:
            from werkzeug import Response

            if "new secret" in request.headers["X-Bkapi-Authorization"]:
                body = {"result": True, "data": [{"id": 1, "status": {"state": "RUNNING", "children": {}}}]}
                return Response(json.dumps(body), mimetype="application/json")
            connect(password="new secret")
            return Response('{"code": 1640302, "message": "app was refused"}', 401, mimetype="application/json")

        httpserver.expect_request(BATCH_PATH).respond_with_handler(answer)
        connect(password="old secret")

        assert await look(1) == TaskState.RUNNING
        assert "secret" not in caplog.text

    async def test_a_connection_that_is_mended_while_it_is_waited_for_is_used(
        self, all_run: HTTPServer, connect: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        connect(host="")
        waiting = asyncio.create_task(look(1))
        async with asyncio.timeout(20):
            while not any(record.levelno >= logging.WARNING for record in caplog.records):  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.05)
            connect()
            assert await waiting == TaskState.RUNNING
        assert "the Airflow connection 'sops_default' cannot be used" in caplog.text
        assert asked(all_run) == [[1]]
