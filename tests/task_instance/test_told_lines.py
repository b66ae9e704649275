"""What a trigger told reaches the worker's log where Airflow does not show the triggerer's own."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

from airflow_provider_sops.task_instance import told_lines
from airflow_provider_sops.task_instance.told_lines import ToldLines, tell_again

if TYPE_CHECKING:
    from collections.abc import Iterator

NODE = 'node "deploy" FAILED'


class KeptLog:
    """Keeps what is written to it."""

    def __init__(self) -> None:
        self.lines: list[tuple[int, str]] = []

    def log(self, level: int, event: str, *args: Any) -> None:
        self.lines.append((level, event % args))

    def info(self, event: str, *args: Any) -> None:
        self.log(logging.INFO, event, *args)

    debug = warning = error = exception = info

    @property
    def texts(self) -> list[str]:
        return [text for _, text in self.lines]


@pytest.fixture(autouse=True)
def other_host() -> Iterator[mock.Mock]:
    """The worker is not where the triggerer was."""
    with mock.patch.object(told_lines, "own_host", autospec=True, return_value="worker") as host:
        yield host


def event_of(*lines: tuple[int, str]) -> dict[str, Any]:
    """What a triggerer sends after it has told lines, as the database gives it back."""
    told = ToldLines(KeptLog())
    for level, text in lines:
        told.log(level, "SOPS task %s: %s", 7, text)
    with mock.patch.object(told_lines, "own_host", return_value="triggerer"):
        event: dict[str, Any] = json.loads(json.dumps({"outcome": "finished", **told.in_event()}))
    return event


def test_a_line_goes_to_the_log_at_once() -> None:
    log = KeptLog()
    ToldLines(log).log(logging.WARNING, "SOPS task %s: %s", 7, NODE)
    assert log.lines == [(logging.WARNING, f"SOPS task 7: {NODE}")]


def test_the_worker_writes_again_what_was_told_when_and_where() -> None:
    log = KeptLog()
    assert tell_again(event_of((logging.INFO, "begun"), (logging.WARNING, NODE)), log)
    assert "triggerer" in log.texts[0]
    assert "told this before" in log.texts[0]
    assert [level for level, _ in log.lines[1:]] == [logging.INFO, logging.WARNING]
    assert log.texts[2].endswith(f" UTC] SOPS task 7: {NODE}")


def test_a_line_for_those_who_look_for_a_fault_is_not_carried() -> None:
    assert "log" not in event_of((logging.DEBUG, "detail"))


@pytest.mark.parametrize(
    "event", [{}, {"log": None}, {"log": {"lines": 3}}, {"log": {"lines": "no lines"}}, {"log": {"lines": "YWJj"}}]
)
def test_an_event_of_another_version_harms_nothing(event: dict[str, Any]) -> None:
    tell_again(event, KeptLog())


def test_nothing_is_repeated_on_the_triggerers_own_host(other_host: mock.Mock) -> None:
    other_host.return_value = "triggerer"
    log = KeptLog()
    assert not tell_again(event_of((logging.INFO, NODE)), log)
    assert log.lines == []


def test_nothing_is_repeated_where_logs_are_kept_remotely(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__LOGGING__REMOTE_LOGGING", "True")
    log = KeptLog()
    assert not tell_again(event_of((logging.INFO, NODE)), log)
    assert log.lines == []


def test_the_triggerers_own_line_about_its_event_does_not_repeat_them() -> None:
    assert "deploy" not in str(event_of((logging.INFO, NODE)))


def test_a_long_log_is_cut_in_the_middle() -> None:
    event = event_of(*((logging.INFO, f"node {number} {'x' * 2000}") for number in range(1000)))
    assert len(json.dumps(event)) < 10_000
    log = KeptLog()
    tell_again(event, log)
    assert "node 0 " in log.texts[1]
    assert "node 999 " in log.texts[-1]
    (cut,) = (text for text in log.texts if "left out" in text)
    assert f"… {1000 - (len(log.texts) - 2)} lines are left out here …" in cut


def test_percent_signs_of_a_node_are_no_format() -> None:
    log = KeptLog()
    tell_again(event_of((logging.INFO, "100 %s %d")), log)
    assert log.texts[1].endswith("SOPS task 7: 100 %s %d")
