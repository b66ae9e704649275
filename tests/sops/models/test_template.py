from __future__ import annotations

from typing import Any

from hypothesis import given

from airflow_provider_sops.sops.models import Template, TemplateListItem
from tests.sops.builders import activity, answer_with, constant, password, pipeline_tree

DATA = {
    "id": "16",
    "name": "发布",
    "pipeline_tree": pipeline_tree(
        "start > a > end",
        nodes={"a": activity("copy")},
        constants={"${who}": constant("${who}", "bob"), "${token}": password("${token}", "hunter2")},
    ),
}


def test_constants_and_activities_are_those_of_the_tree() -> None:
    template = Template.read(DATA)

    assert (template.id, template.name) == (16, "发布")
    assert list(template.constants) == ["${who}", "${token}"]
    assert template.activities["a"]["name"] == "copy"


def test_password_keys_are_named_with_their_braces_as_create_task_takes_them() -> None:
    assert Template.read(DATA).password_keys == {"${token}"}


def test_its_text_form_shows_no_default_values() -> None:
    assert "hunter2" not in repr(Template.read(DATA))


def test_a_tree_that_is_a_text_as_in_the_yaml_format_has_no_constants() -> None:
    template = Template.read({"id": 1, "name": "x", "pipeline_tree": "a: b"})

    assert (template.constants, template.activities) == ({}, {})


def test_a_list_names_templates() -> None:
    item = TemplateListItem.read({"id": 3, "name": "发布", "category": "Default"})

    assert (item.id, item.name, item.raw["category"]) == (3, "发布", "Default")


@given(answer_with("id", "name", "pipeline_tree", "constants", "activities"))
def test_no_answer_stops_the_reading_of_a_template(data: Any) -> None:
    template = Template.read(data)

    assert template.password_keys <= set(template.constants)
    assert len(template.activities) >= 0
    assert TemplateListItem.read(data).id == template.id


@given(answer_with("activities", "constants"))
def test_no_tree_stops_the_reading_of_a_template(tree: Any) -> None:
    template = Template.read({"id": 1, "pipeline_tree": tree})

    assert template.password_keys <= set(template.constants)
