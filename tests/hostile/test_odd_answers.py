"""Answers that are HTTP and JSON, and do not say what was asked: no guess is made of them."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_sops.enos.errors import EnosError, EnosGatewayError
from airflow_provider_sops.hooks.enos import EnosHook
from airflow_provider_sops.hooks.sops import SopsHook
from airflow_provider_sops.sops.errors import SopsGatewayError, SopsRateLimitError
from tests.hostile.repertoire import (
    ODD_BUT_FINISHED,
    ODD_DATA,
    ODD_STATUSES,
    ODD_TASK_IDS,
    PAUSES,
    UNKNOWN_WORDS,
)
from tests.hostile.server import answer, by_call, sops_answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.hostile.repertoire import StatusKind
    from tests.hostile.server import HostileServer

_TOKEN = answer(b'{"status":0,"data":{"accessToken":"t0ken","expire":7200}}')

#: What the operators, the sensors and the commands ask, and which odd ``data`` is an answer nevertheless.
SOPS_CALLS: dict[str, tuple[Callable[[SopsHook], Any], set[str]]] = {
    "get_task_status": (lambda hook: hook.get_task_status(7), set()),
    "get_task_detail": (lambda hook: hook.get_task_detail(7), set()),
    "get_task_list": (lambda hook: hook.get_task_list(keyword="#a-"), {"[]"}),
    "get_template_list": (lambda hook: hook.get_template_list(), {"[]"}),
    "get_common_template_list": (lambda hook: hook.get_common_template_list(), {"[]"}),
    "get_template_info": (lambda hook: hook.get_template_info(9), set()),
    "get_common_template_info": (lambda hook: hook.get_common_template_info(9), set()),
    "get_task_node_detail": (lambda hook: hook.get_task_node_detail(7, "n1"), set()),
    "get_task_node_data": (lambda hook: hook.get_task_node_data(7, "n1"), set()),
    "get_task_node_log": (lambda hook: hook.get_task_node_log(7, "n1"), {"null", '"x"'}),
    "create_task": (lambda hook: hook.create_task(9, "flow"), set()),
    "create_and_start_task": (lambda hook: hook.create_and_start_task(9, "flow"), set()),
}
ENOS_CALLS: dict[str, tuple[Callable[[EnosHook], Any], set[str]]] = {
    "get_flow_instance": (lambda hook: hook.get_flow_instance("7-1"), {"null", "[]", "{}"}),
    "get_task_instance": (lambda hook: hook.get_task_instance("7-1"), {"null", "[]", "{}"}),
    "find_flow_instances": (
        lambda hook: hook.find_flow_instances(0, from_trigger_time=0, to_trigger_time=60_000),
        set(),
    ),
    "trigger_flow": (lambda hook: hook.trigger_flow(7, 0), set()),
}


class TestData:
    @pytest.mark.parametrize(
        ("api", "data"),
        [
            pytest.param(api, data, id=f"data {data} | {api}")
            for api, (_, fine) in SOPS_CALLS.items()
            for data in ODD_DATA
            if data not in fine
        ],
    )
    def test_is_no_answer_to_a_call_of_sops(self, server: HostileServer, api: str, data: str) -> None:
        server.behave = sops_answer(ODD_DATA[data])

        with SopsHook() as hook, pytest.raises(SopsGatewayError) as caught:
            SOPS_CALLS[api][0](hook)

        assert caught.value.api == api
        assert caught.value.outcome_unknown

    @pytest.mark.parametrize(
        ("api", "data"),
        [
            pytest.param(api, data, id=f"data {data} | {api}")
            for api, (_, fine) in ENOS_CALLS.items()
            for data in ODD_DATA
            if data not in fine
        ],
    )
    def test_is_no_answer_to_a_call_of_enos(self, server: HostileServer, api: str, data: str) -> None:
        odd = answer(json.dumps({"code": 0, "data": ODD_DATA[data]}).encode())
        server.behave = by_call({"v2.0": _TOKEN}, odd)

        with EnosHook() as hook, pytest.raises(EnosGatewayError):
            ENOS_CALLS[api][0](hook)

    @pytest.mark.parametrize("data", ODD_DATA)
    def test_of_an_action_says_nothing(self, server: HostileServer, data: str) -> None:
        server.behave = sops_answer(ODD_DATA[data])

        with SopsHook() as hook:
            hook.operate_task(7, "revoke")
            hook.operate_node(7, "n1", "retry")
            assert isinstance(hook.start_task(7), str)


class TestStatus:
    @pytest.mark.parametrize("kind", [pytest.param(kind, id=f"status {kind.name}") for kind in ODD_STATUSES])
    def test_without_a_state_is_no_answer(self, server: HostileServer, kind: StatusKind) -> None:
        server.behave = answer(b'{"result":true,"code":0,"data":' + kind.status.encode() + b"}")

        with SopsHook() as hook, pytest.raises(SopsGatewayError):
            hook.get_task_status(7)

    @pytest.mark.parametrize("kind", [pytest.param(kind, id=f"status with {kind.name}") for kind in ODD_BUT_FINISHED])
    def test_with_a_state_costs_no_more_than_what_is_odd(self, server: HostileServer, kind: StatusKind) -> None:
        server.behave = answer(b'{"result":true,"code":0,"data":' + kind.status.encode() + b"}")
        began = time.monotonic()

        with SopsHook() as hook:
            status = hook.get_task_status(7)
            times = status.start_time, status.finish_time

        assert status.state == "FINISHED"
        assert len(times) == 2
        assert time.monotonic() - began < 0.5

    @pytest.mark.parametrize("word", UNKNOWN_WORDS, ids=lambda word: f"state word {word[:20]!r}")
    def test_with_an_unknown_word_is_not_over(self, server: HostileServer, word: str) -> None:
        server.behave = sops_answer({"state": word, "children": {}})

        with SopsHook() as hook:
            assert not hook.get_task_status(7).state.is_terminal

    def test_of_one_of_many_leaves_only_that_one_out(self, server: HostileServer) -> None:
        good = {"id": 1, "name": "a", "status": {"state": "RUNNING"}}
        odd: list[Any] = [json.loads(kind.status) for kind in ODD_STATUSES if kind.name != "NaN"]
        server.behave = sops_answer(
            [*({"id": number, "status": status} for number, status in enumerate(odd, 2)), good, None, 5, {"id": "x"}]
        )

        with SopsHook() as hook:
            assert set(hook.get_tasks_status(range(1, 40))) == {1}


class TestNewTask:
    @pytest.mark.parametrize("task_id", ODD_TASK_IDS, ids=lambda text: f"task id {text[:12]}")
    def test_an_id_that_is_none_is_named_and_nobody_knows_what_was_created(
        self, server: HostileServer, task_id: str
    ) -> None:
        server.behave = answer(b'{"result":true,"code":0,"data":{"task_id":' + task_id.encode() + b"}}")

        with SopsHook() as hook, pytest.raises(SopsGatewayError, match="task id") as caught:
            hook.create_task(9, "flow")

        assert caught.value.outcome_unknown
        assert not caught.value.temporary

    @pytest.mark.parametrize("task_id", ["7", '"7"'])
    def test_an_id_may_be_a_number_or_a_text(self, server: HostileServer, task_id: str) -> None:
        server.behave = answer(b'{"result":true,"code":0,"data":{"task_id":' + task_id.encode() + b"}}")

        with SopsHook() as hook:
            assert hook.create_task(9, "flow").task_id == 7

    @pytest.mark.parametrize("instance_id", ['""', "null", "true", "12.5", "[]", "{}", '{"a":1}', '" "'])
    def test_so_it_is_with_an_instance_of_enos(self, server: HostileServer, instance_id: str) -> None:
        odd = answer(b'{"code":0,"data":{"flowInstanceId":' + instance_id.encode() + b"}}")
        server.behave = by_call({"v2.0": _TOKEN}, odd)

        with EnosHook() as hook, pytest.raises(EnosError) as caught:
            hook.trigger_flow(7, 0)

        assert caught.value.outcome_unknown


class TestRateLimit:
    @pytest.mark.parametrize("header", ["X-Bkapi-RateLimit-Reset", "Retry-After", "RateLimit-Reset"])
    @pytest.mark.parametrize(
        ("text", "seconds"), [pytest.param(*pause, id=f"pause {pause[0][:12]!r}") for pause in PAUSES]
    )
    def test_the_pause_is_understood_and_capped(
        self, server: HostileServer, header: str, text: str, seconds: float | None
    ) -> None:
        server.behave = answer(b"{}", status="429 Too Many Requests", **{header.replace("-", "_"): text})

        assert _pause_of(server) == seconds

    @pytest.mark.parametrize(
        ("from_now", "write"),
        [
            (90, lambda at: str(int(at))),
            (90, lambda at: f"{at:.3f}"),
            (90, lambda at: str(int(at * 1000))),
            (90, lambda at: time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(at))),
            (86400, lambda at: str(int(at))),
            (86400, lambda at: time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(at))),
            (-3600, lambda at: str(int(at))),
            (-3600, lambda at: time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(at))),
        ],
        ids=lambda value: str(value) if isinstance(value, int) else "moment",
    )
    def test_a_moment_is_understood_in_every_form(
        self, server: HostileServer, from_now: int, write: Callable[[float], str]
    ) -> None:
        text = write(time.time() + from_now)
        server.behave = answer(b"{}", status="429 Too Many Requests", X_Bkapi_RateLimit_Reset=text)

        pause = _pause_of(server)
        assert pause is None if from_now < 0 else pause == pytest.approx(min(120, from_now), abs=3)


def _pause_of(server: HostileServer) -> float | None:
    with SopsHook() as hook, pytest.raises(SopsRateLimitError) as caught:
        hook.get_task_status(7)
    with EnosHook() as other, pytest.raises(EnosError):
        other.get_flow_instance("7-1")
    return caught.value.retry_after_seconds
