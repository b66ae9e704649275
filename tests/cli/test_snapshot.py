from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING
from unittest.mock import create_autospec

import pytest

from airflow_provider_sops.dag_generator import load_pipeline_tree
from airflow_provider_sops.dag_generator.snapshot_files import load_snapshot
from airflow_provider_sops.hooks.sops import SopsHook
from airflow_provider_sops.sops.errors import SopsAuthError, SopsConnectionError
from tests.aged_sops import run_local_sops

if TYPE_CHECKING:
    from pathlib import Path

    from demo.local_sops import LocalSops
    from tests.cli.conftest import AirflowSops

pytestmark = pytest.mark.integration


def test_a_template_becomes_a_file_with_everything_inside_its_subprocesses(
    airflow_sops: AirflowSops, sops_default: LocalSops, templates: dict[str, int]
) -> None:
    done = airflow_sops("snapshot", str(templates["nested"]), "--output", "flows/nested.json")
    snapshot = load_snapshot("flows/nested.json")

    assert (done.code, done.err) == (0, "")
    assert done.out == f'flows/nested.json: template {templates["nested"]} "nested" written\n'
    assert (snapshot.template_id, snapshot.template_name, snapshot.bk_biz_id) == (templates["nested"], "nested", "2")
    assert len(snapshot.tree.levels) > 2
    assert snapshot.tree.findings == ()


def test_a_file_is_named_after_the_template_and_left_alone_if_nothing_changed(
    airflow_sops: AirflowSops, sops_default: LocalSops, templates: dict[str, int]
) -> None:
    name = f"linear_{templates['linear']}.json"

    assert "written" in airflow_sops("snapshot", str(templates["linear"])).out
    assert "up to date" in airflow_sops("snapshot", str(templates["linear"])).out
    assert (airflow_sops.folder / name).exists()


def test_all_templates_of_a_project_go_into_a_folder(
    airflow_sops: AirflowSops, sops_default: LocalSops, templates: dict[str, int]
) -> None:
    done = airflow_sops("snapshot", "--all", "flows")
    files = list((airflow_sops.folder / "flows").iterdir())

    assert (done.code, done.err) == (0, "")
    assert {load_snapshot(path).template_id for path in files} == set(templates.values())


def test_a_template_keeps_its_file_whatever_that_is_called(
    airflow_sops: AirflowSops, sops_default: LocalSops, templates: dict[str, int]
) -> None:
    airflow_sops("snapshot", str(templates["loop"]), "--output", "flows/mine.json")
    (airflow_sops.folder / "flows/other.json").write_text('{"no": "snapshot"}')

    done = airflow_sops("snapshot", "--all", "flows", "--name", "LOOP")

    assert done.code == 0
    assert sorted(path.name for path in (airflow_sops.folder / "flows").iterdir()) == ["mine.json", "other.json"]


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        (["--category", "default", "--name", "quick"], {"quick"}),
        (["--category", "OpsTools", "--name", "quick"], set()),
    ],
)
def test_filters_leave_out_what_does_not_fit(
    airflow_sops: AirflowSops, sops_default: LocalSops, filters: list[str], names: set[str]
) -> None:
    assert airflow_sops("snapshot", "--all", "flows", *filters).code == 0

    assert {load_snapshot(path).template_name for path in (airflow_sops.folder / "flows").glob("*")} == names


def test_common_templates_are_read_from_where_they_are(airflow_sops: AirflowSops, sops_default: LocalSops) -> None:
    done = airflow_sops("snapshot", "--all", "common", "--common")

    assert done.code == 0
    assert {load_snapshot(path).template_source for path in (airflow_sops.folder / "common").iterdir()} == {"common"}


def test_a_snapshot_links_to_the_page_that_sops_has_for_its_tasks(
    airflow_sops: AirflowSops, sops_default: LocalSops, templates: dict[str, int]
) -> None:
    with SopsHook() as hook:
        page = hook.create_task(templates["linear"], "any").task_url
    root, project = page[: page.index("taskflow/")], page.split("/")[-2]

    airflow_sops("snapshot", str(templates["linear"]), "--output", "linear.json")
    airflow_sops("snapshot", "--all", "common", "--common")

    url = f"{root}template/view/{project}/?template_id={templates['linear']}"
    assert load_snapshot("linear.json").template_url == url
    common = [load_snapshot(path) for path in (airflow_sops.folder / "common").iterdir()]
    assert {each.template_url for each in common} == {
        f"{root}template/common/view/{project}/?template_id={each.template_id}" for each in common
    }
    assert "up to date" in airflow_sops("snapshot", str(templates["linear"]), "--output", "linear.json").out
    assert airflow_sops("check", "linear.json").code == 0


@pytest.mark.parametrize("age", ["2020", "3.25"])
def test_without_a_task_or_before_3_25_there_is_no_link(
    airflow_sops: AirflowSops, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, age: str
) -> None:
    with run_local_sops(tmp_path / "sops", "--server", age) as sops:
        monkeypatch.setenv("AIRFLOW_CONN_SOPS_DEFAULT", sops.connection_json())
        with SopsHook() as hook:
            number = hook.get_template_list()[0].id or 0
            assert airflow_sops("snapshot", str(number), "--output", "one.json").code == 0
            assert load_snapshot("one.json").template_url == ""
            hook.create_task(number, "any")
        assert airflow_sops("snapshot", str(number), "--output", "one.json").code == 0

    assert bool(load_snapshot("one.json").template_url) == (age == "3.25")


def test_a_page_that_cannot_be_read_costs_the_link_alone(
    airflow_sops: AirflowSops, sops_default: LocalSops, templates: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = create_autospec(SopsHook.get_task_list, side_effect=SopsAuthError("get_task_list: not allowed"))
    monkeypatch.setattr(SopsHook, "get_task_list", refused)

    assert airflow_sops("snapshot", str(templates["linear"]), "--output", "linear.json").code == 0
    assert load_snapshot("linear.json").template_url == ""

    refused.side_effect = SopsConnectionError("get_task_list: no answer")
    assert airflow_sops("snapshot", str(templates["linear"]), "--output", "other.json").code == 2
    assert not (airflow_sops.folder / "other.json").exists()


def test_passwords_are_not_written(
    airflow_sops: AirflowSops, sops_default: LocalSops, templates: dict[str, int]
) -> None:
    airflow_sops("snapshot", str(templates["password"]), "--output", "password.json")
    constants = load_pipeline_tree("password.json").to_dict()["constants"]

    assert [each["value"] for each in constants.values() if each.get("value_emptied")] == [""]


def test_a_template_that_is_not_there_ends_with_2_and_no_file(
    airflow_sops: AirflowSops, sops_default: LocalSops
) -> None:
    done = airflow_sops("snapshot", "999999")

    assert done.code == 2
    assert done.err.startswith("airflow-sops snapshot: get_template_info (")
    assert list(airflow_sops.folder.iterdir()) == []


def test_the_business_of_the_command_line_counts(airflow_sops: AirflowSops, sops_default: LocalSops) -> None:
    done = airflow_sops("snapshot", "1", "--bk-biz-id", "4711")

    assert done.code == 2
    assert "4711" in done.err


def test_no_secret_is_written_anywhere(
    airflow_sops: AirflowSops, sops_default: LocalSops, templates: dict[str, int]
) -> None:
    done = airflow_sops("snapshot", str(templates["linear"]), "--output", "linear.json")
    failed = airflow_sops("snapshot", "999999")

    texts = (done.out, done.err, failed.out, failed.err, (airflow_sops.folder / "linear.json").read_text())
    assert not [text for text in texts if sops_default.app_secret in text]


def test_a_plain_process_finds_a_connection_of_airflows_database(
    airflow_sops: AirflowSops, airflow_db: None, local_sops: LocalSops, templates: dict[str, int]
) -> None:
    from airflow.models import Connection
    from airflow.utils.session import create_session

    stored = json.loads(local_sops.connection_json())
    with create_session() as session:
        session.query(Connection).filter(Connection.conn_id == "sops_stored").delete()
        session.add(Connection(**{**stored, "extra": json.dumps(stored["extra"])}, conn_id="sops_stored"))

    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "airflow_provider_sops.cli",
            "snapshot",
            str(templates["linear"]),
            "--conn-id",
            "sops_stored",
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=airflow_sops.folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )

    assert done.returncode == 0, done.stderr
    assert load_snapshot(airflow_sops.folder / f"linear_{templates['linear']}.json").template_name == "linear"
