from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from tree_fixtures import constant, display, tree_of

from local_sops.template_folder import SHIPPED_TEMPLATES, TemplateFileError, TemplateFolder
from local_sops.trees import InvalidTreeError

if TYPE_CHECKING:
    from pathlib import Path

TREE = tree_of([display("a")], "start>a a>end")


def write(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize(
    "content",
    [
        {"id": 7, "name": "one", "pipeline_tree": TREE},
        {"id": 7, "name": "one", "project_id": 1, "pipeline_tree": TREE, "creator": "admin", "category": "Other"},
        {"result": True, "code": 0, "data": {"id": 7, "name": "one", "pipeline_tree": TREE}},
    ],
    ids=["bare", "data of get_template_info", "answer of get_template_info"],
)
def test_a_file_may_hold_an_export_as_it_is(tmp_path: Path, content: Any) -> None:
    write(tmp_path / "one.json", content)
    (template,) = TemplateFolder([tmp_path]).project_templates(1)
    assert (template.id, template.name) == (7, "one")


def test_a_file_without_an_id_has_a_stable_one(tmp_path: Path) -> None:
    write(tmp_path / "mine.json", {"name": "mine", "pipeline_tree": TREE})
    first, second = (TemplateFolder([tmp_path]).project_templates(1)[0].id for _ in range(2))
    assert first == second


def test_templates_in_the_common_folder_are_common(tmp_path: Path) -> None:
    write(tmp_path / "common" / "shared.json", {"id": 7, "name": "shared", "pipeline_tree": TREE})
    folder = TemplateFolder([tmp_path])
    assert [one.id for one in folder.common_templates()] == [7]
    assert folder.find(7) is None
    assert folder.find(7, common=True)


def test_a_later_folder_wins_and_lists_are_newest_first(tmp_path: Path) -> None:
    for place, template_id, name in (("a", 1, "old"), ("a", 2, "other"), ("b", 1, "new")):
        write(tmp_path / place / f"{name}.json", {"id": template_id, "name": name, "pipeline_tree": TREE})
    folder = TemplateFolder([tmp_path / "a", tmp_path / "b"])
    assert [one.name for one in folder.project_templates(1)] == ["other", "new"]


def test_a_changed_file_is_read_again_and_a_broken_one_stays_as_it_was(tmp_path: Path) -> None:
    path = write(tmp_path / "one.json", {"id": 1, "name": "before", "pipeline_tree": TREE})
    folder = TemplateFolder([tmp_path])
    write(path, {"id": 1, "name": "after!", "pipeline_tree": TREE})
    os.utime(path, (1, 1))
    assert folder.project_templates(1)[0].name == "after!"
    path.write_text("{")
    assert folder.project_templates(1)[0].name == "after!"


@pytest.mark.parametrize("text", ["{", "[]", '{"name": "no tree"}', '{"pipeline_tree": {}}'])
def test_a_file_that_is_no_template_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "bad.json").write_text(text)
    with pytest.raises(TemplateFileError, match=r"bad\.json is not a SOPS template"):
        TemplateFolder([tmp_path])


def subprocess_of(template_id: int, **constants: Any) -> Any:
    passed = {f"${{{name}}}": constant(name, value) for name, value in constants.items()}
    return {**display("sub"), "type": "SubProcess", "template_id": str(template_id), "constants": passed}


def test_a_subprocess_is_unfolded_with_what_its_parent_passes(tmp_path: Path) -> None:
    child = tree_of([display("a", "${said}")], "start>a a>end", constants=[constant("said", "default")])
    write(tmp_path / "child.json", {"id": 1, "name": "child", "pipeline_tree": child})
    parent = tree_of([subprocess_of(1, said="passed")], "start>sub sub>end")
    sub = TemplateFolder([tmp_path]).expanded(parent)["activities"]["sub"]
    assert sub["pipeline"]["constants"]["${said}"]["value"] == "passed"
    assert "constants" not in sub


def test_a_subprocess_whose_variables_have_no_place_is_refused(tmp_path: Path) -> None:
    child = tree_of([display("a", "${said}")], "start>a a>end", constants=[constant("said", "default")])
    write(tmp_path / "child.json", {"id": 1, "name": "child", "pipeline_tree": child})
    parent = tree_of([subprocess_of(1, said="passed")], "start>sub sub>end")
    del parent["activities"]["sub"]["constants"]["${said}"]["index"]
    with pytest.raises(InvalidTreeError, match="'index'"):
        TemplateFolder([tmp_path]).expanded(parent)


@pytest.mark.parametrize("called", [1, 99], ids=["itself", "nothing"])
def test_a_subprocess_that_cannot_be_unfolded_is_refused(tmp_path: Path, called: int) -> None:
    tree = tree_of([subprocess_of(called)], "start>sub sub>end")
    write(tmp_path / "caller.json", {"id": 1, "name": "caller", "pipeline_tree": tree})
    with pytest.raises(InvalidTreeError):
        TemplateFolder([tmp_path]).expanded(tree)


def test_the_shipped_templates_have_ids_of_their_own() -> None:
    files = list(SHIPPED_TEMPLATES.rglob("*.json"))
    folder = TemplateFolder([SHIPPED_TEMPLATES])
    known = [*folder.project_templates(1), *folder.project_templates(2), *folder.common_templates()]
    assert len(known) == len(files)
