"""Whatever stands in a tree, a DAG is built from it, or an error names the node or the constant."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_sops.dag_generator import SopsDag
from airflow_provider_sops.sops.errors import SopsError, SopsInvalidParameterError
from airflow_provider_sops.sops.pipeline_tree import PipelineTree
from tests.pipeline_trees.blocks import Exclusive, Sub, Task
from tests.pipeline_trees.strategies import flows
from tests.pipeline_trees.web_tree import web_tree
from tests.sops.builders import constant, password

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.pipeline_trees.blocks import Flow

T = Task()
MODES: tuple[Literal["watch", "native"], ...] = ("watch", "native")
ODD: tuple[Any, ...] = (
    *(None, True, "", "x", "\0", "\ud800", "9" * 30, "${who}", "${"),
    *(-1, 2**31, 2**62, 2**70, 10**400, 1e308, float("nan"), float("inf")),
    *([], [1], [[]], {}, {"a": 1}, {"${who}": "${who}"}),
)


def built(tree: Any, mode: Literal["watch", "native"]) -> SopsDag:
    start = pendulum.datetime(2026, 1, 1, tz="UTC")
    dag = SopsDag("odd", pipeline=PipelineTree(tree), template_id=7, mode=mode, schedule=None, start_date=start)
    dag.params.validate()
    return dag


def refusal(tree: Any, mode: Literal["watch", "native"]) -> str | None:
    """Why no DAG is built; ``None`` if one is."""
    try:
        built(tree, mode)
    except SopsError as error:
        return str(error)
    return None


def places(tree: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in inner:
        yield (*way, key)
        yield from places(value, (*way, key))


def replaced(tree: Any, way: tuple[Any, ...], value: Any) -> Any:
    changed = json.loads(json.dumps(tree))
    place = changed
    for step in way[:-1]:
        place = place[step]
    place[way[-1]] = value
    return changed


def tree_of(flow: Flow) -> Any:
    tree = web_tree(flow)
    tree["constants"] |= {"${who}": constant("${who}", "bob", index=0), "${pw}": password("${pw}")}
    return tree


@given(flows(), st.sampled_from(ODD), st.data())
def test_an_odd_value_anywhere_in_a_tree_is_taken_or_refused_in_words(
    flow: Flow, odd: Any, data: st.DataObject
) -> None:
    tree = tree_of(flow)
    changed = replaced(tree, data.draw(st.sampled_from(list(places(tree)))), odd)

    assert all(refusal(changed, mode) != "" for mode in MODES)


FIELDS = ("index", "value", "show_type", "custom_type", "source_type", "source_info", "is_meta", "name", "key", "desc")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("field", FIELDS)
def test_constants_whose_fields_have_different_types_are_taken_or_refused_in_words(
    field: str, mode: Literal["watch", "native"]
) -> None:
    for odd in ODD:
        tree = tree_of((T, Sub((T,)), Exclusive(((T,), (T,)))))
        tree["constants"] = {
            key: {**constant(key, "x"), field: value} for key, value in (("${a}", odd), ("${b}", 1), ("${c}", "1"))
        }
        refused = refusal(tree, mode)
        assert refused is None or "${" in refused


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("odd", ODD, ids=lambda odd: repr(odd)[:20])
def test_numbers_of_a_node_that_no_machine_has_are_taken_or_name_the_node(
    odd: Any, mode: Literal["watch", "native"]
) -> None:
    tree = tree_of((T,))
    tree["activities"]["a1"]["auto_retry"] = {"enable": True, "times": odd, "interval": odd}
    tree["activities"]["a1"]["timeout_config"] = {"enable": True, "seconds": odd, "action": odd}

    refused = refusal(tree, mode)
    assert refused is None or "'a1' (a1)" in refused


def test_a_time_limit_that_airflow_cannot_have_names_the_node() -> None:
    tree = tree_of((T,))
    tree["activities"]["a1"]["timeout_config"] = {"enable": True, "seconds": 2**62, "action": "forced_fail"}

    with pytest.raises(SopsInvalidParameterError, match=r"ServiceActivity 'a1' \(a1\): timeout_config has \d+ seconds"):
        built(tree, "native")
