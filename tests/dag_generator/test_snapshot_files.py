from __future__ import annotations

import json
import logging
import subprocess
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import create_autospec

import pytest

from airflow_provider_sops.dag_generator import PipelineTree, load_pipeline_tree
from airflow_provider_sops.dag_generator.snapshot_files import load_snapshot, tell_template_change, write_snapshot
from airflow_provider_sops.hooks.sops import SopsHook
from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from airflow_provider_sops.sops.models import Template
from airflow_provider_sops.sops.pipeline_tree.snapshot import Snapshot, read_snapshot, take_snapshot
from tests.pipeline_trees.blocks import Sub, Task
from tests.pipeline_trees.web_tree import web_tree

if TYPE_CHECKING:
    from pathlib import Path

TREE = web_tree((Task(), Sub((Task(),))))


def snapshot(name: str = "部署") -> Snapshot:
    template = Template.read({"id": 8, "name": name, "pipeline_tree": TREE})
    return take_snapshot(template, template_source="business", bk_biz_id=2, scope="cmdb_biz")


def test_what_is_written_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "flows" / "deploy.json"
    write_snapshot(snapshot(), path)

    assert load_snapshot(path).to_dict() == snapshot().to_dict()
    assert load_pipeline_tree(str(path)).to_dict() == TREE


def test_a_file_is_readable_sorted_and_ends_with_a_line_break(tmp_path: Path) -> None:
    path = tmp_path / "deploy.json"
    write_snapshot(snapshot(), path)
    text = path.read_text(encoding="utf-8")

    assert '"name": "部署"' in text
    assert text == json.dumps(json.loads(text), ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def test_writing_the_same_again_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "deploy.json"

    assert [write_snapshot(snapshot(name), path) for name in ("a", "a", "b")] == [True, False, True]
    assert [each.name for each in tmp_path.iterdir()] == ["deploy.json"]


def test_half_a_surrogate_pair_is_written_and_read_as_its_escape(tmp_path: Path) -> None:
    path = tmp_path / "deploy.json"
    made = snapshot()
    made.tree.levels[()].raw["activities"]["a1"]["desc"] = "\ud800"
    write_snapshot(made, path)
    del made.tree.levels[()].raw["activities"]["a1"]["desc"]

    assert load_pipeline_tree(path).to_dict()["activities"]["a1"]["desc"] == r"\ud800"


def test_what_no_database_takes_is_replaced_when_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "deploy.json"
    path.write_text(json.dumps(TREE).replace("{", '{"odd \\u0000": [NaN, 123456789012345678901234567890], ', 1))

    assert load_pipeline_tree(path).to_dict()["odd ␀"] == ["NaN", "123456789012345678901234567890"]


def test_a_bare_tree_in_a_file_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "tree.json"
    path.write_text(json.dumps(TREE))

    assert isinstance(load_pipeline_tree(path), PipelineTree)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", "\x00", "[" * 100_000])
def test_a_file_that_holds_no_tree_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "odd.json"
    path.write_text(content)

    with pytest.raises(SopsInvalidParameterError, match=r"odd\.json"):
        load_pipeline_tree(path)


def test_a_file_that_is_not_there_is_an_error_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_pipeline_tree(tmp_path / "nothing.json")


def test_loading_a_tree_imports_nothing_of_airflow() -> None:
    script = (
        "import sys; from airflow_provider_sops.dag_generator.snapshot_files import load_pipeline_tree;"
        " import airflow_provider_sops.drawing.tree, airflow_provider_sops.cli.main;"
        " print([name for name in sys.modules if name.partition('.')[0] == 'airflow'])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def siblings(name: str = "a1") -> Any:
    """A flow of two subprocesses, which SOPS lists in another order than a file with sorted keys."""
    tree = web_tree((Sub((Task(),)), Sub((Task(), Task()))))
    tree["activities"] = dict(sorted(tree["activities"].items(), reverse=True))
    next(iter(tree["activities"].values()))["pipeline"]["activities"]["a1"]["name"] = name
    return tree


def start(path: Path, *, alone: bool, on_server: Any) -> Any:
    hook = create_autospec(SopsHook, instance=True)
    hook.get_template_info.return_value = Template.read({"id": 8, "pipeline_tree": on_server})
    kept = read_snapshot(load_pipeline_tree(path).to_dict()) if alone else load_snapshot(path)
    return SimpleNamespace(
        hook=hook,
        snapshot=kept,
        template_id=8,
        template_source="business",
        on_template_change="fail",
        log=logging.getLogger(__name__),
    )


@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize("earlier", [True, False])
def test_a_template_that_did_not_change_has_not_changed_whatever_is_kept_of_it(
    tmp_path: Path, alone: bool, earlier: bool
) -> None:
    path = tmp_path / "deploy.json"
    template = Template.read({"id": 8, "name": "x", "pipeline_tree": siblings()})
    write_snapshot(take_snapshot(template, template_source="business", bk_biz_id=2, scope="cmdb_biz"), path)
    if earlier:
        content = json.loads(path.read_text())
        path.write_text(json.dumps({**content, "content_hash": "sha256:0"}))

    tell_template_change(start(path, alone=alone, on_server=siblings()))
    with pytest.raises(SopsInvalidParameterError, match="has changed since its snapshot: ServiceActivity 'new'"):
        tell_template_change(start(path, alone=alone, on_server=siblings("new")))
