from __future__ import annotations

import pickle
from typing import Any

import pytest

from airflow_provider_sops.enos.models import InstanceStatus

DOCUMENTED = {
    -1: "FAIL",
    0: "INIT",
    1: "SUCCESS",
    2: "RUNNING",
    3: "SUSPEND",
    4: "INTERNAL_ERROR",
    5: "WAIT",
    6: "READY",
    7: "TIMEOUT",
    8: "CANCEL",
    9: "RERUN",
    10: "SKIP",
}


@pytest.mark.parametrize(("number", "word"), DOCUMENTED.items())
def test_every_documented_status_is_read_by_number_or_word(number: int, word: str) -> None:
    for read in (InstanceStatus.read(number), InstanceStatus.read(str(number), "x"), InstanceStatus.read(word)):
        assert read is InstanceStatus[word]
    assert InstanceStatus[word].number == number


@pytest.mark.parametrize(
    ("number", "word", "kept"),
    [
        (42, None, "42"),
        (42, "", "42"),
        (42, "FREEZING", "FREEZING"),
        (42, "SUCCESS", "42"),
        ("NONE", None, "NONE"),
        (None, "running", "RUNNING"),
        (None, None, ""),
    ],
)
def test_an_unknown_status_is_kept_and_is_no_end(number: Any, word: Any, kept: str) -> None:
    status = InstanceStatus.read(number, word)
    assert status == kept
    assert not status.is_end
    assert not status.is_failure
    assert pickle.loads(pickle.dumps(status)) == kept


def test_which_statuses_may_be_the_end() -> None:
    ends = {status.value for status in InstanceStatus if status.is_end}
    assert ends == {"FAIL", "SUCCESS", "INTERNAL_ERROR", "TIMEOUT", "CANCEL", "SKIP"}
    assert {status.value for status in InstanceStatus if status.is_failure} == {"FAIL", "INTERNAL_ERROR", "TIMEOUT"}
    assert {status.value for status in InstanceStatus if status.is_at_work} == {"RUNNING", "READY", "RERUN"}
