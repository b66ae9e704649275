"""Values that a flow gets from the server: computed variables, project constants, facts of the task."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from sops_client import BUSINESS, SopsClient, is_in, running_server
from tree_fixtures import constant, display, tree_of

from local_sops.times import time_format
from local_sops.trees.constants import with_simplified, with_values

if TYPE_CHECKING:
    from pathlib import Path

QUICK, COMPUTED = 18, 35


def outputs(sops: SopsClient, task_id: int) -> dict[str, Any]:
    sops.wait(task_id, is_in("FINISHED"))
    return {one["key"]: one["value"] for one in sops.detail(task_id)["outputs"]}


def value_of(sops: SopsClient, *constants: dict[str, Any]) -> Any:
    """The value of the first constant in a task that runs through."""
    wanted = constants[0]["key"]
    tree = tree_of([display("a", wanted)], "start>a a>end", constants=list(constants), outputs=[wanted])
    return outputs(sops, sops.run(QUICK, pipeline_tree=tree)["task_id"])[wanted]


@pytest.mark.parametrize(
    ("units", "form"),
    [
        (["second", "year", "minute", "month", "hour", "day"], "%Y-%m-%d %H:%M:%S"),
        (["year", "month"], "%Y-%m"),
        (["hour", "minute"], "%H:%M"),
        (["day", "hour"], "%d %H"),
    ],
)
def test_a_time_is_written_by_its_units_in_their_own_order(units: list[str], form: str) -> None:
    assert time_format(units) == form


def test_the_time_is_that_of_the_zone_asked_for(sops: SopsClient) -> None:
    now = constant(
        "now", {"time_unit": ["year", "month", "day", "hour"], "time_zone": "UTC"}, custom_type="current_time"
    )
    before = datetime.now(UTC).strftime("%Y-%m-%d %H")
    value = value_of(sops, now)
    assert value in (before, datetime.now(UTC).strftime("%Y-%m-%d %H"))


def test_the_time_can_have_a_format_of_its_own(sops: SopsClient) -> None:
    stamp = {"time_format": " year %Y ", "time_zone": "UTC"}
    value = value_of(sops, constant("stamp", stamp, custom_type="format_support_current_time"))
    assert value == f"year {datetime.now(UTC).year}"


@pytest.mark.parametrize(("chosen", "text"), [("s", "s"), (["s", "l"], "s,l"), ([1, 2], "1,2"), ([], "")])
def test_several_choices_become_one_text(sops: SopsClient, chosen: Any, text: str) -> None:
    assert value_of(sops, constant("size", chosen, custom_type="select")) == text


def test_a_choice_may_refer_to_another_constant(sops: SopsClient) -> None:
    assert value_of(sops, constant("size", "${n}-x", custom_type="select"), constant("n", "7")) == "7-x"


def test_a_table_gives_its_columns(sops: SopsClient) -> None:
    rows = [{"ip": "10.0.0.1", "port": 22}, {"ip": "10.0.0.2", "port": 80}]
    table = constant("table", rows, custom_type="datatable")
    assert value_of(sops, constant("ips", "${table.flat__ip}"), table) == "10.0.0.1\n10.0.0.2"
    assert value_of(sops, constant("ports", "${table.port}"), table) == "[22, 80]"
    assert value_of(sops, constant("ips", "${table.flat_ip}"), table) == "${table.flat_ip}"


@pytest.mark.parametrize(("custom_type", "value"), [("input", "a"), ("textarea", "a\nb"), ("int", 3)])
def test_plain_variables_are_as_they_were_entered(sops: SopsClient, custom_type: str, value: Any) -> None:
    assert value_of(sops, constant("plain", value, custom_type=custom_type)) == value


def test_an_unknown_custom_type_is_text(sops: SopsClient) -> None:
    assert value_of(sops, constant("ip", "10.0.0.1", custom_type="ip_picker_of_a_cmdb")) == "10.0.0.1"


def test_a_template_computes_from_defaults_and_a_caller_may_choose(sops: SopsClient) -> None:
    created = sops.run(COMPUTED, constants={"${kind}": "s", "${amount}": 4})
    found = outputs(sops, created["task_id"])
    assert (found["${size}"], found["${ips}"], found["${amount}"]) == ("s,l", "10.0.0.1\n10.0.0.2", 4)
    assert found["${kind}"]["text"] == "Small"
    size = created["pipeline_tree"]["constants"]["${size}"]
    assert (size["value"], size["meta"]["value"]["default"]) == (["s", "l"], ["s", "l"])


def test_a_meta_variable_begins_with_its_default() -> None:
    tree = tree_of(
        [],
        "",
        constants=[
            constant("choice", {"default": "a"}, is_meta=True),
            constant("table", {"default_text": "t"}, is_meta=True),
            constant("bound", "${other}", is_meta=True),
        ],
    )
    values = {key: one["value"] for key, one in with_values(tree, {})["constants"].items()}
    assert values == {"${choice}": "a", "${table}": "t", "${bound}": "${other}"}


def test_simplified_constants_are_text_and_only_custom_ones_can_be() -> None:
    out = constant("out", "", source_type="component_outputs")
    tree = tree_of([], "", constants=[constant("a", "x", custom_type="select"), out])
    constants = with_simplified(tree, ["${a}", "${out}", "${unknown}"])["constants"]
    assert (constants["${a}"]["custom_type"], constants["${a}"]["source_tag"]) == ("textarea", "textarea.textarea")
    assert constants["${out}"] == out


def test_project_constants_are_known_in_flows_of_their_project(data_folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "constants.json"
    file.write_text(json.dumps({"1": {"region": "north"}, "2": {"other": "x"}}))
    with running_server(data_folder, "--project-constants", str(file)) as server:
        told = constant("told", "${_env_region}/${_env_other}/${_system.project_id}/${_system.bk_biz_id}")
        assert value_of(server.client, told) == f"north/${{_env_other}}/1/{BUSINESS}"


def test_a_flow_knows_its_task(sops: SopsClient) -> None:
    told = constant("told", "${_system.task_url} ${_system.executor} ${_system.language}")
    url, executor, language = str(value_of(sops, told)).split(" ")
    assert url.startswith(sops.base_url)
    assert (executor, language) == ("tester", "zh-hans")
