"""Operators in place of nodes, as Airflow stores and runs them."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import DAG, BaseNotifier
from airflow.providers.standard.operators.bash import BashOperator
from airflow.serialization import serialized_objects

from airflow_provider_sops.dag_generator.converters import bk_notify_converter, shipped_converters
from airflow_provider_sops.sops.pipeline_tree.rendering import KnownValues
from airflow_provider_sops.version_compat import AIRFLOW_V_3_1_PLUS
from tests.dag_generator.converters.nodes import TASK_ARGS, Conversion, new_dag
from tests.dag_run import run_dag
from tests.sops.builders import constant

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_httpserver import HTTPServer

CONSTANTS = {
    "${who}": constant("${who}", "hunter2"),
    "${answer}": constant("${answer}", source_type="component_outputs"),
}
KNOWN = KnownValues(given={"${who}": "{{ world }}"}, data={"${answer}": ["${who}", 1]})
SENT: list[Any] = []


class RememberingNotifier(BaseNotifier):
    template_fields: Sequence[str] = ("text",)

    def __init__(self, text: Any) -> None:
        super().__init__()
        self.text = text

    def notify(self, context: Any) -> None:
        SENT.append(self.text)


def converted_dag(dag_id: str, inputs: Mapping[tuple[str, str], Mapping[str, Any]]) -> DAG:
    """A DAG with one task for each plugin, called as that is."""
    converters = shipped_converters(http_conn_id="api")
    notifier = bk_notify_converter(lambda node: RememberingNotifier(node.inputs["bk_notify_content"]))
    converters.add("bk_notify", "*", notifier)

    @converters.register("shell")
    def shell(node: Any) -> BashOperator:
        text = node.inputs["text"]
        return BashOperator(**node.task_args, bash_command=node.inputs["command"], env={"TEXT": text}, append_env=True)

    dag = new_dag(dag_id)
    for (plugin, version), given in inputs.items():
        node = {"inputs": given, "plugin": plugin, "version": version, "constants": CONSTANTS}
        found = converters.find(plugin, version)
        assert found
        task_args = {**TASK_ARGS, "task_id": plugin, "trigger_rule": "all_success", "retry_delay": timedelta(0)}
        assert Conversion(node, KNOWN, task_args=task_args, dag=dag).by(found)
    return dag


def stored(dag: DAG) -> str:
    # The class that writes a DAG has had this name since Airflow 3.2.
    name = "DagSerialization" if hasattr(serialized_objects, "DagSerialization") else "SerializedDAG"
    serialization: Any = getattr(serialized_objects, name)
    text = json.dumps(serialization.to_dict(dag), sort_keys=True)
    serialization.from_dict(json.loads(text))
    return text


def test_what_airflow_stores_is_always_the_same_and_holds_no_value() -> None:
    inputs: dict[tuple[str, str], dict[str, Any]] = {
        ("bk_display", "1.0"): {"bk_display_message": "${who} hunter2"},
        ("sleep_timer", "legacy"): {"bk_timing": "30"},
        ("bk_http_request", "v1.0"): {
            "bk_http_request_method": "GET",
            "bk_http_request_url": "http://hunter2/",
            "bk_http_request_header": [{"name": "X-Key", "value": "hunter2"}],
        },
        ("bk_notify", "v1.0"): {"bk_notify_content": "hunter2"},
        ("shell", "v1.0"): {"command": "hunter2", "text": "${who}"},
    }
    if AIRFLOW_V_3_1_PLUS:
        inputs[("pause_node", "legacy")] = {"description": "hunter2"}
        inputs[("bk_approve", "v1.0")] = {"bk_approve_title": "hunter2", "bk_verifier": "${who}"}
    found = stored(converted_dag("stored", inputs))
    assert found == stored(converted_dag("stored", inputs))
    assert "hunter2" not in found
    assert " at 0x" not in found


@pytest.mark.integration
@pytest.mark.usefixtures("airflow_db")
def test_the_operators_run_with_what_the_nodes_were_given(
    httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_API", f"http://{httpserver.host}:{httpserver.port}")
    monkeypatch.setenv("NO_PROXY", "*")
    httpserver.expect_request("/stub", method="POST", json={"to": "{{ world }}"}).respond_with_json({"ok": True})
    SENT.clear()
    inputs: dict[tuple[str, str], dict[str, Any]] = {
        ("bk_display", "1.0"): {"bk_display_message": "hello ${who}"},
        ("sleep_timer", "legacy"): {"bk_timing": "1"},
        ("bk_http_request", "legacy"): {
            "bk_http_request_method": "post",
            "bk_http_request_url": httpserver.url_for("/stub"),
            "bk_http_request_body": '{"to": "${who}"}',
        },
        ("bk_notify", "legacy"): {"bk_notify_content": "${answer}"},
        ("shell", "v1.0"): {"command": 'echo "$TEXT" {{ }} %', "text": "said ${answer}"},
    }
    run = run_dag(converted_dag("converted_run", inputs))
    assert run.state == "success"
    assert run.xcom("bk_display") == run.xcom("sleep_timer") == run.xcom("bk_notify") == {}
    assert run.xcom("bk_http_request") == {"data": {"ok": True}, "status_code": 200}
    assert run.xcom("shell") == "said ['${who}', 1] {{ }} %"
    assert SENT == [["${who}", 1]]
