"""What a run's params say of the flow's constants."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_sops.dag_generator import PipelineTree
from airflow_provider_sops.dag_generator.params import constants_from_params, flow_params
from tests.sops.builders import constant, pipeline_tree


def asked(kept: Any, **fields: Any) -> tuple[PipelineTree, Any]:
    tree = PipelineTree(pipeline_tree("s > a > e", constants={"${n}": constant("${n}", kept, **fields)}))
    return tree, flow_params(tree)


@pytest.mark.parametrize("kept", ["3", "03", "", "three", 3, None, "9" * 30])
def test_a_number_that_nobody_has_changed_stays_as_sops_keeps_it(kept: Any) -> None:
    tree, form = asked(kept, custom_type="int")
    values = constants_from_params(tree, form.constants, {"n": form.params["n"].value})
    assert values == {"${n}": kept}
    assert type(values["${n}"]) is type(kept)


def test_a_number_beyond_64_bits_which_nothing_can_store_is_no_default() -> None:
    assert asked("9" * 30, custom_type="int")[1].params["n"].value is None


@pytest.mark.parametrize("index", ["NaN", "Infinity", None, [], 2])
def test_params_stand_in_the_order_of_their_constants_whatever_else_an_index_is(index: Any) -> None:
    constants = {
        "${a}": constant("${a}", index=3),
        "${b}": constant("${b}", index=index),
        "${c}": constant("${c}", index=1),
    }
    form = flow_params(PipelineTree(pipeline_tree("s > a > e", constants=constants)))

    assert [name for name in form.params if name in ("a", "c")] == ["c", "a"]


@pytest.mark.parametrize(("kept", "given", "value"), [("3", 4, "4"), ("3", None, ""), (3, 4, 4), ("", 0, "0")])
def test_a_number_is_text_where_sops_keeps_it_as_text(kept: Any, given: Any, value: Any) -> None:
    tree, form = asked(kept, custom_type="int")
    assert constants_from_params(tree, form.constants, {"n": given}) == {"${n}": value}


def test_other_values_are_passed_as_they_are() -> None:
    tree, form = asked("3", custom_type="input")
    assert constants_from_params(tree, form.constants, {"n": 3, "other": 1}) == {"${n}": 3}
