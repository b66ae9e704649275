"""What docs/converters.md shows does what it says."""

from __future__ import annotations

import json
import runpy
from typing import TYPE_CHECKING, Any

import pytest

from tests.dag_generator.converters.nodes import Conversion
from tests.docs.dag_files import write_dag_file
from tests.docs.pages import ROOT, Page
from tests.sops.builders import activity, constant, pipeline_tree

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_sops.dag_generator.converters import ConverterRegistry


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the page's code defines."""
    page = Page(ROOT / "docs/converters.md")
    return runpy.run_path(str(write_dag_file(page, tmp_path_factory.mktemp("dags"))))


def converted(shown: dict[str, Any], plugin: str, version: str, /, *needed: str, **inputs: Any) -> Any:
    converters: ConverterRegistry = shown["converters"]
    converter = converters.find(plugin, version)
    assert converter
    given = {"inputs": inputs, "plugin": plugin, "version": version, "constants": {"${v}": constant("${v}", "1.2")}}
    operator = Conversion(given, needed_outputs=needed).by(converter)
    if operator is not None:
        operator.render_template_fields({})
    return operator


def test_the_first_converter(shown: dict[str, Any]) -> None:
    operator = converted(shown, "deploy_version", "v1.0", version="${v}{{ x }}")
    assert operator.bash_command == 'deploy.sh "$VERSION"'
    assert operator.env == {"VERSION": "1.2{{ x }}"}


def test_a_text_made_in_the_run(shown: dict[str, Any]) -> None:
    assert converted(shown, "tag_release", "v7", version="${v}").op_args == [["tag.sh", "Release 1.2"]]


@pytest.mark.parametrize(("mode", "stays"), [("soft", False), ("hard", True), ("${v}", True)])
def test_a_node_left_to_sops(shown: dict[str, Any], mode: str, stays: bool) -> None:
    assert (converted(shown, "restart_service", "v2.0", mode=mode, service="web") is None) is stays


def test_outputs_of_a_function(shown: dict[str, Any]) -> None:
    operator = converted(shown, "count_hosts", "v1.0", "host_count", hosts="a,b")
    returned = operator.python_callable(**operator.op_kwargs)
    assert shown["converters"].find("count_hosts", "v1.0").outputs_of(returned)["host_count"] == 2


def test_declared_outputs(shown: dict[str, Any]) -> None:
    assert converted(shown, "current_version", "v1.0", "version")
    assert shown["converters"].find("current_version", "v1.0").outputs_of("1.2\n")["version"] == "1.2"


def test_a_mail(shown: dict[str, Any]) -> None:
    operator = converted(shown, "bk_notify", "v1.0", bk_notify_title="${v}", bk_notify_content="<b>")
    assert (operator.message["subject"], operator.message["html_content"]) == ("1.2", "<b>")


def test_the_list_of_plugins(shown: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    component = {"code": "my_plugin", "data": {"b": {"value": 1}, "a": {"value": 2}}}
    nodes = {"x": activity("Do it", component=component)}
    path = tmp_path / "rollout.json"
    path.write_text(json.dumps(pipeline_tree("start > x > end", nodes=nodes)))
    shown["list_plugins"](path)
    assert capsys.readouterr().out == "Do it: my_plugin, version legacy, inputs ['a', 'b']\n"
