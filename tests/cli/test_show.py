from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import pytest

from tests.pipeline_trees.blocks import Exclusive, Loop, Sub, Task
from tests.pipeline_trees.web_tree import web_tree
from tests.sops.builders import constant, password

if TYPE_CHECKING:
    from demo.local_sops import LocalSops
    from tests.cli.conftest import AirflowSops

T = Task()


def written(airflow_sops: AirflowSops, tree: Any) -> str:
    (airflow_sops.folder / "tree.json").write_text(json.dumps(tree))
    return "tree.json"


def test_a_tree_is_shown_line_by_line(airflow_sops: AirflowSops) -> None:
    tree = web_tree((T, Exclusive(((T,), ()), has_default=True), Sub((Task(optional=False, fails=True, retries=2),))))

    lines = airflow_sops("show", written(airflow_sops, tree)).out.splitlines()

    assert lines[0].startswith("nodes: 10 (activities: 4), levels: 2, loops: 0, sha256-2:")
    assert lines[2:] == [
        'EmptyStartEvent  (start) -> "a1"',
        '"a1"  (a1: bk_display, optional) -> ExclusiveGateway g3',
        "ExclusiveGateway  (g3)",
        '  if 1 == 1 -> "a5"',
        '  otherwise "default" -> ConvergeGateway g7',
        '"a5"  (a5: bk_display, optional) -> ConvergeGateway g7',
        'ConvergeGateway  (g7) -> "s10"',
        '"s10"  (s10: subprocess of template 1, optional) -> EmptyEndEvent end',
        '    EmptyStartEvent  (start) -> "a1"',
        '    "a1"  (a1: sleep_timer, 2 automatic retries) -> EmptyEndEvent end',
        "    EmptyEndEvent  (end)",
        "EmptyEndEvent  (end)",
    ]


def test_loops_variables_and_their_use_are_shown_and_passwords_are_not(airflow_sops: AirflowSops) -> None:
    tree = web_tree((Loop((T,)),))
    tree["constants"] |= {"${who}": constant("${who}", "bob", index=1), "${pw}": password("${pw}", "hunter2")}

    done = airflow_sops("show", written(airflow_sops, tree))

    assert 'if ${rounds_a1} < 2 -> "a1" (back)' in done.out
    assert (
        '${rounds_a1}  "${rounds_a1}", hidden, is _loop of "a1", used by ExclusiveGateway, output of the task'
        in done.out
    )
    assert '${who}  "${who}" = "bob", asked for when a task is created' in done.out
    assert '${pw}  "${pw}" (password), ' in done.out
    assert "hunter2" not in done.out


def test_what_is_wrong_with_a_tree_is_shown_below(airflow_sops: AirflowSops) -> None:
    tree = web_tree((T,))
    tree["activities"]["a1"]["name"] = ""

    done = airflow_sops("show", written(airflow_sops, tree))

    assert done.code == 0
    assert "SOPS would refuse this tree:\n  ServiceActivity (a1) has a name of 0 characters" in done.out


def test_a_name_that_would_command_the_terminal_is_only_shown(airflow_sops: AirflowSops) -> None:
    tree = web_tree((T,))
    tree["activities"]["a1"].update(name="\x1b[31m\x07\nred", stage_name="\x1b[0m")
    tree["constants"] = {"${\x1b}": constant("${\x1b}", "\x1b]0;title\x07")}

    done = airflow_sops("show", written(airflow_sops, tree))

    assert "\x1b" not in done.out
    assert "\x07" not in done.out


def test_a_picture_is_drawn_of_the_whole_or_of_one_subprocess(airflow_sops: AirflowSops) -> None:
    path = written(airflow_sops, web_tree((T, Sub((T, Sub((T,)))))))

    whole = airflow_sops("show", path, "--svg", "whole.svg")
    inner = airflow_sops("show", path, "--svg", "inner.svg", "--subprocess", "s3/s3")

    assert (whole.code, whole.out, inner.code) == (0, "whole.svg: written\n", 0)
    titles = [ElementTree.parse(airflow_sops.folder / name).getroot()[0].text for name in ("whole.svg", "inner.svg")]
    assert titles == ["tree", "tree > s3 > s3"]


def test_a_subprocess_is_shown_alone(airflow_sops: AirflowSops) -> None:
    done = airflow_sops("show", written(airflow_sops, web_tree((T, Sub((T,))))), "--subprocess", "s3")

    assert done.out.splitlines()[2] == 'EmptyStartEvent  (start) -> "a1"'
    assert "s3" not in done.out


def test_a_subprocess_that_is_not_there_is_named_with_those_that_are(airflow_sops: AirflowSops) -> None:
    done = airflow_sops("show", written(airflow_sops, web_tree((T, Sub((T,))))), "--subprocess", "x")

    assert done.code == 2
    assert "there is no subprocess 'x'" in done.err
    assert "Known subprocesses: s3." in done.err


@pytest.mark.integration
def test_a_template_on_the_server_is_shown_with_its_name(
    airflow_sops: AirflowSops, sops_default: LocalSops, templates: dict[str, int]
) -> None:
    done = airflow_sops("show", "--template", str(templates["loop"]))

    assert done.code == 0
    assert done.out.startswith(f'"loop", template {templates["loop"]} (business of "')
