"""Reading what another task of the same flow has pushed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from airflow_provider_sops.task_instance.flow_xcom import Pulled, pull
from airflow_provider_sops.task_instance.mirrored_node import FLOW_TASK_KEYS, FlowTask, read_flow_task
from airflow_provider_sops.version_compat import AIRFLOW_V_3_0_PLUS

if TYPE_CHECKING:
    from collections.abc import Mapping

Read = Callable[[Pulled], Any]


class MappedTaskInstance:
    """A task instance of a mapped group, as far as XCom is concerned."""

    def __init__(self, map_index: int, values: Mapping[tuple[str, str, int], Any]) -> None:
        self.map_index = map_index
        self._values = values

    def xcom_pull(self, *, task_ids: str, key: str, map_indexes: int = -1) -> Any:
        return self._values.get((task_ids, key, map_indexes))


def pulled(value: Any, *, map_index: int = -1) -> Pulled:
    return Pulled("each.start", "sops_constants", map_index, value)


@pytest.mark.parametrize("map_index", [-1, 0, 1])
def test_it_is_of_the_same_map_index(map_index: int) -> None:
    values = {("start", "key", index): f"of {index}" for index in (-1, 0, 1)}
    assert pull(MappedTaskInstance(map_index, values), "start", "key").value == f"of {map_index}"


@pytest.mark.skipif(not AIRFLOW_V_3_0_PLUS, reason="Airflow 2 logs no error")
def test_outside_mapped_groups_airflow_is_asked_in_the_way_that_logs_no_error_for_what_is_missing() -> None:
    ti = mock.Mock(map_index=-1)
    ti.xcom_pull.return_value = None
    assert pull(ti, "start", "key").is_missing
    ti.xcom_pull.assert_called_once_with(task_ids="start", key="key")


@pytest.mark.skipif(not AIRFLOW_V_3_0_PLUS, reason="Airflow 2 logs no error")
@pytest.mark.parametrize(("state", "is_asked"), [("skipped", False), ("success", True)])
def test_in_a_mapped_group_a_skipped_task_is_not_asked_for_what_it_cannot_have(state: str, is_asked: bool) -> None:
    ti = mock.Mock(map_index=2, run_id="run")
    ti.get_task_states.return_value = {"run": {"each.branch_2": state}}
    ti.xcom_pull.return_value = "value"
    assert pull(ti, "each.branch", "key", may_be_skipped=True).is_missing is not is_asked
    assert ti.xcom_pull.called is is_asked


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (Pulled.mapping, {"${a}": 1}),
        (Pulled.mapping, {}),
        (Pulled.sequence, ["n1"]),
        (Pulled.sequence, []),
        (Pulled.text, ""),
        (Pulled.sops_task_id, 7),
    ],
)
def test_what_has_the_right_form_is_given_as_it_is(read: Read, value: Any) -> None:
    assert read(pulled(value)) == value


@pytest.mark.parametrize(
    ("read", "value", "kind"),
    [
        (Pulled.mapping, [{"${a}": 1}, {"${a}": 2}], "of type list, but must be a mapping"),
        (Pulled.mapping, "{}", "of type str, but must be a mapping"),
        (Pulled.sequence, {"n1": 1}, "of type dict, but must be a list"),
        (Pulled.sequence, "n1", "of type str, but must be a list"),
        (Pulled.text, 1, "of type int, but must be a string"),
        (Pulled.sops_task_id, [6, 9], "of type list, but must be the id of a SOPS task"),
        (Pulled.sops_task_id, True, "of type bool, but must be the id of a SOPS task"),
        (Pulled.mapping, None, "missing; it must be a mapping"),
        (Pulled.sequence, None, "missing; it must be a list"),
        (Pulled.sops_task_id, None, "missing; it must be the id of a SOPS task"),
    ],
)
def test_any_other_form_is_an_error_that_names_task_and_key(read: Read, value: Any, kind: str) -> None:
    with pytest.raises(
        SopsInvalidParameterError, match=r"XCom 'sops_constants' of task 'each\.start' \[1\] is"
    ) as raised:
        read(pulled(value, map_index=1))
    assert kind in raised.value.reason
    assert "Clear 'each.start'" in (raised.value.advice or "")


def test_no_error_shows_a_value() -> None:
    with pytest.raises(SopsInvalidParameterError) as raised:
        pulled(["secret-7"]).mapping()
    assert "secret-7" not in str(raised.value)
    assert "secret-7" not in repr(pulled("secret-7"))


class TestFlowTask:
    def of(self, **values: Any) -> FlowTask:
        given = {"sops_task_id": 7, "sops_node_paths": {"a": ["n1"]}, **values}
        return read_flow_task({key: Pulled("start", key, -1, given.get(key)) for key in FLOW_TASK_KEYS})

    def test_address_and_independent_subprocesses_may_be_missing(self) -> None:
        assert self.of() == FlowTask(7, "", {"a": ["n1"]}, ())

    def test_everything_else_may_not(self) -> None:
        with pytest.raises(SopsInvalidParameterError, match="'sops_node_paths' of task 'start' is missing"):
            self.of(sops_node_paths=None)

    @pytest.mark.parametrize("key", FLOW_TASK_KEYS)
    def test_what_all_map_indexes_pushed_is_refused(self, key: str) -> None:
        wrong: Any = 5 if key == "sops_independent_subprocesses" else [5, 6]
        with pytest.raises(SopsInvalidParameterError, match=f"{key!r} of task 'start' is of type"):
            self.of(**{key: wrong})
