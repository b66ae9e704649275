from __future__ import annotations

import copy
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_sops.service.json_text import read_json
from airflow_provider_sops.sops.errors import SopsError, SopsInvalidParameterError
from airflow_provider_sops.sops.pipeline_tree import PipelineTree, unfolding
from airflow_provider_sops.sops.pipeline_tree.content import content_hash
from airflow_provider_sops.sops.pipeline_tree.unfolding import Unfolder
from tests.pipeline_trees.blocks import Sub, Task
from tests.pipeline_trees.web_tree import web_tree
from tests.sops.builders import constant

if TYPE_CHECKING:
    from collections.abc import Mapping

T = Task()


def calling(*template_ids: str, source: str = "") -> Any:
    """A tree whose subprocesses call these templates, folded."""
    tree = web_tree((T, *(Sub((T,)) for _ in template_ids)))
    called = [each for each in tree["activities"].values() if each["type"] == "SubProcess"]
    for activity, template_id in zip(called, template_ids, strict=True):
        del activity["pipeline"]
        activity["template_id"] = template_id
        activity |= {"template_source": source} if source else {}
    return tree


class Templates:
    """Templates by id; counts how often each is read."""

    def __init__(self, trees: Mapping[str, Any]) -> None:
        self._trees = trees
        self.reads: Counter[tuple[bool, str]] = Counter()

    def __call__(self, is_common: bool, template_id: str) -> Any:
        self.reads[is_common, template_id] += 1
        return self._trees.get(template_id)

    def unfold(self, tree: Any) -> PipelineTree:
        return PipelineTree(Unfolder(self).unfold(tree))


def test_every_template_is_read_once_however_often_it_is_called() -> None:
    depth = 8
    trees = {str(number): calling(str(number + 1), str(number + 1)) for number in range(1, depth)}
    templates = Templates({**trees, str(depth): web_tree((T,))})

    tree = templates.unfold(calling("1", "1"))

    assert set(templates.reads.values()) == {1}
    assert len(templates.reads) == depth
    assert len(tree.levels) == 2 ** (depth + 1) - 1


def test_a_common_template_is_not_the_business_template_of_the_same_id() -> None:
    templates = Templates({"1": web_tree((T,))})
    tree = calling("1", "1")
    tree["activities"]["s3"]["template_source"] = "common"

    templates.unfold(tree)

    assert templates.reads == {(True, "1"): 1, (False, "1"): 1}


def test_shown_constants_get_the_values_that_the_subprocess_gives() -> None:
    inner = web_tree((T,))
    inner["constants"] = {
        "${shown}": constant("${shown}", "own"),
        "${hidden}": constant("${hidden}", "own", show_type="hide"),
    }
    tree = calling("1")
    tree["activities"]["s3"]["constants"] = {
        "${shown}": {"value": "given"},
        "${hidden}": {"value": "given"},
        "${unknown}": {"value": "given"},
    }

    constants = Templates({"1": inner}).unfold(tree).levels[("s3",)].constants

    assert {key: each["value"] for key, each in constants.items()} == {"${shown}": "given", "${hidden}": "own"}
    assert inner["constants"]["${shown}"]["value"] == "own"


def test_what_is_unfolded_already_or_cannot_be_read_stays_as_it_is() -> None:
    tree = web_tree((T, Sub((T,))))
    tree["activities"] |= calling("9")["activities"] | {"s5": {**tree["activities"]["s3"], "id": "s5"}}
    before = copy.deepcopy(tree)
    templates = Templates({})

    unfolded = templates.unfold(tree)

    assert templates.reads == {(False, "9"): 1}
    assert content_hash(unfolded) == content_hash(PipelineTree(before))
    assert tree == before


@pytest.mark.parametrize("around", [("1",), ("2", "1"), ("3", "2", "1")])
def test_a_template_that_contains_itself_is_named(around: tuple[str, ...]) -> None:
    templates = Templates(dict(zip(around, map(calling, ("1", *around)), strict=False)))

    with pytest.raises(SopsInvalidParameterError, match=r"template '1' contains itself"):
        templates.unfold(calling(around[-1]))


def test_too_many_levels_are_an_error() -> None:
    templates = Templates({str(number): calling(str(number + 1)) for number in range(1, 202)})

    with pytest.raises(SopsInvalidParameterError, match="nested deeper than 25 levels"):
        templates.unfold(calling("1"))


def test_what_is_not_too_deep_is_read_from_a_file_as_it_was_written() -> None:
    trees = {str(number): calling(str(number + 1)) for number in range(1, 25)}
    tree = Templates({**trees, "25": web_tree((T,))}).unfold(calling("1"))

    read = read_json(json.dumps({"pipeline_tree": tree.to_dict()}))

    assert len(tree.levels) == 26
    assert content_hash(PipelineTree.from_dict(read)) == content_hash(tree)


def test_a_tree_that_would_cost_too_many_requests_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unfolding, "MOST_CHARACTERS", 10 * 4096)
    templates = Templates({str(number): {} for number in range(1, 100)})

    with pytest.raises(SopsInvalidParameterError, match="the template and its subprocesses have more than"):
        templates.unfold(calling(*map(str, range(1, 100))))

    assert len(templates.reads) == 11


def test_what_would_become_too_large_is_an_error_before_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unfolding, "MOST_CHARACTERS", 1024 * 1024)
    templates = Templates({str(number): calling(str(number + 1), str(number + 1)) for number in range(1, 20)})

    with pytest.raises(SopsInvalidParameterError, match="more than 1 MiB"):
        templates.unfold(calling("1"))


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3))
ODD_NODE = st.fixed_dictionaries(
    {"type": st.just("SubProcess") | JSON},
    optional={name: JSON | st.dictionaries(st.text(), JSON) for name in ("pipeline", "constants", "template_id", "id")},
)


@given(st.dictionaries(st.text(), ODD_NODE | JSON, max_size=4), JSON | st.dictionaries(st.text(), JSON))
def test_an_odd_tree_ends_as_a_named_error_at_worst(activities: Any, inner: Any) -> None:
    odd = inner if isinstance(inner, dict) else {"activities": inner, "constants": inner}
    try:
        tree = PipelineTree(Unfolder(lambda *_: odd).unfold({"activities": activities}))
    except SopsError:
        return
    assert content_hash(tree)
    assert tree.findings
