from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from airflow_provider_sops.hooks.sops import SopsHook
from airflow_provider_sops.sops.models import TemplateListItem

if TYPE_CHECKING:
    from demo.local_sops import LocalSops
    from tests.cli.conftest import AirflowSops

pytestmark = pytest.mark.integration


def test_a_line_for_each_template_with_its_fields_between_tabs(
    airflow_sops: AirflowSops, sops_default: LocalSops, templates: dict[str, int]
) -> None:
    done = airflow_sops("list")
    lines = [line.split("\t") for line in done.out.splitlines()]

    assert done.code == 0
    assert {fields[1]: int(fields[0]) for fields in lines} == templates


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        (["--name", "QUICK"], {"quick"}),
        (["--name", "quick", "--user", "admin"], {"quick"}),
        (["--name", "quick", "--user", "nobody"], set()),
        (["--name", "quick", "--category", "default"], {"quick"}),
        (["--name", "quick", "--category", "OpsTools"], set()),
    ],
)
def test_filters_leave_out_what_does_not_fit(
    airflow_sops: AirflowSops, sops_default: LocalSops, filters: list[str], names: set[str]
) -> None:
    done = airflow_sops("list", *filters, "--output", "json")

    assert done.code == 0
    assert {item["name"] for item in json.loads(done.out)} == names


def test_common_templates_are_a_list_of_their_own(
    airflow_sops: AirflowSops, sops_default: LocalSops, hook: SopsHook
) -> None:
    found = json.loads(airflow_sops("list", "--common", "--output", "json").out)

    assert {item["id"] for item in found} == {item.id for item in hook.get_common_template_list()}


def test_an_empty_list_says_what_could_be_chosen(airflow_sops: AirflowSops, sops_default: LocalSops) -> None:
    done = airflow_sops("list", "--category", "OpsTools")

    assert (done.code, done.out) == (0, "")
    assert "No template matches. Categories: Default." in done.err


def test_a_name_cannot_act_on_the_terminal_nor_end_its_line(
    airflow_sops: AirflowSops, sops_default: LocalSops, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile = TemplateListItem.read({"id": 7, "name": "\x1b[2J[red]a\tb\nc\u202e", "category": "\x07"})
    monkeypatch.setattr(SopsHook, "get_template_list", lambda *_args, **_kwargs: [hostile])

    text, document = airflow_sops("list").out, airflow_sops("list", "--output", "json").out

    assert text == "7\t\\u001b[2J[red]a\\u0009b\\u000ac\\u202e\t\\u0007\t\t\t\n"
    assert document.isascii()
    assert document.isprintable() or set(document) - {"\n"} <= set(map(chr, range(32, 127)))
    assert json.loads(document)[0]["name"] == "\x1b[2J[red]a\tb\nc\u202e"
