"""``airflow sops``, where Airflow reads the ``cli`` key of the provider info."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_sops.cli.commands import COMMANDS
from airflow_provider_sops.cli.main import airflow_commands
from airflow_provider_sops.get_provider_info import get_provider_info
from airflow_provider_sops.version_compat import AIRFLOW_V_3_3_PLUS

if TYPE_CHECKING:
    from demo.local_sops import LocalSops

pytestmark = pytest.mark.skipif(not AIRFLOW_V_3_3_PLUS, reason="this Airflow has no commands of providers")


def parser() -> argparse.ArgumentParser:
    cli_parser: Any = importlib.import_module("airflow.cli.cli_parser")
    whole = argparse.ArgumentParser("airflow")
    groups = whole.add_subparsers(dest="subcommand")
    for group in airflow_commands():
        cli_parser._add_command(groups, group)
    return whole


def test_the_provider_info_names_the_function() -> None:
    (path,) = get_provider_info()["cli"]
    module, name = path.rsplit(".", 1)

    assert getattr(importlib.import_module(module), name) is airflow_commands


@pytest.mark.parametrize("command", [command.name for command in COMMANDS])
def test_each_command_is_there_with_its_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        parser().parse_args(["sops", command, "--help"])

    assert end.value.code == 0
    assert "--conn-id" in capsys.readouterr().out


def test_a_wrong_combination_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    options = parser().parse_args(["sops", "run", "8", "--exclude", "n", "--scheme", "1-a"])

    with pytest.raises(SystemExit) as end:
        options.func(options)

    assert end.value.code == 2
    assert "airflow sops run: --scheme and --exclude do not go together" in capsys.readouterr().err


@pytest.mark.integration
def test_only_the_result_is_on_standard_output(sops_default: LocalSops) -> None:
    """Airflow itself logs there; without a key for its database it has something to log."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "AIRFLOW__CORE__FERNET_KEY": ""}
    done = subprocess.run(
        [sys.executable, "-m", "airflow", "sops", "list", "--name", "quick", "--output", "json"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )

    assert [each["name"] for each in json.loads(done.stdout)] == ["quick"]
