"""A wait ends at its deadline, though the server takes its request and never answers."""

from __future__ import annotations

import json
import logging
import time
from typing import TYPE_CHECKING, Any

import pytest

import airflow_provider_sops.hooks.enos_async
import airflow_provider_sops.hooks.sops_async  # noqa: F401 - takes long, and counts into the wait otherwise
from airflow_provider_sops.enos.wait_result import InstanceKind
from airflow_provider_sops.enos.wait_result import Outcome as EnosOutcome
from airflow_provider_sops.enos.wait_result import WaitPolicy as EnosWaitPolicy
from airflow_provider_sops.hooks import enos_tokens
from airflow_provider_sops.hooks.enos import EnosHook
from airflow_provider_sops.hooks.sops import SopsHook
from airflow_provider_sops.sops.errors import SopsConnectionError
from airflow_provider_sops.sops.wait_result import Outcome, WaitPolicy
from airflow_provider_sops.task_instance.instance_follower import InstanceFollower
from airflow_provider_sops.task_instance.task_follower import TaskFollower
from airflow_provider_sops.triggers.enos import EnosFlowInstanceTrigger
from airflow_provider_sops.triggers.sops import SopsTaskTrigger
from airflow_provider_sops.waiting import model
from airflow_provider_sops.waiting.model import DeadlineReachedError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from tests.raw_server import RawServer

pytest_plugins = ("tests.raw_server",)

# The connection allows a request ten times as long: a test whose wait did not end it would be stopped.
pytestmark = pytest.mark.timeout(30)
REQUEST_SECONDS = 300


@pytest.fixture
def deaf_server(
    raw_server: Callable[[Callable[[socket.socket], None]], RawServer], monkeypatch: pytest.MonkeyPatch
) -> RawServer:
    def say_nothing(connection: socket.socket) -> None:
        connection.recv(1)

    server = raw_server(say_nothing)
    connection = {
        "conn_type": "sops",
        "host": server.url,
        "login": "airflow",
        "password": "app-secret",
        "extra": {"bk_username": "admin", "bk_biz_id": "2", "timeout_seconds": REQUEST_SECONDS},
    }
    monkeypatch.setenv("AIRFLOW_CONN_SOPS_DEFAULT", json.dumps(connection))
    extra = {"user_id": "u1", "org_id": "o1", "timeout_seconds": REQUEST_SECONDS}
    enos = {"conn_type": "enos", "host": server.url, "login": "key", "password": "enos-secret", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_ENOS_DEFAULT", json.dumps(enos))
    enos_tokens.forget_tokens()
    monkeypatch.setattr("airflow_provider_sops.triggers.waiting_trigger.WORKER_EXIT_SECONDS", 0.0)
    monkeypatch.setattr(model, "LAST_ANSWER_SECONDS", 0.2)
    return server


def ends_soon() -> WaitPolicy:
    return WaitPolicy(deadline=time.time() + 1.5)


def test_on_a_worker(deaf_server: RawServer, caplog: pytest.LogCaptureFixture) -> None:
    with SopsHook() as hook:
        result = TaskFollower(hook, 7, ends_soon(), logging.getLogger(__name__)).to_the_end()
    assert result.outcome == Outcome.TIMED_OUT
    assert len(deaf_server.requests) == 1
    assert "Asking again" not in caplog.text


async def test_in_the_triggerer(deaf_server: RawServer) -> None:
    trigger = SopsTaskTrigger(sops_conn_id="sops_default", sops_task_id=7, policy=ends_soon())
    event: Any = await anext(aiter(trigger.run()))
    assert event.payload["outcome"] == Outcome.TIMED_OUT
    assert len(deaf_server.requests) == 1


def test_for_an_enos_instance_on_a_worker(deaf_server: RawServer) -> None:
    policy = EnosWaitPolicy(deadline=ends_soon().deadline)
    with EnosHook() as hook:
        follower = InstanceFollower(hook, InstanceKind.FLOW, "1", policy, logging.getLogger(__name__))
        result = follower.to_the_end()
    assert result.outcome == EnosOutcome.TIMED_OUT
    assert len(deaf_server.requests) == 1


async def test_for_an_enos_instance_in_the_triggerer(deaf_server: RawServer) -> None:
    policy = EnosWaitPolicy(deadline=ends_soon().deadline)
    trigger = EnosFlowInstanceTrigger(enos_conn_id="enos_default", instance_id="1", policy=policy)
    event: Any = await anext(aiter(trigger.run()))
    assert event.payload["outcome"] == EnosOutcome.TIMED_OUT


def test_nothing_is_sent_after_the_deadline(deaf_server: RawServer) -> None:
    with SopsHook() as hook, pytest.raises(DeadlineReachedError), hook.within(-1):
        hook.get_task_status(7)
    assert deaf_server.requests == []


def test_after_the_block_the_connections_own_limit_counts_again(deaf_server: RawServer) -> None:
    with SopsHook() as hook:
        with pytest.raises(DeadlineReachedError), hook.within(0.1):
            hook.get_task_status(7)
        assert hook._limited(hook.connection.limits).total_seconds == REQUEST_SECONDS


def test_an_error_before_the_deadline_stays_what_it_is(deaf_server: RawServer) -> None:
    with SopsHook() as hook, pytest.raises(SopsConnectionError), hook.within(60):
        raise SopsConnectionError("refused", request_sent=False)
