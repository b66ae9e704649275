from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from airflow_provider_sops.dag_generator import load_pipeline_tree
from airflow_provider_sops.dag_generator.snapshot_files import load_snapshot

if TYPE_CHECKING:
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


def test_common_templates_are_read_from_where_they_are(airflow_sops: AirflowSops, sops_default: LocalSops) -> None:
    done = airflow_sops("snapshot", "--all", "common", "--common")

    assert done.code == 0
    assert {load_snapshot(path).template_source for path in (airflow_sops.folder / "common").iterdir()} == {"common"}


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
