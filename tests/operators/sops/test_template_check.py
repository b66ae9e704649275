from __future__ import annotations

from typing import Any, ClassVar

import pytest

from airflow_provider_sops.operators.sops.template_check import (
    check_constants,
    check_excluded_nodes,
    check_executed_nodes,
    excluded_by_schemes,
)
from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from airflow_provider_sops.sops.models import Template
from tests.sops.builders import activity, constant, pipeline_tree

TEMPLATE = Template.read(
    {
        "id": 7,
        "name": '发布 "web"',
        "pipeline_tree": pipeline_tree(
            "start > must > g > maybe > end",
            nodes={
                "must": activity("check disk", optional=False),
                "maybe": activity("clean\nup"),
                "g": "ExclusiveGateway",
            },
            constants={
                "${n}": constant("${n}"),
                "${who}": constant("${who}"),
                "${hidden}": constant("${hidden}", show_type="hide"),
                "${code}": constant("${code}", source_type="component_outputs"),
            },
        ),
    }
)
ALL_OPTIONAL = Template.read({"id": 8, "name": "x", "pipeline_tree": pipeline_tree("start > a > b > c > end")})


def refusal(check: Any, *args: Any) -> str:
    with pytest.raises(SopsInvalidParameterError) as caught:
        check(*args)
    return str(caught.value)


class TestConstants:
    @pytest.mark.parametrize("constants", [{}, {"${who}": 1}, {"${who}": None, "${hidden}": "x", "${code}": 3}])
    def test_known_ones_pass_hidden_ones_and_outputs_among_them(self, constants: dict[str, Any]) -> None:
        check_constants(TEMPLATE, constants)

    def test_an_unknown_one_is_named_with_the_known_ones(self) -> None:
        text = refusal(check_constants, TEMPLATE, {"${who}": 1, "${nothing_alike}": 2})

        assert r"""template 7 ("发布 \"web\"") has no constant '${nothing_alike}'""" in text
        assert "${code}, ${hidden}, ${n}, ${who}" in text
        assert "check_constants=False" in text

    @pytest.mark.parametrize(
        ("key", "meant"),
        [("n", "${n}"), ("who", "${who}"), ("${Who}", "${who}"), ("${hiden}", "${hidden}"), ("{who}", "${who}")],
    )
    def test_a_slip_is_told_what_was_probably_meant(self, key: str, meant: str) -> None:
        assert f"{key!r} (did you mean {meant!r}?)" in refusal(check_constants, TEMPLATE, {key: 1})

    def test_a_key_that_is_like_others_in_nothing_but_its_braces_has_no_suggestion(self) -> None:
        assert "did you mean" not in refusal(check_constants, TEMPLATE, {"${cat}": 1})

    def test_values_which_may_be_secret_are_not_told(self) -> None:
        assert "hunter2" not in refusal(check_constants, TEMPLATE, {"${pasword}": "hunter2"})

    def test_a_template_without_constants_takes_none(self) -> None:
        assert "It has: none." in refusal(check_constants, ALL_OPTIONAL, {"${who}": 1})

    @pytest.mark.parametrize("key", ["", "带\n新行", "{{ ds }}", 5, None])
    def test_a_key_of_any_kind_is_shown_as_it_is(self, key: Any) -> None:
        assert repr(key) in refusal(check_constants, TEMPLATE, {key: 1})


class TestExcludedNodes:
    @pytest.mark.parametrize("node_ids", [[], ["maybe"], ("maybe",)])
    def test_optional_ones_pass(self, node_ids: Any) -> None:
        check_excluded_nodes(TEMPLATE, node_ids)

    def test_one_that_is_not_optional_is_refused_and_the_optional_ones_are_listed(self) -> None:
        text = refusal(check_excluded_nodes, TEMPLATE, ["must", "maybe"])

        assert 'exclude_task_nodes_id: template 7 ("发布 \\"web\\"") cannot run without must ("check disk")' in text
        assert r'Optional ones: maybe ("clean\nup").' in text

    @pytest.mark.parametrize("node_id", ["n404", "g", "start", ""])
    def test_what_is_no_activity_of_the_top_level_is_refused(self, node_id: str) -> None:
        assert f"has no node {node_id!r} on its top level" in refusal(check_excluded_nodes, TEMPLATE, [node_id])

    def test_both_kinds_of_mistakes_are_told_at_once(self) -> None:
        text = refusal(check_excluded_nodes, TEMPLATE, ["n404", "must"])

        assert "has no node 'n404' on its top level and cannot run without must" in text


class TestExecutedNodes:
    @pytest.mark.parametrize("node_ids", [["a"], ["c", "a"], ["a", "b", "c"]])
    def test_any_choice_passes_where_all_nodes_are_optional(self, node_ids: list[str]) -> None:
        check_executed_nodes(ALL_OPTIONAL, node_ids)

    def test_a_choice_with_all_that_must_run_passes(self) -> None:
        check_executed_nodes(TEMPLATE, ["must"])

    def test_a_choice_that_leaves_out_what_must_run_is_refused(self) -> None:
        text = refusal(check_executed_nodes, TEMPLATE, ["maybe"])

        assert 'execute_task_nodes_id: template 7 ("发布 \\"web\\"") cannot run without must ("check disk")' in text

    def test_an_unknown_node_is_refused_although_sops_would_drop_it_silently(self) -> None:
        assert "has no node 'n404'" in refusal(check_executed_nodes, ALL_OPTIONAL, ["a", "n404"])


class TestSchemes:
    SCHEMES: ClassVar = [
        {"id": "8-first", "name": "first", "data": '["a"]'},
        {"id": "8-last", "name": "last", "data": '["c", "gone"]'},
        {"id": "8-broken", "name": "broken", "data": "["},
    ]

    @pytest.mark.parametrize(
        ("wanted", "excluded"),
        [
            (["8-first"], ["b", "c"]),
            (["8-first", "8-last"], ["b"]),
        ],
    )
    def test_leave_out_the_optional_nodes_that_none_of_them_keeps(self, wanted: list[str], excluded: list[str]) -> None:
        assert excluded_by_schemes(ALL_OPTIONAL, self.SCHEMES, wanted) == excluded

    def test_never_leave_out_a_node_that_is_a_must(self) -> None:
        assert excluded_by_schemes(TEMPLATE, [{"id": "7-none", "data": "[]"}], ["7-none"]) == ["maybe"]

    @pytest.mark.parametrize("wanted", ["8-frist", "8-broken"])
    def test_are_refused_if_the_template_does_not_have_them(self, wanted: str) -> None:
        text = refusal(excluded_by_schemes, ALL_OPTIONAL, self.SCHEMES, [wanted, "8-last"])
        assert f"template 8 (\"x\") has no execution scheme '{wanted}' that can be read" in text
        assert "It has: '8-broken', '8-first', '8-last'." in text
