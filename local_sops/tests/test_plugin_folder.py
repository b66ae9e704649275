"""Plugins of one's own: read from a folder, listed, and run by nodes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sops_client import BUSINESS, SopsClient, is_in, node_is, running_server
from test_server import run_command
from tree_fixtures import display, tree_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EXAMPLES = Path(__file__).parents[1] / "examples"
QUICK, FAIL_ON_DEMAND, RELEASE = 18, 500, 501
COUNTING = '''
"""Counts its polls.

And stops at three."""
from __future__ import annotations

NAME, VERSION, GROUP, POLL_SECONDS = "Counting", "2.0", "mine", 0.05
INPUTS = {"goal": ("int", "how far")}
OUTPUTS = {"count": ("int", "how far it came"), "seen": ("array", "all numbers")}

def execute(inputs, outputs):
    outputs.update(count=0, seen=[])

def poll(inputs, outputs):
    outputs["count"] += 1
    outputs["seen"].append(outputs["count"])
    if outputs["count"] > 5:
        raise ValueError("too far")
    return outputs["count"] == inputs["goal"]
'''
ASKING = """
def callback(inputs, outputs, data):
    if data.get("refused"):
        raise PermissionError(data["refused"])
    outputs["answer"] = data
"""
ODD = """
def execute(inputs, outputs):
    outputs["kept"] = 1
    outputs["thing"] = object()
"""
SILENT = """
def execute(inputs, outputs):
    raise KeyError
"""


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SopsClient]:
    """A server with the example and the plugins above."""
    folder = tmp_path_factory.mktemp("plugins")
    texts = {"counting": COUNTING, "asking": ASKING, "odd": ODD, "silent": SILENT}
    texts["other"] = f"CODE, VERSION, NAME = 'bk_notify', 'v1.0', 'quiet'\n{ODD}"
    for path in (EXAMPLES / "plugins").glob("*.py"):
        texts[path.stem] = path.read_text()
    for name, text in texts.items():
        (folder / f"{name}.py").write_text(text)
    data = tmp_path_factory.mktemp("sops")
    options = ("--plugins", str(folder), "--templates", str(EXAMPLES / "templates"))
    with running_server(data, *options) as server:
        yield server.client


@pytest.fixture(scope="module")
def read() -> Callable[[Path], Any]:
    """``read_plugins``, with what the engine's classes need."""
    from django.conf import settings

    if not settings.configured:
        settings.configure()
    from local_sops.plugin_folder import read_plugins

    return read_plugins


def run(sops: SopsClient, code: str, version: str = "legacy", **inputs: Any) -> tuple[int, str]:
    node = display("own")
    node["component"] = {"code": code, "version": version, "data": {key: {"value": one} for key, one in inputs.items()}}
    made = sops.run(QUICK, pipeline_tree=tree_of([node], "start>own own>end"))
    (node_id,) = made["pipeline_tree"]["activities"]
    return made["task_id"], node_id


def outputs_of(sops: SopsClient, task_id: int, node_id: str) -> dict[str, Any]:
    data = sops.get(f"get_task_node_data/{BUSINESS}/{task_id}", node_id=node_id)["data"]
    return {one["key"]: one["value"] for one in data["outputs"] if not one["key"].startswith("_")}


def reason(sops: SopsClient, task_id: int) -> str:
    (text,) = sops.status(task_id, with_ex_data=1)["ex_data"].values()
    return str(text)


def test_they_are_listed_with_what_their_files_say(own: SopsClient) -> None:
    detail = own.get(f"get_plugin_detail/{BUSINESS}", code="counting", version="2.0")["data"]
    assert (detail["name"], detail["group_name"], detail["form"]) == ("Counting", "mine", None)
    assert detail["desc"] == "Counts its polls.\n\nAnd stops at three."
    assert [(one["key"], one["type"]) for one in detail["inputs"]] == [("goal", "int")]
    assert detail["inputs"][0]["schema"]["description"] == "how far"
    keys = [one["key"] for one in detail["outputs"]]
    assert keys == ["count", "seen", "_result", "_loop", "_inner_loop"]
    plugins = {one["code"]: one for one in own.get(f"get_plugin_list/{BUSINESS}")["data"]}
    assert plugins["counting"] == detail
    assert (plugins["asking"]["name"], plugins["asking"]["version"]) == ("asking", "legacy")


def test_one_replaces_a_shipped_plugin_of_its_code_and_version(own: SopsClient) -> None:
    described = [
        own.get(f"get_plugin_detail/{BUSINESS}", code="bk_notify", version=version)["data"]["name"]
        for version in ("v1.0", "legacy")
    ]
    assert described == ["quiet", "发送通知"]


def test_one_that_polls_goes_on_until_it_is_done(own: SopsClient) -> None:
    task_id, node_id = run(own, "counting", "2.0", goal=3)
    own.wait(task_id, is_in("FINISHED"))
    assert outputs_of(own, task_id, node_id) == {"count": 3, "seen": [1, 2, 3]}


def test_a_poll_that_raises_fails_the_node_and_keeps_the_outputs(own: SopsClient) -> None:
    task_id, node_id = run(own, "counting", "2.0", goal=9)
    own.wait(task_id, is_in("FAILED"))
    assert reason(own, task_id) == "too far"
    assert outputs_of(own, task_id, node_id)["count"] == 6


@pytest.mark.parametrize(("answer", "state"), [({"x": 1}, "FINISHED"), ({"refused": "no"}, "FAILED")])
def test_one_with_a_callback_waits_for_it(own: SopsClient, answer: dict[str, Any], state: str) -> None:
    task_id, node_id = run(own, "asking")
    own.wait(task_id, node_is("own", "RUNNING"))
    body = {"node_id": node_id, "callback_data": answer}
    while not own.post(f"node_callback/{task_id}/{BUSINESS}", body)["result"]:
        time.sleep(0.02)
    own.wait(task_id, is_in(state))
    if state == "FINISHED":
        assert outputs_of(own, task_id, node_id) == {"answer": {"x": 1}}
    else:
        assert reason(own, task_id) == "no"


def test_outputs_that_are_no_json_fail_the_node(own: SopsClient) -> None:
    task_id, node_id = run(own, "odd")
    own.wait(task_id, is_in("FAILED"))
    assert reason(own, task_id) == "Object of type object is not JSON serializable"
    assert outputs_of(own, task_id, node_id)["kept"] == 1


def test_an_error_without_words_is_named_and_stands_in_the_log(own: SopsClient) -> None:
    task_id, node_id = run(own, "silent")
    own.wait(task_id, is_in("FAILED"))
    assert reason(own, task_id) == "KeyError"
    log = own.get(f"get_task_node_log/{task_id}/{BUSINESS}", node_id=node_id)["data"]
    assert "silent.py" in log
    assert "plugin_folder.py" not in log


def test_the_example_fails_on_demand_and_is_repaired_by_other_inputs(own: SopsClient) -> None:
    created = own.run(FAIL_ON_DEMAND, constants={"${reason}": "the disk is full"})
    task_id = created["task_id"]
    own.wait(task_id, is_in("FAILED"))
    assert reason(own, task_id) == "the disk is full"
    node_id = next(
        key for key, one in created["pipeline_tree"]["activities"].items() if one["name"] == "fail on demand"
    )
    own.operate_node_when_asleep(task_id, node_id, "retry", inputs={"succeed": True})
    own.wait(task_id, is_in("FINISHED"))
    assert [one["value"] for one in own.detail(task_id)["outputs"]] == ["all is well"]


def test_the_example_of_a_release_is_repaired_and_approved(own: SopsClient) -> None:
    created = own.run(RELEASE, constants={"${version}": "1.4.2", "${compile_seconds}": 0, "${test_seconds}": 0})
    task_id = created["task_id"]
    ids = {one["name"]: key for key, one in created["pipeline_tree"]["activities"].items()}
    own.wait(task_id, is_in("FAILED"))
    assert reason(own, task_id) == "the disk is full"
    own.operate_node_when_asleep(task_id, ids["check the disk"], "retry", inputs={"succeed": True})
    own.wait(task_id, node_is("approve", "RUNNING"))
    answer = {"node_id": ids["approve"], "callback_data": {"approve_result": True}}
    while not own.post(f"node_callback/{task_id}/{BUSINESS}", answer)["result"]:
        time.sleep(0.02)
    own.wait(task_id, is_in("FINISHED"))
    outputs = {one["key"]: one["value"] for one in own.detail(task_id)["outputs"]}
    assert outputs == {"${version}": "1.4.2", "${report}": "all is well", "${decision}": "通过"}


def test_the_example_succeeds_on_demand(own: SopsClient) -> None:
    task_id = own.run(FAIL_ON_DEMAND, constants={"${succeed}": "true"})["task_id"]
    assert own.wait(task_id)["state"] == "FINISHED"


def test_code_and_version_come_from_the_files_name_if_it_says_nothing(
    read: Callable[[Path], Any], tmp_path: Path
) -> None:
    (tmp_path / "pause_node.py").write_text(ASKING)
    (plugin,) = read(tmp_path)
    assert (plugin.code, plugin.version, plugin.name, plugin.repeatable) == (
        "pause_node",
        "legacy",
        "pause_node",
        False,
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def execute(:\n", ", line 1, cannot be read: SyntaxError: invalid syntax"),
        ("x = 1\nimport nothing_like_it\n", ", line 2, cannot be read: ModuleNotFoundError: No module named"),
        ("raise SystemExit('enough')", ", line 1, cannot be read: SystemExit: enough"),
        ("raise ValueError('two\\nlines')", "ValueError: two lines"),
        ("", " defines no plugin: it has none of the functions execute, poll and callback"),
        ("execute = 1", "execute is not a function"),
        ("def execute(inputs): ...", "execute does not take (inputs, outputs): too many positional arguments"),
        ("def callback(inputs, outputs): ...", "callback does not take (inputs, outputs, data)"),
        ("def poll(i, o): ...\ndef callback(i, o, d): ...", "it has both poll and callback"),
        ("INPUTS = []\ndef execute(i, o): ...", 'INPUTS must have the form {"key": ("type", "description")}'),
        ("OUTPUTS = {'x': 'int'}\ndef execute(i, o): ...", "OUTPUTS must have the form"),
        (
            "INPUTS = {'x': ('text', '')}\ndef execute(i, o): ...",
            "INPUTS['x'] has the type 'text'; it must be one of string, int",
        ),
        ("VERSION = 1\ndef execute(i, o): ...", "VERSION is 1; it must be a string"),
        ("POLL_SECONDS = 0\ndef poll(i, o): ...", "POLL_SECONDS is 0; it must be a number of seconds above 0"),
    ],
)
def test_a_broken_file_is_one_clear_sentence(
    read: Callable[[Path], Any], tmp_path: Path, text: str, words: str
) -> None:
    path = tmp_path / "broken.py"
    path.write_text(text)
    with pytest.raises(Exception) as error:  # noqa: PT011 - its class cannot be imported before Django is set up
        read(tmp_path)
    assert type(error.value).__name__ == "PluginFileError"
    assert str(error.value).startswith(str(path))
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_two_files_cannot_define_the_same_plugin(read: Callable[[Path], Any], tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.py").write_text(f"CODE = 'same'\n{ODD}")
    with pytest.raises(Exception, match=r"two\.py and .*one\.py define the same plugin, same legacy"):
        read(tmp_path)


def test_a_server_does_not_start_with_a_broken_file_and_says_why(data_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("1/0")
    ended = run_command("--port", "0", "--data", str(data_folder), "--plugins", str(tmp_path))
    words = f"local-sops: {tmp_path}/broken.py, line 1, cannot be read: ZeroDivisionError: division by zero\n"
    assert (ended.returncode, ended.stderr) == (2, words)
