from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_sops.sops.pipeline_tree import PipelineTree
from airflow_provider_sops.sops.pipeline_tree.graph import depth_first, post_dominators, strong_components
from tests.pipeline_trees.strategies import flows
from tests.pipeline_trees.web_tree import web_tree
from tests.sops.builders import pipeline_tree, subprocess

if TYPE_CHECKING:
    from airflow_provider_sops.sops.pipeline_tree.graph import Edge, Graph
    from tests.pipeline_trees.blocks import Flow


def graph_of(tree: Any) -> Graph:
    return PipelineTree(tree).graph


def ends(edges: tuple[Edge, ...]) -> list[str]:
    return [f"{'/'.join(edge.source)}>{'/'.join(edge.target)}" for edge in edges]


LOOP = pipeline_tree("start > a > b > e > a", "start > a > b > e > last > end", nodes={"e": "ExclusiveGateway"})


def test_a_node_comes_after_those_that_lead_to_it() -> None:
    tree = pipeline_tree(
        "start > p > a > v > end",
        "start > p > v > end",
        "start > p > b > v > end",
        nodes={"p": "ParallelGateway", "v": "ConvergeGateway"},
    )

    assert graph_of(tree).order == (("start",), ("p",), ("a",), ("b",), ("v",), ("end",))


def test_what_is_inside_a_subprocess_comes_right_behind_it() -> None:
    tree = pipeline_tree("start > s > a > end", nodes={"s": subprocess("s", pipeline_tree("s2 > x > e2"))})

    assert ["/".join(key) for key in graph_of(tree).order] == ["start", "s", "s/s2", "s/x", "s/e2", "a", "end"]


def test_edges_stay_on_their_level() -> None:
    tree = pipeline_tree("start > s > end", nodes={"s": subprocess("s", pipeline_tree("s2 > x > e2"))})

    assert ends(graph_of(tree).edges) == ["start>s", "s>end", "s/s2>s/x", "s/x>s/e2"]


def test_a_node_knows_its_edges() -> None:
    graph = graph_of(LOOP)

    assert ends(graph.outgoing["e",]) == ["e>a", "e>last"]
    assert ends(graph.incoming["a",]) == ["start>a", "e>a"]


def test_an_edge_that_leads_back_is_marked() -> None:
    assert ends(tuple(edge for edge in graph_of(LOOP).edges if edge.is_back)) == ["e>a"]


def test_a_loop_has_its_nodes_entries_and_exits() -> None:
    (loop,) = graph_of(LOOP).loops

    assert loop.nodes == (("a",), ("b",), ("e",))
    assert (ends(loop.entries), ends(loop.exits)) == (["start>a"], ["e>last"])


def test_a_gateway_that_leads_to_itself_is_a_loop() -> None:
    tree = pipeline_tree("start > e > e", "start > e > end", nodes={"e": "ExclusiveGateway"})

    assert [loop.nodes for loop in graph_of(tree).loops] == [(("e",),)]


def test_what_a_loop_repeats_inside_a_subprocess_belongs_to_it() -> None:
    inner = pipeline_tree("s2 > x > e2")
    tree = pipeline_tree(
        "start > s > e > s", "start > s > e > end", nodes={"s": subprocess("s", inner), "e": "ExclusiveGateway"}
    )
    graph = graph_of(tree)

    assert graph.loop_of["s", "x"] is graph.loops[0]
    assert ("end",) not in graph.loop_of


def test_of_loops_inside_each_other_in_subprocesses_the_outermost_counts() -> None:
    tree = pipeline_tree(
        "start > s > g > s", "start > s > g > end", nodes={"s": subprocess("s", LOOP), "g": "ExclusiveGateway"}
    )
    graph = graph_of(tree)

    assert [loop.nodes[0] for loop in graph.loops] == [("s",), ("s", "a")]
    assert graph.loop_of["s", "a"] is graph.loops[0]


def test_a_chain_of_5000_nodes_does_not_overflow() -> None:
    ids = " > ".join(f"a{number}" for number in range(5000))
    tree = PipelineTree(pipeline_tree(f"start > {ids} > end"))

    assert tree.graph.order[1:3] == (("a0",), ("a1",))
    assert (len(tree.graph.order), tree.graph.loops) == (5002, ())
    assert tree.certainty.never_runs(("a1",)) == ()


@given(flows())
def test_without_the_back_edges_the_order_follows_every_edge(flow: Flow) -> None:
    tree = PipelineTree(web_tree(flow))
    place = {key: number for number, key in enumerate(tree.graph.order)}

    assert set(place) == set(tree.nodes)
    assert all((place[edge.source] < place[edge.target]) is not edge.is_back for edge in tree.graph.edges)
    assert all(place[key[:-1]] < place[key] for key in place if key[:-1])


@given(flows())
def test_each_level_keeps_the_order_of_the_whole(flow: Flow) -> None:
    graph = PipelineTree(web_tree(flow)).graph

    for path, keys in graph.order_in.items():
        assert keys == tuple(key for key in graph.order if key[:-1] == path)


@given(flows())
def test_every_back_edge_lies_in_a_loop_and_every_loop_has_a_way_out(flow: Flow) -> None:
    graph = PipelineTree(web_tree(flow)).graph
    loops = [set(loop.nodes) for loop in graph.loops]
    back = [{edge.source, edge.target} for edge in graph.edges if edge.is_back]

    assert all(any(ends <= nodes for nodes in loops) for ends in back)
    assert all(any(ends <= nodes for ends in back) for nodes in loops)
    assert all(loop.entries and loop.exits for loop in graph.loops)


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
