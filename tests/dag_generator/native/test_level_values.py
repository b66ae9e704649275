"""Where the tasks of a level find the values of its variables."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_sops.dag_generator.converters.registry import NodeConverter
from airflow_provider_sops.dag_generator.native.level_values import LevelValues, Source
from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from airflow_provider_sops.task_instance.xcom import CONSTANTS_XCOM_KEY, VARIABLES_XCOM_KEY


class MappedTaskInstance:
    """The task instance of map index 1, and what the tasks of its index have pushed."""

    map_index = 1
    dag_id, run_id = "tests", "run"

    def __init__(self, **xcoms: Any) -> None:
        self._xcoms = {("start", CONSTANTS_XCOM_KEY): {}, **{tuple(name.split("__")): xcoms[name] for name in xcoms}}
        self.pulls: list[str] = []

    def get_task_states(self, *, task_ids: list[str], **_where: Any) -> dict[str, dict[str, str]]:
        return {self.run_id: dict.fromkeys(task_ids, "success")}

    def xcom_pull(self, *, task_ids: str, key: str, map_indexes: int = -1) -> Any:
        assert map_indexes == 1
        self.pulls.append(task_ids)
        return self._xcoms.get((task_ids, key))


def never(_node: Any) -> Any:
    raise AssertionError("nothing is built in a run")


def values(ti: Any, source: Source, *, is_subprocess: bool = False) -> Any:
    context: Any = {"ti": ti}
    return LevelValues("start", is_subprocess, {"${said}": source}).read(context)


REGION = Source("a", "${said}")
CONVERTED = Source("a", "said", NodeConverter(never))


def test_constants_are_those_that_the_start_of_the_same_map_index_has_pushed() -> None:
    pushed = {"${who}": "you"}
    assert values(MappedTaskInstance(**{f"start__{CONSTANTS_XCOM_KEY}": pushed}), REGION).given == pushed


@pytest.mark.parametrize("pushed", [None, [], [{"${who}": "a"}, {"${who}": "b"}], "{}"])
@pytest.mark.parametrize("is_subprocess", [False, True])
def test_constants_of_another_form_are_no_defaults_but_an_error(pushed: Any, is_subprocess: bool) -> None:
    ti = MappedTaskInstance(**{f"start__{CONSTANTS_XCOM_KEY}": pushed})
    with pytest.raises(SopsInvalidParameterError, match=r"XCom 'sops_constants' of task 'start' \[1\] is"):
        values(ti, REGION, is_subprocess=is_subprocess)


@pytest.mark.parametrize("source", [REGION, CONVERTED])
def test_a_task_that_was_skipped_has_put_out_nothing(source: Source) -> None:
    assert "${said}" not in values(MappedTaskInstance(), source).data


def test_variables_that_are_a_list_are_an_error() -> None:
    ti = MappedTaskInstance(**{f"a__{VARIABLES_XCOM_KEY}": [{"${said}": 1}, {"${said}": 2}]})
    with pytest.raises(SopsInvalidParameterError, match=r"'sops_variables' of task 'a' \[1\] is of type list"):
        values(ti, REGION).data["${said}"]


def test_an_operator_that_returned_no_dict_lacks_the_output() -> None:
    with pytest.raises(SopsInvalidParameterError, match=r"task 'a' returned a list.*no output 'said'") as raised:
        values(MappedTaskInstance(a__return_value=["secret-7"]), CONVERTED).data["${said}"]
    assert "secret-7" not in str(raised.value)


def test_what_sops_adds_to_every_output_is_there_whatever_an_operator_returned() -> None:
    result = Source("a", "_result", NodeConverter(never))
    assert values(MappedTaskInstance(a__return_value="text"), result).data["${said}"] is True


def test_a_task_is_asked_once() -> None:
    ti = MappedTaskInstance(a__return_value={"said": "hello"})
    found = values(ti, CONVERTED).data
    assert [found["${said}"], found["${said}"]] == ["hello", "hello"]
    assert ti.pulls.count("a") == 1
