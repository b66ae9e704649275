"""Which plugins the package replaces, and when it leaves a node to SOPS."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_sops.dag_generator.converters import ConverterRegistry, shipped_converters
from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from airflow_provider_sops.version_compat import AIRFLOW_V_3_1_PLUS
from tests.dag_generator.converters.nodes import Conversion

HTTP = {"bk_http_request_method": "GET", "bk_http_request_url": "http://api.example.com/"}
INPUTS = {
    "bk_display": {"bk_display_message": "hi"},
    "sleep_timer": {"bk_timing": "30"},
    "bk_http_request": HTTP,
    "pause_node": {"description": "please confirm"},
    "bk_approve": {"bk_approve_title": "Release?"},
}
ALWAYS = [("bk_display", "1.0"), ("bk_display", "legacy"), ("sleep_timer", "legacy")]
PEOPLE = [("pause_node", "legacy"), ("bk_approve", "v1.0")]
BY_HTTP = [("bk_http_request", "legacy"), ("bk_http_request", "v1.0")]


def converted(plugin: str, version: str, *needed: str) -> Any:
    converter = shipped_converters(http_conn_id="api").find(plugin, version)
    assert converter
    given = {"inputs": INPUTS[plugin], "plugin": plugin, "version": version}
    return Conversion(given, needed_outputs=needed).by(converter)


@pytest.mark.parametrize("plugin", [*ALWAYS, *BY_HTTP, *(PEOPLE if AIRFLOW_V_3_1_PLUS else [])])
def test_a_plugin_that_airflow_can_do_is_replaced(plugin: tuple[str, str]) -> None:
    assert converted(*plugin)
    assert converted(*plugin, "_result", "_loop")


@pytest.mark.parametrize("plugin", [*ALWAYS, *BY_HTTP, *(PEOPLE if AIRFLOW_V_3_1_PLUS else [])])
def test_a_node_whose_other_outputs_the_flow_uses_stays_in_sops(plugin: tuple[str, str]) -> None:
    assert converted(*plugin, "sn") is None


@pytest.mark.parametrize("plugin", PEOPLE)
def test_people_answer_in_airflow_where_it_can_ask_them(plugin: tuple[str, str]) -> None:
    assert (shipped_converters().find(*plugin) is not None) is AIRFLOW_V_3_1_PLUS


@pytest.mark.parametrize("plugin", [*BY_HTTP, ("bk_notify", "v1.0"), ("job_execute_task", "legacy")])
def test_what_needs_a_choice_stays_in_sops_without_one(plugin: tuple[str, str]) -> None:
    assert shipped_converters().find(*plugin) is None


def test_everyone_gets_a_registry_of_his_own() -> None:
    shipped_converters().register("my_plugin")(lambda node: None)
    assert shipped_converters().find("my_plugin", "v1.0") is None
    assert isinstance(shipped_converters(), ConverterRegistry)


def test_a_shipped_converter_can_be_replaced() -> None:
    converters = shipped_converters()
    converters.register("bk_display")(lambda node: None)
    found = converters.find("bk_display", "1.0")
    assert found
    assert Conversion().by(found) is None


def test_a_connection_without_the_http_provider_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_sops.dag_generator.converters.shipped.find_spec", lambda name: None)
    with pytest.raises(SopsInvalidParameterError, match=r"not installed.*airflow-provider-sops\[http\]"):
        shipped_converters(http_conn_id="api")
