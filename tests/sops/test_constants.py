"""What the definition of a constant says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_sops.sops.constants import is_password, password_values, variable_name, without_password
from tests.sops.builders import constant, password


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("${who}", "who"),
        ("${_system.task_id}", "_system.task_id"),
        ("who", "who"),
        ("${}", ""),
        ("a${b}", "a${b}"),
        ("", ""),
    ],
)
def test_a_variables_name_is_what_stands_between_the_braces(key: str, name: str) -> None:
    assert variable_name(key) == name


@pytest.mark.parametrize(
    ("definition", "secret"),
    [
        (password("${a}"), True),
        ({"custom_type": "password"}, True),
        ({"custom_type": "", "source_tag": "password.password"}, True),
        (constant("${password}", "a text field of that name"), False),
        ({"source_tag": "job_account.password"}, False),
        (None, False),
    ],
)
def test_a_password_is_told_by_its_type_not_by_its_name(definition: Any, secret: bool) -> None:
    assert is_password(definition) is secret


SECRET = "hunter2"


@pytest.mark.parametrize(
    "fields",
    [
        {"custom_type": "password", "source_tag": ""},
        {"custom_type": "Password", "source_tag": None},
        {"custom_type": " PASSWORD ", "source_tag": "input.input"},
        {"custom_type": "", "source_tag": "password.password"},
        {"custom_type": "input", "source_tag": "PassWord.x"},
        {"source_tag": "password"},
    ],
)
def test_type_or_tag_make_a_password_in_any_case(fields: dict[str, Any]) -> None:
    assert is_password({**fields, "key": "${pw}"})


@pytest.mark.parametrize(
    "fields", [{"custom_type": "input", "source_tag": "input.password"}, {"custom_type": None}, {}, None, "password"]
)
def test_anything_else_is_none(fields: Any) -> None:
    assert not is_password(fields)


def test_a_password_may_stand_in_the_value_and_in_the_defaults_of_the_form_field() -> None:
    form = {"type": "password", "attrs": {"default": SECRET, "children": [{"value": SECRET, "name": "kept"}]}}
    made = {**password("${pw}", {"tag": "value", "value": SECRET}), "meta": {"value": SECRET, "default": SECRET}}
    made |= {"form_schema": form, "schema": {"default": SECRET, "description": "kept"}, "desc": "kept"}

    assert [*password_values(made)].count(SECRET) == 5
    emptied = without_password(made)
    assert SECRET not in json.dumps(emptied)
    assert json.dumps(emptied).count("kept") == 3
    assert (emptied["key"], emptied["custom_type"]) == ("${pw}", "password")
    assert json.dumps(made).count(SECRET) == 6


def test_a_definition_without_a_form_gets_none() -> None:
    assert without_password(password("${pw}", SECRET)) == password("${pw}", "")
    assert list(password_values(constant("${x}", 1))) == [1]
