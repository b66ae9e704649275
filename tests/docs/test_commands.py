"""Commands, settings and data in the pages are what the programs take."""

from __future__ import annotations

import configparser
import json
import re
import shlex
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_sops.cli.commands import Command
from airflow_provider_sops.cli.main import main
from airflow_provider_sops.enos.connection import EXTRA_KEYS as ENOS_KEYS
from airflow_provider_sops.enos.connection import read_enos_connection
from airflow_provider_sops.get_provider_info import get_provider_info
from airflow_provider_sops.sops.connection import EXTRA_KEYS as SOPS_KEYS
from airflow_provider_sops.sops.connection import read_connection
from tests.docs.pages import PAGES, PAGES_WITH_OWN_CODE, ROOT, CodeBlock, Page

if TYPE_CHECKING:
    from pathlib import Path

BLOCKS = [block for page in PAGES_WITH_OWN_CODE for block in page.code_blocks]
TRANSCRIPTS = [block for block in BLOCKS if block.text.startswith("$ airflow-sops ")]
COMMAND_LINES = [
    (block, line) for block in BLOCKS for line in block.text.splitlines() if line.startswith("airflow-sops ")
]
CONFIGURATIONS = [block for block in BLOCKS if block.language == "ini"]
EXPORTS = [block for block in BLOCKS if block.text.startswith("export AIRFLOW_CONN_")]
READERS: dict[str, Any] = {"sops": read_connection, "enos": read_enos_connection}


@pytest.mark.integration
@pytest.mark.parametrize("block", TRANSCRIPTS, ids=str)
@pytest.mark.usefixtures("airflow_db", "sops_default")
def test_a_transcript_of_airflow_sops_is_what_it_prints(
    block: CodeBlock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dags").mkdir()
    capsys.readouterr()

    seen = []
    for command in re.findall(r"^\$ (.+)$", block.text, re.MULTILINE):
        code = main(shlex.split(command)[1:])
        written = capsys.readouterr()
        assert code == 0, written.err
        seen += [f"$ {command}", *written.out.splitlines()]

    assert seen == block.text.splitlines()


@pytest.mark.parametrize(("block", "line"), COMMAND_LINES, ids=[f"{block} {line}" for block, line in COMMAND_LINES])
def test_a_command_line_is_one_that_airflow_sops_takes(
    block: CodeBlock, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Command, "run", lambda _command, _options: 0)

    assert main(shlex.split(line)[1:]) == 0


@pytest.mark.parametrize("block", CONFIGURATIONS, ids=str)
def test_options_of_a_configuration_are_known(block: CodeBlock) -> None:
    shown = configparser.ConfigParser(interpolation=None)
    shown.read_string(block.text)

    known = get_provider_info()["config"]["sops"]["options"]
    assert shown.sections()
    assert not shown.has_section("sops") or set(shown["sops"]) <= set(known)


@pytest.mark.parametrize("block", EXPORTS, ids=str)
def test_a_connection_in_an_environment_variable_is_one_that_the_hook_takes(
    block: CodeBlock, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.providers.common.compat.sdk import Connection

    _, assignment = shlex.split(block.text)
    name, _, value = assignment.partition("=")
    connection = Connection.from_json(value, conn_id=name.removeprefix("AIRFLOW_CONN_").lower())

    assert connection.conn_id == f"{connection.conn_type}_default"
    assert not READERS[str(connection.conn_type)](connection).unused_extra


@pytest.mark.parametrize(("page", "keys"), [("docs/connection.md", SOPS_KEYS), ("docs/enos.md", ENOS_KEYS)])
def test_a_page_lists_the_keys_of_a_connection(page: str, keys: tuple[str, ...]) -> None:
    rows = re.findall(r"^\| `(\w+)` \| ", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)

    assert sorted(rows) == sorted(keys)


def test_a_page_lists_the_options_of_the_configuration() -> None:
    page = (ROOT / "docs/connection.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `\[sops\] (\w+)` \| (?:`(\S+)` )?\| ", page, re.MULTILINE)

    options = get_provider_info()["config"]["sops"]["options"]
    assert dict(rows) == {name: option["default"] for name, option in options.items()}


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language == "json"], ids=str)
def test_json_is_json(block: CodeBlock) -> None:
    assert json.loads(block.text)


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_target_of_make_is_there(page: Page) -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    code = [*page.code_spans, *(block.text for block in page.code_blocks if block.language in ("", "shell", "console"))]

    asked = {target for text in code for target in re.findall(r"^make ([a-z-]+)", text, re.MULTILINE)}

    assert asked <= targets


def test_there_is_something_to_test() -> None:
    assert TRANSCRIPTS
    assert COMMAND_LINES
    assert CONFIGURATIONS
    assert EXPORTS
