from __future__ import annotations

from typing import Any

import pytest
from tree_fixtures import constant, display, tree_of

from local_sops.trees import InvalidTreeError
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


def test_conditions_count_as_references() -> None:
    tree = tree_of(
        [display("a"), display("b")],
        "start>choice choice>a choice>b a>end b>end",
        {"choice": "ExclusiveGateway"},
        constants=[constant("asked", "x"), constant("unasked", "y")],
    )
    tree["gateways"]["choice"]["conditions"] = {"choice-a": {"evaluate": "${asked} == 1", "name": ""}}
    assert set(without_unreferenced(tree)["constants"]) == {"${asked}"}


@pytest.mark.parametrize(
    ("keep_outputs", "kept"), [(False, ["${used}", "${done}"]), (True, ["${used}", "${done}", "${given}"])]
)
def test_an_output_that_no_node_refers_to_stays_only_in_a_subprocess(keep_outputs: bool, kept: list[str]) -> None:
    tree = tree_of(
        [display("a", "${used}")],
        "start>a a>end",
        constants=[
            constant("given", "x", index=0),
            constant("used", "y", index=1),
            constant("done", "", index=2, source_type="component_outputs"),
        ],
        outputs=["${given}", "${used}", "${done}"],
    )
    left = without_unreferenced(tree, keep_outputs=keep_outputs)
    assert list(left["constants"]) == kept
    assert set(left["outputs"]) == set(kept)


def test_a_constant_that_stays_needs_its_place() -> None:
    tree = tree_of([display("a", "${x} ${y}")], "start>a a>end", constants=[constant("x", ""), constant("y", "")])
    del tree["constants"]["${x}"]["index"]
    with pytest.raises(InvalidTreeError, match="'index'"):
        without_unreferenced(tree)


def test_a_choice_in_a_callers_tree_gets_its_definition_only_with_a_value() -> None:
    choices = [constant(name, {"default": "b"}, is_meta=True) for name in ("given", "left")]
    tree = tree_of([display("a")], "start>a a>end", constants=choices)
    constants = with_values(tree, {"${given}": "a"}, of_caller=True)["constants"]
    assert (constants["${given}"]["value"], constants["${given}"]["meta"]["value"]) == ("a", {"default": "b"})
    assert constants["${left}"] == choices[1]


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
