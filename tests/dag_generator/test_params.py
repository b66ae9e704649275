"""What a run's params say of the flow's constants."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_sops.dag_generator import ConverterRegistry, PipelineTree, SopsDag, load_pipeline_tree
from airflow_provider_sops.dag_generator.params import constants_from_params, flow_params
from airflow_provider_sops.version_compat import AIRFLOW_V_3_0_PLUS
from tests.dag_generator.flow_trees import tree as flow_tree
from tests.dag_run import run_dag
from tests.sops.builders import ANY_JSON, activity, constant, password, pipeline_tree

if TYPE_CHECKING:
    from airflow_provider_sops.hooks.sops import SopsHook

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "example_dags").glob("*.json"))
KINDS = ["input", "textarea", "datetime", "int", "select", "ip_selector", "", None]


def asked(kept: Any, **fields: Any) -> tuple[PipelineTree, Any]:
    tree = PipelineTree(pipeline_tree("s > a > e", constants={"${n}": constant("${n}", kept, **fields)}))
    return tree, flow_params(tree)


def handed_on(kept: Any, value: Any, **fields: Any) -> Any:
    """What SOPS is given, if the form gives ``value``."""
    tree, form = asked(kept, **fields)
    return constants_from_params(tree, form.constants, {"n": value})["${n}"]


def exactly(value: Any) -> str:
    """A JSON value with its types, in which ``1``, ``1.0`` and ``true`` differ."""
    return json.dumps(value, sort_keys=True)


def is_json(value: Any) -> bool:
    """Whether databases keep it: no NaN and no infinity."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict | list):
        return all(map(is_json, value.values() if isinstance(value, dict) else value))
    return True


@pytest.mark.parametrize("kept", ["3", "03", "", "three", 3, None, 3.5, True, [3], {"n": 3}, "9" * 5000, 2**60])
def test_a_number_that_nobody_has_changed_stays_as_sops_keeps_it(kept: Any) -> None:
    _, form = asked(kept, custom_type="int")
    assert exactly(handed_on(kept, form.params["n"].value, custom_type="int")) == exactly(kept)


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
    assert exactly(handed_on(kept, given, custom_type="int")) == exactly(value)


def test_other_values_are_passed_as_they_are() -> None:
    tree, form = asked("3", custom_type="input")
    assert constants_from_params(tree, form.constants, {"n": 3, "other": 1}) == {"${n}": 3}


class TestAnyValue:
    @given(kept=ANY_JSON.filter(is_json), kind=st.sampled_from(KINDS), is_meta=st.booleans())
    def test_it_is_valid_storable_and_handed_on_as_it_was(self, kept: Any, kind: Any, is_meta: bool) -> None:
        _, form = asked(kept, custom_type=kind, is_meta=is_meta)
        shown = form.params["n"].resolve()
        assert "\\u0000" not in json.dumps(shown).replace("\\\\", "")
        json.dumps(shown, ensure_ascii=False).encode()
        expected = kept.get("default", "") if is_meta and isinstance(kept, dict) else kept
        came_back = json.loads(json.dumps(shown))
        assert exactly(handed_on(kept, came_back, custom_type=kind, is_meta=is_meta)) == exactly(expected)

    @given(kept=st.integers() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False))
    def test_the_text_of_a_number_or_a_flag_out_of_a_text_field_is_the_value(self, kept: Any) -> None:
        for text in (str(kept), json.dumps(kept)):
            assert exactly(handed_on(kept, text, custom_type="input")) == exactly(kept)

    @pytest.mark.parametrize(("kept", "kind"), [("", "input"), (False, "input"), (None, "input"), ([], "select")])
    def test_what_airflow_2_shows_as_an_empty_field_is_kept(self, kept: Any, kind: str) -> None:
        assert exactly(handed_on(kept, None, custom_type=kind)) == exactly(kept)

    def test_an_emptied_text_is_an_empty_text(self) -> None:
        assert handed_on("web", None, custom_type="input") == ""

    @pytest.mark.parametrize(("kept", "given"), [(8080, "9090"), (8080, 9090), (True, "no"), (1, True), (True, 1)])
    def test_what_somebody_has_changed_is_handed_on_as_it_came(self, kept: Any, given: Any) -> None:
        assert exactly(handed_on(kept, given, custom_type="input")) == exactly(given)

    def test_anything_may_be_given_for_a_field_of_unknown_kind_that_is_empty(self) -> None:
        _, form = asked("", custom_type="select")
        for value in (None, "a", 1, 1.5, True, ["a"], {"a": 1}):
            assert form.params["n"].resolve(value) == value


class TestForm:
    @pytest.mark.parametrize(
        ("kept", "kind", "is_multiline"),
        [
            ("a", "textarea", True),
            ("", "textarea", True),
            (None, "textarea", True),
            ("a\nb", "input", True),
            ("a\nb", "select", True),
            ("a", "input", False),
            (["a"], "textarea", False),
        ],
    )
    def test_a_text_of_several_lines_has_a_field_of_several(self, kept: Any, kind: str, is_multiline: bool) -> None:
        _, form = asked(kept, custom_type=kind)
        assert (form.params["n"].schema.get("format") == "multiline") is is_multiline

    def test_line_ends_that_a_browser_has_changed_are_no_change(self) -> None:
        assert handed_on("\r\na\r\nb", "a\nb", custom_type="textarea") == "\r\na\r\nb"

    @pytest.mark.parametrize(
        ("kept", "kind", "types"),
        [
            ("web", "input", ["string", "null"]),
            (8080, "input", ["string", "null", "integer"]),
            (3.5, "int", ["number", "null"]),
            ({"a": 1}, "textarea", ["string", "null", "object"]),
        ],
    )
    def test_a_field_takes_what_it_is_for_and_what_it_holds(self, kept: Any, kind: str, types: list[str]) -> None:
        _, form = asked(kept, custom_type=kind)
        assert form.params["n"].schema["type"] == types

    @pytest.mark.parametrize(
        ("kept", "own"), [("a", "string"), (True, "boolean"), ([1], "array"), ({"a": 1}, "object"), (8080, "integer")]
    )
    def test_a_field_of_unknown_kind_begins_with_the_type_of_its_value(self, kept: Any, own: str) -> None:
        _, form = asked(kept, custom_type="select")
        schema = form.params["n"].schema["type"]
        first, *others = [schema] if isinstance(schema, str) else schema
        assert first == own
        # Airflow 2 picks the form field by any type it finds, and converts the value to it.
        assert bool(set(others) - {"null"}) is AIRFLOW_V_3_0_PLUS

    @given(
        text=st.text(st.characters(exclude_categories=())) | st.sampled_from(["<b>x</b>", "{{ 1 }}", "a\0b", "\ud800"])
    )
    def test_names_and_descriptions_are_plain_text_of_any_characters(self, text: str) -> None:
        _, form = asked("", name=text, desc=text)
        param = form.params["n"]
        assert "description_md" not in param.schema
        assert "\0" not in param.schema["title"] + param.description
        (param.schema["title"] + param.description).encode()
        if text.isascii() and "\0" not in text:
            assert param.description == text

    def test_no_chosen_node_is_none_left_out(self) -> None:
        tree = PipelineTree(pipeline_tree("s > a > e"))
        assert flow_params(tree).params["exclude_task_nodes_id"].resolve(None) is None

    def test_an_order_that_is_no_number_does_no_harm(self) -> None:
        constants = {
            f"${{{n}}}": constant(f"${{{n}}}", n, index=index) for n, index in (("a", "2"), ("b", None), ("c", 1))
        }
        assert list(flow_params(PipelineTree(pipeline_tree("s > a > e", constants=constants))).params)[:3] == [
            "b",
            "c",
            "a",
        ]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_params_of_the_examples_are_valid(path: Path) -> None:
    dag = SopsDag("example", pipeline=load_pipeline_tree(path), template_id=1, schedule=None)
    dag.params.validate()  # type: ignore[no-untyped-call,unused-ignore]


@pytest.mark.integration
@pytest.mark.usefixtures("airflow_db", "hook")
def test_a_flow_whose_text_boxes_hold_numbers_and_flags_runs(hook: SopsHook, templates: dict[str, int]) -> None:
    constants = {
        "${port}": constant("${port}", 8080, custom_type="input"),
        "${on}": constant("${on}", False, custom_type="input"),
        "${hosts}": constant("${hosts}", ["a", 1], custom_type="input"),
    }
    dag = SopsDag(
        "number_in_text_box",
        pipeline=PipelineTree.from_dict(
            flow_tree("s > a > e", nodes={"a": activity("a")}, constants=constants, outputs=list(constants))
        ),
        exclude=["a"],
        template_id=templates["linear"],
        mode="native",
        converters=ConverterRegistry(),
        schedule=None,
        start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    )
    run = run_dag(dag)
    assert run.state == "success"
    assert run.xcom("start", "sops_constants") == {"${port}": 8080, "${on}": False, "${hosts}": ["a", 1]}
    changed = run_dag(dag, run_conf={"port": "8080", "on": True})
    assert changed.xcom("start", "sops_constants") == {"${port}": 8080, "${on}": True, "${hosts}": ["a", 1]}


@pytest.mark.parametrize("fields", [{"custom_type": "PassWord"}, {"custom_type": "input"}, {"custom_type": None}])
def test_a_password_gets_no_param_however_it_is_marked(fields: dict[str, Any]) -> None:
    tree = pipeline_tree("s > a > e", constants={"${pw}": {**password("${pw}"), "show_type": "show", **fields}})
    found = flow_params(PipelineTree(tree))
    assert found.constants == {}
    assert "pw" not in found.params
