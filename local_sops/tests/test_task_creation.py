from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from sops_client import BUSINESS, SopsClient, node_ids, running_server
from tree_fixtures import constant, display, edges_of, tree_of

from local_sops.template_folder import SHIPPED_TEMPLATES

if TYPE_CHECKING:
    from pathlib import Path

LINEAR, LEAF, NESTED, OPTIONAL, OPTIONAL_PARALLEL, QUICK, COMMON = 1, 6, 8, 9, 10, 18, 10001


def refused(sops: SopsClient, template_id: int, **body: Any) -> tuple[int, str]:
    answer = sops.post(f"create_task/{template_id}/{BUSINESS}", {"name": "test", **body})
    assert answer["result"] is False
    return answer["code"], answer["message"]


def template_file(name: str) -> Any:
    return json.loads((SHIPPED_TEMPLATES / f"{name}.json").read_bytes())


def template_tree(sops: SopsClient, template_id: int) -> Any:
    return sops.get(f"get_template_info/{template_id}/{BUSINESS}")["data"]["pipeline_tree"]


def test_a_task_has_ids_of_its_own_and_names_their_origin(sops: SopsClient) -> None:
    first, second = (sops.create(LINEAR)["pipeline_tree"] for _ in range(2))
    origins = {node["template_node_id"] for node in first["activities"].values()}
    assert origins == set(template_tree(sops, LINEAR)["activities"])
    assert not set(first["activities"]) & set(second["activities"])


def test_the_answer_and_the_detail_show_the_same_tree(sops: SopsClient) -> None:
    created = sops.create(LINEAR)
    detail = sops.detail(created["task_id"])
    assert detail["pipeline_tree"] == created["pipeline_tree"]
    assert detail["task_url"] == created["task_url"]


def test_a_task_carries_a_drawing_but_no_schemas(sops: SopsClient) -> None:
    tree = sops.create(LINEAR)["pipeline_tree"]
    assert {line["id"] for line in tree["line"]} == set(tree["flows"])
    assert {place["id"] for place in tree["location"]} >= set(tree["activities"])
    assert not any("schema" in one for one in tree["constants"].values())


def test_constants_are_set_with_their_types_and_unused_ones_are_dropped(sops: SopsClient) -> None:
    values = {"${who}": "amy", "${seconds}": 3, "${unused}": "x", "${nowhere}": "y"}
    constants = sops.create(LINEAR, constants=values)["pipeline_tree"]["constants"]
    assert constants["${who}"]["value"] == "amy"
    assert constants["${seconds}"]["value"] == 3
    assert not {"${unused}", "${nowhere}"} & set(constants)


def test_an_output_that_no_node_refers_to_is_dropped_but_in_a_subprocess(sops: SopsClient) -> None:
    assert "${reply}" in template_tree(sops, LEAF)["outputs"]
    alone = sops.create(LEAF)["pipeline_tree"]
    assert (alone["outputs"], set(alone["constants"])) == ([], {"${message}"})
    tree = sops.create(NESTED)["pipeline_tree"]
    called = tree["activities"][node_ids(tree)["call leaf"]]["pipeline"]
    assert (called["outputs"], set(called["constants"])) == (["${reply}"], {"${message}", "${reply}"})


def test_a_subprocess_whose_variables_have_no_place_cannot_be_unfolded(data_folder: Path, tmp_path: Path) -> None:
    tree = template_file("nested")["pipeline_tree"]
    for node in tree["activities"].values():
        for passed in node.get("constants", {}).values():
            del passed["index"]
    (tmp_path / "bad.json").write_text(json.dumps({"id": 900, "name": "bad", "pipeline_tree": tree}))
    with running_server(data_folder, "--templates", str(tmp_path)) as server:
        reason = "[API] create_task create pipeline without tree error: 'index'"
        assert refused(server.client, 900) == (3599999, reason)
        answer = server.client.get(f"get_template_info/900/{BUSINESS}", unfold_subprocess="1")
        assert (answer["code"], answer["message"]) == (3599999, "format_template_data failed: 'index'")


def test_a_subprocess_is_unfolded_in_a_task(sops: SopsClient) -> None:
    tree = sops.create(NESTED)["pipeline_tree"]
    names = node_ids(tree)
    sub = tree["activities"][names["call leaf"]]
    assert sub["pipeline"]["id"] == sub["id"]
    assert sub["original_template_id"] == "6"
    assert sub["template_id"] != "6"
    assert sub["pipeline"]["constants"]["${message}"]["value"] == "${topic}"
    middle = tree["activities"][names["call middle"]]["pipeline"]
    inner = middle["activities"][node_ids(middle)["middle calls leaf"]]["pipeline"]
    first, second = node_ids(inner)["leaf says"], node_ids(sub["pipeline"])["leaf says"]
    assert first != second
    assert inner["activities"][first]["template_node_id"] == sub["pipeline"]["activities"][second]["template_node_id"]


class TestSelection:
    def ids(self, sops: SopsClient, template_id: int = OPTIONAL) -> dict[str, str]:
        return node_ids(template_tree(sops, template_id))

    def test_excluded_nodes_are_gone(self, sops: SopsClient) -> None:
        excluded = [self.ids(sops)["may check"]]
        tree = sops.create(OPTIONAL, exclude_task_nodes_id=excluded)["pipeline_tree"]
        assert list(node_ids(tree)) == ["must begin", "may wait", "must end"]
        assert len(edges_of(tree)) == 4

    def test_parallel_branches_go_with_their_nodes(self, sops: SopsClient) -> None:
        ids = self.ids(sops, OPTIONAL_PARALLEL)
        some = sops.create(OPTIONAL_PARALLEL, exclude_task_nodes_id=[ids["branch 1"]])["pipeline_tree"]
        assert len(some["gateways"]) == 2
        branches = [ids[f"branch {number}"] for number in (1, 2, 3)]
        none = sops.create(OPTIONAL_PARALLEL, exclude_task_nodes_id=branches)["pipeline_tree"]
        assert none["gateways"] == {}
        assert list(node_ids(none)) == ["tail"]

    def test_only_the_nodes_to_execute_are_left(self, sops: SopsClient) -> None:
        ids = self.ids(sops)
        wanted = [ids["must begin"], ids["must end"], "nowhere"]
        tree = sops.create(OPTIONAL, execute_task_nodes_id=wanted)["pipeline_tree"]
        assert list(node_ids(tree)) == ["must begin", "must end"]

    @pytest.mark.parametrize("wanted", ["9-only_check", ["9-only_check"], [1]])
    def test_a_scheme_keeps_its_nodes_and_those_that_must_run(self, sops: SopsClient, wanted: Any) -> None:
        tree = sops.create(OPTIONAL, template_schemes_id=wanted)["pipeline_tree"]
        assert list(node_ids(tree)) == ["must begin", "may check", "must end"]

    def test_a_scheme_is_listed_with_its_nodes_as_json_text(self, sops: SopsClient) -> None:
        schemes = sops.get(f"get_template_schemes/{BUSINESS}/{OPTIONAL}")["data"]
        check = self.ids(sops)["may check"]
        assert schemes == [{"id": "9-only_check", "name": "only_check", "data": f'["{check}"]'}]

    def test_a_scheme_goes_with_no_other_selection(self, sops: SopsClient) -> None:
        code, message = refused(sops, OPTIONAL, template_schemes_id=[1], exclude_task_nodes_id=["x"])
        assert code == 3540000
        assert "can not be used with" in message

    def test_what_must_run_cannot_be_left_out(self, sops: SopsClient) -> None:
        ids = self.ids(sops)
        prefix = "[API] create_task create pipeline without tree error: "
        reason = f"{prefix}task node[id={ids['must end']}] is not optional"
        assert refused(sops, OPTIONAL, exclude_task_nodes_id=[ids["must end"]]) == (3599999, reason)
        code, message = refused(sops, OPTIONAL, execute_task_nodes_id=[ids["may wait"]])
        assert code == 3599999
        assert message.endswith("is not optional")

    def test_an_unknown_node_cannot_be_left_out(self, sops: SopsClient) -> None:
        prefix = "[API] create_task create pipeline without tree error: "
        reason = f"{prefix}task node[id=nowhere] is not in template pipeline tree"
        assert refused(sops, OPTIONAL, exclude_task_nodes_id=["nowhere"]) == (3599999, reason)


class TestOwnTree:
    def test_it_is_taken_as_it_is_but_for_ids_and_constants(self, sops: SopsClient) -> None:
        own = tree_of(
            [display("a", "${x} ${y}")],
            "start>a a>end",
            constants=[constant("x", 1, index=0), constant("unused", 2, index=1)],
        )
        tree = sops.create(QUICK, pipeline_tree=own, constants={"${x}": 5})["pipeline_tree"]
        assert {key: one["value"] for key, one in tree["constants"].items()} == {"${x}": 5, "${unused}": 2}
        assert [one["template_node_id"] for one in tree["activities"].values()] == ["a"]
        assert "line" not in tree

    @pytest.mark.parametrize("missing", ["constants", "index"])
    def test_a_subprocess_needs_what_it_is_unfolded_with(self, sops: SopsClient, missing: str) -> None:
        call = {**display("call"), "type": "SubProcess", "template_id": str(LEAF), "constants": {}}
        passed = constant("message", "x")
        if missing == "index":
            del passed["index"]
            call["constants"] = {"${message}": passed}
        else:
            del call["constants"]
        own = tree_of([call], "start>call call>end")
        code, message = refused(sops, QUICK, pipeline_tree=own)
        assert (code, message) == (3599999, f"[API] create_task get invalid pipeline_tree: '{missing}'")

    def test_what_is_missing_is_named(self, sops: SopsClient) -> None:
        code, message = refused(sops, QUICK, pipeline_tree={"activities": {}})
        assert code == 3599999
        assert message == (
            "[API] create_task get invalid pipeline_tree: : 'constants' is a required property,"
            ": 'end_event' is a required property,: 'gateways' is a required property,"
            ": 'outputs' is a required property,: 'start_event' is a required property"
        )

    @pytest.mark.parametrize(
        "edges", ["start>fork fork>a fork>b a>end b>end", "start>fork fork>a a>end"], ids=["no converge", "island"]
    )
    def test_the_engines_validators_have_their_say(self, sops: SopsClient, edges: str) -> None:
        own = tree_of([display("a"), display("b")], edges, {"fork": "ParallelGateway"})
        code, message = refused(sops, QUICK, pipeline_tree=own)
        assert code == 3599999
        assert message.startswith("[API] create_task get invalid pipeline_tree: ")


class TestParameters:
    @pytest.mark.parametrize(
        ("body", "words"),
        [
            ({"name": ""}, "'' should be non-empty"),
            ({"name": "n" * 101}, "is too long"),
            ({"name": 5}, "5 is not of type 'string'"),
            ({"flow_type": "odd"}, "'odd' is not one of ['common', 'common_func']"),
            ({"constants": ["a"]}, "['a'] is not of type 'object'"),
            ({"callback_url": "ftp://x"}, r"callback_url format error, must match ^https?://\w.+$"),
        ],
    )
    def test_wrong_ones_are_named(self, sops: SopsClient, body: dict[str, Any], words: str) -> None:
        code, message = refused(sops, QUICK, **body)
        assert code == 3540000
        assert words in message

    def test_a_name_may_have_100_characters_of_any_kind(self, sops: SopsClient) -> None:
        name = ("<b>$&'\" ${x} 名" * 10)[:100]
        assert sops.detail(sops.create(QUICK, name=name)["task_id"])["name"] == name

    def test_no_body_at_all_has_words_of_its_own(self, sops: SopsClient) -> None:
        assert sops.raw("POST", f"create_task/{QUICK}/{BUSINESS}").json() == {
            "result": False,
            "message": "非法请求: 数据错误, 请求不是合法的Json格式 | validate",
            "data": None,
            "code": 3540000,
        }

    @pytest.mark.parametrize(
        ("template_id", "source", "kind"),
        [(99999, "project", "TaskTemplate"), (COMMON, "business", "TaskTemplate"), (QUICK, "odd", "CommonTemplate")],
    )
    def test_an_unknown_template_is_not_found(self, sops: SopsClient, template_id: int, source: str, kind: str) -> None:
        code, message = refused(sops, template_id, template_source=source)
        assert code == 3540400
        assert f"{kind}(id={template_id}) does not exist" in message

    def test_a_common_template_needs_its_source(self, sops: SopsClient) -> None:
        created = sops.create(COMMON, template_source="common")
        assert sops.detail(created["task_id"])["template_id"] == COMMON
