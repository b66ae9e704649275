from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given

from airflow_provider_sops.sops.pipeline_tree import PipelineTree
from airflow_provider_sops.sops.pipeline_tree.content import content_hash, differences
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
