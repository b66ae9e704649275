from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import AirflowSops


@pytest.mark.parametrize("command", [[], ["snapshot"], ["check"], ["show"], ["list"], ["run"], ["status"], ["doctor"]])
def test_help_tells_what_there_is(
    airflow_sops: AirflowSops, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        airflow_sops(*command, "--help")

    assert end.value.code == 0
    assert "usage: airflow-sops" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["snapshot"],
        ["snapshot", "8", "--all", "flows"],
        ["snapshot", "8", "--out", "flow.json"],
        ["snapshot", "eight"],
        ["check"],
        ["check", "flow.json", "--conn", "sops_default"],
        ["show"],
        ["show", "flow.json", "--sub", "node"],
        ["show", "flow.json", "--template", "8"],
        ["show", "flow.json", "--from-export", "flows.dat"],
        ["show", "--template", "eight"],
        ["snapshot", "--from-export", "flows.dat", "--common"],
        ["check", "--from-export", "flows.dat"],
        ["run"],
        ["run", "eight"],
        ["run", "8", "--exclude", "n1", "--scheme", "1-a"],
        ["run", "8", "--poll-seconds", "0"],
        ["run", "8", "--timeout-seconds", "soon"],
        ["status"],
        ["status", "25x"],
        ["revoke", "all"],
        ["list", "--output", "yaml"],
        ["nothing"],
    ],
)
def test_a_wrong_command_line_ends_with_2(airflow_sops: AirflowSops, arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as end:
        airflow_sops(*arguments)

    assert end.value.code == 2


@pytest.mark.integration
def test_a_connection_that_is_not_there_is_named(airflow_sops: AirflowSops, airflow_db: None) -> None:
    done = airflow_sops("snapshot", "8", "--conn-id", "nobody")

    assert done.code == 2
    assert "there is no Airflow connection 'nobody'" in done.err
    assert "AIRFLOW_CONN_NOBODY" in done.err


def test_a_wrong_value_is_told_with_the_usage_of_its_command(
    airflow_sops: AirflowSops, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        airflow_sops("run", "eight")

    assert "usage: airflow-sops run" in capsys.readouterr().err
