"""The links: the addresses that the task pushed."""

from __future__ import annotations

import contextlib
import json
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from airflow.providers.common.compat.sdk import DAG, TaskInstanceKey
from airflow.serialization import serialized_objects

from airflow_provider_sops.links.sops import SopsClaimLink, SopsTaskLink
from airflow_provider_sops.operators.sops import (
    SopsCreateTaskOperator,
    SopsOperateNodeOperator,
    SopsOperateTaskOperator,
    SopsRunTaskOperator,
    SopsStartTaskOperator,
)
from airflow_provider_sops.sensors.sops import SopsTaskSensor
from airflow_provider_sops.task_instance.xcom import push_task
from airflow_provider_sops.version_compat import AIRFLOW_V_3_0_PLUS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.providers.common.compat.sdk import BaseOperator, BaseOperatorLink


URL = "http://sops/t?instance_id=1"


@dataclass(frozen=True)
class EndingTask:
    """A task instance in the process that ends it, as Airflow 3 shows it to links.

    :param next_method: where it goes on after a deferral; ``None`` in the first process of a try.
    """

    map_index: int = -1
    next_method: str | None = None
    id: uuid.UUID = field(default_factory=uuid.uuid4)

    @property
    def _ti_context_from_server(self) -> Any:
        return self

    def xcom_push(self, key: str, value: Any) -> None:
        pass


@contextlib.contextmanager
def xcoms(stored: dict[str, Any]) -> Iterator[mock.Mock]:
    """Let these be stored; the mock is asked for each value, and Airflow 3 logs an error for each that is missing."""
    base = "airflow.sdk.bases.xcom.BaseXCom" if AIRFLOW_V_3_0_PLUS else "airflow_provider_sops.links.sops.XCom"
    with mock.patch(f"{base}.get_value", autospec=True) as get_value:
        get_value.side_effect = lambda *, ti_key, key: stored.get(key)
        yield get_value


def told(link: BaseOperatorLink, pushed: dict[str, Any], map_index: int = -1) -> str:
    """Return what a link says of a task that has pushed these addresses."""
    if not AIRFLOW_V_3_0_PLUS:
        with xcoms(pushed):
            key = TaskInstanceKey("dag", "task", "run", 1, map_index)
            return link.get_link(mock.sentinel.operator, ti_key=key)
    ti: Any = EndingTask(map_index)
    with xcoms({}) as asked:
        push_task({"ti": ti}, 7, pushed.get("sops_task_url", ""), pushed.get("sops_claim_url", ""))
        address = link.get_link(mock.sentinel.operator, ti_key=ti)
    asked.assert_not_called()
    return address


@pytest.mark.parametrize("map_index", [-1, 0, 3])
@pytest.mark.parametrize(("pushed", "link"), [(URL, URL), ("", ""), ("javascript:alert(1)", ""), ({"x": 1}, "")])
def test_shows_the_address_or_nothing(pushed: Any, link: str, map_index: int) -> None:
    assert told(SopsTaskLink(), {"sops_task_url": pushed}, map_index) == link


airflow_3 = pytest.mark.skipif(not AIRFLOW_V_3_0_PLUS, reason="Airflow 2 logs no error")


@airflow_3
@pytest.mark.parametrize("map_index", [-1, 3])
@pytest.mark.parametrize("link", [SopsTaskLink(), SopsClaimLink()])
def test_asks_for_nothing_in_the_first_process_of_a_task_without_an_address(
    link: BaseOperatorLink, map_index: int
) -> None:
    with xcoms({"sops_task_url": URL}) as asked:
        ti: Any = EndingTask(map_index)
        assert link.get_link(mock.sentinel.operator, ti_key=ti) == ""
    asked.assert_not_called()


@airflow_3
@pytest.mark.parametrize("map_index", [-1, 3])
@pytest.mark.parametrize("link", [SopsTaskLink(), SopsClaimLink()])
def test_a_process_after_a_deferral_keeps_the_address_of_the_one_before(link: BaseOperatorLink, map_index: int) -> None:
    with xcoms({link.xcom_key: URL}):
        ti: Any = EndingTask(map_index, next_method="__fail__")
        assert link.get_link(mock.sentinel.operator, ti_key=ti) == URL


@pytest.mark.parametrize(
    "operator",
    [
        SopsCreateTaskOperator,
        SopsOperateNodeOperator,
        SopsOperateTaskOperator,
        SopsRunTaskOperator,
        SopsStartTaskOperator,
        SopsTaskSensor,
    ],
)
def test_is_on_every_operator_and_sensor(operator: type[BaseOperator]) -> None:
    assert any(isinstance(link, SopsTaskLink) for link in operator.operator_extra_links)


@pytest.mark.parametrize(
    ("pushed", "link"),
    [
        ({"sops_task_url": "http://sops/t", "sops_claim_url": "http://sops/claim"}, "http://sops/claim"),
        ({"sops_task_url": "http://sops/t"}, "http://sops/t"),
        ({}, ""),
    ],
)
def test_a_claim_opens_its_page_or_that_of_the_task(pushed: dict[str, str], link: str) -> None:
    assert told(SopsClaimLink(), pushed) == link


@pytest.mark.parametrize(
    ("flow_type", "links"), [("common", [SopsTaskLink]), ("common_func", [SopsTaskLink, SopsClaimLink])]
)
def test_only_what_must_be_claimed_has_a_link_for_it(flow_type: str, links: list[type[BaseOperatorLink]]) -> None:
    with DAG("d", schedule=None) as dag:
        operator = SopsRunTaskOperator(task_id="run", template_id=1, flow_type=flow_type)
    # The class that writes a DAG has had this name since Airflow 3.2.
    name = "DagSerialization" if hasattr(serialized_objects, "DagSerialization") else "SerializedDAG"
    writer: Any = getattr(serialized_objects, name)
    stored = json.dumps(writer.to_dict(dag))

    assert [type(link) for link in operator.operator_extra_links] == links
    assert all((link.__name__ in stored) == (link in links) for link in (SopsTaskLink, SopsClaimLink))
