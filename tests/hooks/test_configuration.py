"""What ``[sops]`` of Airflow's configuration sets, and what wins over it."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_sops.get_provider_info import get_provider_info
from airflow_provider_sops.hooks import configuration
from airflow_provider_sops.hooks.sops import SopsHook
from airflow_provider_sops.hooks.sops_async import aget_sops_connection
from airflow_provider_sops.operators.sops import SopsRunTaskOperator
from airflow_provider_sops.operators.sops.run_settings import RunSettings
from airflow_provider_sops.sensors.sops import SopsTaskSensor
from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from airflow_provider_sops.task_instance.mirrored_node import MirroredNode
from airflow_provider_sops.triggers import sops_mirror

OPTIONS = get_provider_info()["config"]["sops"]["options"]
TI: Any = SimpleNamespace(start_date=None)


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A configuration in which each number differs from the default."""
    monkeypatch.setenv("AIRFLOW__SOPS__POLL_INTERVAL_SECONDS", "30")
    monkeypatch.setenv("AIRFLOW__SOPS__MAX_OUTAGE_SECONDS", "7200.5")
    monkeypatch.setenv("AIRFLOW__SOPS__MAX_ANSWER_MB", "8")
    return monkeypatch


def connection(**extra: Any) -> str:
    return json.dumps(
        {"conn_type": "sops", "host": "https://sops.example.com", "login": "app", "password": "secret", "extra": extra}
    )


def limits_of(operator: SopsRunTaskOperator) -> tuple[float, float]:
    policy = RunSettings.of(operator).policy(TI, 0.0)
    assert not policy.paced
    return policy.poll_interval_seconds, policy.max_outage_seconds


def test_an_operator_without_arguments_takes_the_configuration(configured: pytest.MonkeyPatch) -> None:
    assert limits_of(SopsRunTaskOperator(task_id="t", template_id=1)) == (30.0, 7200.5)


def test_arguments_of_an_operator_win(configured: pytest.MonkeyPatch) -> None:
    operator = SopsRunTaskOperator(task_id="t", template_id=1, poll_interval_seconds=5, max_outage_seconds=0)

    assert limits_of(operator) == (5.0, 0.0)


def test_without_either_the_defaults_count() -> None:
    operator = SopsRunTaskOperator(task_id="t", template_id=1)

    policy = RunSettings.of(operator).policy(TI, 0.0)
    assert (policy.paced, policy.max_outage_seconds) == (True, 3600.0)


def test_a_sensor_takes_the_outage_of_the_configuration(configured: pytest.MonkeyPatch) -> None:
    given = SopsTaskSensor(task_id="t", sops_task_id=1, max_outage_seconds=60)

    assert SopsTaskSensor(task_id="u", sops_task_id=1)._policy(None).max_outage_seconds == 7200.5
    assert given._policy(None).max_outage_seconds == 60.0


@pytest.mark.parametrize(
    ("given", "interval"), [({"poll_interval_seconds": 10.0, "paced": True}, 30.0), ({"poll_interval_seconds": 7}, 7)]
)
async def test_a_mirror_in_the_triggerer_takes_the_triggerers(
    configured: pytest.MonkeyPatch, given: dict[str, Any], interval: float
) -> None:
    """Its arguments were written when the DAG file was parsed, on another machine."""

    class AskedError(Exception):
        """Ends the trigger."""

    def ask(_site: Any, _task_id: int, *, interval_seconds: float, remembers_finished: bool) -> None:
        raise AskedError(interval_seconds)

    configured.setattr(sops_mirror, "shared_wait", ask)
    node = MirroredNode(key=("n",), never_after=(), has_data=True, plugin="")
    trigger = sops_mirror.SopsNodeMirrorTrigger(sops_conn_id="c", start_task_id="start", node=node, **given)

    with pytest.raises(AskedError, match=rf"^{interval}$"):
        await trigger._follow(SimpleNamespace(sops_task_id=1), SimpleNamespace(id="n", waits_for_person=False))  # type: ignore[arg-type]


def test_it_is_read_when_a_task_runs_not_when_its_dag_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    operator = SopsRunTaskOperator(task_id="t", template_id=1)

    monkeypatch.setenv("AIRFLOW__SOPS__POLL_INTERVAL_SECONDS", "45")

    assert limits_of(operator)[0] == 45.0


@pytest.mark.parametrize(("extra", "mebibytes"), [({}, 8), ({"max_answer_mb": 2}, 2)])
async def test_the_extra_of_a_connection_wins(
    configured: pytest.MonkeyPatch, extra: dict[str, Any], mebibytes: int
) -> None:
    configured.setenv("AIRFLOW_CONN_SOPS_DEFAULT", connection(**extra))

    assert SopsHook().connection.limits.largest_answer_bytes == mebibytes * 1024**2
    assert (await aget_sops_connection("sops_default")).limits.largest_answer_bytes == mebibytes * 1024**2


@pytest.mark.parametrize("value", ["soon", "-1", "nan", "inf", "0"])
def test_a_value_that_is_no_number_is_named_with_its_option(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("AIRFLOW__SOPS__POLL_INTERVAL_SECONDS", value)

    with pytest.raises(SopsInvalidParameterError, match=r"\[sops\] poll_interval_seconds .* must be a number above 0"):
        configuration.poll_interval_seconds(None)


def test_an_empty_value_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__SOPS__POLL_INTERVAL_SECONDS", "")
    monkeypatch.setenv("AIRFLOW__SOPS__MAX_OUTAGE_SECONDS", " ")

    assert configuration.max_outage_seconds(None) == 3600.0
    assert configuration.poll_interval_seconds(None) is None


@pytest.mark.parametrize(
    ("given", "configured", "counts"), [(None, "", "failed"), (None, "none", "none"), ("all", "none", "all")]
)
def test_node_details(monkeypatch: pytest.MonkeyPatch, given: str | None, configured: str, counts: str) -> None:
    monkeypatch.setenv("AIRFLOW__SOPS__NODE_DETAILS", configured)
    assert configuration.node_details(given) == counts


def test_another_word_for_node_details_is_named_with_its_option(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__SOPS__NODE_DETAILS", "some")
    with pytest.raises(
        SopsInvalidParameterError, match=r"\[sops\] node_details .* is 'some'; it must be one of failed"
    ):
        configuration.node_details(None)
    assert OPTIONS["node_details"]["default"] == "failed"


@pytest.mark.parametrize("option", ["max_outage_seconds", "max_answer_mb"])
def test_the_provider_info_tells_the_defaults_that_count(option: str) -> None:
    assert float(OPTIONS[option]["default"]) == configuration._DEFAULTS[option]
