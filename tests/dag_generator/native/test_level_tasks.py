"""What goes out of a subprocess."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pendulum

from airflow_provider_sops.dag_generator import ConverterRegistry, PipelineTree, SopsDag
from airflow_provider_sops.dag_generator.native.level_tasks import LevelEndOperator, ValuesPiece
from airflow_provider_sops.task_instance.xcom import CONSTANTS_XCOM_KEY, EXCLUDED_XCOM_KEY, VARIABLES_XCOM_KEY
from tests.dag_generator.flow_trees import tree
from tests.sops.builders import constant
from tests.sops.builders import subprocess as sub

if TYPE_CHECKING:
    from collections.abc import Sequence


class KnownXComs:
    """The XComs of a run, as a task instance gives and takes them."""

    def __init__(self, values: dict[tuple[str, str], Any]) -> None:
        self.values = values
        self.pushed: dict[str, Any] = {}
        self.map_index = -1

    def xcom_pull(self, *, task_ids: str, key: str, map_indexes: int = -1) -> Any:
        assert map_indexes == self.map_index
        return self.values.get((task_ids, key))

    def xcom_push(self, *, key: str, value: Any) -> None:
        self.pushed[key] = value


def end_of_subprocess(*, optional: bool = False) -> LevelEndOperator:
    out = constant("${said}", "", source_type="component_outputs", source_info={"a": ["value"]}, show_type="hide")
    inner = tree("s > a > e", constants={"${said}": out}, outputs=["${said}"])
    dag = SopsDag(
        "flow",
        pipeline=PipelineTree.from_dict(tree("s > call > e", nodes={"call": sub("call", inner, optional=optional)})),
        template_id=1,
        mode="native",
        converters=ConverterRegistry(),
        schedule=None,
        start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    )
    (end,) = (task for task in dag.tasks if isinstance(task, LevelEndOperator) and "." in task.task_id)
    return end


def run(end: LevelEndOperator, variables: dict[str, Any], excluded: Sequence[str] = ()) -> tuple[Any, Any]:
    assert isinstance(end.piece, ValuesPiece)
    values = end.piece.values
    (source,) = {source.task_id for source in values.sources.values()}
    xcoms = KnownXComs(
        {
            ("start", EXCLUDED_XCOM_KEY): list(excluded),
            (source, VARIABLES_XCOM_KEY): variables,
            (values.start_task_id, CONSTANTS_XCOM_KEY): {},
        }
    )
    context: Any = {"ti": xcoms}
    return end.execute(context), xcoms.pushed[VARIABLES_XCOM_KEY]


def test_an_output_keeps_its_type() -> None:
    value = {"ports": [80, "${x}", None]}

    assert run(end_of_subprocess(), {"${said}": value}) == ({"said": value}, {"${said}": value})


def test_an_output_without_a_value_is_the_text_that_stands_for_it() -> None:
    assert run(end_of_subprocess(), {}) == ({"said": "${said}"}, {"${said}": "${said}"})


def test_a_subprocess_that_the_run_leaves_out_puts_out_nothing() -> None:
    end = end_of_subprocess(optional=True)

    assert run(end, {}, excluded=["call"]) == ({}, {})
    assert run(end, {"${said}": 1}, excluded=["other"]) == ({"said": 1}, {"${said}": 1})
