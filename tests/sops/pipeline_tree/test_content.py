from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_sops.sops.pipeline_tree import PipelineTree
from airflow_provider_sops.sops.pipeline_tree.content import content_hash, differences, matches_hash
from tests.pipeline_trees.blocks import Exclusive, Flow, Sub, Task
from tests.pipeline_trees.strategies import flows
from tests.pipeline_trees.web_tree import web_tree
from tests.sops.builders import constant, password

T = Task()


def tree() -> Any:
    made = web_tree((T, Sub((T,)), Exclusive(((T,), (T,)))))
    made["constants"] = {"${who}": constant("${who}", "bob"), "${pw}": password("${pw}")}
    return made


def changed(*way: str, to: Any) -> Any:
    """The tree with one place of it replaced; ``None`` removes it."""
    made = tree()
    place = made
    for step in way[:-1]:
        place = place[step]
    if to is None:
        del place[way[-1]]
    else:
        place[way[-1]] = to
    return made


def hash_of(made: Any) -> str:
    return content_hash(PipelineTree(made))


def words(made: Any) -> list[str]:
    return differences(PipelineTree(tree()), PipelineTree(made))


@pytest.mark.parametrize(
    "same",
    [
        changed("location", to=[{"id": "a1", "x": 9, "y": 9}]),
        changed("line", to=[{"id": "l2"}]),
        changed("id", to="n77"),
        changed("all_nodes", to={}),
        changed("activities", "a1", "labels", to=[{"name": "x"}]),
        changed("activities", "a1", "incoming", to="l2"),
        changed("activities", "a1", "outgoing", to=["l4"]),
        changed("gateways", "g5", "converge_gateway_id", to="g9"),
        changed("constants", "${pw}", "value", to="other"),
        changed("constants", "${who}", "schema", to={"type": "string"}),
        changed("activities", "s3", "constants", to={"${x}": {"value": 1}}),
        changed("activities", "s3", "version", to="v2"),
        changed("activities", "s3", "template_source", to="project"),
        changed("gateways", "g5", "conditions", "l8", "loc", to=-19),
    ],
)
def test_what_the_flow_does_not_run_by_does_not_count(same: Any) -> None:
    assert hash_of(same) == hash_of(tree())
    assert words(same) == []


def test_old_and_new_names_of_a_field_are_the_same() -> None:
    old = tree()
    for node in old["activities"].values():
        node["isSkipped"], node["can_retry"] = node.pop("skippable"), node.pop("retryable")

    assert hash_of(old) == hash_of(tree())


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (
            changed("activities", "a1", "name", to="deploy"),
            ["ServiceActivity 'deploy' (a1) changed: name"],
        ),
        (
            changed("activities", "a1", "component", "data", "bk_display_message", "value", to="secret text"),
            ["ServiceActivity 'a1' (a1) changed: component.data.bk_display_message"],
        ),
        (
            changed("activities", "a1", "component", "code", to="sleep_timer"),
            ["ServiceActivity 'a1' (a1) changed: component.code"],
        ),
        (
            changed("activities", "s3", "pipeline", "activities", "a1", "optional", to=False),
            ["ServiceActivity 'a1' (s3 > a1) changed: optional"],
        ),
        (
            changed("activities", "s3", "pipeline", to=None),
            ["SubProcess 's3' (s3): the flow inside it is no longer known"],
        ),
        (
            changed("activities", "s3", "template_source", to="common"),
            ["SubProcess 's3' (s3) changed: template_source"],
        ),
        (
            changed("flows", "l2", "target", to="s3"),
            [
                "the sequence flow from EmptyStartEvent (start) to ServiceActivity 'a1' (a1) was removed",
                "the sequence flow from EmptyStartEvent (start) to SubProcess 's3' (s3) was added",
            ],
        ),
        (changed("constants", "${who}", "value", to="eve"), ["constant ${who} changed: value"]),
        (changed("constants", "${who}", to=None), ["constant ${who} was removed"]),
        (changed("constants", "${new}", to=constant("${new}")), ["constant ${new} was added"]),
        (changed("constants", "${pw}", "name", to="the password"), ["constant ${pw} changed: name"]),
        (changed("outputs", to=["${who}"]), ["the outputs changed from none to ${who}"]),
    ],
)
def test_what_differs_changes_the_hash_and_is_told_without_values(other: Any, expected: list[str]) -> None:
    assert hash_of(other) != hash_of(tree())
    assert words(other) == expected


def test_nodes_that_came_and_went_are_told() -> None:
    other = tree()
    other["activities"]["x"] = {**other["activities"].pop("a1"), "id": "x", "name": "new"}

    assert words(other)[:2] == ["ServiceActivity 'a1' (a1) was removed", "ServiceActivity 'new' (x) was added"]


@given(flows(), flows())
def test_trees_differ_in_words_exactly_when_they_differ_in_their_hash(one: Flow, other: Flow) -> None:
    first, second = web_tree(one), web_tree(other)

    found = differences(PipelineTree(first), PipelineTree(second))

    assert bool(found) is (hash_of(first) != hash_of(second))
    assert differences(PipelineTree(first), PipelineTree(copy.deepcopy(first))) == []


#: Fields whose lists are sets.
SETS = ("outgoing", "incoming", "outputs", "hooked_constants", "scheme_id_list", "from_a_field")


def shuffled(value: Any, draw: Any, field: str = "") -> Any:
    """The same JSON with its keys, and the lists that are sets, in another order."""
    if isinstance(value, dict):
        keys = draw(st.permutations(list(value)))
        return {key: shuffled(value[key], draw, "from_a_field" if field == "source_info" else key) for key in keys}
    if isinstance(value, list):
        items = [shuffled(each, draw) for each in value]
        return draw(st.permutations(items)) if field in SETS else items
    return value


@given(flows(), st.data())
def test_no_order_that_json_may_have_changes_the_hash(flow: Flow, data: st.DataObject) -> None:
    made = web_tree(flow)
    for node in made["activities"].values():
        node["hooked_constants"] = ["${one}", "${two}", "${three}"]
    made["constants"]["${in}"] = constant("${in}", source_type="component_inputs", source_info={"a1": ["x", "y", "z"]})
    made["outputs"] = ["${in}", *made["outputs"]]

    other = shuffled(made, data.draw)

    assert hash_of(other) == hash_of(made)
    assert differences(PipelineTree(made), PipelineTree(other)) == []


def test_the_first_source_of_an_output_counts() -> None:
    def with_source(*fields: str) -> Any:
        made = tree()
        made["constants"]["${out}"] = constant(
            "${out}", source_type="component_outputs", source_info={"a1": list(fields)}
        )
        return made

    assert hash_of(with_source("one", "two")) != hash_of(with_source("two", "one"))


def test_true_is_not_1() -> None:
    one, true = changed("constants", "${who}", "value", to=1), changed("constants", "${who}", "value", to=True)

    assert hash_of(one) != hash_of(true)
    assert differences(PipelineTree(one), PipelineTree(true)) == ["constant ${who} changed: value"]


#: What earlier versions recorded for these trees.
FIRST_HASH = "sha256:e7af9cac3864c0875f0c768cd263f74423151215fe4238a45cc96e39fff4de1f"
FIRST_HASH_OF_SIBLINGS = "sha256:422e3b94a74e82e2e4fa9426f1bbcf71c24482fb59fe272825a946e55debc498"


def test_a_hash_of_an_earlier_version_is_understood() -> None:
    assert matches_hash(PipelineTree(tree()), FIRST_HASH)
    assert not matches_hash(PipelineTree(changed("activities", "a1", "name", to="other")), FIRST_HASH)


def test_a_hash_of_an_earlier_version_proves_nothing_where_it_depends_on_an_order_that_is_lost() -> None:
    siblings = web_tree((Sub((T,)), Sub((T, T))))
    siblings["activities"] = dict(reversed(siblings["activities"].items()))

    assert matches_hash(PipelineTree(siblings), FIRST_HASH_OF_SIBLINGS)
    assert not matches_hash(PipelineTree(siblings), "sha256-2:0")


def test_a_tree_matches_its_own_hash_after_its_keys_were_sorted() -> None:
    siblings = web_tree((Sub((T,)), Sub((T, T))))
    siblings["activities"] = dict(reversed(siblings["activities"].items()))

    assert matches_hash(PipelineTree(json.loads(json.dumps(siblings, sort_keys=True))), hash_of(siblings))
