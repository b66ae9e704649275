"""SopsTaskLink: the address that the task pushed."""

from __future__ import annotations

from typing import TYPE_CHECKING
from unittest import mock

import pytest

from airflow_provider_sops.links.sops import SopsTaskLink
from airflow_provider_sops.operators.sops import (
    SopsCreateTaskOperator,
    SopsOperateNodeOperator,
    SopsOperateTaskOperator,
    SopsRunTaskOperator,
    SopsStartTaskOperator,
)
from airflow_provider_sops.sensors.sops import SopsTaskSensor

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator


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
