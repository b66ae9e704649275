"""What is sent to Airflow's ``Stats``, in which form, and that it never gets in the way."""

from __future__ import annotations

import contextlib
import inspect
import re
import time
from typing import TYPE_CHECKING, Any
from unittest import mock

import pendulum
import pytest

from airflow_provider_sops import metrics
from airflow_provider_sops.enos.errors import EnosAuthError, EnosRateLimitError
from airflow_provider_sops.metrics import ENOS, METRICS, RESULTS, SOPS, NoticedEnd, TimedRequest, result_of
from airflow_provider_sops.sops.errors import (
    SopsAuthError,
    SopsConnectionError,
    SopsError,
    SopsGatewayError,
    SopsInvalidParameterError,
    SopsNotFoundError,
    SopsRateLimitError,
)
from airflow_provider_sops.sops.models import TaskStatus
from airflow_provider_sops.version_compat import get_stats

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_sops.service.errors import ServiceError

    Sent = list[tuple[str, str, float, dict[str, str] | None]]

ROOT = "https://bk-sops.example.com"


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    """All that is sent: method, name, value, tags. The signatures are those of this Airflow's own ``Stats``."""
    known: Sent = []
    stats = mock.Mock(spec_set=["incr", "timing", "gauge"])

    def note(method: str) -> Callable[..., None]:
        signature = inspect.signature(getattr(get_stats(), method))

        def noted(name: str, value: float, *, tags: dict[str, str] | None = None) -> None:
            signature.bind(name, value, tags=tags)
            known.append((method, name, value, tags))

        return noted

    for method in ("incr", "timing", "gauge"):
        getattr(stats, method).side_effect = note(method)
    monkeypatch.setattr(metrics, "get_stats", lambda: stats)
    monkeypatch.setattr(metrics, "_outages", {})
    monkeypatch.setattr(metrics, "_waits", metrics._RunningWaits(host="triggerer-1.example.com"))
    return known


def use(monkeypatch: pytest.MonkeyPatch, **options: str) -> None:
    """Set options of ``[metrics]``."""
    for name in ("statsd_on", "statsd_datadog_enabled", "statsd_influxdb_enabled", "otel_on"):
        monkeypatch.setenv(f"AIRFLOW__METRICS__{name.upper()}", options.get(name, "False"))
    for name in options.keys() - {"statsd_on", "statsd_datadog_enabled", "statsd_influxdb_enabled", "otel_on"}:
        monkeypatch.setenv(f"AIRFLOW__METRICS__{name.upper()}", options[name])
    metrics._form.cache_clear()


@pytest.fixture(autouse=True)
def other_configuration() -> Any:
    """Forget the configuration of a test."""
    yield
    metrics._form.cache_clear()


def request(call: str = "get_task_status", error: Exception | None = None, root: str = ROOT) -> None:
    with contextlib.suppress(SopsError), TimedRequest(SOPS, call, root):
        if error is not None:
            raise error


def values(sent: Sent, name: str) -> list[float]:
    return [value for _, sent_name, value, _ in sent if sent_name == name]


@pytest.mark.parametrize(
    "options",
    [
        {"otel_on": "True"},
        {"statsd_datadog_enabled": "True"},
        {"statsd_on": "True", "statsd_influxdb_enabled": "True"},
    ],
)
def test_a_backend_with_tags_gets_tags(options: dict[str, str], sent: Sent, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, **options)

    request("create_task")

    assert ("incr", "sops.requests", 1, {"call": "create_task", "result": "ok"}) in sent


@pytest.mark.parametrize(
    "options",
    [{"statsd_on": "True"}, {"statsd_datadog_enabled": "True", "statsd_datadog_metrics_tags": "False"}],
)
def test_plain_statsd_gets_the_values_of_tags_in_the_name(
    options: dict[str, str], sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, **options)

    request("create_task")
    metrics.tell_waits()

    assert ("incr", "sops.requests.create_task.ok", 1, None) in sent
    assert ("gauge", "sops.waits.triggerer_1_example_com", 0, None) in sent


def test_nothing_is_sent_where_airflow_sends_nothing(sent: Sent, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch)

    request()
    metrics.prepare()
    metrics.polled(3)

    assert sent == []


@pytest.fixture
def tagged(monkeypatch: pytest.MonkeyPatch) -> None:
    """A backend with tags."""
    use(monkeypatch, otel_on="True")


@pytest.mark.parametrize(
    ("error", "result"),
    [
        (None, "ok"),
        (SopsRateLimitError("slow down", http_status=429), "rate_limited"),
        (SopsAuthError("no permission", http_status=200), "denied"),
        (SopsConnectionError("connection refused", request_sent=False), "no_answer"),
        (SopsGatewayError("no JSON", http_status=502), "unusable"),
        (SopsNotFoundError("no such task", http_status=200), "refused"),
        (SopsInvalidParameterError("wrong", http_status=200), "refused"),
        (SopsInvalidParameterError("the proxy is malformed"), "not_sent"),
    ],
)
def test_each_end_of_a_request_has_its_word(error: ServiceError | None, result: str) -> None:
    assert result_of(error, SOPS) == result
    assert result in RESULTS


def test_errors_of_enos_have_the_same_words() -> None:
    assert result_of(EnosAuthError("denied"), ENOS) == "denied"
    assert result_of(EnosRateLimitError("slow down"), ENOS) == "rate_limited"


@pytest.mark.usefixtures("tagged")
def test_a_request_that_was_sent_has_a_duration(sent: Sent) -> None:
    request("start_task", SopsNotFoundError("no such task"))
    request("start_task", SopsInvalidParameterError("the proxy is malformed"))

    (duration,) = [item for item in sent if item[1] == "sops.request_duration"]
    assert duration[0] == "timing"
    assert duration[3] == {"call": "start_task"}
    assert 0 <= duration[2] < 60_000


@pytest.mark.usefixtures("tagged")
def test_a_cancelled_request_counts_for_nothing(sent: Sent) -> None:
    with pytest.raises(KeyboardInterrupt), TimedRequest(SOPS, "get_task_status", ROOT):
        raise KeyboardInterrupt

    assert sent == []


@pytest.mark.usefixtures("tagged")
def test_an_outage_counts_once_however_many_requests_it_costs(sent: Sent) -> None:
    for _ in range(3):
        request(error=SopsConnectionError("connection refused", request_sent=False))
        request(error=SopsGatewayError("bad gateway", http_status=502))
    assert values(sent, "sops.outages") == [1]
    assert values(sent, "sops.outage_duration") == []

    request()
    request()

    assert len(values(sent, "sops.outage_duration")) == 1


@pytest.mark.usefixtures("tagged")
def test_a_refusal_ends_an_outage_and_a_rate_limit_neither_begins_nor_ends_one(sent: Sent) -> None:
    request(error=SopsRateLimitError("slow down", http_status=429))
    assert values(sent, "sops.outages") == []
    request(error=SopsConnectionError("connection refused", request_sent=False))
    request(error=SopsRateLimitError("slow down", http_status=429))
    assert values(sent, "sops.outage_duration") == []

    request(error=SopsNotFoundError("no such task", http_status=200))

    assert len(values(sent, "sops.outage_duration")) == 1


@pytest.mark.usefixtures("tagged")
def test_each_server_has_outages_of_its_own(sent: Sent) -> None:
    request(error=SopsConnectionError("connection refused", request_sent=False))
    request(error=SopsConnectionError("connection refused", request_sent=False), root="https://other.example.com")
    request()

    assert values(sent, "sops.outages") == [1, 1]
    assert len(values(sent, "sops.outage_duration")) == 1


@pytest.mark.usefixtures("tagged")
def test_the_gauge_follows_the_waits_and_goes_back_to_zero(sent: Sent) -> None:
    metrics.wait_begins()
    metrics.wait_begins()
    metrics.tell_waits()
    metrics.wait_ends()
    metrics.tell_waits()
    metrics.wait_ends()

    assert values(sent, "sops.waits") == [2, 1, 0]
    assert sent[0][3] == {"hostname": "triggerer-1.example.com"}


@pytest.fixture
def unprepared(sent: Sent, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has sent nothing yet."""
    monkeypatch.setattr(metrics, "_waits", metrics._RunningWaits())


@pytest.mark.usefixtures("tagged", "unprepared")
def test_a_host_is_looked_up_beforehand_alone(sent: Sent) -> None:
    metrics.tell_waits()
    assert sent == []

    metrics.prepare()
    metrics.tell_waits()

    assert values(sent, "sops.waits") == [0]


@pytest.mark.usefixtures("tagged", "unprepared")
def test_a_process_that_waits_for_nothing_leaves_the_gauge_of_its_host_alone(sent: Sent) -> None:
    metrics.prepare()

    assert values(sent, "sops.waits") == []


@pytest.mark.usefixtures("tagged", "unprepared")
def test_a_host_without_a_name_has_no_gauge(sent: Sent) -> None:
    with mock.patch("airflow.utils.net.get_hostname", autospec=True, side_effect=OSError("no name")):
        metrics.prepare()
    metrics.wait_begins()
    metrics.tell_waits()
    metrics.wait_ends()

    assert values(sent, "sops.waits") == []


def finished(seconds_ago: float) -> TaskStatus:
    moment = pendulum.from_timestamp(time.time() - seconds_ago, tz="Asia/Shanghai")
    return TaskStatus.read({"state": "FINISHED", "finish_time": moment.strftime("%Y-%m-%d %H:%M:%S %z")})


RUNNING = TaskStatus.read({"state": "RUNNING"})


@pytest.mark.usefixtures("tagged")
def test_the_delay_of_an_end_is_told_once(sent: Sent) -> None:
    end = NoticedEnd()
    end.see(RUNNING)
    end.see(finished(seconds_ago=7))
    end.see(finished(seconds_ago=7))

    (delay,) = values(sent, "sops.notice_delay")
    assert 6_000 <= delay < 60_000


@pytest.mark.usefixtures("tagged")
def test_a_task_that_had_ended_before_the_wait_is_not_late(sent: Sent) -> None:
    NoticedEnd().see(finished(seconds_ago=86_400))
    assert values(sent, "sops.notice_delay") == []

    NoticedEnd(was_running=True).see(finished(seconds_ago=5))

    assert len(values(sent, "sops.notice_delay")) == 1


@pytest.mark.usefixtures("tagged")
def test_a_clock_ahead_of_ours_makes_no_negative_delay(sent: Sent) -> None:
    NoticedEnd(was_running=True).see(finished(seconds_ago=-3600))

    assert values(sent, "sops.notice_delay") == [0.0]


@pytest.mark.usefixtures("tagged")
def test_a_broken_backend_disturbs_nothing(sent: Sent, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Any:
        raise RuntimeError("no backend")

    monkeypatch.setattr(metrics, "get_stats", broken)

    request()
    metrics.polled(1)

    assert sent == []


def test_a_word_that_is_no_boolean_in_the_configuration_disturbs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, statsd_on="perhaps")

    assert metrics._form() == "off"


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_names_are_valid_for_statsd(metric: metrics.Metric) -> None:
    assert re.fullmatch(r"[a-z0-9_.]+", metric.name)
    assert not {"task_id", "dag_id", "run_id", "sops_task_id"} & set(metric.tags)
