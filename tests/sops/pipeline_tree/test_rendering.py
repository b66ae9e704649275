from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from airflow_provider_sops.sops.pipeline_tree import PipelineTree
from airflow_provider_sops.sops.pipeline_tree.rendering import KnownValues, can_render, is_computed, render
from tests.sops.builders import constant, password, pipeline_tree, subprocess


def output(key: str) -> Any:
    return constant(key, source_type="component_outputs", custom_type="", source_info={"a": ["data"]})


CONSTANTS = {
    "${who}": constant("${who}", "bob"),
    "${greeting}": constant("${greeting}", "hi ${who}"),
    "${count}": constant("${count}", 3, custom_type="int"),
    "${many}": constant("${many}", ["${who}", {"n": "${count}"}], custom_type="textarea"),
    "${choice}": constant("${choice}", "a", custom_type="select"),
    "${picked}": constant("${picked}", "${choice}"),
    "${secret}": password("${secret}"),
    "${total}": constant("${total}", "${count + 1}"),
    "${data}": output("${data}"),
    "${again}": constant("${again}", "x ${data}"),
}


def rendered(value: Any, known: KnownValues | None = None) -> Any:
    return render(value, LEVEL, known or KnownValues())


LEVEL = PipelineTree(pipeline_tree("start > a > end", constants=CONSTANTS)).levels[()]


class TestRendered:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ("${count}", 3),
            ("${many}", ["bob", {"n": 3}]),
            ("${who}", "bob"),
            ("n: ${count}", "n: 3"),
            ("${many}!", "['bob', {'n': 3}]!"),
            ("${who} and ${who}", "bob and bob"),
            ("${greeting}", "hi bob"),
            ({"k": ["${count}", "${who}."]}, {"k": [3, "bob."]}),
            ({"${who}": 1}, {"${who}": 1}),
            ("no names", "no names"),
            ("$who {who} $ {who}", "$who {who} $ {who}"),
            (7, 7),
            (None, None),
            (True, True),
        ],
    )
    def test_a_name_alone_is_the_value_with_its_type_and_within_text_it_is_text(
        self, value: Any, expected: Any
    ) -> None:
        assert rendered(value) == expected
        assert type(rendered(value)) is type(expected)

    @pytest.mark.parametrize("value", ["${unknown}", "x ${unknown} y", "${data}"])
    def test_a_name_without_a_value_stays_as_it_is(self, value: str) -> None:
        assert rendered(value) == value

    def test_a_given_definition_is_rendered_in_place_of_the_trees(self) -> None:
        assert rendered("${greeting}", KnownValues(given={"${greeting}": "bye ${who}"})) == "bye bob"
        assert rendered("${greeting}", KnownValues(given={"${who}": "ann"})) == "hi ann"

    def test_an_output_is_known_by_its_data(self) -> None:
        assert rendered("${data}", KnownValues(data={"${data}": {"n": 1}})) == {"n": 1}

    @pytest.mark.parametrize("text", ["${who}", "${count + 1}", "${secret}", "${data}", "$${who}"])
    def test_data_is_rendered_no_second_time(self, text: str) -> None:
        known = KnownValues(data={"${data}": text})

        assert rendered("${data}", known) == text
        assert rendered("x ${data}", known) == f"x {text}"
        assert rendered("${again}", known) == f"x {text}"

    def test_what_a_subprocess_was_given_is_data(self) -> None:
        inner = pipeline_tree("s2 > x > e2", constants={"${p}": constant("${p}", "${count + 1}")})
        tree = pipeline_tree("start > call > end", nodes={"call": subprocess("call", inner)}, constants=CONSTANTS)
        level = PipelineTree(tree).levels[("call",)]

        assert render("${p}", level, KnownValues(data={"${p}": "${who}"})) == "${who}"
        assert render("${p}", level, KnownValues()) == "${p}"


class TestLeftToSops:
    @pytest.mark.parametrize(
        "value",
        [
            "${count + 1}",
            "${who.upper()}",
            "${ who }",
            "${_system.task_id}",
            "${many[0]}",
            "x ${count + 1} y",
            ["${who}", {"k": "${1}"}],
            "${total}",
            "${choice}",
            "${picked}",
            "${secret}",
            "${len}",
            "${None}",
            "${loop}",
            "${if}",
        ],
    )
    def test_expressions_computed_variables_and_passwords(self, value: Any) -> None:
        assert not can_render(value, LEVEL)
        with pytest.raises(SopsInvalidParameterError, match="only SOPS can render"):
            rendered(value)

    def test_a_password_is_not_in_the_error(self) -> None:
        with pytest.raises(SopsInvalidParameterError) as caught:
            rendered("${secret}", KnownValues(given={"${secret}": "hunter3"}))

        assert "hunter" not in str(caught.value)

    def test_an_expression_that_was_given(self) -> None:
        assert can_render("${who}", LEVEL)
        assert not can_render("${who}", LEVEL, {"${who}": "${count + 1}"})
        assert can_render("${total}", LEVEL, {"${total}": "4"})

    def test_constants_in_a_circle_end(self) -> None:
        circle = {"${a}": constant("${a}", "${b}"), "${b}": constant("${b}", "${a}")}
        level = PipelineTree(pipeline_tree("start > a > end", constants=circle)).levels[()]

        assert can_render("${a}", level)
        assert render("${a}", level, KnownValues()) == "${a}"


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (constant("${a}"), False),
        (constant("${a}", custom_type="int"), False),
        (constant("${a}", custom_type="textarea"), False),
        (constant("${a}", custom_type="datetime"), False),
        (constant("${a}", custom_type="select"), True),
        (constant("${a}", custom_type="ip"), True),
        (password("${a}"), True),
        (output("${a}"), False),
        (constant("${a}", source_type="component_inputs", custom_type="select"), False),
    ],
)
def test_a_constant_of_a_type_of_its_own_is_computed_by_sops(raw: Any, expected: bool) -> None:
    assert is_computed(raw) is expected
