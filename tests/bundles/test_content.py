"""Versions, packed and as files."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_sops.bundles.content import BundleContent, Flow, Manifest
from airflow_provider_sops.bundles.folder import loader_file, shown_version, update_folder
from airflow_provider_sops.bundles.store import FlowRecord, Latest
from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from tests.bundles.test_flow_dags import HOSTILE_NAMES, flow, options
from tests.dag_generator.flow_trees import tree

if TYPE_CHECKING:
    from pathlib import Path

NIGHT = BundleContent(options(dag_args={"tags": ["a"]}), {n: flow(n, name) for n, name in enumerate(HOSTILE_NAMES, 1)})


def test_a_version_survives_the_archive() -> None:
    read = BundleContent.from_archive(NIGHT.to_archive())

    assert (read, read.version) == (NIGHT, NIGHT.version)


def test_a_version_is_packed_into_the_same_bytes_at_any_time(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = NIGHT.to_archive()
    monkeypatch.setattr(time, "time", lambda: 2_000_000_000.0)

    assert NIGHT.to_archive() == packed


@pytest.mark.parametrize(
    "other",
    [
        BundleContent(options(), NIGHT.flows),
        BundleContent(NIGHT.options, {**NIGHT.flows, 9: flow(9)}),
        BundleContent(NIGHT.options, {**NIGHT.flows, 1: flow(1, "new name")}),
        BundleContent(NIGHT.options, {**NIGHT.flows, 1: flow(1, tree=tree("s > b > e"))}),
    ],
)
def test_every_difference_is_another_version(other: BundleContent) -> None:
    assert other.version != NIGHT.version


def test_what_a_later_package_has_added_is_ignored_and_its_formats_are_refused() -> None:
    manifest = json.loads(NIGHT.manifest)
    manifest["options"]["later"] = manifest["later"] = 1
    assert Manifest.read(json.dumps(manifest).encode()).options == NIGHT.options

    manifest["format_version"] = 2
    with pytest.raises(SopsInvalidParameterError, match="Update airflow-provider-sops"):
        Manifest.read(json.dumps(manifest).encode())


def test_what_is_known_of_templates_survives_a_restart() -> None:
    latest = Latest("a", NIGHT.options, {1: FlowRecord(HOSTILE_NAMES[1], "1", {"business 2": ""}, 5.0)})
    read = json.loads(latest.to_json())
    read["records"]["1"]["later"] = 1

    assert Latest.from_json(json.dumps(read).encode()) == latest


class TestUpdatedFolder:
    def shown(self, folder: Path, flows: dict[int, Flow], **more: Any) -> set[str]:
        """Let a folder show flows; return which DAG files Airflow has to parse again."""
        for path in folder.glob("*.py"):
            os.utime(path, (1, 1))
        content = BundleContent(options(**more), flows)
        update_folder(folder, content)
        assert shown_version(folder) == content.version
        assert {int(path.stem) for path in (folder / "flows").iterdir()} == flows.keys()
        assert {path.name for path in folder.glob("*.py")} == {loader_file(number) for number in flows}
        return {path.name for path in folder.glob("*.py") if path.stat().st_mtime > 1}

    def test_only_files_whose_flows_have_changed_are_parsed_again(self, tmp_path: Path) -> None:
        flows = {1: flow(1), 2: flow(2), 17: flow(17), 3: flow(3)}
        self.shown(tmp_path, flows)

        assert self.shown(tmp_path, flows) == set()
        assert self.shown(tmp_path, flows | {17: flow(17, "new")}) == {loader_file(1)}
        assert self.shown(tmp_path, flows | {18: flow(18)}) == {loader_file(1), loader_file(2)}
        assert self.shown(tmp_path, {1: flows[1], 2: flows[2]}) == {loader_file(1), loader_file(2)}

    def test_other_options_concern_all(self, tmp_path: Path) -> None:
        flows = {1: flow(1), 2: flow(2)}
        self.shown(tmp_path, flows)

        assert self.shown(tmp_path, flows, mode="native") == {loader_file(1), loader_file(2)}

    def test_no_flow_is_an_empty_version(self, tmp_path: Path) -> None:
        self.shown(tmp_path, {1: flow(1)})

        assert self.shown(tmp_path, {}) == set()
