"""What the definition of a constant says."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_sops.sops.constants import is_password, variable_name
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
