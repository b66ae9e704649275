from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from airflow_provider_sops.sops.models import Template
from airflow_provider_sops.sops.pipeline_tree import PipelineTree
from airflow_provider_sops.sops.pipeline_tree.content import content_hash
from airflow_provider_sops.sops.pipeline_tree.snapshot import Snapshot, read_snapshot, take_snapshot
from tests.pipeline_trees.blocks import Sub, Task
from tests.pipeline_trees.web_tree import web_tree
from tests.sops.builders import constant, password

SECRET = "hunter2"


def template(tree: Any) -> Template:
    return Template.read(
        {
            "id": 8,
            "name": "部署",
            "project_name": "game",
            "edit_time": "2026-03-02 09:00:00 +0800",
            "pipeline_tree": tree,
        }
    )


def snapshot(tree: Any) -> Snapshot:
    return take_snapshot(template(tree), template_source="business", bk_biz_id=2, scope="cmdb_biz")


def secret_tree() -> Any:
    tree = web_tree((Task(), Sub((Task(),))))
    tree["constants"] = {"${pw}": password("${pw}", SECRET), "${who}": constant("${who}", "bob")}
    called = tree["activities"]["s3"]
    called["pipeline"]["constants"] = {"${inner}": {**password("${inner}", SECRET), "meta": {"value": SECRET}}}
    called["constants"] = {"${inner}": password("${inner}", {"tag": "value", "value": SECRET})}
    form = {"type": "input", "attrs": {"default": SECRET}}
    tree["constants"]["${tagged}"] = {
        **password("${tagged}", SECRET),
        "custom_type": "input",
        "meta": {"default": SECRET},
        "form_schema": form,
    }
    tree["kept_by_some_editor"] = [password("${old}", SECRET), {"custom_type": "PassWord", "value": SECRET}]
    return tree


def test_a_snapshot_says_which_template_it_shows() -> None:
    content = snapshot(web_tree((Task(),))).to_dict()

    assert content["template"] == {
        "id": 8,
        "name": "部署",
        "source": "business",
        "bk_biz_id": "2",
        "scope": "cmdb_biz",
        "project_name": "game",
        "edit_time": "2026-03-02 09:00:00 +0800",
    }
    assert content["pipeline_tree"] == web_tree((Task(),))


def test_the_address_of_the_templates_page_is_kept_but_not_compared() -> None:
    made = snapshot(web_tree((Task(),)))
    linked = replace(made, template_url="https://sops.example/template/view/1/?template_id=8")
    content = linked.to_dict()

    assert content["template"]["url"] == linked.template_url
    assert content["content_hash"] == made.content_hash
    assert read_snapshot(content).to_dict() == content
    assert not read_snapshot(content).was_edited


@pytest.mark.parametrize(
    "url", [None, 7, [], "/template/view/", "javascript:alert(1)", "https://user:pw@sops.example/"]
)
def test_only_the_address_of_a_page_is_read(url: Any) -> None:
    content = snapshot(web_tree((Task(),))).to_dict()
    content["template"]["url"] = url

    assert read_snapshot(content).template_url == ""


def test_a_snapshot_that_is_written_and_read_is_the_same() -> None:
    made = snapshot(secret_tree())
    read = read_snapshot(json.loads(json.dumps(made.to_dict())))

    assert read.to_dict() == made.to_dict()
    assert content_hash(read.tree) == made.content_hash


def test_no_password_is_in_a_snapshot_wherever_in_the_tree_it_stands() -> None:
    content = snapshot(secret_tree()).to_dict()

    assert SECRET not in json.dumps(content)
    assert content["pipeline_tree"]["constants"]["${pw}"]["value"] == ""
    assert content["pipeline_tree"]["constants"]["${pw}"]["value_emptied"] is True
    assert content["pipeline_tree"]["constants"]["${who}"]["value"] == "bob"


def test_emptying_passwords_leaves_the_servers_answer_alone() -> None:
    tree = secret_tree()
    snapshot(tree)

    assert tree == secret_tree()


def test_the_hash_of_a_later_answer_tells_whether_the_template_changed() -> None:
    kept = snapshot(secret_tree()).content_hash
    later = secret_tree()

    assert content_hash(PipelineTree.from_dict({"result": True, "data": {"pipeline_tree": later}})) == kept
    later["activities"]["a1"]["name"] = "other"
    assert content_hash(PipelineTree.from_dict({"result": True, "data": {"pipeline_tree": later}})) != kept


def test_a_bare_tree_is_a_snapshot_of_which_little_is_known() -> None:
    read = read_snapshot(web_tree((Task(),)))

    assert (read.template_id, read.template_name, read.template_source) == (None, "", "business")
    assert read.content_hash == content_hash(read.tree)
    assert not read.was_edited


def test_a_snapshot_tells_whether_its_tree_was_edited() -> None:
    content = snapshot(web_tree((Task(),))).to_dict()
    edited = json.loads(json.dumps(content))
    edited["pipeline_tree"]["activities"]["a1"]["name"] = "other"

    assert (read_snapshot(content).was_edited, read_snapshot(edited).was_edited) == (False, True)


def test_a_snapshot_of_a_newer_version_is_refused() -> None:
    content = {**snapshot(web_tree((Task(),))).to_dict(), "format_version": 2}

    with pytest.raises(SopsInvalidParameterError, match="format version 2"):
        read_snapshot(content)
