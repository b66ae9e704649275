"""The links: the addresses that the task pushed."""

from __future__ import annotations

import contextlib
import json
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
from airflow_provider_sops.version_compat import AIRFLOW_V_3_0_PLUS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.providers.common.compat.sdk import BaseOperator, BaseOperatorLink


@contextlib.contextmanager
def xcoms(pushed: dict[str, Any]) -> Iterator[mock.Mock]:
    """Let a task have pushed these; the mock is of the way that logs an error where there is none."""

    def get_all(*, key: str, **_where: Any) -> list[Any]:
        return [pushed[key]] if pushed.get(key) is not None else []

    with mock.patch("airflow_provider_sops.links.sops.XCom") as xcom:
        xcom.get_all.side_effect = get_all
        xcom.get_value.side_effect = lambda *, ti_key, key: pushed.get(key)
        yield xcom.get_value


def key_of(map_index: int = -1) -> TaskInstanceKey:
    return TaskInstanceKey("dag", "task", "run", 1, map_index)


@pytest.mark.parametrize("map_index", [-1, 0, 3])
@pytest.mark.parametrize(
    ("pushed", "link"), [("http://sops/t?instance_id=1", "http://sops/t?instance_id=1"), (None, ""), ({"x": 1}, "")]
)
def test_shows_the_address_or_nothing(pushed: object, link: str, map_index: int) -> None:
    with xcoms({"sops_task_url": pushed}):
        assert SopsTaskLink().get_link(mock.sentinel.operator, ti_key=key_of(map_index)) == link


@pytest.mark.skipif(not AIRFLOW_V_3_0_PLUS, reason="Airflow 2 logs no error")
def test_no_error_is_logged_for_a_task_without_an_address() -> None:
    with xcoms({}) as logging_one:
        SopsClaimLink().get_link(mock.sentinel.operator, ti_key=key_of())
    logging_one.assert_not_called()


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
    with xcoms(pushed):
        assert SopsClaimLink().get_link(mock.sentinel.operator, ti_key=key_of()) == link


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
