from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_sops.sops.pipeline_tree.ordering import depth_first, post_dominators, strong_components

Targets = dict[str, list[str]]

NAMES = "abcdef"
GRAPHS: st.SearchStrategy[Targets] = st.fixed_dictionaries(
    {name: st.lists(st.sampled_from(NAMES), max_size=3) for name in NAMES}
)


def reached(targets: Targets, start: str, without: str = "") -> set[str]:
    """What can be reached from a node in any number of steps, itself included."""
    found, todo = set[str](), [start]
    while todo:
        node = todo.pop()
        if node not in found and node != without:
            found.add(node)
            todo += targets[node]
    return found


@given(GRAPHS)
def test_every_node_comes_after_its_predecessors_but_for_back_edges(targets: Targets) -> None:
    walk = depth_first(NAMES, targets)
    place = {node: number for number, node in enumerate(walk.order)}

    assert sorted(walk.order) == list(NAMES)
    for node, following in targets.items():
        for target in following:
            assert (place[node] < place[target]) is ((node, target) not in walk.back)


@given(GRAPHS)
def test_back_edges_close_a_cycle(targets: Targets) -> None:
    assert all(node in reached(targets, target) for node, target in depth_first(NAMES, targets).back)


def test_successors_are_ordered_as_they_are_listed() -> None:
    assert depth_first("a", {"a": ["b", "c"], "b": ["d"], "c": ["d"], "d": []}).order == ("a", "b", "c", "d")


@given(GRAPHS)
def test_components_are_what_reaches_each_other_and_come_before_what_leads_to_them(targets: Targets) -> None:
    components = strong_components(NAMES, targets)
    place = {node: number for number, component in enumerate(components) for node in component}

    assert sorted(node for component in components for node in component) == list(NAMES)
    for one in NAMES:
        for other in reached(targets, one):
            assert (place[one] == place[other]) is (one in reached(targets, other))
            assert place[other] <= place[one]


@given(GRAPHS)
def test_a_post_dominator_is_the_first_node_that_every_way_to_the_end_passes(targets: Targets) -> None:
    end = "f"
    nearest = post_dominators(end, targets)

    assert set(nearest) == {node for node in NAMES if node != end and end in reached(targets, node)}
    for node, passed in nearest.items():
        unavoidable = {other for other in NAMES if other != node and end not in reached(targets, node, without=other)}
        assert passed in unavoidable
        assert unavoidable - {passed} == {
            other for other in NAMES if other != passed and passed != end and end not in reached(targets, passed, other)
        }
