from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_sops.sops.pipeline_tree import PipelineTree
from airflow_provider_sops.sops.pipeline_tree.branches import Branches, Flaw, find_branches
from tests.sops.builders import pipeline_tree

P, C, E, V = "ParallelGateway", "ConditionalParallelGateway", "ExclusiveGateway", "ConvergeGateway"


def branches_of(tree: Any) -> Branches:
    return find_branches(PipelineTree(tree).levels[()])


@pytest.mark.parametrize(
    ("ways", "nodes", "converge_of"),
    [
        (("start > p > a > v > end", "start > p > b > v > end"), {"p": P, "v": V}, {"p": "v"}),
        (("start > c > a > v > end", "start > c > v > end"), {"c": C, "v": V}, {"c": "v"}),
        (
            ("start > p > q > a > v > w > end", "start > p > q > b > v > w > end", "start > p > c > w > end"),
            {"p": P, "q": P, "v": V, "w": V},
            {"p": "w", "q": "v"},
        ),
        # Excluding nodes leaves forks with one branch.
        (("start > p > a > v > end",), {"p": P, "v": V}, {"p": "v"}),
        (("start > p > q > a > v > w > end",), {"p": P, "q": P, "v": V, "w": V}, {"p": "w", "q": "v"}),
        (
            ("start > p > e > a > v > w > end", "start > p > e > b > v > w > end"),
            {"p": P, "e": E, "v": V, "w": V},
            {"p": "w"},
        ),
    ],
    ids=["parallel", "conditional", "nested", "one branch", "one branch in one branch", "one branch with a choice"],
)
def test_a_fork_belongs_to_the_converge_gateway_where_all_its_branches_meet(
    ways: tuple[str, ...], nodes: dict[str, str], converge_of: dict[str, str]
) -> None:
    found = branches_of(pipeline_tree(*ways, nodes=nodes))

    assert (found.converge_of, found.flaws) == (converge_of, ())


def test_every_node_between_lies_in_one_branch() -> None:
    found = branches_of(
        pipeline_tree(
            "start > p > a > q > c > w > v > end",
            "start > p > a > q > d > w > v > end",
            "start > p > b > v > end",
            nodes={"p": P, "q": P, "w": V, "v": V},
        )
    )
    around = {node_id: branch and (branch.fork_id, branch.number) for node_id, branch in found.branch_of.items()}

    assert around == {
        **dict.fromkeys(("start", "p", "v", "end")),
        **dict.fromkeys(("a", "q", "w"), ("p", 0)),
        "b": ("p", 1),
        "c": ("q", 0),
        "d": ("q", 1),
    }
    inner = found.branch_of["c"]
    assert inner is not None
    assert inner.around is found.branch_of["a"]


def test_what_leads_out_of_a_branch_is_a_flaw_of_the_fork() -> None:
    tree = pipeline_tree("start > p > a > v > end", "start > p > b > end", nodes={"p": P, "v": V})

    assert branches_of(tree).flaws == (("p", Flaw.NO_CONVERGE),)


def test_a_tree_without_events_has_no_branches() -> None:
    assert branches_of({"activities": {}}) == Branches({}, {}, (), {})
