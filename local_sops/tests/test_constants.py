from __future__ import annotations

from typing import Any

import pytest
from tree_fixtures import constant, display, tree_of

from local_sops.trees.constants import with_values, without_unreferenced


def test_only_constants_that_something_refers_to_are_kept_and_numbered_anew() -> None:
    tree = tree_of(
        [display("a", "hello ${used}")],
        "start>a a>end",
        constants=[
            constant("lonely", "x", index=0),
            constant("used", "${behind}", index=1),
            constant("behind", "y", index=2),
        ],
    )
    kept = without_unreferenced(tree)["constants"]
    assert {key: one["index"] for key, one in kept.items()} == {"${used}": 0, "${behind}": 1}


def test_outputs_and_conditions_count_as_references() -> None:
    tree = tree_of(
        [display("a"), display("b")],
        "start>choice choice>a choice>b a>end b>end",
        {"choice": "ExclusiveGateway"},
        constants=[constant("asked", "x"), constant("given", "y")],
        outputs=["${given}"],
    )
    tree["gateways"]["choice"]["conditions"] = {"choice-a": {"evaluate": "${asked} == 1", "name": ""}}
    assert set(without_unreferenced(tree)["constants"]) == {"${asked}", "${given}"}


@pytest.mark.parametrize("value", ["text", 3, 1.5, True, None, ["a", 1], {"a": {"b": 1}}])
def test_values_keep_their_types(value: Any) -> None:
    tree = tree_of([display("a")], "start>a a>end", constants=[constant("x", "")])
    assert with_values(tree, {"${x}": value})["constants"]["${x}"]["value"] == value


def test_unknown_keys_are_ignored() -> None:
    tree = tree_of([display("a")], "start>a a>end", constants=[constant("x", "")])
    assert set(with_values(tree, {"x": 1, "${y}": 2})["constants"]) == {"${x}"}


def test_a_meta_variable_keeps_its_definition_and_takes_its_default() -> None:
    choice = constant("pick", {"default": "b", "items_text": "[]"}, is_meta=True)
    tree = tree_of([display("a")], "start>a a>end", constants=[choice])
    made = with_values(tree, {})["constants"]["${pick}"]
    assert made["value"] == "b"
    assert made["meta"]["value"] == {"default": "b", "items_text": "[]"}
