"""What a server says oddly is never taken for "there is no such task": nothing is created or triggered twice for it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException

from airflow_provider_sops.operators.enos import EnosTriggerFlowOperator
from airflow_provider_sops.operators.sops import SopsCreateTaskOperator, exactly_once
from tests.hostile.repertoire import ODD_DATA, ODD_TASK_IDS
from tests.hostile.server import Exchange, answer, by_call, sops_answer
from tests.plain_task_instance import PlainTaskInstance

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.hostile.server import HostileServer


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next try follows at once."""
    monkeypatch.setattr(exactly_once, "_PAUSE_SECONDS", 0.0)


def create() -> Any:
    operator = SopsCreateTaskOperator(task_id="create", template_id=9, name="flow", start=True, max_outage_seconds=0)
    return operator.execute(PlainTaskInstance().context)


@pytest.mark.parametrize("data", [pytest.param(name, id=f"task list {name}") for name in ODD_DATA if name != "[]"])
def test_a_list_that_cannot_be_read_creates_nothing(server: HostileServer, data: str) -> None:
    server.behave = by_call({"get_task_list": sops_answer(ODD_DATA[data])})

    with pytest.raises(AirflowException, match="get_task_list"):
        create()

    assert not server.asked("create_task")


@pytest.mark.parametrize("item", ["null", "{}", '{"id":"x"}', '{"id":-1}', '{"id":true}', '{"id":12.5}'])
def test_so_does_a_task_whose_id_cannot_be_read(server: HostileServer, item: str) -> None:
    server.behave = by_call({"get_task_list": answer(b'{"result":true,"data":[' + item.encode() + b"]}")})

    with pytest.raises(AirflowException, match="get_task_list"):
        create()

    assert not server.asked("create_task")


def lists_what_was_created(server: HostileServer, odd_id: str) -> Callable[[Exchange], None]:
    """Return a SOPS that creates tasks, lists them, and says an odd id of each new one."""

    def behave(exchange: Exchange) -> None:
        names = [json.loads(request.body)["name"] for request in server.asked("create_task")]
        tasks = [{"id": number, "name": name, "is_started": False} for number, name in enumerate(names, 7)]
        by_call(
            {
                "get_task_list": sops_answer(tasks[::-1]),
                "create_task": answer(b'{"result":true,"data":{"task_id":' + odd_id.encode() + b"}}"),
                "get_task_detail": sops_answer({"id": 7}),
                "start_task": sops_answer({}),
            }
        )(exchange)

    return behave


@pytest.mark.parametrize("odd_id", ODD_TASK_IDS, ids=lambda text: f"created as {text[:12]}")
def test_a_task_whose_new_id_is_odd_is_found_by_its_name(server: HostileServer, odd_id: str) -> None:
    server.behave = lists_what_was_created(server, odd_id)

    assert create() == 7

    assert len(server.asked("create_task")) == 1
    assert [request.task_ids for request in server.asked("start_task")] == [[7]]


def test_one_that_cannot_be_found_is_never_started(server: HostileServer) -> None:
    odd = answer(b'{"result":true,"data":{"task_id":null}}')
    server.behave = by_call({"get_task_list": sops_answer([]), "create_task": odd})

    with pytest.raises(AirflowException, match="returned no task id"):
        create()

    assert not server.asked("start_task")


@pytest.mark.parametrize("data", [pytest.param(name, id=f"instance list {name}") for name in ODD_DATA])
def test_a_list_of_instances_that_cannot_be_read_triggers_nothing(server: HostileServer, data: str) -> None:
    def behave(exchange: Exchange) -> None:
        if "apim-token-service" in exchange.request.target:
            answer(b'{"status":0,"data":{"accessToken":"t0ken","expire":7200}}')(exchange)
        else:
            answer(json.dumps({"code": 0, "data": ODD_DATA[data]}).encode())(exchange)

    server.behave = behave
    operator = EnosTriggerFlowOperator(
        task_id="trigger", flow_id=7, trigger_time="2026-11-20T10:00:00+00:00", max_outage_seconds=0
    )

    with pytest.raises(AirflowException, match="search_flow_instances"):
        operator.execute(PlainTaskInstance(try_number=2).context)

    assert not any("action=trigger" in request.target for request in server.requests)
