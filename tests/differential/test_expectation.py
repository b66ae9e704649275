"""What a run in SOPS makes the comparison expect of Airflow, told by runs written down by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.differential.expectation import Fate, expect
from tests.differential.sops_run import Row, SopsRun
from tests.pipeline_trees.blocks import Conditional, Exclusive, Loop, Parallel, Sub, Task
from tests.pipeline_trees.task_tree import task_tree
from tests.pipeline_trees.web_tree import web_tree

if TYPE_CHECKING:
    from tests.pipeline_trees.blocks import Flow

T = Task()


def row(state: str) -> Row:
    return Row(state, loop=1, retry=0, skip=False, error_ignored=False, outputs=None, error="")


def fates(flow: Flow, state: str, **reached: str) -> dict[str, str]:
    """What is expected of each node; those reached are named by ``_`` instead of ``/``."""
    template = web_tree(flow)
    tree, ids = task_tree(template)
    _note_converge_gateways(template, tree, ids)
    names = {"start": "start_event", "end": "end_event"}
    by_key = {tuple(names.get(part, part) for part in key): node_id for key, node_id in ids.items()}
    rows = {tuple(key.split("_")): row(state_of_node) for key, state_of_node in reached.items()}
    run = SopsRun(state, tree, by_key, {("start_event",): row("FINISHED"), **rows}, {})
    return {"/".join(key): expected.fate for key, expected in expect(run, template).items()}


def _note_converge_gateways(template: Any, tree: Any, ids: dict[tuple[str, ...], str]) -> None:
    for gateway_id, gateway in template["gateways"].items():
        if converge := gateway.get("converge_gateway_id"):
            tree["gateways"][ids[gateway_id,]]["converge_gateway_id"] = ids[converge,]


def test_in_a_finished_flow_what_was_not_reached_was_passed_by() -> None:
    found = fates((Exclusive(((T,), (T,))),), "FINISHED", g1="FINISHED", a3="FINISHED", g7="FINISHED")

    assert found == {"g1": Fate.ENDED, "a3": Fate.ENDED, "a5": Fate.PASSED_BY, "g7": Fate.ENDED}


def test_behind_a_failure_all_is_held_up() -> None:
    found = fates((T, T, T), "FAILED", a1="FINISHED", a3="FAILED")

    assert found == {"a1": Fate.ENDED, "a3": Fate.FAILED, "a5": Fate.HELD_UP}


def test_a_failure_inside_a_subprocess_holds_up_what_is_behind_it() -> None:
    found = fates((Sub((T, T)), T), "FAILED", s1="FAILED", s1_a1="FAILED")

    assert found == {"s1/a1": Fate.FAILED, "s1/a3": Fate.HELD_UP, "a3": Fate.HELD_UP}


def test_in_a_loop_a_failure_holds_up_those_before_it_too() -> None:
    found = fates((T, Loop((T,)), T), "FAILED", a1="FINISHED", a3="FINISHED", a5="FAILED")

    assert found == {"a1": Fate.ENDED, "a3": Fate.HELD_UP, "a5": Fate.FAILED, "g7": Fate.HELD_UP, "a10": Fate.HELD_UP}


def test_a_branch_that_another_rules_out_is_passed_by_in_spite_of_a_failure() -> None:
    found = fates((Exclusive(((T,), (T,))),), "FAILED", g1="FINISHED", a3="FAILED")

    assert found["a5"] == Fate.PASSED_BY


def test_whether_a_conditional_branch_is_passed_by_shows_only_where_branches_meet() -> None:
    flow = (Conditional(((T,), (T,)), (True, False)),)

    assert fates(flow, "FAILED", g1="FINISHED", a3="FAILED")["a5"] == Fate.UNDECIDED


def test_a_branch_beside_a_failure_ends_as_it_does() -> None:
    found = fates((Parallel(((T,), (T,))),), "FAILED", g1="FINISHED", a3="FAILED", a5="FINISHED")

    assert found == {"g1": Fate.ENDED, "a3": Fate.FAILED, "a5": Fate.ENDED, "g7": Fate.HELD_UP}


def test_whether_a_loop_is_over_shows_only_behind_it() -> None:
    found = fates((Parallel(((Loop(()),), (T,))),), "FAILED", g1="FINISHED", a3="FINISHED", g5="FINISHED", a8="FAILED")

    assert found == {
        "g1": Fate.ENDED,
        "a3": Fate.MAYBE_AGAIN,
        "g5": Fate.MAYBE_AGAIN,
        "a8": Fate.FAILED,
        "g10": Fate.HELD_UP,
    }
