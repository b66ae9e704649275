"""Which files ``airflow-sops snapshot`` writes, against servers and exports that make it hard."""

from __future__ import annotations

import base64
import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from werkzeug import Response

from airflow_provider_sops.dag_generator.snapshot_files import load_snapshot
from tests.pipeline_trees.blocks import Sub, Task
from tests.pipeline_trees.web_tree import web_tree

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_httpserver import HTTPServer
    from werkzeug import Request

    from tests.cli.conftest import AirflowSops

T = Task()


def folded(*called: str) -> Any:
    tree = web_tree((T, *(Sub((T,)) for _ in called)))
    subprocesses = [each for each in tree["activities"].values() if each["type"] == "SubProcess"]
    for activity, template_id in zip(subprocesses, called, strict=True):
        del activity["pipeline"]
        activity["template_id"] = template_id
    return tree


class OldSops:
    """A SOPS that never unfolds. Templates by whether they are common and by id: name and tree."""

    def __init__(self, server: HTTPServer) -> None:
        self.templates: dict[tuple[bool, str], tuple[str, Any]] = {}
        self.reads: Counter[tuple[bool, str]] = Counter()
        server.expect_request(re.compile(".*")).respond_with_handler(self._answer)

    def _answer(self, request: Request) -> Response:
        common, parts = "common" in request.full_path, request.path.split("/")
        if any(part.endswith("_list") for part in parts):
            data: Any = [
                {"id": int(key), "name": name}
                for (is_common, key), (name, _) in self.templates.items()
                if is_common is common
            ]
        else:
            key = next(part for part in parts[3:] if part.isdigit())
            self.reads[common, key] += 1
            name, tree = self.templates[common, key]
            if tree is None:
                return _json({"result": False, "code": 3599999, "message": "format_template_data failed: 'index'"})
            data = {"id": int(key), "name": name, "pipeline_tree": tree}
        return _json({"result": True, "code": 0, "data": data})


def _json(answer: Any) -> Response:
    return Response(json.dumps(answer), content_type="application/json")


@pytest.fixture
def old_sops(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> OldSops:
    monkeypatch.setenv(
        "AIRFLOW_CONN_SOPS_DEFAULT",
        json.dumps(
            {
                "conn_type": "sops",
                "host": f"http://127.0.0.1:{urlsplit(httpserver.url_for('/')).port}",
                "login": "airflow",
                "password": "secret",
                "extra": {"bk_username": "admin", "bk_biz_id": 2},
            }
        ),
    )
    return OldSops(httpserver)


def files(folder: Path) -> dict[str, tuple[str, int | None]]:
    found = {path.name: load_snapshot(path) for path in folder.glob("*.json")}
    return {name: (each.template_source, each.template_id) for name, each in found.items()}


def test_a_common_template_with_the_id_and_name_of_a_business_template_gets_a_file_of_its_own(
    airflow_sops: AirflowSops, old_sops: OldSops
) -> None:
    old_sops.templates = {(False, "1"): ("deploy", folded()), (True, "1"): ("deploy", folded())}
    commands = (["--all", "."], ["--all", ".", "--common"])

    first = [airflow_sops("snapshot", *arguments) for arguments in commands]
    again = [airflow_sops("snapshot", *arguments) for arguments in (*commands, ["1"], ["1", "--common"])]

    assert [done.code for done in (*first, *again)] == [0] * 6
    assert all("up to date" in done.out for done in again)
    assert files(airflow_sops.folder) == {"deploy_1.json": ("business", 1), "deploy_1_common.json": ("common", 1)}


def test_another_business_and_what_is_no_snapshot_are_left_alone(airflow_sops: AirflowSops, old_sops: OldSops) -> None:
    old_sops.templates = {(False, "1"): ("deploy", folded()), (False, "2"): ("notes", folded())}
    (airflow_sops.folder / "notes_2.json").write_text("{}")
    (airflow_sops.folder / "notes_2_cmdb_biz_2.json").mkdir()

    one = airflow_sops("snapshot", "1")
    done = airflow_sops("snapshot", "--all", ".", "--bk-biz-id", "3")
    failed = airflow_sops("snapshot", "--all", ".")

    assert (one.code, done.code) == (0, 0)
    assert load_snapshot(airflow_sops.folder / "deploy_1.json").bk_biz_id == "2"
    assert load_snapshot(airflow_sops.folder / "deploy_1_cmdb_biz_3.json").bk_biz_id == "3"
    assert (airflow_sops.folder / "notes_2.json").read_text() == "{}"
    assert failed.code == 2
    assert 'template 2 "notes": notes_2.json and notes_2_cmdb_biz_2.json are not files of this template' in failed.err


def test_output_never_replaces_the_snapshot_of_another_template(airflow_sops: AirflowSops, old_sops: OldSops) -> None:
    old_sops.templates = {(False, "1"): ("deploy", folded()), (False, "2"): ("restart", folded())}
    first = airflow_sops("snapshot", "1", "--output", "flow.json")

    other = airflow_sops("snapshot", "2", "--output", "flow.json")

    assert (first.code, other.code) == (0, 2)
    assert "flow.json is the snapshot of another template: business template 1 of business '2'" in other.err
    assert files(airflow_sops.folder) == {"flow.json": ("business", 1)}


def test_a_name_longer_than_the_file_system_takes_is_cut_with_a_digest(
    airflow_sops: AirflowSops, old_sops: OldSops
) -> None:
    old_sops.templates = {(False, "1"): ("a" * 5000, folded()), (False, "2"): ("a" * 5001, folded())}

    done = airflow_sops("snapshot", "--all", ".")
    again = airflow_sops("snapshot", "--all", ".")

    assert (done.code, again.code) == (0, 0)
    assert again.out.count("up to date") == 2
    names = sorted(files(airflow_sops.folder))
    assert [len(name.encode()) < 250 for name in names] == [True, True]
    assert len({name.rpartition("_")[0] for name in names}) == 2


def test_the_longest_name_that_a_file_system_takes_can_be_written(airflow_sops: AirflowSops, old_sops: OldSops) -> None:
    old_sops.templates = {(False, "1"): ("deploy", folded())}

    assert airflow_sops("snapshot", "1", "--output", f"{'a' * 250}.json").code == 0


def test_every_called_template_is_read_once_for_a_whole_folder(airflow_sops: AirflowSops, old_sops: OldSops) -> None:
    calls = {str(number): folded(str(number + 1), str(number + 1)) for number in range(1, 8)}
    old_sops.templates = {(False, key): (f"t{key}", tree) for key, tree in {**calls, "8": folded()}.items()}

    done = airflow_sops("snapshot", "--all", ".")

    assert done.code == 0
    # Once as a template of the project, once as a called one.
    assert max(old_sops.reads.values()) == 2
    assert len(load_snapshot(airflow_sops.folder / "t1_1.json").tree.levels) == 2**8 - 1


def test_bad_templates_are_listed_at_the_end_and_the_others_are_written(
    airflow_sops: AirflowSops, old_sops: OldSops
) -> None:
    old_sops.templates = {
        (False, "1"): ("refused", None),
        (False, "2"): ("endless", folded("2")),
        (False, "3"): ("empty", {}),
        (False, "4"): (
            "odd",
            {"activities": {"a": None, "b": {"type": "SubProcess", "template_id": {}}}, "flows": [1]},
        ),
        (False, "5"): ("deploy", folded()),
    }

    done = airflow_sops("snapshot", "--all", ".")

    assert done.code == 2
    assert "deploy_5.json" in files(airflow_sops.folder)
    assert "airflow-sops snapshot: 4 of 5 templates were not written:\n  template 1 " in done.err
    assert "\n  template 2 \"endless\": template '2' contains itself" in done.err
    assert '\n  template 3 "empty": template 3 has no pipeline_tree' in done.err


def export(*names: str) -> bytes:
    """A .dat file in which each template calls the next."""
    keys = [f"n{number}" for number, _ in enumerate(names, 1)]
    flows = {
        key: {"name": name, "tree": folded(*keys[number : number + 1])}
        for number, (key, name) in enumerate(zip(keys, names, strict=True), 1)
    }
    facts = {
        str(number): {"id": number, "pipeline_template_id": key, "project_id": 3} for number, key in enumerate(keys, 1)
    }
    data = {"template": facts, "pipeline_template_data": {"template": flows}, "template_source": "project"}
    return base64.b64encode(json.dumps({"template_data": data, "digest": ""}).encode())


YAML = """
meta: {name: same, id: template%d}
spec:
  nodes:
  - {id: n1, type: EmptyStartEvent}
  - {id: n2, type: ServiceActivity, name: say, component: {code: bk_display, data: {}}}
  - {id: n3, type: EmptyEndEvent}
"""


def test_all_templates_of_an_export_are_written_without_a_server(airflow_sops: AirflowSops) -> None:
    (airflow_sops.folder / "flows.dat").write_bytes(export("deploy", "restart"))

    done = airflow_sops("snapshot", "--from-export", "flows.dat")
    again = airflow_sops("snapshot", "--from-export", "flows.dat", "--all", ".", "--name", "DEPLOY")

    assert (done.code, done.err, again.code) == (0, "", 0)
    assert done.out == 'deploy_1.json: template 1 "deploy" written\nrestart_2.json: template 2 "restart" written\n'
    assert again.out == 'deploy_1.json: template 1 "deploy" up to date\n'
    assert len(load_snapshot(airflow_sops.folder / "deploy_1.json").tree.levels) == 2


def test_one_template_of_an_export_goes_where_it_is_wanted(airflow_sops: AirflowSops) -> None:
    (airflow_sops.folder / "flows.dat").write_bytes(export("deploy", "restart"))

    one = airflow_sops("snapshot", "2", "--from-export", "flows.dat", "--output", "out/r.json")
    several = airflow_sops("snapshot", "--from-export", "flows.dat", "--output", "r.json")
    missing = airflow_sops("snapshot", "9", "--from-export", "flows.dat")

    assert (one.code, one.out) == (0, 'out/r.json: template 2 "restart" written\n')
    assert (several.code, "flows.dat has 2" in several.err) == (2, True)
    assert (missing.code, 'It has: 1 "deploy", 2 "restart"' in missing.err) == (2, True)


def test_templates_of_one_name_without_ids_get_a_file_each(airflow_sops: AirflowSops) -> None:
    (airflow_sops.folder / "flows.yaml").write_text("---".join(YAML % number for number in (1, 2)))

    done = [airflow_sops("snapshot", "--from-export", "flows.yaml") for _ in range(2)]

    assert [each.code for each in done] == [0, 0]
    assert done[1].out == 'same.json: template "same" up to date\nsame_2.json: template "same" up to date\n'


def test_a_snapshot_without_an_id_cannot_be_checked_and_is_named(airflow_sops: AirflowSops) -> None:
    (airflow_sops.folder / "flows.yaml").write_text(YAML % 1)
    airflow_sops("snapshot", "--from-export", "flows.yaml")

    done = airflow_sops("check", "same.json")

    assert (done.code, done.err.startswith("airflow-sops check: same.json has no template id")) == (2, True)


def test_an_export_is_shown(airflow_sops: AirflowSops) -> None:
    (airflow_sops.folder / "flows.dat").write_bytes(export("deploy", "restart"))

    every = airflow_sops("show", "--from-export", "flows.dat")
    one = airflow_sops("show", "--from-export", "flows.dat", "--template", "2")
    picture = airflow_sops("show", "--from-export", "flows.dat", "--svg", "all.svg")
    drawn = airflow_sops("show", "--from-export", "flows.dat", "--template", "n2", "--svg", "one.svg")

    assert (every.code, one.code, picture.code, drawn.code) == (0, 0, 2, 0)
    assert every.out.startswith('"deploy", template 1 (business), saved at an unknown time')
    assert every.out.endswith(one.out)
    assert "flows.dat has 2 templates" in picture.err


@pytest.mark.parametrize("command", ["show", "snapshot"])
def test_a_name_that_would_command_the_terminal_is_only_told(airflow_sops: AirflowSops, command: str) -> None:
    (airflow_sops.folder / "flows.dat").write_bytes(export("\x1b[31mred\x07", "\x1b]0;title\x07"))

    missing = ["--template", "9"] if command == "show" else ["9"]
    done = [airflow_sops(command, *arguments, "--from-export", "flows.dat") for arguments in ([], missing)]

    assert not [each for each in done if {"\x1b", "\x07"} & set(each.out + each.err)]


@pytest.mark.parametrize("command", ["show", "snapshot"])
@pytest.mark.parametrize("content", [b"", b"\x00\xff", b"a: ["])
def test_what_is_no_export_is_named(airflow_sops: AirflowSops, command: str, content: bytes) -> None:
    (airflow_sops.folder / "odd.dat").write_bytes(content)

    done = airflow_sops(command, "--from-export", "odd.dat")

    assert (done.code, done.err.startswith(f"airflow-sops {command}: odd.dat: the file is ")) == (2, True)
