"""The links: the addresses that the task pushed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from airflow.providers.common.compat.sdk import DAG
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

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, BaseOperatorLink


@pytest.mark.parametrize(
    ("pushed", "link"), [("http://sops/t?instance_id=1", "http://sops/t?instance_id=1"), (None, ""), ({"x": 1}, "")]
)
def test_shows_the_address_or_nothing(pushed: object, link: str) -> None:
    ti_key = mock.sentinel.ti_key
    with mock.patch("airflow_provider_sops.links.sops.XCom.get_value", autospec=True, return_value=pushed) as read:
        assert SopsTaskLink().get_link(mock.sentinel.operator, ti_key=ti_key) == link
    read.assert_called_once_with(ti_key=ti_key, key="sops_task_url")


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
    with mock.patch("airflow_provider_sops.links.sops.XCom.get_value", autospec=True) as read:
        read.side_effect = lambda *, ti_key, key: pushed.get(key)
        assert SopsClaimLink().get_link(mock.sentinel.operator, ti_key=mock.sentinel.ti_key) == link


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
