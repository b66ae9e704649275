"""What a run's params say of the flow's constants."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pendulum
import pytest
from airflow.providers.common.compat.sdk import ParamValidationError
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


CHOICES = [{"text": "Small", "value": "s"}, {"text": "Large {{ 1 }} <b>", "value": "l"}]


def select(default: Any, **definition: Any) -> dict[str, Any]:
    """A select, as the editor of SOPS stores it in a template."""
    value = {"datasource": "0", "items_text": json.dumps(CHOICES), "type": "0", "default": default, **definition}
    return {"value": value, "custom_type": "select", "source_tag": "select.select", "is_meta": True}


def param_of(raw: dict[str, Any]) -> Any:
    return asked(raw.pop("value"), **raw)[1].params["n"]


class TestChoices:
    def test_a_select_offers_the_choices_of_the_template(self) -> None:
        param = param_of(select("s"))
        assert param.schema["enum"][:2] == ["s", "l"]
        assert param.schema["values_display"].items() >= {("s", "Small"), ("l", "Large {{ 1 }} <b>")}
        assert param.value == "s"
        assert param.resolve("l") == "l"
        with pytest.raises(ParamValidationError):
            param.resolve("x")

    @pytest.mark.parametrize("kept", ["", "odd", "a,b", "${other}", "\ud800"])
    def test_a_stored_value_that_is_no_choice_stays_valid(self, kept: str) -> None:
        param = param_of(select(kept))
        shown = param.resolve()
        assert handed_on(select(kept)["value"], shown, custom_type="select", is_meta=True) == kept

    def test_nothing_chosen_may_stay_so(self) -> None:
        param = param_of(select(""))
        assert param.resolve(None) is None
        assert handed_on(select("")["value"], None, custom_type="select", is_meta=True) == ""

    @pytest.mark.parametrize("several", [{"type": "1"}, {"multiple": True, "type": "select"}])
    def test_several_choices_are_a_list(self, several: dict[str, Any]) -> None:
        raw = select("s, l", **several)
        param = param_of(dict(raw))
        assert (param.schema["examples"], param.value) == (["s", "l"], ["s", "l"])
        given = raw["value"]
        fields = {"custom_type": "select", "is_meta": True}
        assert handed_on(given, ["s", "l"], **fields) == "s, l"
        assert handed_on(given, ["l"], **fields) == ["l"]
        assert handed_on(given, None, **fields) == ""
        assert handed_on({**given, "default": ["s"]}, None, **fields) == []
        for value in (None, "s,l", ["odd"], []):
            assert param.resolve(value) == value

    def test_the_tree_of_a_task_has_its_choices_too(self) -> None:
        param = param_of({"value": "l", "custom_type": "select", "meta": select("s")})
        assert param.schema["enum"][:2] == ["s", "l"]
        assert param.value == "l"

    @pytest.mark.parametrize(
        "definition",
        [
            {"datasource": "1", "items_text": "http://example.com/choices"},
            {"items_text": "no JSON"},
            {"items_text": "[" * 30_000},
            {"items_text": {"text": "a"}},
            {"items_text": "[]"},
            {"items_text": '[{"text": "one", "value": 1}]'},
            {"items_text": json.dumps([{"text": "", "value": str(n)} for n in range(501)])},
        ],
    )
    def test_choices_that_airflow_cannot_offer_leave_the_field_open(self, definition: dict[str, Any]) -> None:
        param = param_of(select("s", **definition))
        assert not {"enum", "examples"} & param.schema.keys()
        assert param.resolve("anything") == "anything"

    @given(
        definition=st.fixed_dictionaries(
            {},
            optional={
                "items_text": ANY_JSON.filter(is_json) | st.lists(ANY_JSON.filter(is_json)).map(json.dumps),
                "datasource": ANY_JSON,
                "type": ANY_JSON,
                "default": ANY_JSON.filter(is_json),
                "default_text": st.text(),
                "columns_text": st.text() | st.lists(ANY_JSON.filter(is_json)).map(json.dumps),
            },
        )
    )
    def test_whatever_the_definition_is_the_stored_value_is_valid_and_comes_back(
        self, definition: dict[str, Any]
    ) -> None:
        _, form = asked(definition, custom_type="select", is_meta=True)
        shown = form.params["n"].resolve()
        kept = definition.get("default") or definition.get("default_text", definition.get("default", ""))
        assert exactly(handed_on(definition, shown, custom_type="select", is_meta=True)) == exactly(kept)


class TestHints:
    def test_a_table_is_json_whose_columns_are_named(self) -> None:
        columns = [{"tag_code": "ip", "attrs": {"name": "IP address"}}, {"tag_code": "port"}]
        definition = {"columns_text": json.dumps(columns), "default_text": '[{"ip": "10.0.0.1"}]'}
        param = param_of({"value": definition, "custom_type": "datatable", "is_meta": True})
        assert param.value == [{"ip": "10.0.0.1"}]
        assert "type" not in param.schema["items"]
        assert param.description == "A table as JSON: a list of objects with ip (IP address), port."
        kept = {"custom_type": "datatable", "is_meta": True}
        assert handed_on(definition, [{"ip": "10.0.0.1"}], **kept) == '[{"ip": "10.0.0.1"}]'
        assert handed_on(definition, [{"ip": "10.0.0.2"}], **kept) == [{"ip": "10.0.0.2"}]

    def test_a_picker_is_json_whose_keys_are_named(self) -> None:
        param = param_of({"value": {"selectors": ["ip"], "ip": []}, "custom_type": "ip_selector", "desc": "hosts"})
        assert param.description == "hosts\nJSON, as SOPS has it for ip_selector: an object with selectors, ip."

    def test_a_time_says_how_sops_reads_it(self) -> None:
        assert "2026-01-31 18:00:00" in param_of({"value": "", "custom_type": "datetime"}).description


class TestValidation:
    def test_a_safe_expression_is_checked_by_airflow(self) -> None:
        param = param_of({"value": "web-1", "custom_type": "input", "validation": r"^[a-z]+-\d$"})
        assert param.schema["pattern"] == r"^[a-z]+-\d$"
        with pytest.raises(ParamValidationError):
            param.resolve("WEB")

    def test_a_field_that_the_template_leaves_empty_may_stay_empty(self) -> None:
        param = param_of({"value": "", "custom_type": "input", "validation": r"^\d{1,3}$"})
        assert (param.resolve(), param.resolve("12")) == ("", "12")
        with pytest.raises(ParamValidationError):
            param.resolve("x")

    @pytest.mark.parametrize(
        ("kept", "validation"),
        [("web", r"^\d+$"), (8080, r"^[a-z]+$"), ("a", "["), ("a", r"^(a+)+$"), ("a", r"(?<=a)b|a"), ("a", None)],
    )
    def test_an_expression_that_the_value_does_not_match_or_that_may_be_slow_is_not(
        self, kept: Any, validation: Any
    ) -> None:
        param = param_of({"value": kept, "custom_type": "input", "validation": validation})
        assert "pattern" not in param.schema
        assert param.resolve() == kept


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
